"""Accuracy of a weighted average, as a function of its weights."""

from typing import NamedTuple

import numpy as np

_CHUNK = 4_000_000


class Objective(NamedTuple):
    """Mean over tasks of accuracy for weights w on the simplex.

    A row is right where all its margins, "true class minus another class", are positive; margins
    are linear in w. Rows that are right or wrong for all weights are already taken out.

    Attributes
    ----------
    margins : ndarray of shape (m, K)
        Margin of one row against one class, per branch, scaled to a largest entry of 1.
    starts : ndarray of shape (r,)
        Position in `margins` where each row starts.
    rewards : ndarray of shape (r,)
        What a right row adds to the score.
    offset : float
        Score of the rows that are right for all weights.
    n_branches : int
        Number of weights K.
    """

    margins: np.ndarray
    starts: np.ndarray
    rewards: np.ndarray
    offset: float
    n_branches: int

    #: Margins below it count as zero, and scores that differ by less as equal.
    tolerance = 1e-11

    @classmethod
    def from_branches(cls, branches, tasks, classes, weights):
        """Build it from K lists of T tables (n, C_t) and the labels of the tasks."""
        margins, rows, rewards = [np.empty((0, len(branches)))], [np.empty(0, dtype=int)], []
        offset = 0.0
        for task, (labels, names) in enumerate(zip(tasks, classes)):
            reward = _rewards(weights[labels.known, task], task) / len(tasks)
            tables = np.stack([branch[task][labels.known] for branch in branches], axis=-1)
            margin = _true_minus_others(tables, names, labels.labels)
            if margin.shape[1] == 0:
                offset += reward.sum()
                continue
            first = sum(map(len, rewards))
            rows.append(first + np.repeat(np.arange(len(reward)), margin.shape[1]))
            margins.append(margin.reshape(-1, len(branches)))
            rewards.append(reward)
        rewards = np.concatenate([*rewards, np.empty(0)])
        return _reduced(np.concatenate(margins), np.concatenate(rows), rewards, offset)

    @property
    def row(self):
        """Number (m,) of the row of each margin."""
        ends = np.append(self.starts[1:], len(self.margins))
        return np.repeat(np.arange(len(self.starts)), ends - self.starts)

    def restrict(self, corners):
        """Return the objective on the simplex spanned by `corners` (q, K)."""
        return _reduced(self.margins @ corners.T, self.row, self.rewards, self.offset)

    def score(self, weights):
        """Return the score (c,) of every row of `weights` (c, K)."""
        if len(self.margins) == 0:
            return np.full(len(weights), self.offset)
        size = max(1, _CHUNK // len(self.margins))
        chunks = [weights[start : start + size] for start in range(0, len(weights), size)]
        return np.concatenate([self._score_chunk(chunk) for chunk in chunks])

    def _score_chunk(self, weights):
        positive = self.margins @ weights.T > self.tolerance
        right = np.logical_and.reduceat(positive, self.starts, axis=0)
        return self.offset + self.rewards @ right


def distance_to_uniform(weights):
    """Return the squared distance of weights (..., K) from equal ones."""
    return ((weights - 1 / weights.shape[-1]) ** 2).sum(axis=-1)


def _rewards(weights, task):
    total = weights.sum()
    if total <= 0:
        raise ValueError(f"`sample_weight` is zero for all rows with a label in task {task}.")
    return weights / total


def _true_minus_others(tables, classes, labels):
    """Return margins (n, C - 1, K) of tables (n, C, K)."""
    order = np.argsort(classes)
    truth = order[np.searchsorted(classes, labels, sorter=order)]
    rows = np.arange(len(labels))
    margin = tables[rows, truth][:, None] - tables
    others = np.ones(tables.shape[:2], dtype=bool)
    others[rows, truth] = False
    return margin[others].reshape(len(labels), -1, tables.shape[2])


def _reduced(margins, rows, rewards, offset):
    """Take out margins that never change sign, and rows that are always right or wrong."""
    n_branches = margins.shape[1]
    scale = np.abs(margins).max(initial=0.0)
    margins = margins / scale if scale > 0 else margins
    tolerance = Objective.tolerance
    margins = np.where(np.abs(margins) <= tolerance, 0.0, margins)
    hopeless = np.unique(rows[(margins <= 0).all(axis=1)])
    # A margin that is zero at a corner stays: the corner itself is a tie.
    open_ = ~(margins > 0).all(axis=1) & ~np.isin(rows, hopeless)
    undecided = np.unique(rows[open_])
    decided = np.ones(len(rewards), dtype=bool)
    decided[undecided] = decided[hopeless] = False
    starts = np.searchsorted(rows[open_], undecided)
    offset = offset + rewards[decided].sum()
    return Objective(margins[open_], starts, rewards[undecided], float(offset), n_branches)
