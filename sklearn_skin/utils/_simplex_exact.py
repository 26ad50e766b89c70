"""Exact maximum of a piecewise constant objective on a segment or a triangle of weights."""

from typing import NamedTuple

import numpy as np

_MIN_WIDTH = 1e-10
_MAX_TRIES = 100
_CHUNK_LINES = 128


class _Pieces(NamedTuple):
    """Stretches of lines that border a best cell: `ends` (s, 2, K), `line` (s,)."""

    ends: np.ndarray
    line: np.ndarray


def maximise_on_segment(objective, target):
    """Return weights (2,) of the best score, near `target` where several reach it."""
    start, stop = np.eye(2)
    if len(objective.margins) == 0:
        return target
    lower, upper = _right_between(objective, objective.margins @ start, objective.margins @ stop)
    best, left, right = _sweep(objective, lower, upper)
    pieces = _Pieces(_on_line(start, stop, left, right), np.zeros(len(left), dtype=int))

    def region(ends, _):
        middle = ends[:, 1].mean()
        rows = (lower < middle) & (middle < upper)
        left, right = lower[rows].max(initial=0.0), upper[rows].min(initial=1.0)
        return _on_line(start, stop, left, right)[0]

    return _settle(objective, objective.offset + best, pieces, target, region)


def maximise_on_triangle(objective, target):
    """Return weights (3,) of the best score, near `target` where several reach it."""
    lines = np.flatnonzero((objective.margins > 0).any(1) & (objective.margins < 0).any(1))
    if len(lines) == 0:
        return np.full(3, 1 / 3)
    starts, stops = _chords(objective.margins[lines])
    best, pieces = _sweep_all(objective, lines, starts, stops)
    sizes = np.diff([*objective.starts, len(objective.margins)])

    def region(ends, line):
        at_start, at_stop = ends @ objective.margins.T
        lower, upper = _right_between(objective, at_start, at_stop, line)
        rows = (lower < 0.5) & (0.5 < upper)
        return _clip_triangle(objective.margins[np.repeat(rows, sizes)], objective.tolerance)

    return _settle(objective, objective.offset + best, pieces, target, region)


def _sweep_all(objective, lines, starts, stops):
    """Walk along every line on its positive side; keep the stretches with the best score."""
    best, ends, owners = -np.inf, [], []
    for first in range(0, len(lines), _CHUNK_LINES):
        chunk = slice(first, first + _CHUNK_LINES)
        at_start = starts[chunk] @ objective.margins.T
        at_stop = stops[chunk] @ objective.margins.T
        for offset, line in enumerate(lines[chunk]):
            lower, upper = _right_between(objective, at_start[offset], at_stop[offset], line)
            if objective.rewards[lower < upper].sum() < best - objective.tolerance:
                continue
            score, left, right = _sweep(objective, lower, upper)
            if score > best + objective.tolerance:
                best, ends, owners = score, [], []
            if score >= best - objective.tolerance:
                here = first + offset
                ends.append(_on_line(starts[here], stops[here], left, right))
                owners.append(np.full(len(left), line))
    return best, _Pieces(np.concatenate(ends), np.concatenate(owners))


def _chords(margins):
    """Return both ends (l, 3) of the part of every zero line inside the triangle."""
    # One corner lies alone on its side, and the line cuts the two edges that meet there.
    positive = margins > 0
    alone = np.where(positive.sum(axis=1) == 1, positive.argmax(1), (~positive).argmax(1))
    rows = np.arange(len(margins))
    ends = []
    for step in (1, 2):
        other = (alone + step) % 3
        share = margins[rows, other] / (margins[rows, other] - margins[rows, alone])
        end = np.zeros_like(margins)
        end[rows, alone] = share
        end[rows, other] = 1 - share
        ends.append(end)
    return ends


def _right_between(objective, at_start, at_stop, line=None):
    """Return where on a stretch each row is right: `lower` (r,), `upper` (r,) in [0, 1].

    The stretch is seen from the positive side of the margin `line` that it lies on. A row that
    is right nowhere has ``lower > upper``.
    """
    tolerance = objective.tolerance
    start_up, stop_up = at_start > tolerance, at_stop > tolerance
    rate = at_start - at_stop
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = at_start / rate
    lower = np.where(start_up, 0.0, np.where(stop_up, np.maximum(crossing, 0.0), 2.0))
    upper = np.where(stop_up, 1.0, np.where(start_up, np.minimum(crossing, 1.0), -1.0))
    if line is not None:
        same = np.flatnonzero((np.abs(at_start) <= tolerance) & (np.abs(at_stop) <= tolerance))
        agrees = objective.margins[same] @ objective.margins[line] > 0
        lower[same], upper[same] = np.where(agrees, 0.0, 2.0), np.where(agrees, 1.0, -1.0)
    lower = np.maximum.reduceat(lower, objective.starts)
    return lower, np.minimum.reduceat(upper, objective.starts)


def _sweep(objective, lower, upper):
    """Return the best score along a stretch and the intervals `left`, `right` that reach it."""
    alive = upper - lower > _MIN_WIDTH
    everywhere = alive & (lower <= 0) & (upper >= 1)
    changing = alive & ~everywhere
    reward = objective.rewards[changing]
    position = np.concatenate([[0.0], lower[changing], upper[changing]])
    order = np.argsort(position)
    gain = np.concatenate([[objective.rewards[everywhere].sum()], reward, -reward])
    level = np.cumsum(gain[order])
    left = position[order]
    right = np.append(left[1:], 1.0)
    level[right - left <= _MIN_WIDTH] = -np.inf
    best = level.max()
    reached = level >= best - objective.tolerance
    return best, left[reached], right[reached]


def _on_line(start, stop, left, right):
    """Return the points (s, 2, K) at `left` and `right` on the way from start to stop."""
    ends = np.stack([np.atleast_1d(left), np.atleast_1d(right)], axis=1)[..., None]
    return start + ends * (stop - start)


def _settle(objective, best, pieces, target, region):
    """Return `target` if it is as good as `best`, else a point in the best region nearest to it.

    `region(ends, line)` returns the corners of the region beside a piece: all its points have
    the same right rows.
    """
    if objective.score(target[None])[0] >= best - objective.tolerance:
        return target
    distance = _distance_to_segments(pieces.ends, target)
    tried = []
    # The first one is the answer unless its region is too thin for floating point.
    for piece in np.argsort(distance, kind="stable")[:_MAX_TRIES]:
        corners = region(pieces.ends[piece], pieces.line[piece])
        if len(corners) > 0:
            tried.append(_halfway_inside(corners, target))
            if objective.score(tried[-1][None])[0] >= best - objective.tolerance:
                return tried[-1]
    tried.append(target)
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
