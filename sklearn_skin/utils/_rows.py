"""Rows of a table: what a fitted estimator asks of them, and their names in errors."""

from itertools import islice

import numpy as np
import pandas as pd


def check_table(X, columns=()):
    """Raise an error unless X is a DataFrame that has rows and these columns.

    Parameters
    ----------
    X : DataFrame of n rows
        Rows to check.
    columns : sequence of str, default=()
        Columns that X must have; it may have more.

    Raises
    ------
    TypeError
        If X is no DataFrame.
    ValueError
        If X has no rows or lacks a column.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_skin.utils import check_table
    >>> check_table(pd.DataFrame({"age": [30, 40]}), ["age", "sex"])
    Traceback (most recent call last):
        ...
    ValueError: X lacks the columns ['sex']; it has ['age'].
    """
    if not isinstance(X, pd.DataFrame):
        hint = " A row of a table is X.iloc[[0]]." if isinstance(X, pd.Series) else ""
        raise TypeError(f"X must be a DataFrame, as in fit; got {type(X).__name__}.{hint}")
    if len(X) == 0:
        # scikit-learn's words: its checks ask for them.
        raise ValueError(
            f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required."
        )
    missing = [name for name in columns if name not in X.columns]
    if missing:
        raise ValueError(f"X lacks the columns {missing}; it has {list(X.columns)}.")


def row_names(X):
    """Return the names of the rows of X: a DataFrame's index, or positions.

    Parameters
    ----------
    X : DataFrame or array-like of n rows

    Returns
    -------
    names : ndarray of shape (n,)

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_skin.utils import row_names
    >>> row_names(pd.DataFrame({"age": [30, 40]}, index=["L1", "L2"])).tolist()
    ['L1', 'L2']
    """
    return X.index.to_numpy() if isinstance(X, pd.DataFrame | pd.Series) else np.arange(len(X))


def list_names(names, n_shown=5):
    """Return names as one text, the first few of them, as errors print them.

    Parameters
    ----------
    names : iterable
        Row names, columns or labels.
    n_shown : int, default=5
        How many are printed before ``…``.

    Returns
    -------
    text : str

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.utils import list_names
    >>> list_names(np.arange(7), n_shown=2)
    '0, 1, …'
    """
    # NumPy's scalars print as np.int64(0), which no user wrote; of a million names few are shown.
    first = islice(names, n_shown + 1)
    plain = [name.item() if isinstance(name, np.generic) else name for name in first]
    return ", ".join([*map(repr, plain[:n_shown]), *["…"] * (len(plain) > n_shown)])
