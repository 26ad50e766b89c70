"""Folds that keep groups whole and classes balanced."""

import warnings

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold


def grouped_folds(strata, groups=None, n_folds=5, random_state=None):
    """Return folds stratified by class, that keep groups whole where these are given.

    Parameters
    ----------
    strata : array-like of shape (n,)
        Class of each row.
    groups : array-like of shape (n,), default=None
        Rows with the same value stay together.
    n_folds : int, default=5
        Number of folds; no more than there are groups, or rows of the largest class.
    random_state : int, RandomState instance or None, default=None
        Seed of the order; None keeps the order of the rows.

    Returns
    -------
    folds : list of (ndarray, ndarray)
        Positions of the training rows and of the rows held out. Every row is held out once.

    Raises
    ------
    ValueError
        If a row has no group, or all rows have the same.

    Examples
    --------
    >>> from sklearn_skin.utils import grouped_folds
    >>> labels, patients = [0, 0, 1, 1], ["a", "b", "a", "b"]
    >>> [test.tolist() for _, test in grouped_folds(labels, patients, 2)]
    [[0, 2], [1, 3]]
    """
    strata = np.unique(np.asarray(strata), return_inverse=True)[1]
    shuffle = random_state is not None
    n_folds = min(n_folds, max(2, np.bincount(strata).max()))
    if groups is None:
        splitter = StratifiedKFold(n_folds, shuffle=shuffle, random_state=random_state)
    else:
        groups = group_codes(groups)
        splitter = StratifiedGroupKFold(
            min(n_folds, groups.max() + 1), shuffle=shuffle, random_state=random_state
        )
    with warnings.catch_warnings():
        # A class with fewer rows than folds misses some of them: no reason to stop.
        warnings.filterwarnings("ignore", message="The least populated class")
        return list(splitter.split(strata, strata, groups))


def group_codes(groups):
    """Return groups as numbers from 0, in the order of their first rows.

    Parameters
    ----------
    groups : array-like of shape (n,)
        Name of each row's group.

    Returns
    -------
    codes : ndarray of shape (n,)

    Raises
    ------
    ValueError
        If a row has no group, or all rows have the same.

    Examples
    --------
    >>> from sklearn_skin.utils import group_codes
    >>> group_codes(["p7", "p2", "p7"]).tolist()
    [0, 1, 0]
    """
    groups = np.asarray(groups)
    missing = np.count_nonzero(pd.isna(groups))
    if missing:
        raise ValueError(
            f"groups must name the group of every row; {missing} of {len(groups)} are missing."
        )
    codes = pd.factorize(groups)[0]
    if codes.max(initial=0) < 1:
        raise ValueError("all rows belong to one group, so none can be held out for validation.")
    return codes
