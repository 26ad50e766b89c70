"""Sensitivity and specificity of each class against the rest."""

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import multilabel_confusion_matrix, recall_score
from sklearn.utils.multiclass import type_of_target, unique_labels
from sklearn.utils.validation import check_consistent_length

from sklearn_skin.utils import known_task_labels, narrow_dtype, task_labels, warn_user

_AVERAGES = ("binary", "macro", "micro", "weighted", None)


def sensitivity_score(
    y_true,
    y_pred,
    *,
    labels=None,
    pos_label=1,
    average="binary",
    sample_weight=None,
    zero_division="warn",
):
    r"""Compute the sensitivity, the share of the diseased that are found.

    It is scikit-learn's recall under its clinical name:

    .. math:: \mathrm{sensitivity}_c = \frac{TP_c}{TP_c + FN_c}

    Parameters
    ----------
    y_true : array-like of shape (n,)
        True labels. NaN and None are missing and left out.
    y_pred : array-like of shape (n,)
        Predicted labels.
    labels : array-like, default=None
        Labels to report, and their order if ``average=None``. By default all labels in `y_true`
        and `y_pred`, sorted.
    pos_label : int, float, bool or str, default=1
        The diseased class of ``average="binary"``.
    average : {"binary", "macro", "micro", "weighted"} or None, default="binary"
        ``"macro"`` is the mean over classes, ``"weighted"`` weighs them by their rows,
        ``"micro"`` counts over all classes together; None returns one value per class.
    sample_weight : array-like of shape (n,), default=None
        Weight of every row.
    zero_division : {"warn", 0.0, 1.0, np.nan}, default="warn"
        Value of a class without true rows; ``"warn"`` is 0 and warns. NaN is left out of
        averages.

    Returns
    -------
    score : float or ndarray of shape (n_labels,)
        In [0, 1].

    See Also
    --------
    specificity_score : The same for the rows that are not of the class.

    Examples
    --------
    >>> from sklearn_skin.metrics import sensitivity_score
    >>> sensitivity_score([1, 1, 1, 0], [1, 1, 0, 0])
    0.66...
    """
    y_true, y_pred, sample_weight = _known_rows(y_true, y_pred, sample_weight)
    return recall_score(
        y_true,
        y_pred,
        labels=labels,
        pos_label=pos_label,
        average=average,
        sample_weight=sample_weight,
        zero_division=zero_division,
    )


def specificity_score(
    y_true,
    y_pred,
    *,
    labels=None,
    pos_label=1,
    average="binary",
    sample_weight=None,
    zero_division="warn",
):
    r"""Compute the specificity, the share of the healthy that are called healthy.

    Every class is compared with the rest:

    .. math:: \mathrm{specificity}_c = \frac{TN_c}{TN_c + FP_c}

    Parameters
    ----------
    y_true : array-like of shape (n,)
        True labels. NaN and None are missing and left out.
    y_pred : array-like of shape (n,)
        Predicted labels.
    labels : array-like, default=None
        Labels to report, and their order if ``average=None``. By default all labels in `y_true`
        and `y_pred`, sorted.
    pos_label : int, float, bool or str, default=1
        The diseased class of ``average="binary"``; the other one is healthy.
    average : {"binary", "macro", "micro", "weighted"} or None, default="binary"
        ``"macro"`` is the mean over classes, ``"weighted"`` weighs them by the rows of the
        class (as scikit-learn's recall does), ``"micro"`` counts over all classes together;
        None returns one value per class.
    sample_weight : array-like of shape (n,), default=None
        Weight of every row.
    zero_division : {"warn", 0.0, 1.0, np.nan}, default="warn"
        Value of a class that all rows have; ``"warn"`` is 0 and warns. NaN is left out of
        averages.

    Returns
    -------
    score : float or ndarray of shape (n_labels,)
        In [0, 1].

    Raises
    ------
    ValueError
        If `average` is unknown, or is ``"binary"`` and the labels are not those of two classes.

    See Also
    --------
    sensitivity_score : The same for the rows of the class.

    Examples
    --------
    >>> from sklearn_skin.metrics import specificity_score
    >>> specificity_score([1, 0, 0, 0], [1, 1, 0, 0])
    0.66...
    >>> specificity_score(["a", "b", "c"], ["a", "b", "b"], average=None)
    array([1. , 0.5, 1. ])
    """
    if average not in _AVERAGES:
        raise ValueError(f"`average` must be one of {list(_AVERAGES)}; got {average!r}.")
    y_true, y_pred, sample_weight = _known_rows(y_true, y_pred, sample_weight)
    if average == "binary":
        labels = [_check_positive(y_true, y_pred, pos_label)]
    table = multilabel_confusion_matrix(
        y_true, y_pred, labels=labels, sample_weight=sample_weight
    ).astype(float)
    if average == "micro":
        table = table.sum(axis=0, keepdims=True)
    true_negatives, false_positives = table[:, 0, 0], table[:, 0, 1]
    score = _divide(true_negatives, true_negatives + false_positives, zero_division)
    if average is None:
        return score
    weights = table[:, 1].sum(axis=1) if average == "weighted" else np.ones(len(score))
    return _mean_of_defined(score, weights)


def _known_rows(y_true, y_pred, sample_weight):
    """Leave out the rows whose true label is missing."""
    tasks = known_task_labels(y_true, "y_true")
    if len(tasks) > 1 or tasks[0].known.all():
        return y_true, y_pred, sample_weight
    # A missing label makes the array one of objects, which scikit-learn's metrics refuse.
    known = tasks[0].known
    check_consistent_length(known, y_pred, sample_weight)
    guess = narrow_dtype(task_labels(y_pred, "y_pred")[0].values[known])
    weight = None if sample_weight is None else np.asarray(sample_weight)[known]
    return tasks[0].labels, guess, weight


def _check_positive(y_true, y_pred, pos_label):
    kind = type_of_target(y_true, input_name="y_true")
    present = unique_labels(y_true, y_pred).tolist()
    if kind != "binary" or len(present) > 2:
        raise ValueError(
            f"Target is {kind} with labels {present}, but `average` is 'binary'. Choose another "
            "`average`: ['macro', 'micro', 'weighted', None]."
        )
    if pos_label not in present and len(present) == 2:
        raise ValueError(f"`pos_label` must be one of {present}; got {pos_label!r}.")
    return pos_label


def _divide(numerator, denominator, zero_division):
    undefined = denominator == 0
    if zero_division == "warn" and undefined.any():
        warn_user(
            "specificity is ill-defined and set to 0.0 for classes that all rows have. Use "
            "`zero_division` to control this.",
            UndefinedMetricWarning,
            once="specificity",
        )
    # The quotient is computed everywhere: without the 1 NumPy would warn of what is filled.
    fill = 0.0 if zero_division == "warn" else float(zero_division)
    return np.where(undefined, fill, numerator / np.where(undefined, 1.0, denominator))


def _mean_of_defined(score, weights):
    defined = ~np.isnan(score)
    if weights[defined].sum() == 0:
        return float("nan") if not defined.any() else float(score[defined].mean())
    return float(np.average(score[defined], weights=weights[defined]))
