"""Fitted classifiers as sources of branch probabilities, task by task."""

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_skin.utils import average_branches, fit_with_validation, split_pipeline

# A probability of 0 still has a logarithm: it outweighs every other branch but is finite.
_SMALLEST = np.finfo(np.float64).tiny


class TaskClassifiers:
    """Classifiers fitted for one task each, seen as one classifier.

    Parameters
    ----------
    estimators : list of T fitted classifiers
    classes : list of T ndarray of shape (C_t,)
        All labels of each task.
    """

    def __init__(self, estimators, classes):
        self.estimators = estimators
        self.classes = classes

    @property
    def classes_(self):
        """Labels of the columns of `predict_proba`, per task."""
        return self.classes

    def predict_proba(self, X):
        """Return a list of T arrays (n, C_t)."""
        return [
            align_columns(estimator.predict_proba(X), estimator.classes_, classes)
            for estimator, classes in zip(self.estimators, self.classes)
        ]


class CodedClassifier:
    """A classifier fitted on the codes 0, 1, … of labels that it does not take.

    Parameters
    ----------
    estimator : fitted classifier
    classes : ndarray of shape (C,)
        Label of each code.
    """

    def __init__(self, estimator, classes):
        self.estimator = estimator
        self.classes_ = classes

    def predict_proba(self, X):
        """Return an array (n, C)."""
        return self.estimator.predict_proba(X)


def fit_labels(estimator, X, y, **params):
    """Fit a clone on the labels of one task; on their codes where it takes no such labels.

    Boosted trees of other libraries take only 0, 1, …, which the labels in a fold may not be.
    """
    try:
        return clone(estimator).fit(X, y, **params)
    except InvalidParameterError:
        raise
    except (TypeError, ValueError) as refusal:
        classes, codes = np.unique(y, return_inverse=True)
        if np.array_equal(classes, np.arange(len(classes))) or _names_labels(estimator):
            raise
        try:
            return CodedClassifier(clone(estimator).fit(X, codes, **params), classes)
        except (TypeError, ValueError) as error:
            if str(error) != str(refusal):
                error.add_note(f"Said of the labels' codes 0, 1, …; of the labels: {refusal}")
            raise


def _names_labels(estimator):
    """Whether a parameter names labels, whose codes would then be unknown to it."""
    values = estimator.get_params().items()
    return any(n.split("__")[-1] == "class_weight" and isinstance(v, dict) for n, v in values)


def check_probabilities(members):
    """Raise an error for a member that shows, before it is fitted, that it gives none."""
    for name, member in members:
        if hasattr(member, "predict") and not hasattr(member, "predict_proba"):
            kind = type(split_pipeline(member)[0]).__name__
            raise TypeError(
                f"member {name!r} ({kind}) has no predict_proba: wrap it in "
                "CalibratedClassifierCV, or leave it out."
            )


def handles_tasks(estimator):
    """Whether `estimator` is given the labels of all tasks at once."""
    final, _ = split_pipeline(estimator)
    return hasattr(final, "predict_branches") or not get_tags(final).target_tags.single_output


def fit_member(estimator, X, y, codec, params, valid=(None, None)):
    """Fit a clone on labels y (n,) or (n, T), or one clone per task where it takes only one.

    `valid` holds rows and labels to validate on, for classifiers whose fit takes them.
    """
    if not handles_tasks(estimator):
        codes = codec.transform(y)
        fitted = fit_tasks([estimator] * codes.shape[1], X, codes, codec.classes_, params)
        return fitted if codec.multi_task else fitted.estimators[0]
    final = split_pipeline(estimator)[0]
    if not codec.multi_task and not get_tags(final).target_tags.single_output:
        raise ValueError(
            f"{type(final).__name__} is made for several tasks, and y has one: take the classifier "
            "inside it."
        )
    member = clone(estimator)
    codec.name_absent(member, y)
    return fit_with_validation(member, X, y, *valid, **params)


def fit_tasks(classifiers, X, codes, classes, params):
    """Fit one clone per task, on the rows that have a label of it."""
    fitted = []
    for classifier, column, labels in zip(classifiers, codes.T, classes):
        rows = np.flatnonzero(column >= 0)
        task_params = {name: value[rows] for name, value in params.items()}
        one_class = len(np.unique(column[rows])) == 1
        # A fold may hold a single class of a rare task; most classifiers refuse that.
        model = DummyClassifier(strategy="prior") if one_class else classifier
        task_params = {} if one_class else task_params
        own = labels[column[rows]]
        fitted.append(fit_labels(model, _safe_indexing(X, rows), own, **task_params))
    return TaskClassifiers(fitted, list(classes))


def member_tables(member, X, codec):
    """Return the member's probabilities, one array (n, C_t) per task, columns as in `codec`."""
    return _align_tasks(member.predict_proba(X), member, codec)


def member_branches(member, X, codec, name, split):
    """Return branch -> probabilities per task; `split` opens a member that has branches."""
    final, transformers = split_pipeline(member)
    if not split or not hasattr(final, "predict_branches"):
        return {name: member_tables(member, X, codec)}
    for step in transformers:
        X = step.transform(X)
    branches = final.predict_branches(X)
    return {name: _align_tasks(proba, final, codec) for name, proba in branches.items()}


def align_columns(proba, have, want):
    """Return `proba` with one column per label in `want`; 0 for labels that it does not know."""
    # Columns follow each fold's own labels, and a fold may lack a class.
    position = pd.Index(have).get_indexer(want)
    aligned = np.zeros((len(proba), len(want)))
    known = position >= 0
    aligned[:, known] = np.asarray(proba)[:, position[known]]
    return aligned


def combine(branches, weights, space="proba"):
    """Return the weighted average of K branches of T arrays (n, C_t), per task.

    In the space of logits it is the softmax of the average of log-probabilities, which equals
    that of the average of logits, since these differ by one constant per row and branch.
    """
    combined = average_branches(in_space(branches, space), weights)
    if space == "proba":
        return combined
    # Without the shift a row whose logits are all very negative would be 0 / 0.
    shifted = [np.exp(table - table.max(axis=1, keepdims=True)) for table in combined]
    return [table / table.sum(axis=1, keepdims=True) for table in shifted]


def in_space(branches, space):
    """Return the branches as probabilities or as their logarithms."""
    if space == "proba":
        return branches
    return [[np.log(np.maximum(table, _SMALLEST)) for table in tables] for tables in branches]


def _align_tasks(proba, member, codec):
    if not codec.multi_task:
        return [align_columns(proba, member.classes_, codec.classes_[0])]
    if not isinstance(proba, list) or len(proba) != len(codec.classes_):
        raise ValueError(
            f"{type(member).__name__} must give a list of probabilities, one array for each of "
            f"the {len(codec.classes_)} tasks."
        )
    return [
        align_columns(p, have, want)
        for p, have, want in zip(proba, member.classes_, codec.classes_)
    ]
