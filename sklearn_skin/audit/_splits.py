"""What two sides of a split share."""

import warnings
from numbers import Integral

import numpy as np
import pandas as pd


def read_splits(splits, X, y, groups):
    """Return a list of (name, rows of one side, rows of the other side).

    Parameters
    ----------
    splits : splitter, iterable of (train, test), one (train, test), or dict of str to rows
        What `check_leakage` takes. Rows are positions or masks.
    X, y, groups : DataFrame, array-like, array-like
        Handed to a splitter.

    Returns
    -------
    sides : list of (str, ndarray, ndarray)
    """
    if hasattr(splits, "split"):
        with warnings.catch_warnings():
            # What a splitter that ignores groups does to them is the question here.
            warnings.filterwarnings("ignore", message="The groups parameter is ignored")
            splits = list(splits.split(X, y, groups))
    if isinstance(splits, dict):
        parts = {name: _positions(rows, len(X)) for name, rows in splits.items()}
        names = list(parts)
        return [
            (f"{first}/{second}", parts[first], parts[second])
            for k, first in enumerate(names)
            for second in names[k + 1 :]
        ]
    splits = list(splits)
    # One split and two splits are both sequences of length 2: what they hold tells.
    if len(splits) == 2 and all(_holds_rows(part) for part in splits):
        splits = [splits]
    sides = []
    for k, pair in enumerate(splits):
        if len(pair) != 2:
            raise ValueError(
                "`splits` must be a splitter, pairs (train, test) of row positions, or a dict "
                f"of named parts; got an entry of {len(pair)} parts."
            )
        sides.append((str(k), *(_positions(rows, len(X)) for rows in pair)))
    return sides


def _holds_rows(part):
    first = next(iter(part), None)
    return isinstance(first, Integral | np.integer | np.bool_)


def _positions(rows, n_rows):
    rows = np.asarray(rows)
    if rows.dtype == bool:
        if len(rows) != n_rows:
            raise ValueError(f"`splits` holds a mask of {len(rows)} rows; X has {n_rows}.")
        return np.flatnonzero(rows)
    if len(rows) and (rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= n_rows):
        raise ValueError(f"`splits` must hold row positions from 0 to {n_rows - 1}, or masks.")
    return rows.astype(np.intp)


def shared_rows(sides, index):
    """Return `split` and `row` of rows that are on both sides."""
    found = [
        (name, label) for name, left, right in sides for label in index[np.intersect1d(left, right)]
    ]
    return pd.DataFrame(found, columns=["split", "row"])


def shared_groups(sides, groups, index):
    """Return the groups with rows on both sides: how many there, and the first of each."""
    names = ["split", "group", "n_left", "n_right", "left_row", "right_row"]
    if groups is None:
        return pd.DataFrame(columns=names)
    found = []
    codes, labels = pd.factorize(np.asarray(groups, dtype=object))
    for name, left, right in sides:
        left, right = left[codes[left] >= 0], right[codes[right] >= 0]
        counts = [np.bincount(codes[side], minlength=len(labels)) for side in (left, right)]
        # Backwards, so that of each group the first row stays.
        firsts = [dict(zip(codes[side][::-1], side[::-1])) for side in (left, right)]
        for code in np.flatnonzero((counts[0] > 0) & (counts[1] > 0)):
            found.append(
                (
                    name,
                    labels[code],
                    int(counts[0][code]),
                    int(counts[1][code]),
                    index[firsts[0][code]],
                    index[firsts[1][code]],
                )
            )
    return pd.DataFrame(found, columns=names)


def parting_splits(first, second, sides, n_rows):
    """Return, for pairs of rows, the names of the splits that part them, comma-separated."""
    names = [[] for _ in first]
    for name, left, right in sides:
        side = np.zeros((2, n_rows), dtype=bool)
        side[0, left] = side[1, right] = True
        parted = (side[0, first] & side[1, second]) | (side[1, first] & side[0, second])
        for k in np.flatnonzero(parted):
            names[k].append(name)
    return np.array([", ".join(splits) for splits in names], dtype=object)
