"""Error rate among the rows that a model is sure of."""

import numpy as np

from sklearn_skin.utils import known_task_labels, task_probabilities


def risk_coverage_curve(y_true, y_proba, *, classes=None):
    r"""Compute the error rate of a model that abstains where it is not sure.

    A row is answered where its largest probability reaches a threshold. Lowering the threshold
    raises the coverage, the share of rows answered, and with it usually the risk, the error
    rate among them.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        True labels. NaN and None are missing and left out.
    y_proba : array-like of shape (n, C)
        Probability of each class; with two classes also (n,), that of the second.
    classes : array-like of shape (C,), default=None
        Labels in the order of the columns. By default the sorted labels in `y_true`.

    Returns
    -------
    coverage : ndarray of shape (k,)
        Share of rows answered, increasing, in (0, 1]; the last entry is 1.
    risk : ndarray of shape (k,)
        Error rate of the rows answered, in [0, 1].
    thresholds : ndarray of shape (k,)
        Largest probability of the least sure row answered, decreasing.

    Raises
    ------
    ValueError
        If `y_true` has several tasks or no label, or the classes do not fit.

    Notes
    -----
    Rows with equal confidence are answered together, so k is the number of distinct
    confidences. The area under the curve is ``np.trapezoid(risk, coverage)``.

    References
    ----------
    .. [1] :ref:`Geifman and El-Yaniv (2017) <geifman2017>`, "Selective classification for deep
       neural networks".

    Examples
    --------
    >>> from sklearn_skin.metrics import risk_coverage_curve
    >>> proba = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]
    >>> coverage, risk, thresholds = risk_coverage_curve([0, 1, 1], proba)
    >>> coverage.round(2), risk.round(2), thresholds
    (array([0.33, 0.67, 1.  ]), array([0.  , 0.  , 0.33]), array([0.9, 0.8, 0.6]))
    """
    tasks = known_task_labels(y_true, "y_true")
    if len(tasks) > 1:
        raise ValueError(f"`y_true` must hold one task; got {len(tasks)}. Pass one at a time.")
    (table,), (labels,) = task_probabilities(y_proba, tasks, classes)
    table = table[tasks[0].known]
    wrong = labels[table.argmax(axis=1)] != tasks[0].labels
    confidence = table.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    confidence = confidence[order]
    last = np.append(np.flatnonzero(np.diff(confidence)), len(confidence) - 1)
    answered = last + 1
    return answered / len(order), np.cumsum(wrong[order])[last] / answered, confidence[last]
