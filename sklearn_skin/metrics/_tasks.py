"""Means over tasks of scores of predicted labels; missing labels are left out."""

import warnings

import numpy as np
from sklearn.metrics import accuracy_score, balanced_accuracy_score, precision_score, recall_score

from sklearn_skin.metrics._sensitivity_specificity import specificity_score
from sklearn_skin.utils import mean_over_tasks


def mean_task_accuracy(y_true, y_pred, *, sample_weight=None):
    r"""Compute the mean over tasks of the accuracy.

    .. math:: \frac{1}{T} \sum_t \frac{1}{n_t} \sum_{i \text{ known in } t} [\hat y_i^t = y_i^t]

    It is the "average accuracy" of the seven-point checklist literature [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, T)
        True labels. NaN and None are missing and left out, task by task. A 1-D target is one
        task.
    y_pred : array-like of shape (n,) or (n, T)
        Predicted labels.
    sample_weight : array-like of shape (n,) or (n, T), default=None
        Weight of every row.

    Returns
    -------
    score : float
        In [0, 1].

    Raises
    ------
    ValueError
        If a task has no label, the shapes differ, or `y_pred` lacks a label where `y_true` has
        one.

    References
    ----------
    .. [1] :ref:`Tang et al. (2022) <tang2022>`, "FusionM4Net".

    Examples
    --------
    >>> from sklearn_skin.metrics import mean_task_accuracy
    >>> y_true = [["nevus", 1], ["melanoma", None], ["nevus", 0]]
    >>> mean_task_accuracy(y_true, [["nevus", 1], ["nevus", 1], ["nevus", 0]])
    0.83...
    """
    return mean_over_tasks(accuracy_score, y_true, y_pred, sample_weight)


def mean_task_balanced_accuracy(y_true, y_pred, *, sample_weight=None):
    """Compute the mean over tasks of the balanced accuracy.

    The balanced accuracy of a task is the mean of the sensitivities of the classes that have
    known rows.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, T)
        True labels. NaN and None are missing and left out, task by task.
    y_pred : array-like of shape (n,) or (n, T)
        Predicted labels.
    sample_weight : array-like of shape (n,) or (n, T), default=None
        Weight of every row.

    Returns
    -------
    score : float
        In [0, 1].

    Examples
    --------
    >>> from sklearn_skin.metrics import mean_task_balanced_accuracy
    >>> mean_task_balanced_accuracy([0, 0, 0, 1, None], [0, 0, 0, 0, 1])
    0.5
    """
    return mean_over_tasks(_balanced_accuracy, y_true, y_pred, sample_weight)


def mean_task_sensitivity(y_true, y_pred, *, sample_weight=None):
    """Compute the mean over tasks of the macro-averaged sensitivity.

    Classes are those with known rows, so it equals `mean_task_balanced_accuracy`; it is there
    under the name that tables of sensitivity, specificity and precision use.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, T)
        True labels. NaN and None are missing and left out, task by task.
    y_pred : array-like of shape (n,) or (n, T)
        Predicted labels.
    sample_weight : array-like of shape (n,) or (n, T), default=None
        Weight of every row.

    Returns
    -------
    score : float
        In [0, 1].

    Examples
    --------
    >>> from sklearn_skin.metrics import mean_task_sensitivity
    >>> mean_task_sensitivity([[0, 1], [1, 1]], [[0, 1], [0, 1]])
    0.75
    """
    return mean_over_tasks(_macro(recall_score), y_true, y_pred, sample_weight)


def mean_task_specificity(y_true, y_pred, *, sample_weight=None):
    """Compute the mean over tasks of the macro-averaged specificity.

    Every class with known rows is compared with the rest. A class that all known rows have
    has no specificity and is left out.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, T)
        True labels. NaN and None are missing and left out, task by task.
    y_pred : array-like of shape (n,) or (n, T)
        Predicted labels.
    sample_weight : array-like of shape (n,) or (n, T), default=None
        Weight of every row.

    Returns
    -------
    score : float
        In [0, 1]; NaN where every task has a single class.

    Examples
    --------
    >>> from sklearn_skin.metrics import mean_task_specificity
    >>> mean_task_specificity([0, 1, 1, None], [0, 0, 1, 1])
    0.75
    """
    return mean_over_tasks(_macro(specificity_score), y_true, y_pred, sample_weight)


def mean_task_precision(y_true, y_pred, *, sample_weight=None):
    """Compute the mean over tasks of the macro-averaged precision.

    The precision of a class, also called its positive predictive value, is the share of true
    rows among those predicted. A class with known rows that is never predicted counts 0.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, T)
        True labels. NaN and None are missing and left out, task by task.
    y_pred : array-like of shape (n,) or (n, T)
        Predicted labels.
    sample_weight : array-like of shape (n,) or (n, T), default=None
        Weight of every row.

    Returns
    -------
    score : float
        In [0, 1].

    Examples
    --------
    >>> from sklearn_skin.metrics import mean_task_precision
    >>> mean_task_precision([0, 1, 1, 1], [0, 0, 1, 1])
    0.75
    """
    return mean_over_tasks(_macro(precision_score, 0.0), y_true, y_pred, sample_weight)


def _balanced_accuracy(y_true, y_pred, sample_weight):
    with warnings.catch_warnings():
        # A class that is predicted but has no known row is left out, as documented.
        warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
        warnings.filterwarnings("ignore", "A single label was found")
        return balanced_accuracy_score(y_true, y_pred, sample_weight=sample_weight)


def _macro(score, zero_division=np.nan):
    def macro(y_true, y_pred, sample_weight):
        return score(
            y_true,
            y_pred,
            labels=np.unique(y_true),
            average="macro",
            sample_weight=sample_weight,
            zero_division=zero_division,
        )

    return macro
