"""What the models say about the test rows."""

from typing import NamedTuple

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sklearn_skin.reporting._cases import codes_of
from sklearn_skin.utils import list_names, split_pipeline


class Prediction(NamedTuple):
    """A model's answer to a task: codes (n,), and per class scores and probabilities, or None.

    `scores` rank the rows; they are the probabilities where the model has them.
    """

    codes: np.ndarray
    scores: np.ndarray | None
    proba: np.ndarray | None

    @property
    def confidence(self):
        """The probability (n,) of the predicted class."""
        return np.take_along_axis(self.proba, self.codes[:, None], axis=1)[:, 0]


def named_estimators(estimators):
    """Return {name: fitted estimator}, or raise an error that names the model.

    Parameters
    ----------
    estimators : estimator, list of (str, estimator), or dict of str to estimator
        The models.
    """
    if hasattr(estimators, "predict"):
        estimators = {type(estimators).__name__: estimators}
    elif isinstance(estimators, list | tuple):
        names = [pair[0] for pair in estimators if isinstance(pair, list | tuple)]
        if len(names) != len(estimators) or len(set(names)) != len(names):
            raise ValueError(
                "`estimators` must be an estimator, a dict, or a list of (name, estimator) with "
                f"different names; got {estimators!r}."
            )
        estimators = dict(estimators)
    if not isinstance(estimators, dict) or not estimators:
        raise ValueError(f"`estimators` must hold at least one estimator; got {estimators!r}.")
    for name, estimator in estimators.items():
        if not hasattr(estimator, "predict") or isinstance(estimator, type):
            raise TypeError(
                f"`estimators` must hold fitted classifiers; {name!r} is {estimator!r}."
            )
        try:
            check_is_fitted(estimator)
        except NotFittedError as error:
            raise NotFittedError(
                f"`estimators`: {name!r} is not fitted. X and y are test rows: fit every model "
                "on other rows first."
            ) from error
    return {str(name): estimator for name, estimator in estimators.items()}


def classes_per_task(estimator):
    """Return the classes of an estimator as a list over tasks, empty if it does not tell."""
    classes = getattr(estimator, "classes_", None)
    if classes is None or len(classes) == 0:
        return []
    return list(classes) if np.ndim(classes[0]) == 1 else [np.asarray(classes)]


def find_network(estimator):
    """Return the fitted network of this package inside Pipelines and searches, or None."""
    network = split_pipeline(estimator)[0]
    # Ensembles of networks have branches too, but only a network has a history of epochs.
    is_network = hasattr(network, "predict_branches") and hasattr(network, "history_")
    return network if is_network else None


def predict(name, estimator, cases):
    """Return the Prediction of every task.

    Parameters
    ----------
    name : str
        The model's name in messages.
    estimator : estimator
        The fitted model.
    cases : Cases
        The test rows.

    Raises
    ------
    ValueError
        If the model has another number of tasks.
    """
    classes = classes_per_task(estimator)
    proba = scores = None
    if hasattr(estimator, "predict_proba"):
        proba = scores = _aligned(estimator.predict_proba(cases.X), classes, cases)
    elif hasattr(estimator, "decision_function") and len(cases.tasks) == 1:
        scores = _aligned(estimator.decision_function(cases.X), classes, cases)
    if proba is not None and find_network(estimator) is not None:
        # Our networks predict the most probable class: no second pass over the images.
        codes = [table.argmax(axis=1) for table in proba]
    else:
        codes = _codes(name, estimator.predict(cases.X), cases)
    if len(codes) != len(cases.tasks):
        raise ValueError(
            f"`estimators`: {name!r} predicts {len(codes)} tasks, but y has {len(cases.tasks)}."
        )
    empty = [None] * len(codes)
    return [Prediction(*parts) for parts in zip(codes, scores or empty, proba or empty)]


def _codes(name, predicted, cases):
    predicted = np.asarray(predicted)
    columns = predicted.reshape(len(cases), -1).T
    if len(columns) != len(cases.tasks):
        return list(columns)
    codes = [codes_of(labels, task.classes) for labels, task in zip(columns, cases.tasks)]
    for found, labels, task in zip(codes, columns, cases.tasks):
        if (found < 0).any():
            unknown = list_names(sorted(set(labels[found < 0].tolist()), key=str))
            raise ValueError(
                f"`estimators`: {name!r} predicts labels that are not among its classes_ or in y "
                f"({task.name}): {unknown}."
            )
    return codes


def _aligned(tables, classes, cases):
    """Return scores per task with a column for each class of the task."""
    tables = list(tables) if isinstance(tables, list | tuple) else [np.asarray(tables)]
    if len(tables) == 1 and tables[0].ndim == 1:
        tables = [np.column_stack([-tables[0], tables[0]])]
    if len(tables) != len(cases.tasks) or len(classes) != len(tables):
        return None
    aligned = []
    for table, known, task in zip(tables, classes, cases.tasks):
        if table.shape[1] != len(known):
            return None  # one against one: scores of pairs of classes
        # A class that the model does not know is the least likely one.
        lowest = min(0.0, float(table.min()))
        full = np.full((len(table), len(task.classes)), lowest)
        full[:, codes_of(known, task.classes)] = table
        aligned.append(full)
    return aligned
