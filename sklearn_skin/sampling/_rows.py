"""Taking rows of a table so that repeated images are marked as such."""

import pandas as pd
from scipy import sparse
from sklearn.utils import _safe_indexing, check_array
from sklearn.utils.validation import validate_data


def check_rows(sampler, X):
    """Check X without converting a DataFrame, and note its columns on the sampler."""
    if not isinstance(X, pd.DataFrame):
        check_array(X, dtype=None, accept_sparse=["csr", "csc"], ensure_all_finite=False)
    elif len(X) == 0:
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
    # Notes names and number of columns alone: images would not survive as an array.
    validate_data(sampler, X=X, reset=True, skip_check_array=True)


def take_rows(values, rows):
    """Return the rows of a DataFrame, Series, array, sparse matrix or list, dtypes kept.

    Row labels stay with their rows, so that errors and reports can name them. In columns of
    images a row that comes again is marked with how often it came before.
    """
    if sparse.issparse(values):
        return values[rows]
    taken = _safe_indexing(values, rows)
    if isinstance(taken, pd.DataFrame):
        repetition = count_repetitions(rows)
        for name in image_columns(taken):
            images = taken[name].array
            taken[name] = images.with_copies(images.copies + repetition)
    return taken


def count_repetitions(rows):
    """Return for every entry how often it came before it.

    Examples
    --------
    >>> from sklearn_skin.sampling._rows import count_repetitions
    >>> count_repetitions([4, 2, 4, 4, 2]).tolist()
    [0, 0, 1, 2, 1]
    """
    return pd.Series(rows).groupby(rows).cumcount().to_numpy()


def image_columns(X):
    """Return the names of the columns of dtype image."""
    # By name: a table without images needs no import of the dtype.
    return [name for name, dtype in X.dtypes.items() if getattr(dtype, "name", "") == "image"]
