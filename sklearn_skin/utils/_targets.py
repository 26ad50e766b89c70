"""Targets of one or several tasks, with labels that may be missing."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_consistent_length


class TaskLabels(NamedTuple):
    """Labels of one task, some of which may be missing.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Labels.
    known : bool ndarray of shape (n,)
        False where a label is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.utils import TaskLabels
    >>> TaskLabels(np.array(["b", "a", ""]), np.array([True, True, False])).classes.tolist()
    ['a', 'b']
    """

    values: np.ndarray
    known: np.ndarray

    @property
    def classes(self):
        """The known labels, sorted, each once."""
        return np.unique(self.labels)

    @property
    def labels(self):
        """The known labels, in the order of the rows."""
        return narrow_dtype(self.values[self.known])


def task_labels(y, name="y"):
    """Split targets into tasks.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, T)
        Labels; NaN, None and NA are missing.
    name : str, default="y"
        What error messages call it.

    Returns
    -------
    tasks : list of TaskLabels
        One entry for a 1-D `y`.

    Raises
    ------
    ValueError
        If `y` has another number of dimensions, or no row.

    Examples
    --------
    >>> from sklearn_skin.utils import task_labels
    >>> first, second = task_labels([["nevus", 1], [None, 0]])
    >>> first.classes.tolist(), first.known.tolist(), second.classes.tolist()
    (['nevus'], [True, False], [0, 1])
    """
    if isinstance(y, pd.DataFrame):
        columns = [np.asarray(y.iloc[:, task]) for task in range(y.shape[1])]
    else:
        array = as_array(y)
        if array.ndim not in (1, 2):
            raise ValueError(f"`{name}` must have shape (n,) or (n, n_tasks); got {array.shape}.")
        columns = [array] if array.ndim == 1 else list(array.T)
    if not columns or len(columns[0]) == 0:
        raise ValueError(f"`{name}` must hold at least one row and one task; got none.")
    return [TaskLabels(column, ~np.asarray(pd.isna(column), dtype=bool)) for column in columns]


def known_task_labels(y, name="y"):
    """Split targets into tasks like `task_labels`; a task without any label is an error.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, T)
        Labels; NaN, None and NA are missing.
    name : str, default="y"
        What error messages call it.

    Returns
    -------
    tasks : list of TaskLabels

    Raises
    ------
    ValueError
        If every label of a task is missing.

    Examples
    --------
    >>> from sklearn_skin.utils import known_task_labels
    >>> len(known_task_labels([[0, 1], [None, 1]]))
    2
    """
    tasks = task_labels(y, name)
    for task, labels in enumerate(tasks):
        if not labels.known.any():
            where = f" in task {task}" if len(tasks) > 1 else ""
            raise ValueError(f"`{name}` has no label{where}: every value is missing.")
    return tasks


def task_names(y):
    """Return a name for each task: of its column, or ``y``, ``y0``, ``y1``, ….

    Parameters
    ----------
    y : array-like of shape (n,) or (n, T)
        Labels.

    Returns
    -------
    names : list of str

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_skin.utils import task_names
    >>> task_names(pd.DataFrame({"diagnosis": ["nevus"], "elevation": ["flat"]}))
    ['diagnosis', 'elevation']
    """
    if isinstance(y, pd.DataFrame):
        return list(map(str, y.columns))
    labels = as_array(y)
    if labels.ndim < 2:
        return [str(getattr(y, "name", None) or "y")]
    return [f"y{task}" for task in range(labels.shape[1])]


def task_weights(sample_weight, n_rows, n_tasks):
    """Return a weight for each row and task.

    Parameters
    ----------
    sample_weight : array-like of shape (n,) or (n, T), or None
        Weights of rows, or of rows in tasks; None weighs all equally.
    n_rows, n_tasks : int
        Numbers n and T.

    Returns
    -------
    weights : ndarray of shape (n, T)

    Raises
    ------
    ValueError
        If a weight is negative or not finite, or there is another number of them.

    Examples
    --------
    >>> from sklearn_skin.utils import task_weights
    >>> task_weights([1, 2], 2, 2).tolist()
    [[1.0, 1.0], [2.0, 2.0]]
    """
    if sample_weight is None:
        return np.ones((n_rows, n_tasks))
    weights = np.asarray(sample_weight, dtype=float)
    if weights.ndim == 1:
        weights = np.repeat(weights[:, None], n_tasks, axis=1)
    if weights.shape != (n_rows, n_tasks):
        raise ValueError(
            f"`sample_weight` must have shape ({n_rows},) or ({n_rows}, {n_tasks}); "
            f"got {np.shape(sample_weight)}."
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError("`sample_weight` must hold finite numbers >= 0.")
    return weights


def task_probabilities(proba, tasks, classes=None, name="y_proba"):
    """Check probabilities (or other scores) against the labels.

    Parameters
    ----------
    proba : array-like of shape (n, C), or list of T array-like of shape (n, C_t)
        Scores per class. With one task of two classes also (n,): those of the second class.
    tasks : list of TaskLabels
        The true labels.
    classes : array-like, list of array-like or None, default=None
        Labels of the columns, per task; None takes the sorted known labels.
    name : str, default="y_proba"
        What error messages call `proba`.

    Returns
    -------
    scores : list of ndarray of shape (n, C_t)
        Per task.
    classes : list of ndarray of shape (C_t,)
        Labels of the columns.

    Raises
    ------
    ValueError
        If shapes do not fit, a score is not finite or a label has no column.

    Examples
    --------
    >>> from sklearn_skin.utils import task_labels, task_probabilities
    >>> scores, classes = task_probabilities([0.25, 0.75], task_labels(["a", "b"]))
    >>> scores[0].tolist(), classes[0].tolist()
    ([[0.75, 0.25], [0.25, 0.75]], ['a', 'b'])
    """
    scores = _as_tables(proba, len(tasks), name)
    classes = _as_classes(classes, tasks)
    for task, (table, labels, known) in enumerate(zip(scores, classes, tasks)):
        where = f" of task {task}" if len(tasks) > 1 else ""
        check_consistent_length(table, known.values)
        if table.shape[1] != len(labels):
            raise ValueError(
                f"`{name}`{where} has {table.shape[1]} columns for the {len(labels)} classes "
                f"{labels.tolist()}. Pass `classes`, the labels in the order of the columns."
            )
        unknown = np.setdiff1d(known.labels, labels)
        if len(unknown):
            raise ValueError(f"y{where} has labels that `classes` lacks: {unknown.tolist()}.")
        if not np.isfinite(table).all():
            raise ValueError(f"`{name}`{where} must be finite; got NaN or infinity.")
    return scores, classes


def mean_over_tasks(metric, y_true, y_pred, sample_weight=None):
    """Return the mean over tasks of a score of predicted labels; missing labels are left out.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, y_pred, sample_weight=...)`` -> float, for the known rows of one task.
        A task for which it is NaN has no say.
    y_true : array-like of shape (n,) or (n, T)
        True labels; NaN, None and NA are missing.
    y_pred : array-like of shape (n,) or (n, T)
        Predicted labels.
    sample_weight : array-like of shape (n,) or (n, T), default=None
        Weight of every row.

    Returns
    -------
    score : float
        NaN where the metric is, in every task.

    Raises
    ------
    ValueError
        If a task has no label, the shapes differ, or `y_pred` lacks a label where `y_true` has
        one.

    Examples
    --------
    >>> from sklearn.metrics import accuracy_score
    >>> from sklearn_skin.utils import mean_over_tasks
    >>> mean_over_tasks(accuracy_score, [["nevus", 1], [None, 0]], [["nevus", 1], ["nevus", 1]])
    0.75
    """
    tasks, predicted = known_task_labels(y_true, "y_true"), task_labels(y_pred, "y_pred")
    check_consistent_length(tasks[0].known, predicted[0].known)
    if len(tasks) != len(predicted):
        raise ValueError(f"`y_pred` has {len(predicted)} tasks, `y_true` has {len(tasks)}.")
    weights = task_weights(sample_weight, len(tasks[0].known), len(tasks))
    scores = []
    for task, (truth, guess) in enumerate(zip(tasks, predicted)):
        lacking = int((~guess.known[truth.known]).sum())
        if lacking:
            raise ValueError(f"`y_pred` lacks {lacking} labels in task {task}.")
        labels = narrow_dtype(guess.values[truth.known])
        scores.append(metric(truth.labels, labels, sample_weight=weights[truth.known, task]))
    scores = np.array(scores, dtype=float)
    return float(np.nanmean(scores)) if not np.isnan(scores).all() else float("nan")


def narrow_dtype(values):
    """Give an object array of one kind of label the dtype of that kind.

    Parameters
    ----------
    values : array-like of shape (n,)
        Labels.

    Returns
    -------
    values : ndarray of shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.utils import narrow_dtype
    >>> narrow_dtype(np.array([True, False], dtype=object)).dtype
    dtype('bool')
    """
    values = np.asarray(values)
    return np.asarray(values.tolist()) if values.dtype == object and len(values) else values


def as_array(y):
    if hasattr(y, "__array__") or hasattr(y, "dtype"):
        return np.asarray(y)
    # NumPy would turn a NaN beside strings into the string "nan".
    return np.asarray(y, dtype=object)


def _as_tables(proba, n_tasks, name):
    is_list = isinstance(proba, list | tuple) and np.ndim(proba[0]) == 2
    tables = [np.asarray(table, dtype=float) for table in (proba if is_list else [proba])]
    if len(tables) == 1 and tables[0].ndim == 1:
        tables = [np.column_stack([1 - tables[0], tables[0]])]
    if len(tables) != n_tasks or any(table.ndim != 2 for table in tables):
        shapes = [table.shape for table in tables]
        raise ValueError(
            f"`{name}` must be an array (n, n_classes), or a list of one such array per task "
            f"({n_tasks}); got shapes {shapes}."
        )
    return tables


def _as_classes(classes, tasks):
    if classes is None:
        return [task.classes for task in tasks]
    nested = len(classes) and np.ndim(classes[0]) == 1
    classes = [np.asarray(labels) for labels in (classes if nested else [classes])]
    if len(classes) != len(tasks):
        raise ValueError(
            f"`classes` must hold one array of labels per task ({len(tasks)}); got {len(classes)}."
        )
    return classes
