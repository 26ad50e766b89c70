"""How the sources part their rows into training, validation and test."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np

from sklearn_skin.utils import grouped_folds


@dataclass(frozen=True)
class Protocol:
    """A published way to evaluate.

    Parameters
    ----------
    parts : callable
        Of a data set and a seed; returns a list of (training, validation, test) row positions,
        with None where nothing is set aside to validate on.
    n_repeats : int
        How often the whole is repeated, with other seeds.
    source : str
        Who evaluates so.
    """

    parts: Callable[[Any, int], list]
    n_repeats: int
    source: str


def published_parts(data, seed):
    """Return the parts that the owners of a data set publish."""
    splits = data.get("splits")
    if splits is None:
        raise ValueError(
            "`protocol` 'derm7pt' needs the published parts, `data.splits`, which load_derm7pt "
            "returns; got none."
        )
    return [(splits["train"], splits["valid"], splits["test"])]


def folds(data, seed, n_folds):
    """Return folds by group, stratified by the first task."""
    groups = data.get("groups")
    found = grouped_folds(strata_of(data["target"]), groups, n_folds, seed)
    if len(found) < n_folds:
        raise ValueError(
            f"`protocol` needs {n_folds} folds, and the data make no more than {len(found)}: too "
            "few groups, or rows of the most frequent class."
        )
    return [(train, None, test) for train, test in found]


def holdout(data, seed, n_valid, n_test):
    """Return one split by group: of ten parts, some to test on and some to validate on."""
    parts = [test for *_, test in folds(data, seed, 10)]
    ends = (0, n_test, n_test + n_valid, len(parts))
    test, valid, train = (
        np.sort(np.concatenate(parts[a:b])) if a < b else None for a, b in pairwise(ends)
    )
    return [(train, valid, test)]


#: Name -> protocol. Where a source splits patients or lesions across its parts, these do not.
PROTOCOLS = {
    "derm7pt": Protocol(published_parts, 5, "S3, S5 and S6 on Derm7pt; S4 repeats ten times"),
    "5-fold": Protocol(partial(folds, n_folds=5), 1, "S3 on PAD-UFES-20 and ISIC 2019"),
    # One run has no deviation.
    "80:10:10": Protocol(partial(holdout, n_valid=1, n_test=1), 5, "S7 on PAD-UFES-20, once"),
    "70:30": Protocol(partial(holdout, n_valid=0, n_test=3), 5, "S1 on HAM10000, once"),
}


def find_parts(protocol, data, n_repeats, random_state):
    """Return the seed of every repeat, and its list of (train, valid or None, test)."""
    if isinstance(protocol, str):
        if protocol not in PROTOCOLS:
            raise ValueError(
                f"`protocol` must be one of {list(PROTOCOLS)} or a list of row positions; "
                f"got {protocol!r}."
            )
        chosen = PROTOCOLS[protocol]
    elif isinstance(protocol, Integral | None) or hasattr(protocol, "split"):
        raise TypeError(
            f"`protocol` must be one of {list(PROTOCOLS)} or a list of row positions, such as "
            f"list(KFold(3).split(X)); got {protocol!r}."
        )
    else:
        given = _check_parts(protocol, len(data["target"]))
        chosen = Protocol(lambda data, seed: given, 1, "")
    n_repeats = chosen.n_repeats if n_repeats is None else n_repeats
    seeds = random_state.randint(2**31 - 1, size=n_repeats).tolist()
    return seeds, [chosen.parts(data, seed) for seed in seeds]


def _check_parts(protocol, n_rows):
    """Return given parts as (train, valid or None, test) of row positions."""
    checked = []
    for number, entry in enumerate(protocol):
        parts = [np.asarray(rows) for rows in entry]
        joined = np.concatenate(parts) if parts else np.empty(0)
        if len(parts) not in (2, 3) or joined.dtype.kind not in "iu" or not all(map(len, parts)):
            raise ValueError(
                "`protocol` must hold tuples (train, test) or (train, valid, test) of row "
                f"positions; entry {number} is none."
            )
        if joined.min() < 0 or joined.max() >= n_rows or len(np.unique(joined)) < len(joined):
            raise ValueError(
                f"`protocol`: the parts of entry {number} must be different rows from 0 to "
                f"{n_rows - 1}."
            )
        checked.append((parts[0], parts[1] if len(parts) == 3 else None, parts[-1]))
    if not checked:
        raise ValueError("`protocol` must hold at least one tuple of row positions; got none.")
    return checked


def strata_of(target):
    """Return the first task's labels as texts, so that gaps are a stratum like others."""
    first = np.asarray(target, dtype=object)
    return (first if first.ndim == 1 else first[:, 0]).astype(str)
