"""Area under the ROC curve of several tasks, one class against the rest."""

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import roc_auc_score

from sklearn_skin.utils import known_task_labels, task_probabilities, task_weights, warn_user

_AVERAGES = ("task", "category", None)


def mean_task_auc(
    y_true, y_proba, *, classes=None, categories=None, average="task", sample_weight=None
):
    """Compute the mean area under the ROC curve (AUC), one class against the rest.

    Every category (class of a task) has its own AUC: its probability is used to tell its rows
    from all others whose label in that task is known.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, T)
        True labels. NaN and None are missing and left out, task by task.
    y_proba : array-like of shape (n, C), or list of T array-like of shape (n, C_t)
        Probabilities, or other scores, per class. With one task of two classes also (n,): the
        scores of the second class.
    classes : array-like of shape (C,) or list of T array-like, default=None
        Labels in the order of the columns, such as ``estimator.classes_``. By default the
        sorted labels in `y_true`.
    categories : array-like or list of T array-like, default=None
        Classes whose AUC counts; all by default. Published tables of the seven-point checklist
        leave out the "absent" class of each criterion.
    average : {"task", "category"} or None, default="task"
        ``"task"`` is the mean over tasks of the mean over their categories, so that each task
        has one say; ``"category"`` is the mean over all categories, as in the AVG column of
        published tables of the seven-point checklist. None returns the AUC of each category.
    sample_weight : array-like of shape (n,) or (n, T), default=None
        Weight of every row.

    Returns
    -------
    score : float, ndarray of shape (C,) or list of T ndarray of shape (C_t,)
        In [0, 1]. Arrays (a list of them for 2-D `y_true`) where ``average=None``, with NaN for
        a category that has no rows, has all rows or is not among `categories`. Such categories
        are left out of means, with a warning for those that lack rows.

    Raises
    ------
    ValueError
        If a task has no label, or shapes and classes do not fit together.

    Examples
    --------
    >>> from sklearn_skin.metrics import mean_task_auc
    >>> proba = [[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.9, 0.1]]
    >>> mean_task_auc(["nevus", "melanoma", "melanoma", None], proba, classes=["melanoma", "nevus"])
    0.0
    """
    if average not in _AVERAGES:
        raise ValueError(f"`average` must be one of {list(_AVERAGES)}; got {average!r}.")
    tasks = known_task_labels(y_true, "y_true")
    tables, classes = task_probabilities(y_proba, tasks, classes)
    weights = task_weights(sample_weight, len(tasks[0].known), len(tasks))
    chosen = _chosen(categories, classes)
    areas = [
        _areas(labels.labels, table[labels.known], names, keep, weights[labels.known, task])
        for task, (labels, table, names, keep) in enumerate(zip(tasks, tables, classes, chosen))
    ]
    if average is None:
        return areas if np.ndim(y_true) == 2 else areas[0]
    _warn_undefined(areas, classes, chosen)
    if average == "category":
        areas = [np.concatenate(areas)]
    defined = [area[~np.isnan(area)] for area in areas]
    means = [area.mean() for area in defined if len(area) > 0]
    return float(np.mean(means)) if means else float("nan")


def _areas(labels, table, classes, keep, weights):
    areas = np.full(len(classes), np.nan)
    for column in np.flatnonzero(keep):
        positive = labels == classes[column]
        # By weight, for rows that weigh nothing are no rows: roc_auc_score would say NaN.
        if 0 < weights[positive].sum() < weights.sum():
            areas[column] = roc_auc_score(positive, table[:, column], sample_weight=weights)
    return areas


def _chosen(categories, classes):
    if categories is None:
        return [np.ones(len(names), dtype=bool) for names in classes]
    if len(classes) == 1 and np.ndim(categories[0]) == 0:
        categories = [categories]
    if len(categories) != len(classes):
        raise ValueError(
            f"`categories` must hold one array per task ({len(classes)}); got {len(categories)}."
        )
    for task, (wanted, names) in enumerate(zip(categories, classes)):
        unknown = np.setdiff1d(wanted, names)
        if len(unknown):
            raise ValueError(f"`categories` has unknown classes in task {task}: {unknown.tolist()}")
    return [np.isin(names, wanted) for wanted, names in zip(categories, classes)]


def _warn_undefined(areas, classes, chosen):
    lacking = [
        f"{names[column]!s} (task {task})"
        for task, (area, names, keep) in enumerate(zip(areas, classes, chosen))
        for column in np.flatnonzero(np.isnan(area) & keep)
    ]
    if lacking:
        warn_user(
            f"the AUC is not defined for {', '.join(lacking)}: all rows, or none, are of that "
            "class. Left out of the mean.",
            UndefinedMetricWarning,
            once=("AUC", *lacking),
        )
