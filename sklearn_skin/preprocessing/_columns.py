"""Columns of numbers and categories, as cleaning and the neural imputer read them."""

import numpy as np
import pandas as pd

from sklearn_skin.utils import list_names

#: The category of cells that are filled with no value.
MISSING = "missing"
#: Texts that mean a gap in a column of numbers; case does not matter.
MISSING_WORDS = (
    "?",
    "-",
    "n/a",
    "na",
    "nan",
    "none",
    "null",
    "missing",
    "not available",
    "unk",
    "unknown",
)


def is_number(dtype):
    """Whether `dtype` is of numbers; booleans are categories."""
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)


def distinct_values(column):
    """Return the distinct values of a column, and how many rows hold each, without gaps.

    A column of a million texts holds few of them, and what is asked of a text is asked of it once.
    Where values of several types may be equal, such as 1 and True, each row counts as one.

    Parameters
    ----------
    column : Series

    Returns
    -------
    values : Series
        In the order of their first rows.
    counts : ndarray of int
    """
    if not isinstance(column.dtype, pd.StringDtype):
        known = column.dropna()
        return known, np.ones(len(known), dtype=int)
    codes, values = pd.factorize(column)
    known = pd.Series(values, dtype=column.dtype, name=column.name)
    return known, np.bincount(codes[codes >= 0], minlength=len(values))


def find_gaps(values, missing_words):
    """Return whether each value of a column of numbers is a blank text, or one that means a gap."""
    words = {"", *(word.casefold() for word in missing_words)}
    return [isinstance(value, str) and value.strip().casefold() in words for value in values]


def holds_text(X):
    """Whether an object array holds a text."""
    return any(isinstance(value, str) for value in X.ravel())


def as_numbers(column, missing_words=None):
    """Return a column as float64, or name the row that is no finite number.

    Texts are read as numbers; blank ones and missing words as gaps. None says that the caller has
    no words to name.
    """
    if not pd.api.types.is_numeric_dtype(column.dtype):
        column = column.astype(object).map(lambda v: v.strip() if isinstance(v, str) else v)
        words = () if missing_words is None else missing_words
        column = column.mask(find_gaps(column, words), None)
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    # What coerce made NaN though it was no gap is no number.
    wrong = column.notna().to_numpy() & ~np.isfinite(values)
    if wrong.any():
        value, row = column[wrong].iloc[0], list_names(column.index[wrong][:1])
        raise ValueError(
            f"column {column.name!r} must hold finite numbers; got {list_names([value])} in row "
            f"{row}.{_advise(value, missing_words)}"
        )
    return values


def _advise(value, missing_words):
    """Return what can be done about a text among numbers."""
    if not isinstance(value, str):
        return ""
    beside = " Write a number of your own for it, or give the column the dtype category"
    if missing_words is None:
        return f"{beside}."
    usual = {word.casefold() for word in MISSING_WORDS}
    # Words that are given take the place of the usual ones, and the next would be missed then.
    own = [word for word in (*missing_words, value) if word.casefold() not in usual]
    words = ", ".join(["*MISSING_WORDS", *map(repr, own)])
    return (
        f"{beside}; or, if it means a gap, pass missing_words=[{words}], with MISSING_WORDS of "
        "sklearn_skin.preprocessing."
    )


def learn_categories(X):
    """Return the sorted values of each categorical column, None for numbers."""
    if isinstance(X, np.ndarray):
        return [None] * X.shape[1]
    found = []
    for j, dtype in enumerate(X.dtypes):
        values = X.iloc[:, j].dropna().to_numpy(dtype=object)
        # By text: an object column may hold True beside 'yes', which cannot be compared.
        found.append(None if is_number(dtype) else sorted(set(values), key=str))
    return found


def center(column, categories):
    """Return the median, or the position of the mode, ignoring gaps; NaN for no values."""
    known = column[~np.isnan(column)]
    if not len(known):
        return np.nan
    return np.median(known) if categories is None else np.bincount(known.astype(int)).argmax()


def range_of(column):
    """Return the least and largest known value."""
    known = column[~np.isnan(column)]
    return (known.min(), known.max()) if len(known) else (0.0, 0.0)


def cell_errors(truth, guess, categories):
    """Return absolute errors of numbers, 0 or 1 for categories."""
    return np.abs(truth - guess) if categories is None else (truth != guess).astype(float)


def is_better(network, fallback):
    """Whether the network's errors are smaller by more than one standard error, also squared."""
    # A tie goes to the fallback; squares too, so that rare large errors do not hide in the mean.
    gain = fallback - network
    margin = gain.std(ddof=1) / np.sqrt(len(gain))
    return bool(gain.mean() > margin and (fallback**2).mean() > (network**2).mean())


def writable(column, fill):
    """Return `column` in a dtype that takes the values of `fill`."""
    # pandas refuses values that are no declared categories, and texts in a column of NaN.
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.add_categories([v for v in set(fill) if v not in column.cat.categories])
    return column.astype(object) if column.dtype.kind == "f" else column
