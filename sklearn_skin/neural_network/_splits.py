"""The validation rows inside a fit."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import (
    GroupShuffleSplit,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedShuffleSplit,
)


@dataclass
class FitData:
    """Training rows, and validation rows where a fit has them."""

    table: object
    codes: np.ndarray
    weight: np.ndarray | None = None
    valid_table: object = None
    valid_codes: np.ndarray | None = None
    valid_y: object = None
    valid_weight: np.ndarray | None = None


def needs_validation(p):
    """Whether a fit with these settings holds rows out."""
    searches = isinstance(p.branch_weights, str) and p.branch_weights == "search"
    schedule = p.lr_schedule
    schedule = schedule.get("name") if isinstance(schedule, dict) else schedule
    return bool(p.early_stopping) or searches or schedule == "plateau"


def hold_out(data, y, groups, p, rng):
    """Move rows to validation where the settings `p` need them and there are none.

    Parameters
    ----------
    data : FitData
        All rows.
    y : array-like of shape (n,) or (n, T)
        Their labels as given.
    groups : array-like of shape (n,) or None
        Groups that stay whole; None takes those of `group_column`.
    p : namespace
        Settings of the fit.
    rng : RandomState
        Source of the split's seed.
    """
    if p.group_column is not None and groups is None and data.table.groups is None:
        raise ValueError(
            f"`group_column` must be a column of X; X has no {p.group_column!r}, so rows of one "
            "patient could be trained and validated on."
        )
    if data.valid_table is None and needs_validation(p):
        groups = data.table.groups if groups is None else np.asarray(groups)
        seed = rng.randint(2**31 - 1)
        train, valid = inner_split(data.codes, groups, p.validation_fraction, seed)
        return FitData(
            data.table.take(train),
            data.codes[train],
            None if data.weight is None else data.weight[train],
            data.table.take(valid),
            data.codes[valid],
            y.iloc[valid] if hasattr(y, "iloc") else np.asarray(y)[valid],
            None if data.weight is None else data.weight[valid],
        )
    return data


def inner_split(codes, groups, fraction, seed):
    """Return (training rows, validation rows), stratified by the first task, groups whole.

    Parameters
    ----------
    codes : ndarray of shape (n, T)
        Class codes, -1 where missing.
    groups : ndarray of shape (n,) or None
        Rows with the same value stay on one side.
    fraction : float
        Share of rows for validation, in (0, 1).
    seed : int
        Seed of the split.
    """
    strata = codes[:, 0]
    if groups is None:
        train, valid = _split_rows(strata, fraction, seed)
    else:
        train, valid = _split_groups(strata, groups, fraction, seed)
    if len(valid) == 0 or len(train) == 0:
        raise ValueError(
            f"n_samples = {len(codes)} with validation_fraction={fraction} leaves no rows to "
            f"{'validate' if len(valid) == 0 else 'train'} on."
        )
    return np.sort(train), np.sort(valid)


def _split_rows(strata, fraction, seed):
    counts = np.unique(strata, return_counts=True)[1]
    n_valid = int(np.ceil(fraction * len(strata)))
    if counts.min() < 2 or n_valid < len(counts) or len(strata) - n_valid < len(counts):
        warnings.warn(
            "the validation split inside fit is not stratified: a class has too few rows.",
            UserWarning,
            stacklevel=5,
        )
        splitter = ShuffleSplit(1, test_size=fraction, random_state=seed)
    else:
        splitter = StratifiedShuffleSplit(1, test_size=fraction, random_state=seed)
    return next(splitter.split(strata, strata))


def _split_groups(strata, groups, fraction, seed):
    missing = np.count_nonzero(pd.isna(groups))
    if missing:
        raise ValueError(
            f"groups must name the group of every row; {missing} of {len(groups)} are missing."
        )
    groups = np.unique(groups.astype(str), return_inverse=True)[1]
    n_groups = groups.max() + 1
    if n_groups < 2:
        raise ValueError("all rows belong to one group, so none can be held out for validation.")
    n_folds = min(max(round(1 / fraction), 2), n_groups)
    if fraction > 0.5 or np.bincount(strata - strata.min()).max() < n_folds:
        splitter = GroupShuffleSplit(1, test_size=fraction, random_state=seed)
        return next(splitter.split(strata, groups=groups))
    with warnings.catch_warnings():
        # The outer splitter has already said that a class is rare.
        warnings.filterwarnings("ignore", message="The least populated class")
        splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
        return next(splitter.split(strata, strata, groups))
