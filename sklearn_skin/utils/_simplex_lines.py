"""Where along lines of weights rows are right, and the score from one end to the other."""

import numpy as np

#: Cells narrower than this share of a line count for nothing.
MIN_WIDTH = 1e-10


def chords(margins):
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


def right_between(at_start, at_stop, starts, tolerance, agrees=0.0):
    """Return where on stretches rows are right: `lower` (r,), `upper` (r,) in [0, 1].

    Margins (a,) have the values `at_start` and `at_stop` at the ends of their stretch; those of a
    row begin at `starts` (r,). A margin that is zero all along counts as positive where `agrees`
    (a,), its product with a margin on whose positive side the stretch is seen, is positive. A row
    that is right nowhere has ``lower > upper``.
    """
    start_up, stop_up = at_start > tolerance, at_stop > tolerance
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = at_start / (at_start - at_stop)
    lower = np.where(start_up, 0.0, np.where(stop_up, np.maximum(crossing, 0.0), 2.0))
    upper = np.where(stop_up, 1.0, np.where(start_up, np.minimum(crossing, 1.0), -1.0))
    flat = (np.abs(at_start) <= tolerance) & (np.abs(at_stop) <= tolerance) & (agrees > 0)
    lower[flat], upper[flat] = 0.0, 1.0
    return np.maximum.reduceat(lower, starts), np.minimum.reduceat(upper, starts)


def walk(begin, end, lower, upper, number, rewards):
    """Walk along stretches from `begin` (s,) to `end` (s,), where rows become right and wrong.

    Row i is right from `lower` to `upper` (r,) of the stretch `number`, and adds its reward.
    Return the `reward` (p,) of all pieces, their `left` and `right` (p,) and their stretches (p,).
    """
    kept = upper - lower > MIN_WIDTH
    lower, upper = np.maximum(lower, begin[number]), np.minimum(upper, end[number])
    kept &= lower < upper
    rewards, none, every = rewards[kept], np.zeros(len(begin)), np.arange(len(begin))
    position = np.concatenate([begin, lower[kept], upper[kept], end])
    stretch = np.concatenate([every, number[kept], number[kept], every])
    order = np.lexsort((position, stretch))
    # What begins on a stretch ends there, so sums start from 0 on the next one.
    reward = np.concatenate([none, rewards, -rewards, none])[order].cumsum()
    left, stretch = position[order], stretch[order]
    right = np.append(left[1:], 0.0)
    # At the end of a stretch the next position is the start of another, or 0.
    wide = (right - left > MIN_WIDTH) & (stretch == np.append(stretch[1:], -1))
    return reward[wide], left[wide], right[wide], stretch[wide]
