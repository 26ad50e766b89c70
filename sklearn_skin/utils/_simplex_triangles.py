"""Where the best cells of three weights begin: triangles that may hold them, cut ever smaller."""

from typing import NamedTuple

import numpy as np

from sklearn_skin.utils._simplex_lines import chords, right_between, walk

# Triangles overlap by more than the least width, so that none cuts a cell too thin; margins that
# are zero within that reach are open.
_OVERLAP = 1e-9
_SLACK = 1e-8
_FEW_LINES = 8
_MAX_STUCK = 2
_MAX_DEPTH = 20
_CHUNK_OPEN = 100_000
_CHUNK_CROSSINGS = 1_000_000
# Corners 0 to 2 of a triangle and the middles of its edges 01, 12, 20: the corners of its quarters.
_QUARTERS = np.array([[0, 3, 5], [3, 1, 4], [5, 4, 2], [4, 5, 3]])


class Stretches(NamedTuple):
    """Stretches of lines that border a best cell, from `left` to `right` (s,) of their chords."""

    line: np.ndarray
    left: np.ndarray
    right: np.ndarray


class _Triangles(NamedTuple):
    """Triangles of equal size, and the margins that are open in each.

    `corners` (c, 3, 3); `sure` (c,) is the reward of rows that are right throughout, `bound` (c,)
    that of those that may be right; `stuck` (c,) counts the cuts that left out few lines. Open are
    the margins `margin` (p,) of triangle `owner` (p,), ascending, with `values` (3, p) at its
    corners.
    """

    corners: np.ndarray
    sure: np.ndarray
    bound: np.ndarray
    stuck: np.ndarray
    owner: np.ndarray
    margin: np.ndarray
    values: np.ndarray
    depth: int

    def take(self, kept):
        """Return the triangles with `kept` (c,)."""
        pairs = kept[self.owner]
        number = np.cumsum(kept) - 1
        return self._replace(
            corners=self.corners[kept],
            sure=self.sure[kept],
            bound=self.bound[kept],
            stuck=self.stuck[kept],
            owner=number[self.owner[pairs]],
            margin=self.margin[pairs],
            values=self.values[:, pairs],
        )


class TriangleSearch:
    """Search for the best cells that zero lines of margins cut the triangle of weights into.

    No score in a triangle exceeds its bound: the reward of the rows each of whose margins may be
    positive in it. Triangles that may hold a best cell are quartered until few lines cross them;
    then every line is walked from end to end of its part in the triangle.

    Parameters
    ----------
    objective : Objective
        What to maximise, with three branches.
    target : ndarray of shape (3,)
        Weights that are the answer if none are better.

    Attributes
    ----------
    best : float
        The best score.
    weights : ndarray of shape (3,)
        The best weights seen, which need not have it.
    """

    def __init__(self, objective, target):
        self.objective = objective
        self.row = objective.row
        positive, negative = (objective.margins > 0).any(1), (objective.margins < 0).any(1)
        self.lines = positive & negative & _first_of_equals(objective.margins)
        self.chords = chords(objective.margins)
        inside = objective.margins @ target > _SLACK
        right = np.logical_and.reduceat(inside, objective.starts)
        self.at_target = self.best = objective.offset + objective.rewards @ right
        self.weights = target
        self.found = [(np.empty(0), np.empty(0, dtype=int), np.empty(0), np.empty(0))]

    def run(self):
        """Return the stretches that border best cells; none where `target` is the answer."""
        margins = self.objective.margins
        root = _Triangles(
            corners=np.eye(3)[None],
            sure=np.array([self.objective.offset]),
            bound=np.array([np.inf]),
            stuck=np.zeros(1, dtype=int),
            owner=np.zeros(len(margins), dtype=int),
            margin=np.arange(len(margins)),
            values=margins.T,
            depth=0,
        )
        waiting = [root]
        while waiting:
            triangles = waiting.pop()
            triangles = self._walk_small(triangles.take(triangles.bound >= self._needed()))
            n_triangles = len(triangles.sure)
            if n_triangles > 1 and len(triangles.margin) > _CHUNK_OPEN:
                better = np.zeros(n_triangles, dtype=bool)
                better[np.argsort(-triangles.bound, kind="stable")[: n_triangles // 2]] = True
                waiting += [triangles.take(~better), triangles.take(better)]
            elif n_triangles > 0:
                waiting.append(self._cut(triangles))
        return self._join()

    def _needed(self):
        """Return the least score of interest: as good as the best, or better than `target`."""
        leads = self.best <= self.at_target + self.objective.tolerance
        return self.best + (1 if leads else -1) * self.objective.tolerance

    def _cut(self, triangles):
        """Return the quarters of triangles that may hold a best cell."""
        values = _with_middles(triangles.values)
        first = _firsts(triangles.owner, self.row[triangles.margin])
        rewards = self.objective.rewards[self.row[triangles.margin[first]]]
        self._try_centres(triangles, first, rewards)
        # Axes are: quarter, corner, margin.
        quarters = values[_QUARTERS]
        sure = quarters.min(axis=1) > _SLACK
        possible = _all_by_row(quarters.max(axis=1) > -_SLACK, first)
        owner, n_triangles = triangles.owner[first], len(triangles.sure)
        sums = [np.bincount(owner, rewards * quarter, n_triangles) for quarter in possible]
        bound = triangles.sure + sums
        sums = [np.bincount(owner, rewards * q, n_triangles) for q in _all_by_row(sure, first)]
        kept = bound >= self._needed()
        row = np.repeat(np.arange(len(first)), np.diff([*first, len(triangles.margin)]))
        quarter, pair = np.nonzero(possible[:, row] & ~sure & kept[:, triangles.owner])
        corners = _with_middles(triangles.corners.swapaxes(0, 1))[_QUARTERS].swapaxes(1, 2)
        new = _Triangles(
            corners=corners[kept],
            sure=(triangles.sure + sums)[kept],
            bound=bound[kept],
            stuck=np.broadcast_to(triangles.stuck, kept.shape)[kept],
            owner=(np.cumsum(kept).reshape(kept.shape) - 1)[quarter, triangles.owner[pair]],
            margin=triangles.margin[pair],
            values=values[_QUARTERS[quarter].T, pair],
            depth=triangles.depth + 1,
        )
        before = np.broadcast_to(self._count_lines(triangles), kept.shape)[kept]
        return new._replace(stuck=np.where(self._count_lines(new) > 0.8 * before, new.stuck + 1, 0))

    def _count_lines(self, triangles):
        lines = self.lines[triangles.margin]
        return np.bincount(triangles.owner[lines], minlength=len(triangles.sure))

    def _try_centres(self, triangles, first, rewards):
        """Improve on the best score with the centres of triangles."""
        right = _all_by_row(triangles.values.sum(axis=0) > 3 * _SLACK, first)
        gain = np.bincount(triangles.owner[first], rewards * right, len(triangles.sure))
        self._improve(triangles.sure + gain, triangles.corners.mean(axis=1))

    def _improve(self, scores, weights):
        if scores.max(initial=0.0) > self.best:
            top = np.argmax(scores)
            self.best, self.weights = scores[top], weights[top]

    def _walk_small(self, triangles):
        """Walk along the lines in triangles that few of them cross; return the others."""
        self._improve(triangles.sure, triangles.corners.mean(axis=1))
        small = self._count_lines(triangles) <= _FEW_LINES
        small |= (triangles.stuck > _MAX_STUCK) | (triangles.depth >= _MAX_DEPTH)
        if small.any():
            self._walk(triangles.take(small))
        return triangles.take(~small)

    def _walk(self, triangles):
        along = np.flatnonzero(self.lines[triangles.margin])
        begin, end = self._within(triangles, along)
        inside = begin < end
        along, begin, end = along[inside], begin[inside], end[inside]
        sizes = np.bincount(triangles.owner)
        counts = sizes[triangles.owner[along]].cumsum()
        cuts = np.flatnonzero(np.diff(counts // _CHUNK_CROSSINGS)) + 1
        for chunk in np.split(np.arange(len(along)), cuts):
            self._walk_lines(triangles, along[chunk], begin[chunk], end[chunk])

    def _within(self, triangles, along):
        """Return where the lines of the pairs `along` enter and leave their triangles."""
        owner, line = triangles.owner[along], triangles.margin[along]
        inverse = np.linalg.inv(triangles.corners)[owner]
        at_start, at_stop = (np.einsum("ak,akj->ja", ends[line], inverse) for ends in self.chords)
        # Shares of the corners; where one falls to 0, the line leaves.
        overlap = _OVERLAP * 2.0**triangles.depth
        at_start, rate = at_start + overlap, at_stop - at_start
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = -at_start / rate
        begin = np.where(rate > 0, crossing, np.where((rate < 0) | (at_start >= 0), 0.0, 2.0))
        end = np.where(rate < 0, crossing, 1.0)
        return np.maximum(begin.max(axis=0), 0.0), np.minimum(end.min(axis=0), 1.0)

    def _walk_lines(self, triangles, along, begin, end):
        """Walk from `begin` to `end` of lines; keep the stretches with the best score."""
        objective, owner = self.objective, triangles.owner[along]
        sizes = np.bincount(triangles.owner)
        number = np.repeat(np.arange(len(along)), sizes[owner])
        counts = sizes[owner].cumsum()
        pairs = np.arange(len(number)) + (sizes.cumsum()[owner] - counts)[number]
        line, margin = triangles.margin[along], triangles.margin[pairs]
        margins = objective.margins[margin]
        starts, stops, across = self.chords[0][line], self.chords[1][line], objective.margins[line]
        values = [(margins * at[number]).sum(axis=1) for at in (starts, stops, across)]
        first = _firsts(number, self.row[margin])
        lower, upper = right_between(*values[:2], first, objective.tolerance, values[2])
        rewards = objective.rewards[self.row[margin[first]]]
        reward, left, right, stretch = walk(begin, end, lower, upper, number[first], rewards)
        score = triangles.sure[owner[stretch]] + reward
        self.best = max(self.best, score.max(initial=0.0))
        best = score >= self._needed()
        self.found.append((score[best], line[stretch[best]], left[best], right[best]))

    def _join(self):
        """Return what was found with the best score, in order."""
        score, line, left, right = (np.concatenate(found) for found in zip(*self.found))
        best = np.flatnonzero(score >= self._needed())
        order = best[np.lexsort((left[best], line[best]))]
        return Stretches(line[order], left[order], right[order])


def _first_of_equals(rows):
    """Return which rows (m, K) differ from all before them."""
    order = np.lexsort(rows.T)
    first = np.ones(len(rows), dtype=bool)
    first[order[1:]] = (rows[order[1:]] != rows[order[:-1]]).any(axis=1)
    return first


def _firsts(owner, row):
    """Return where rows begin among the margins of triangles or lines."""
    new = np.ones(len(row), dtype=bool)
    new[1:] = (row[1:] != row[:-1]) | (owner[1:] != owner[:-1])
    return np.flatnonzero(new)


def _all_by_row(values, first):
    return np.logical_and.reduceat(values, first, axis=-1)


def _with_middles(corners):
    """Return corners (3, ...) and, after them, the middles of the edges (6, ...)."""
    return np.concatenate([corners, (corners + np.roll(corners, -1, axis=0)) / 2])
