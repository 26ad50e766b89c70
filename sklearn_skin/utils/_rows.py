"""Names of rows, as errors and reports print them."""

import numpy as np
import pandas as pd


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
    # NumPy's scalars print as np.int64(0), which no user wrote.
    plain = [name.item() if isinstance(name, np.generic) else name for name in names]
    return ", ".join([*map(repr, plain[:n_shown]), *["…"] * (len(plain) > n_shown)])
