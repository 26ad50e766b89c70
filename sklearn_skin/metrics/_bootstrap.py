"""Confidence intervals that respect groups."""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, _safe_indexing, check_random_state
from sklearn.utils.validation import check_consistent_length

from sklearn_skin.utils import list_names, row_names

_MIN_DEFINED = 0.5
# Weights that are floats at one time: 16 MB of them.
_MAX_FLOATS = 4_000_000


class Interval(NamedTuple):
    """A score of all rows and the ends of its interval; NaN where not defined."""

    estimate: float
    low: float
    high: float


class GroupBootstrap:
    r"""Bootstrap draws of whole groups, as a weight of each row in each draw.

    Many scores on the same draws are paired, so that differences of models have intervals too;
    and common scores are computed for all draws at once: the confusion matrix of draw b is
    :math:`\sum_i w_{bi} e_{y_i} e_{\hat y_i}^T`.

    Every method but `interval` returns a value for all rows (weights of one), followed by those
    of the B draws.

    Parameters
    ----------
    groups : array-like of shape (n,)
        Patient or lesion of each row; ``range(n)`` draws rows.
    n_resamples : int, default=1000
        Number of draws B.
    confidence_level : float, default=0.95
        Level of the intervals, in (0, 1).
    random_state : int, RandomState instance or None, default=None
        Decides the draws.

    Attributes
    ----------
    weights : uint16 ndarray of shape (1 + B, n)
        How often each row was drawn; ones first.
    confidence_level : float

    Raises
    ------
    ValueError
        If a group label is missing, there are fewer than two groups, or a number is out of
        range.

    See Also
    --------
    bootstrap_interval : The same draws, for any metric.

    Examples
    --------
    >>> from sklearn_skin.metrics import GroupBootstrap
    >>> draws = GroupBootstrap(["p1", "p1", "p2", "p3"], n_resamples=200, random_state=0)
    >>> right = draws.means([True, True, False, True])
    >>> right.shape, draws.interval(right).estimate
    ((201,), 0.75)
    """

    def __init__(self, groups, *, n_resamples=1000, confidence_level=0.95, random_state=None):
        _check_numbers(n_resamples, confidence_level)
        codes, n_groups = _group_codes(groups)
        rng = check_random_state(random_state)
        counts = np.ones((1 + n_resamples, n_groups), dtype=np.uint16)
        for count in counts[1:]:
            count[:] = np.bincount(rng.randint(n_groups, size=n_groups), minlength=n_groups)
        self.weights = counts[:, codes]
        self.confidence_level = confidence_level

    def confusion_matrices(self, true, predicted, n_classes, rows=None):
        """Return confusion matrices, true classes down.

        Parameters
        ----------
        true, predicted : int ndarray of shape (n,)
            Codes in 0 to C - 1 in the rows that count.
        n_classes : int
            C.
        rows : bool ndarray of shape (n,), default=None
            Rows that count; all by default.

        Returns
        -------
        tables : ndarray of shape (1 + B, C, C)
        """
        rows = self._rows(rows)
        # float32 counts exactly up to 2**24 rows, in half the time.
        cells = np.zeros((rows.sum(), n_classes**2), dtype=np.float32)
        cells[np.arange(len(cells)), true[rows] * n_classes + predicted[rows]] = 1
        tables = self._in_blocks(rows, lambda weights: weights @ cells)
        return tables.reshape(-1, n_classes, n_classes).astype(float)

    def means(self, values, rows=None):
        """Return weighted means; NaN where a draw has none of the rows.

        Parameters
        ----------
        values : array-like of shape (n,)
            Numbers.
        rows : bool ndarray of shape (n,), default=None
            Rows that count; all by default.

        Returns
        -------
        means : ndarray of shape (1 + B,)
        """
        rows = self._rows(rows)
        values = np.asarray(values, dtype=float)[rows]
        parts = np.column_stack([values, np.ones_like(values)])
        total, count = self._in_blocks(rows, lambda weights: weights @ parts).T
        return _quotient(total, count)

    def roc_aucs(self, positive, scores, rows=None):
        r"""Return areas under the ROC curve; NaN where a draw lacks one of both kinds.

        .. math:: A = \frac{\sum_s P_s (N_{<s} + N_s / 2)}{\sum_s P_s \sum_s N_s}

        with the weights P and N of positive and negative rows that have score s.

        Parameters
        ----------
        positive : bool ndarray of shape (n,)
            Whether the row is of the class.
        scores : ndarray of shape (n,)
            Larger for more certainly positive.
        rows : bool ndarray of shape (n,), default=None
            Rows that count; all by default.

        Returns
        -------
        areas : ndarray of shape (1 + B,)
        """
        rows = self._rows(rows)
        if not rows.any():
            return np.full(len(self.weights), np.nan)
        positive, scores = positive[rows], scores[rows]
        order = np.argsort(scores, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])
        positive = positive[order]

        def compute(weights):
            weights = weights[:, order].astype(float)
            hits = np.add.reduceat(weights * positive, starts, axis=1)
            others = np.add.reduceat(weights * ~positive, starts, axis=1)
            below = others.cumsum(axis=1) - others / 2
            return _quotient((hits * below).sum(1), hits.sum(1) * others.sum(1))

        return self._in_blocks(rows, compute)

    def interval(self, values):
        """Return a score and its percentile interval.

        Parameters
        ----------
        values : ndarray of shape (1 + B,)
            The score of all rows, then that of each draw; NaN where it is not defined.

        Returns
        -------
        interval : Interval
            Named tuple of `estimate`, `low` and `high`; the ends are NaN if the score is not
            defined in more than half of the draws.
        """
        estimate, defined = float(values[0]), values[1:][~np.isnan(values[1:])]
        if len(defined) < _MIN_DEFINED * (len(values) - 1):
            return Interval(estimate, np.nan, np.nan)
        tail = (1 - self.confidence_level) / 2
        return Interval(estimate, *map(float, np.quantile(defined, [tail, 1 - tail])))

    def _rows(self, rows):
        return np.ones(self.weights.shape[1], dtype=bool) if rows is None else rows

    def _in_blocks(self, rows, compute):
        # Floats of all draws and rows would take twice the memory of the weights.
        size = max(1, _MAX_FLOATS // len(rows))
        return np.concatenate(
            [
                compute(self.weights[start : start + size, rows].astype(np.float32))
                for start in range(0, len(self.weights), size)
            ]
        )


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

    See Also
    --------
    GroupBootstrap : The draws, for many scores, or for differences of models.

    Notes
    -----
    A draw may lack a class, or all labels of a task; if the metric then fails with a ValueError
    or returns NaN, the draw is left out.

    Examples
    --------
    >>> from sklearn.metrics import accuracy_score
    >>> from sklearn_skin.metrics import bootstrap_interval
    >>> y, pred = [0, 1, 1, 0, 1, 0] * 5, [0, 1, 0, 0, 1, 0] * 5
    >>> result = bootstrap_interval(accuracy_score, y, pred, n_resamples=200, random_state=0)
    >>> round(result.estimate, 2), result.low < 0.83 < result.high
    (0.83, True)
    """
    several = _is_list_of_tables(pred)
    check_consistent_length(y, groups, *(pred if several else [pred]))
    draws = GroupBootstrap(
        range(len(y)) if groups is None else groups,
        n_resamples=n_resamples,
        confidence_level=confidence_level,
        random_state=random_state,
    )
    values, failure = [metric(y, pred)], None
    for weights in draws.weights[1:]:
        rows = np.repeat(np.arange(len(y)), weights)
        drawn = [_safe_indexing(part, rows) for part in (pred if several else [pred])]
        try:
            values.append(metric(_safe_indexing(y, rows), drawn if several else drawn[0]))
        except ValueError as error:
            values.append(np.nan)
            failure = error
    values = np.array(values, dtype=float)
    interval, distribution = draws.interval(values), values[1:][~np.isnan(values[1:])]
    if np.isnan(interval.low):
        raise ValueError(
            f"`metric` is defined for only {len(distribution)} of {n_resamples} draws; there are "
            "too few groups or rows of some class for an interval."
        ) from failure
    return Bunch(**interval._asdict(), confidence_level=confidence_level, distribution=distribution)


def _check_numbers(n_resamples, confidence_level):
    if not isinstance(n_resamples, Integral) or n_resamples < 1:
        raise ValueError(f"`n_resamples` must be an int >= 1; got {n_resamples!r}.")
    if not isinstance(confidence_level, Real) or not 0 < confidence_level < 1:
        raise ValueError(f"`confidence_level` must lie in (0, 1); got {confidence_level!r}.")


def _group_codes(groups):
    """Return groups as numbers from 0, and how many there are."""
    # As objects, for NumPy would turn a NaN beside text into the text "nan".
    codes, labels = pd.factorize(np.asarray(groups, dtype=object))
    missing = codes < 0
    if missing.any():
        raise ValueError(
            f"`groups` must name the group of every row; {missing.sum()} are missing, of rows "
            f"{list_names(row_names(groups)[missing])}."
        )
    if len(labels) < 2:
        raise ValueError(f"`groups` must hold at least two groups; got {len(labels)}.")
    return codes, len(labels)


def _quotient(numerator, denominator):
    # Where no row counts both are 0, and 0 / 0 is the NaN that says so.
    with np.errstate(invalid="ignore"):
        return numerator / denominator


def _is_list_of_tables(pred):
    return isinstance(pred, list | tuple) and len(pred) > 0 and getattr(pred[0], "ndim", 0) == 2
