"""Exact maximum of a piecewise constant objective on a segment or a triangle of weights."""

import numpy as np

from sklearn_skin.utils._simplex_lines import chords, right_between, walk
from sklearn_skin.utils._simplex_triangles import TriangleSearch

_MAX_TRIES = 100


def maximise_on_segment(objective, target):
    """Return weights (2,) of the best score, near `target` where several reach it."""
    if len(objective.margins) == 0:
        return target
    start, stop = np.eye(2)
    lower, upper = right_between(*objective.margins.T, objective.starts, objective.tolerance)
    whole, number = (np.zeros(1), np.ones(1)), np.zeros(len(lower), dtype=int)
    score, left, right, _ = walk(*whole, lower, upper, number, objective.rewards)
    reached = score >= score.max() - objective.tolerance
    ends = _on_line(start, stop, left[reached], right[reached])

    def region(piece):
        middle = ends[piece, :, 1].mean()
        rows = (lower < middle) & (middle < upper)
        left, right = lower[rows].max(initial=0.0), upper[rows].min(initial=1.0)
        return _on_line(start, stop, left, right)[0]

    return _settle(objective, objective.offset + score.max(), ends, target, region)


def maximise_on_triangle(objective, target):
    """Return weights (3,) of the best score, near `target` where several reach it."""
    margins = objective.margins
    if not ((margins > 0).any(axis=1) & (margins < 0).any(axis=1)).any():
        return np.full(3, 1 / 3)
    search = TriangleSearch(objective, target)
    line, left, right = search.run()
    start, stop = (ends[line] for ends in chords(margins))
    ends = _on_line(start, stop, left, right)

    def region(piece):
        values, agrees = ends[piece] @ margins.T, margins @ margins[line[piece]]
        lower, upper = right_between(*values, objective.starts, objective.tolerance, agrees)
        rows = (lower < 0.5) & (0.5 < upper)
        return _clip_triangle(margins[rows[objective.row]], objective.tolerance)

    return _settle(objective, search.best, ends, target, region, search.weights)


def _on_line(start, stop, left, right):
    """Return the points (s, 2, K) at `left` and `right` (s,) on the way from start to stop."""
    ends = np.stack([np.atleast_1d(left), np.atleast_1d(right)], axis=1)[..., None]
    start, stop = np.atleast_2d(start)[:, None], np.atleast_2d(stop)[:, None]
    return start + ends * (stop - start)


def _settle(objective, best, ends, target, region, known=None):
    """Return `target` if it is as good as `best`, else a point in the best region nearest to it.

    Pieces with these `ends` (s, 2, K) border best regions; `region(piece)` returns the corners of
    the one beside a piece: all its points have the same right rows. The answer is no worse than
    the weights `known` (K,).
    """
    if objective.score(target[None])[0] >= best - objective.tolerance:
        return target
    distance = _distance_to_segments(ends, target)
    tried = []
    # The first one is the answer unless its region is too thin for floating point.
    for piece in np.argsort(distance, kind="stable")[:_MAX_TRIES]:
        corners = region(piece)
        if len(corners) > 0:
            tried.append(_halfway_inside(corners, target))
            if objective.score(tried[-1][None])[0] >= best - objective.tolerance:
                return tried[-1]
    tried += [target] if known is None else [target, known]
    return tried[int(np.argmax(objective.score(np.array(tried))))]


def _nearest_on_segments(ends, point):
    """Return the points (s, K) of segments (s, 2, K) nearest to `point`."""
    start, along = ends[:, 0], ends[:, 1] - ends[:, 0]
    length = np.maximum((along**2).sum(axis=1), np.finfo(float).tiny)
    share = np.clip(((point - start) * along).sum(axis=1) / length, 0, 1)
    return start + share[:, None] * along


def _distance_to_segments(ends, point):
    return ((_nearest_on_segments(ends, point) - point) ** 2).sum(axis=1)


def _halfway_inside(corners, target):
    """Return the middle between the centre of a region and its point nearest to `target`."""
    edges = np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)
    nearest = _nearest_on_segments(edges, target)
    nearest = nearest[np.argmin(((nearest - target) ** 2).sum(axis=1))]
    return (nearest + _centre(corners)) / 2


def _centre(corners):
    """Return the centre of mass of a convex polygon in the triangle, or of a segment."""
    if len(corners) < 3:
        return corners.mean(axis=0)
    first, second = corners[1:-1] - corners[0], corners[2:] - corners[0]
    # Two coordinates are enough to compare areas in the plane of the simplex.
    area = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    if area.sum() <= 0:
        return corners.mean(axis=0)
    middles = corners[0] + (first + second) / 3
    return area @ middles / area.sum()


def _clip_triangle(margins, tolerance):
    """Return the corners of the part of the triangle where no margin is negative."""
    corners = np.eye(3)
    while len(corners) > 0 and len(margins) > 0:
        values = margins @ corners.T
        worst = int(np.argmin(values.min(axis=1)))
        if values[worst].min() >= -tolerance:
            break
        corners = _clip(corners, values[worst])
        margins = np.delete(margins, worst, axis=0)
    return corners


def _clip(corners, values):
    """Cut off the corners with a negative value, in order around the polygon."""
    kept = []
    for here in range(len(corners)):
        after = (here + 1) % len(corners)
        if values[here] >= 0:
            kept.append(corners[here])
        if (values[here] >= 0) != (values[after] >= 0):
            share = values[here] / (values[here] - values[after])
            kept.append(corners[here] + share * (corners[after] - corners[here]))
    return np.array(kept)
