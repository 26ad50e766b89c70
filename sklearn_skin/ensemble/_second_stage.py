"""The second stage of FusionM4Net: classifiers, one per task, on what the first stage says."""

from typing import NamedTuple

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.multioutput import ClassifierChain
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC
from sklearn.utils import get_tags
from sklearn.utils.parallel import Parallel, delayed

from sklearn_skin.ensemble._branches import (
    TaskClassifiers,
    align_columns,
    fit_tasks,
)
from sklearn_skin.utils import (
    grouped_folds,
    mean_over_tasks,
    missing_as_nan,
    request_weights,
    split_pipeline,
    warn_user,
)

#: Name -> function that makes the classifier for a seed.
SECOND_STAGES = {
    "svm": lambda seed: SVC(C=1.0),
    "logistic_regression": lambda seed: LogisticRegression(max_iter=1000),
    "mlp": lambda seed: MLPClassifier(max_iter=500, random_state=seed),
    "hist_gradient_boosting": lambda seed: HistGradientBoostingClassifier(random_state=seed),
}
_CALIBRATION_FOLDS = 5
_INNER_FOLDS = 3  # for the weights of P1 and P2 alone; the final classifiers see all rows


class StageData(NamedTuple):
    """What the second stage is fitted on: rows that the first stage's networks had not seen.

    P1 and P2 are weighed on the rows `valid`, or on these by cross-fitting.
    """

    features: np.ndarray
    codes: np.ndarray
    sample_weight: np.ndarray | None
    groups: np.ndarray | None
    p1: list
    valid: "StageData | None" = None


def groups_of_rows(groups, rows):
    """Return the groups of cross-fitted rows, or None where every row is its own."""
    if groups is not None:
        return groups[rows]
    # A splitter that repeats itself holds a row out again: its copies stay together.
    return rows if len(np.unique(rows)) < len(rows) else None


def stage_accuracies(stages, codes, sample_weight):
    """Return the mean over tasks of the accuracy of each stage, by its name."""
    truth, scores = missing_as_nan(codes), {}
    for name, tables in stages.items():
        predicted = np.stack([table.argmax(axis=1) for table in tables], axis=1)
        scores[name] = mean_over_tasks(accuracy_score, truth, predicted, sample_weight)
    return scores


class JointClassifier:
    """A fitted multi-output classifier whose columns follow `classes`."""

    def __init__(self, estimator, classes):
        self.estimator = estimator
        self.classes = classes

    def predict_proba(self, X):
        """Return a list of T arrays (n, C_t)."""
        found = self.estimator.predict_proba(X)
        if isinstance(found, np.ndarray) and found.ndim == 2:
            # A chain gives the probability of the second class, per task.
            found = [np.column_stack([1 - column, column]) for column in found.T]
        return [
            align_columns(proba, have, want)
            for proba, have, want in zip(found, self.estimator.classes_, self.classes)
        ]


def make_second_stage(second_stage, seed):
    """Return a classifier for None, a name or a classifier."""
    if second_stage is None or isinstance(second_stage, str):
        name = second_stage or "svm"
        if name not in SECOND_STAGES:
            raise ValueError(
                f"`second_stage` must be a classifier or one of {sorted(SECOND_STAGES)}; "
                f"got {name!r}."
            )
        return request_weights(SECOND_STAGES[name](seed))
    return second_stage


def check_second_stage(second_stage):
    """Raise an error for an estimator that is no classifier."""
    if second_stage is None or isinstance(second_stage, str):
        return
    name = type(split_pipeline(second_stage)[0]).__name__
    # A classifier from elsewhere may say nothing of its kind.
    kind = get_tags(second_stage).estimator_type or "classifier"
    if kind != "classifier":
        raise TypeError(
            f"`second_stage` must be a classifier, such as LogisticRegression(); {name} calls "
            f"itself {kind!r}."
        )
    # The tags tell what an unfitted one may hide, such as stacking, which has no `predict` yet.
    if not (hasattr(second_stage, "predict") or is_classifier(second_stage)):
        raise TypeError(f"`second_stage` must be a classifier; {name} has no predict.")
    scores = hasattr(second_stage, "predict_proba") or hasattr(second_stage, "decision_function")
    # What shows no `predict` either shows nothing before it is fitted.
    if hasattr(second_stage, "predict") and not scores and not is_joint(second_stage):
        raise TypeError(
            f"`second_stage` must give probabilities or scores; {name} has neither predict_proba "
            "nor decision_function. A VotingClassifier has with voting='soft'."
        )


def is_joint(classifier):
    """Whether the classifier is made for all tasks at once."""
    return not get_tags(split_pipeline(classifier)[0]).target_tags.single_output


def needs_calibration(classifier):
    """Whether the classifier gives scores where probabilities are needed."""
    if is_joint(classifier) or hasattr(classifier, "predict_proba"):
        return False
    # Stacking by default shows neither before it is fitted, and has both then.
    return hasattr(classifier, "predict")


def warn_of_calibration(second_stage):
    """Say that a user's own classifier is wrapped; those with a name are known to be."""
    if not hasattr(second_stage, "fit") or not needs_calibration(second_stage):
        return
    name = type(split_pipeline(second_stage)[0]).__name__
    warn_user(
        f"{name} has no predict_proba; the second stage uses CalibratedClassifierCV of it, with "
        "ensemble=False.",
        once=("calibration", name),
    )


def fit_second_stage(classifier, data, classes, params, seed, rows=None):
    """Fit the classifier on rows of `data`, one clone per task or one for all."""
    rows = np.arange(len(data.codes)) if rows is None else rows
    codes = data.codes[rows]
    if is_joint(classifier):
        return _fit_joint(classifier, data, classes, params, rows)
    if not needs_calibration(classifier):
        own = {name: value[rows] for name, value in params.items()}
        models = [classifier] * len(classes)
        return fit_tasks(models, data.features[rows], codes, classes, own)
    # The calibration's folds depend on the task: other rows are labelled, other classes rare.
    fitted = []
    for task, labels in enumerate(classes):
        model, kept = _calibrated(classifier, data, rows, task, seed)
        own = {name: value[kept] for name, value in params.items()}
        codes = data.codes[kept][:, [task]]
        fitted += fit_tasks([model], data.features[kept], codes, [labels], own).estimators
    return TaskClassifiers(fitted, list(classes))


def _fit_joint(classifier, data, classes, params, rows):
    complete = rows[(data.codes[rows] >= 0).all(axis=1)]
    if len(complete) == 0:
        raise ValueError(
            f"{type(classifier).__name__} is fitted for all tasks at once, and no row has a "
            "label of every task."
        )
    many = max(map(len, classes)) > 2
    if many and isinstance(split_pipeline(classifier)[0], ClassifierChain):
        raise ValueError(
            "ClassifierChain gives one probability per task, and a task has more than two classes; "
            "take MultiOutputClassifier, or the classifier inside it, of which each task gets one."
        )
    # Codes: one array of numbers and texts would turn the numbers into texts, and a chain of
    # classifiers learns from the labels before.
    classes = [np.arange(len(known)) for known in classes]
    own = {name: value[complete] for name, value in params.items()}
    fitted = clone(classifier).fit(data.features[complete], data.codes[complete], **own)
    return JointClassifier(fitted, classes)


def _calibrated(classifier, data, rows, task, seed):
    """Return the classifier with calibration, and the rows that it can be fitted on.

    The calibration's folds keep groups whole. A class with rows in one fold alone (a single
    row or group) cannot be calibrated, so its rows are left out.
    """
    rows = rows[data.codes[rows, task] >= 0]
    codes = data.codes[rows, task]
    groups = rows if data.groups is None else data.groups[rows]
    spread = {code: len(set(groups[codes == code])) for code in np.unique(codes)}
    kept = np.isin(codes, [code for code, count in spread.items() if count >= 2])
    if len(np.unique(codes[kept])) < 2:
        # One class is left: fit_tasks makes it a constant.
        return classifier, rows[kept] if kept.any() else rows[codes == codes[0]]
    rows, codes, groups = rows[kept], codes[kept], groups[kept]
    n_folds = min(_CALIBRATION_FOLDS, *(count for count in spread.values() if count >= 2))
    cv = _calibration_folds(n_folds, codes, None if data.groups is None else groups, seed)
    return CalibratedClassifierCV(classifier, cv=cv, ensemble=False), rows


def _calibration_folds(n_folds, codes, groups, seed):
    folds = grouped_folds(codes, groups, n_folds, seed)
    if all(len(np.unique(codes[train])) > 1 for train, _ in folds):
        return folds
    # Whole groups left one class to train on, of which nothing can be learnt: split rows.
    return grouped_folds(codes, None, 2, seed)


def unseen_stages(classifier, cluster, data, classes, params, seed, n_jobs):
    """Return P1 and P2 of rows that neither stage has seen, and the data of these rows."""
    if data.valid is not None:
        return [data.valid.p1, cluster.predict_proba(data.valid.features)], data.valid
    p2 = cross_fit_second_stage(classifier, data, classes, params, seed, n_jobs)
    return [data.p1, p2], data


def cross_fit_second_stage(classifier, data, classes, params, seed, n_jobs):
    """Return the probabilities of every row by a second stage that has not seen it."""
    folds = grouped_folds(data.codes[:, 0], data.groups, _INNER_FOLDS, seed)
    tables = Parallel(n_jobs=n_jobs)(
        delayed(_fit_and_predict)(classifier, data, classes, params, seed, train, test)
        for train, test in folds
    )
    p2 = [np.zeros((len(data.codes), len(labels))) for labels in classes]
    for (_, test), fold in zip(folds, tables):
        for table, part in zip(p2, fold):
            table[test] = part
    return p2


def _fit_and_predict(classifier, data, classes, params, seed, train, test):
    stage = fit_second_stage(classifier, data, classes, params, seed, train)
    return stage.predict_proba(data.features[test])
