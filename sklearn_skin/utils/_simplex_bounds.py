"""Maximum of a piecewise constant objective on the simplex, proven by branch and bound."""

from functools import lru_cache
from heapq import heappop, heappush
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linprog

# Signs of margins at corners: about ten seconds of one core.
_MAX_WORK = 500_000_000
_WORK_PER_PART = 10_000
# By the number of branches; with more, only planes cut.
_STEPS = {4: 4, 5: 3, 6: 2, 7: 2, 8: 2}
_FEW_PLANES, _MANY_PLANES = 4, 24


class _Rows(NamedTuple):
    """Rows of an objective, equal ones merged.

    `margins` (m, K) are divided by `scale` (K,) and then have a largest entry of 1; `row` (m,)
    and `plane` (m,) number the row of each and the plane where it is zero; `rewards` (r,) are
    those of the rows.
    """

    margins: np.ndarray
    row: np.ndarray
    plane: np.ndarray
    rewards: np.ndarray
    scale: np.ndarray

    def weigh(self, points):
        """Return weights (..., K) for points of the scaled simplex."""
        weights = points / self.scale
        return weights / weights.sum(axis=-1, keepdims=True)


class _Part(NamedTuple):
    """A simplex of weights, and what is known of it.

    `corners` (K, K); `margins` (a,) are positions of those that may change sign in it, of rows
    that may be right; `sure` is the reward of the rows that are right; `n_planes` is the number
    of planes that cut what it was cut from, and `by_planes` whether that was cut along them.
    """

    corners: np.ndarray
    margins: np.ndarray
    sure: float
    n_planes: float = np.inf
    by_planes: bool = False


class BranchAndBound:
    """Search for better weights than some, until there are none or the work is too much.

    No score in a part of the simplex exceeds its bound: the reward of the rows each of whose
    margins is positive at some corner. The part with the highest bound is cut next.

    Parameters
    ----------
    objective : Objective
        What to maximise.
    weights : ndarray of shape (K,)
        Where to start from.
    """

    def __init__(self, objective, weights):
        self.objective = objective
        self.weights = weights
        self.best = objective.score(weights[None])[0]
        self.rows = _merge(objective)
        self.parts: list[Any] = []
        self.n_parts = 0
        self.work = 0

    def run(self):
        """Return the best weights (K,) found, and whether no others are better."""
        n_branches, everything = len(self.weights), np.arange(len(self.rows.margins))
        self._push(np.inf, _Part(np.eye(n_branches), everything, self.objective.offset))
        while self.parts:
            bound, _, part = heappop(self.parts)
            if not self._improves(-bound):
                break
            if self.work > _MAX_WORK:
                return self.weights, False
            part = self._open(part)
            if len(part.margins):
                self._cut(part)
        return self.weights, True

    def _improves(self, score):
        return score > self.best + self.objective.tolerance

    def _push(self, bound, part):
        self.n_parts += 1
        # Equal bounds are told apart by number: parts cannot be compared.
        heappush(self.parts, (-bound, self.n_parts, part))

    def _open(self, part):
        """Return the part with the margins that are open in it alone."""
        values = self.rows.margins[part.margins] @ part.corners.T
        rewards, possible, sure, falls = self._judge(part, values[:, None])
        row = np.unique(self.rows.row[part.margins], return_inverse=True)[1]
        kept = part.margins[falls[:, 0] & (possible & ~sure)[row, 0]]
        return part._replace(margins=kept, sure=part.sure + rewards @ sure[:, 0])

    def _judge(self, part, values):
        """Return the rewards (r,) of a part's rows, and what `values` (a, c, K) at corners say.

        That is, which rows are possible and sure (r, c), and which margins fall below 0 (a, c).
        """
        starts, rewards = self._starts(part)
        tolerance = self.objective.tolerance
        falls = (values < -tolerance).any(axis=2)
        possible = np.logical_and.reduceat((values > tolerance).any(axis=2), starts, axis=0)
        sure = possible & ~np.logical_or.reduceat(falls, starts, axis=0)
        return rewards, possible, sure, falls

    def _starts(self, part):
        row = self.rows.row[part.margins]
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        return starts, self.rows.rewards[row[starts]]

    def _cut(self, part):
        """Cut a part into smaller ones, and keep those that may hold a better score."""
        planes = self.rows.plane[part.margins]
        _, first, counts = np.unique(planes, return_index=True, return_counts=True)
        n_planes = len(counts)
        few = n_planes <= _FEW_PLANES
        # Where many planes meet in a point, smaller parts have no fewer of them.
        stuck = part.n_planes <= n_planes <= _MANY_PLANES
        by_planes = part.by_planes or few or stuck or len(self.weights) not in _STEPS
        margins = self.rows.margins[part.margins]
        if by_planes:
            most_shared = margins[first[counts.argmax()]]
            points, children = _halves(part.corners, part.corners @ most_shared)
        else:
            shares, children = _lattice_parts(len(self.weights))
            points = shares @ part.corners
        self.work += len(margins) * children.size + _WORK_PER_PART
        values = margins @ points.T
        self._try_centres(part, points[children].mean(axis=1))
        rewards, possible, _, _ = self._judge(part, values[:, children])
        bounds = part.sure + rewards @ possible
        for child in np.flatnonzero(self._improves(bounds)):
            corners = points[children[child]]
            self._push(bounds[child], _Part(corners, part.margins, part.sure, n_planes, by_planes))

    def _try_centres(self, part, centres):
        starts, rewards = self._starts(part)
        right = self.rows.margins[part.margins] @ centres.T > self.objective.tolerance
        scores = part.sure + rewards @ np.logical_and.reduceat(right, starts, axis=0)
        for child in np.argsort(-scores):
            if not self._improves(scores[child]):
                return
            # In a part that is too thin for floating point, sure rows may not be right.
            weights = self.rows.weigh(centres[child])
            score = self.objective.score(weights[None])[0]
            if self._improves(score):
                self.best, self.weights = score, weights


def settle_inside(objective, weights):
    """Return weights (K,) with the same right rows as `weights`, away from where others begin.

    They lie halfway between the centre of the largest ball in the region of `weights` and the
    border of the region on the way from there to equal weights.
    """
    n_branches = len(weights)
    sizes = np.diff([*objective.starts, len(objective.margins)])
    right = np.logical_and.reduceat(
        objective.margins @ weights > objective.tolerance, objective.starts
    )
    borders = np.vstack([objective.margins[np.repeat(right, sizes)], np.eye(n_branches)])
    # Distances are measured within the plane of the simplex.
    lengths = np.linalg.norm(borders - borders.mean(axis=1, keepdims=True), axis=1)
    found = linprog(
        np.r_[np.zeros(n_branches), -1.0],
        A_ub=np.column_stack([-borders, lengths]),
        b_ub=np.zeros(len(borders)),
        A_eq=np.r_[np.ones(n_branches), 0.0][None],
        b_eq=[1.0],
    )
    if found.x is None:
        return weights
    centre = found.x[:-1] / found.x[:-1].sum()
    way = np.full(n_branches, 1 / n_branches) - centre
    at_centre, rate = borders @ centre, borders @ way
    leaves = rate < 0
    settled = centre + way * min(1.0, (at_centre[leaves] / -rate[leaves]).min(initial=1.0)) / 2
    worse = objective.score(settled[None])[0] < objective.score(weights[None])[0]
    return weights if worse else settled


def _merge(objective):
    """Return the rows of an objective; rows with the same margins are one."""
    # Signs are those of w_k times scale_k on the simplex, too: with branches of one scale no
    # planes crowd at a corner.
    scale = np.abs(objective.margins).mean(axis=0)
    scale = 10 ** np.log10(np.where(scale > 0, scale / scale.max(), 1.0)).round()
    margins = objective.margins / scale
    margins /= np.abs(margins).max(axis=1, keepdims=True)
    first, number = _number(margins)
    members: dict[tuple[int, ...], float] = {}
    ends = [*objective.starts[1:], len(margins)]
    for start, stop, reward in zip(objective.starts, ends, objective.rewards):
        key = tuple(np.unique(number[start:stop]))
        members[key] = members.get(key, 0.0) + reward
    row = np.repeat(np.arange(len(members)), [len(key) for key in members])
    margins = margins[first[np.concatenate([list(key) for key in members])]]
    # A margin and its opposite have the same plane.
    leading = margins[np.arange(len(margins)), (margins != 0).argmax(axis=1)]
    _, plane = _number(margins * np.sign(leading)[:, None])
    return _Rows(margins, row, plane, np.array(list(members.values())), scale)


def _number(margins):
    """Return where each distinct margin comes first, and the number (m,) of every margin."""
    # Adding 0 turns -0 into 0.
    rounded = margins.round(12) + 0.0
    _, first, number = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    return first, number.ravel()


def _halves(corners, values):
    """Cut a simplex where a margin with these values at its corners is zero on an edge.

    Return points (K + 1, K), and the corners (2, K) of both halves among them.
    """
    high, low = values.argmax(), values.argmin()
    share = values[high] / (values[high] - values[low])
    children = np.tile(np.arange(len(corners)), (2, 1))
    children[0, high] = children[1, low] = len(corners)
    return np.vstack([corners, corners[high] + share * (corners[low] - corners[high])]), children


@lru_cache
def _lattice_parts(n_branches):
    """Cut the simplex into similar ones: points (p, K), and corners (c, K) among them.

    In the running sums of the weights the simplex is the set of ascending numbers, which
    permutations of the steps along the axes of each cube cut.
    """
    steps, numbers, chains = _STEPS[n_branches], {}, []

    def walk(chain, axes):
        if not axes:
            chains.append([numbers.setdefault(point, len(numbers)) for point in chain])
        for axis in axes:
            point = list(chain[-1])
            point[axis] += 1
            if point[axis] <= [*point[1:], steps][axis]:
                walk([*chain, tuple(point)], axes - {axis})

    for cube in combinations_with_replacement(range(steps), n_branches - 1):
        walk([cube], frozenset(range(n_branches - 1)))
    sums = np.array(list(numbers))
    return np.diff(sums, axis=1, prepend=0, append=steps) / steps, np.array(chains)
