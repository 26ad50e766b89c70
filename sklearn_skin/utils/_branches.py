"""Probabilities of several branches or models, task by task."""

import numpy as np


def average_branches(branches, weights):
    """Return the weighted average of the branches' probabilities, per task.

    Parameters
    ----------
    branches : list of K lists of T ndarray of shape (n, C_t)
        Probabilities, or anything else to average.
    weights : array-like of shape (K,)
        Weight of each branch.

    Returns
    -------
    average : list of T ndarray of shape (n, C_t)

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.utils import average_branches
    >>> average_branches([[np.array([[1.0, 0.0]])], [np.array([[0.0, 1.0]])]], [0.75, 0.25])
    [array([[0.75, 0.25]])]
    """
    weights = np.asarray(weights, dtype=np.float64)
    return [np.tensordot(weights, np.stack(task), axes=1) for task in zip(*branches)]


def missing_as_nan(codes):
    """Return class codes as floats, NaN where a label is missing.

    Parameters
    ----------
    codes : ndarray of shape (n, T)
        What `LabelCodec.transform` gives: -1 where missing.

    Returns
    -------
    labels : ndarray of shape (n, T)

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.utils import missing_as_nan
    >>> missing_as_nan(np.array([[1], [-1]])).tolist()
    [[1.0], [nan]]
    """
    return np.where(codes < 0, np.nan, codes.astype(np.float64))
