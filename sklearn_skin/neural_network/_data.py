"""The rows of a fit: checked, encoded, and parted for validation where a fit needs it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils.validation import (
    _check_sample_weight,
    _get_feature_names,
    check_consistent_length,
)

from sklearn_skin.neural_network._table import (
    Columns,
    DataShapes,
    LesionTable,
    check_features,
    read_columns,
    read_features,
)
from sklearn_skin.utils import (
    LabelCodec,
    check_labelled,
    check_validation_rows,
    grouped_folds,
    warn_user,
)


@dataclass(frozen=True)
class Rows:
    """Rows to train or to validate on: their table, class codes (n, T) and weights (n,)."""

    table: LesionTable
    codes: np.ndarray
    weight: np.ndarray | None = None

    def take(self, rows):
        """Return the rows at these positions."""
        weight = None if self.weight is None else self.weight[rows]
        return Rows(self.table.take(rows), self.codes[rows], weight)


@dataclass(frozen=True)
class FitData:
    """What a fit reads.

    Parameters
    ----------
    columns : Columns
        Where in X it comes from.
    codec : LabelCodec
        What encoded the labels.
    train : Rows
        Rows to train on.
    valid : Rows or None
        Rows held out.
    valid_y : array-like or None
        Their labels as given.
    """

    columns: Columns
    codec: LabelCodec
    train: Rows
    valid: Rows | None = None
    valid_y: Any = None

    def shapes(self, image_size):
        """Return what a network's layers depend on."""
        return shapes_of(self.columns, self.codec, image_size)


def shapes_of(columns, codec, image_size):
    """Return what the layers of a network for these columns and labels depend on."""
    return DataShapes(
        list(columns.images),
        list(map(str, columns.metadata)),
        [len(classes) for classes in codec.classes_],
        image_size,
    )


def read_table(X, columns, estimator, name="X"):
    """Read the columns that a fit has learnt from a table or an array."""
    if columns.by_name:
        return read_columns(X, columns)
    matrix = check_features(X, estimator, name)
    if matrix.shape[1] != len(columns.metadata):
        raise ValueError(
            f"{name} has {matrix.shape[1]} features; X has {len(columns.metadata)} in fit."
        )
    names = _get_feature_names(X)
    # Read by position, columns in another order would be taken for one another.
    if names is not None and columns.names is not None and list(names) != list(columns.names):
        raise ValueError(
            f"The feature names of {name} should match those that were passed during fit: "
            f"{list(columns.names)}; got {list(names)}."
        )
    return read_features(X, matrix)


def read(
    X,
    y,
    recipe,
    columns,
    codec,
    estimator,
    *,
    sample_weight=None,
    groups=None,
    X_val=None,
    y_val=None,
):
    """Return the data of a fit; what does not fit together is an error that names it."""
    table, codes = read_table(X, columns, estimator), codec.transform(y)
    check_consistent_length(table.row_names, codes, groups)
    if sample_weight is not None:
        sample_weight = _check_sample_weight(
            sample_weight, table.row_names, dtype=np.float32, ensure_non_negative=True
        )
    rows = Rows(table, codes, sample_weight)
    check_validation_rows(X_val, y_val)
    if X_val is not None:
        valid = read_table(X_val, columns, estimator, "X_val")
        valid_codes = codec.transform(y_val, "y_val")
        check_labelled(valid_codes, "y_val")
        check_consistent_length(valid.row_names, valid_codes)
        return FitData(columns, codec, rows, Rows(valid, valid_codes), y_val)
    if columns.group is not None and groups is None and table.groups is None:
        raise ValueError(
            f"`group_column` must be a column of X; X has no {columns.group!r}, and without it "
            "rows of one patient may be trained and validated on. Where make_lesion_transformer() "
            "comes before, name it in `group_column` there, too, and it is handed on."
        )
    # Groups that nothing is split by are ignored, so that a search may switch the split off.
    if not recipe.needs_validation:
        return FitData(columns, codec, rows)
    groups = table.groups if groups is None else np.asarray(groups)
    train, valid_rows = inner_split(codes, groups, recipe.validation_fraction, recipe.fit_seed)
    valid_y = y.iloc[valid_rows] if hasattr(y, "iloc") else np.asarray(y)[valid_rows]
    return FitData(columns, codec, rows.take(train), rows.take(valid_rows), valid_y)


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
    # Several tasks cannot be stratified at once; the first is the diagnosis.
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
    splitter = StratifiedShuffleSplit(1, test_size=fraction, random_state=seed)
    if counts.min() < 2 or n_valid < len(counts) or len(strata) - n_valid < len(counts):
        warn_user(
            "the validation split inside fit is not stratified: a class has too few rows.",
            once="not stratified",
        )
        splitter = ShuffleSplit(1, test_size=fraction, random_state=seed)
    return next(splitter.split(strata, strata))


def _split_groups(strata, groups, fraction, seed):
    n_folds = max(round(1 / fraction), 2)
    # A fold holds out half of the rows at most.
    if fraction <= 0.5:
        return grouped_folds(strata, groups, n_folds, seed)[0]
    splitter = GroupShuffleSplit(1, test_size=fraction, random_state=seed)
    return next(splitter.split(strata, groups=groups))
