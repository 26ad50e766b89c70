"""Scores of all bootstrap draws at once, drawing whole groups."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

_MIN_DEFINED = 0.5
_ELEMENTS = 4_000_000


class Interval(NamedTuple):
    """A score of all rows and the ends of its interval; NaN where not defined."""

    estimate: float
    low: float
    high: float


class GroupDraws:
    r"""Bootstrap draws of groups, as a weight of each row in each draw.

    The draws are those of `sklearn_skin.metrics.bootstrap_interval` for the same
    `random_state`, so intervals agree. Here every score of a report is computed on the same
    draws, hence differences of models are paired, and for all draws at once: a confusion
    matrix of draw b is :math:`\sum_i w_{bi} e_{y_i} e_{\hat y_i}^T`.

    All methods return one value for all rows (weights of one), followed by those of the
    draws.

    Parameters
    ----------
    groups : array-like of shape (n,)
        Patient or lesion of each row.
    n_resamples : int
        Number of draws B.
    confidence_level : float
        In (0, 1).
    random_state : int, RandomState instance or None
        Decides the draws.

    Attributes
    ----------
    weights : uint16 ndarray of shape (1 + B, n)
        How often each row was drawn; ones first.

    Examples
    --------
    >>> from sklearn_skin.reporting._draws import GroupDraws
    >>> draws = GroupDraws(["p1", "p1", "p2", "p3"], 200, 0.95, 0)
    >>> draws.interval(draws.means([1.0, 1.0, 0.0, 1.0])).estimate
    0.75
    """

    def __init__(self, groups, n_resamples, confidence_level, random_state):
        codes, names = pd.factorize(np.asarray(groups, dtype=object))
        rng, n_groups = check_random_state(random_state), len(names)
        counts = [
            np.bincount(rng.randint(n_groups, size=n_groups), minlength=n_groups)
            for _ in range(n_resamples)
        ]
        counts = np.array([np.ones(n_groups, dtype=int), *counts], dtype=np.uint16)
        self.weights = counts[:, codes]
        self.confidence_level = confidence_level

    def confusions(self, true, predicted, n_classes, rows):
        """Return confusion matrices (1 + B, C, C), true classes down.

        Parameters
        ----------
        true, predicted : int ndarray of shape (n,)
            Codes in 0 to C - 1.
        n_classes : int
            C.
        rows : bool ndarray of shape (n,)
            Rows that count.
        """
        cells = np.zeros((int(rows.sum()), n_classes**2), dtype=np.float32)
        cells[np.arange(len(cells)), true[rows] * n_classes + predicted[rows]] = 1
        tables = self._blocks(rows, lambda weights: weights @ cells)
        return tables.reshape(-1, n_classes, n_classes).astype(float)

    def means(self, values, rows=None):
        """Return weighted means (1 + B,) of `values` (n,) over the rows; NaN without any."""
        rows = np.ones(len(values), dtype=bool) if rows is None else rows
        values = np.asarray(values, dtype=float)[rows]
        parts = np.column_stack([values, np.ones_like(values)])
        total, count = self._blocks(rows, lambda weights: weights @ parts).T
        return divide(total, count)

    def areas(self, positive, scores, rows):
        r"""Return areas under the ROC curve (1 + B,); NaN where a draw lacks one of both kinds.

        .. math:: A = \frac{\sum_s P_s (N_{<s} + N_s / 2)}{\sum_s P_s \sum_s N_s}

        with the weights P and N of positive and negative rows that have score s.

        Parameters
        ----------
        positive : bool ndarray of shape (n,)
            Whether the row is of the class.
        scores : ndarray of shape (n,)
            Larger for more certainly positive.
        rows : bool ndarray of shape (n,)
            Rows that count.
        """
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
            return divide((hits * below).sum(1), hits.sum(1) * others.sum(1))

        return self._blocks(rows, compute)

    def interval(self, values):
        """Return the Interval of values (1 + B,); its ends are NaN if most draws are."""
        defined = values[1:][~np.isnan(values[1:])]
        if np.isnan(values[0]) or len(defined) < _MIN_DEFINED * (len(values) - 1):
            return Interval(float(values[0]), np.nan, np.nan)
        tail = (1 - self.confidence_level) / 2
        low, high = np.quantile(defined, [tail, 1 - tail])
        return Interval(float(values[0]), float(low), float(high))

    def _blocks(self, rows, compute):
        # In blocks, so that floats of all draws and rows are never held at once.
        size = max(1, _ELEMENTS // max(1, len(rows)))
        return np.concatenate(
            [
                compute(self.weights[start : start + size, rows].astype(np.float32))
                for start in range(0, len(self.weights), size)
            ]
        )


def divide(numerator, denominator):
    """Return the quotient, NaN where the denominator is 0."""
    zero = denominator == 0
    return np.where(zero, np.nan, numerator / np.where(zero, 1, denominator))


def mean_of_defined(values, axis=-1):
    """Return the mean over the entries that are not NaN; NaN if there is none."""
    defined = ~np.isnan(values)
    return divide(np.where(defined, values, 0).sum(axis=axis), defined.sum(axis=axis))
