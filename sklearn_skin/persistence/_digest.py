"""What may be told of the rows that a model was trained on: counts, dtypes, ranges, categories."""

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer

from sklearn_skin.image import ImageDtype
from sklearn_skin.utils import split_pipeline

# A category with fewer rows may tell who somebody is, and a text that is so many is a name.
_FEWEST_ROWS = 5
_MOST_CATEGORIES = 50
# Whole numbers nearly all of which differ are identifiers.
_MOST_DISTINCT = 0.8


def describe_data(estimator, X, y, groups):
    """Return the digest of a model's training rows.

    Parameters
    ----------
    estimator : estimator
        Fitted; it tells which columns it reads.
    X, y, groups : array-like or None
        Training rows, as far as they are given.

    Returns
    -------
    digest : dict
        "columns" by name; "rows", "groups" and "classes" where they are known.
    """
    named = {v for n, v in estimator.get_params().items() if n.endswith("group_column")} - {None}
    columns = _used_columns(estimator)
    if X is not None:
        X = X if isinstance(X, pd.DataFrame) else pd.DataFrame(np.asarray(X))
        read = [name for name in X.columns if columns is None or name in columns or name in named]
        found = {str(name): _describe(X[name], name in named) for name in read}
    else:
        found = {str(n): {"kind": "group" if n in named else "column"} for n in columns or []}
    digest = {"rows": None if X is None else len(X), "columns": found}
    if groups is not None:
        digest["groups"] = int(pd.Series(np.asarray(groups)).nunique())
    if y is not None:
        digest["classes"] = _count_labels(y)
    return {key: value for key, value in digest.items() if value is not None}


def find_ranges_left(X, columns):
    """Return a text on each column of X with numbers outside the range of training."""
    found = []
    for name, column in columns.items():
        if "range" not in column or name not in X.columns:
            continue
        values = pd.to_numeric(X[name], errors="coerce").to_numpy(np.float64, na_value=np.nan)
        low, high = column["range"]
        outside = values[(values < low) | (values > high)]
        if len(outside):
            found.append(
                f"column {name!r} has {len(outside)} rows from {outside.min():g} to "
                f"{outside.max():g} outside {low:g} to {high:g}"
            )
    return found


def _used_columns(estimator):
    """Return the names of the columns that a fitted model reads; None where it reads an array."""
    final, before = split_pipeline(estimator)
    first = [*before, final][0]
    if isinstance(first, ColumnTransformer) and hasattr(first, "transformers_"):
        blocks = [names for _, step, names in first.transformers_ if not _is_dropped(step)]
        if all(isinstance(names, list | np.ndarray) for names in blocks):
            return [name for names in blocks for name in names]
    names = getattr(first, "feature_names_in_", None)
    return None if names is None else list(names)


def _is_dropped(step):
    return isinstance(step, str) and step == "drop"


def _describe(column, is_group):
    missing = int(column.isna().sum())
    if is_group:
        return {"kind": "group", "missing": missing, "distinct": int(column.nunique())}
    if isinstance(column.dtype, ImageDtype):
        return {"kind": "image", "missing": missing}
    known = column.dropna()
    facts = {"dtype": str(column.dtype), "missing": missing}
    numeric = pd.api.types.is_numeric_dtype(column.dtype)
    if numeric and not pd.api.types.is_bool_dtype(column.dtype):
        return {"kind": "number"} | facts | _range_of(known.to_numpy(np.float64))
    counts = known.astype(str).value_counts()
    if len(counts) > _MOST_CATEGORIES:
        return {"kind": "text"} | facts | {"distinct": len(counts)}
    frequent = sorted(counts.index[counts >= _FEWEST_ROWS])
    others = len(counts) - len(frequent)
    return {"kind": "category"} | facts | {"categories": frequent, "others": others}


def _range_of(values):
    whole = len(values) and (values == np.floor(values)).all()
    if whole and len(values) >= 2 * _FEWEST_ROWS:
        if len(np.unique(values)) > _MOST_DISTINCT * len(values):
            return {"distinct": len(np.unique(values))}
    finite = values[np.isfinite(values)]
    return {"range": [float(finite.min()), float(finite.max())]} if len(finite) else {}


def _count_labels(y):
    """Return the rows of each label, by task where there are several."""
    if isinstance(y, pd.DataFrame) or np.ndim(y) == 2:
        table = pd.DataFrame(y)
        return {str(name): _count_labels(table[name]) for name in table}
    counts = pd.Series(np.asarray(y)).value_counts().sort_index()
    return {str(label): int(count) for label, count in counts.items()}
