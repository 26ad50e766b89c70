"""Confidence intervals that respect groups."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, _safe_indexing, check_random_state
from sklearn.utils.validation import check_consistent_length

_MIN_DEFINED = 0.5


def bootstrap_interval(
    metric,
    y,
    pred,
    *,
    groups=None,
    n_resamples=1000,
    confidence_level=0.95,
    random_state=None,
):
    """Compute a score and its bootstrap percentile interval, drawing whole groups.

    Images of one patient or lesion are alike, so drawing rows one by one makes intervals too
    narrow. Here as many groups as there are drawn with replacement, each with all its rows.

    Parameters
    ----------
    metric : callable
        ``metric(y, pred) -> float``, such as `mean_task_auc` or `sklearn.metrics.accuracy_score`.
    y : array-like of shape (n,) or (n, T)
        True labels.
    pred : array-like of shape (n, ...), or list of T array-like of shape (n, C_t)
        What `metric` compares with `y`: labels, probabilities, or the list of probabilities of
        several tasks.
    groups : array-like of shape (n,), default=None
        Patient or lesion of each row; every row on its own by default.
    n_resamples : int, default=1000
        Number of draws.
    confidence_level : float, default=0.95
        In (0, 1).
    random_state : int, RandomState instance or None, default=None
        Decides the draws.

    Returns
    -------
    result : Bunch
        `estimate` (float, the score of all rows), `low` and `high` (float, the interval's ends),
        `confidence_level`, and `distribution` (ndarray of shape (n_defined,), the scores of the
        draws).

    Raises
    ------
    ValueError
        If the lengths differ, a group label is missing, there are fewer than two groups, or the
        metric is undefined (an error or NaN) for more than half of the draws.

    Notes
    -----
    A draw may lack a class, or all labels of a task; if the metric then fails with a ValueError
    or returns NaN, the draw is left out.

    Examples
    --------
    >>> from sklearn.metrics import accuracy_score
    >>> from sklearn_skin.metrics import bootstrap_interval
    >>> y, pred = [0, 1, 1, 0, 1, 0] * 5, [0, 1, 0, 0, 1, 0] * 5
    >>> result = bootstrap_interval(accuracy_score, y, pred, random_state=0)
    >>> round(result.estimate, 2), result.low < 0.83 < result.high
    (0.83, True)
    """
    _check_numbers(n_resamples, confidence_level)
    tables = _is_list_of_tables(pred)
    check_consistent_length(y, groups, *(pred if tables else [pred]))
    rows_of_group = _rows_by_group(groups, len(y))
    rng = check_random_state(random_state)
    estimate = float(metric(y, pred))
    scores, failure = [], None
    for _ in range(n_resamples):
        drawn = rng.randint(len(rows_of_group), size=len(rows_of_group))
        rows = np.concatenate([rows_of_group[group] for group in drawn])
        sampled = [_take(table, rows) for table in pred] if tables else _take(pred, rows)
        try:
            scores.append(float(metric(_take(y, rows), sampled)))
        except ValueError as error:
            failure = error
    distribution = np.array(scores)[~np.isnan(scores)] if scores else np.empty(0)
    if len(distribution) < _MIN_DEFINED * n_resamples:
        raise ValueError(
            f"`metric` is defined for only {len(distribution)} of {n_resamples} draws; there are "
            "too few groups or rows of some class for an interval."
        ) from failure
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(distribution, [tail, 1 - tail])
    return Bunch(
        estimate=estimate,
        low=float(low),
        high=float(high),
        confidence_level=confidence_level,
        distribution=distribution,
    )


def _check_numbers(n_resamples, confidence_level):
    if not isinstance(n_resamples, Integral) or n_resamples < 1:
        raise ValueError(f"`n_resamples` must be an int >= 1; got {n_resamples!r}.")
    if not isinstance(confidence_level, Real) or not 0 < confidence_level < 1:
        raise ValueError(f"`confidence_level` must lie in (0, 1); got {confidence_level!r}.")


def _is_list_of_tables(pred):
    return isinstance(pred, list | tuple) and len(pred) > 0 and getattr(pred[0], "ndim", 0) == 2


def _rows_by_group(groups, n_rows):
    if groups is None:
        rows = list(np.arange(n_rows)[:, None])
    else:
        codes, names = pd.factorize(np.asarray(groups, dtype=object))
        if (codes < 0).any():
            missing = int((codes < 0).sum())
            raise ValueError(f"`groups` must name the group of every row; {missing} are missing.")
        order = np.argsort(codes, kind="stable")
        rows = np.split(order, np.cumsum(np.bincount(codes, minlength=len(names)))[:-1])
    if len(rows) < 2:
        raise ValueError(f"`groups` must hold at least two groups; got {len(rows)}.")
    return rows


def _take(values, rows):
    return _safe_indexing(values, rows)
