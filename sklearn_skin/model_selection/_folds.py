"""The folds of a study, made once for all of its trials."""

from numbers import Integral

import numpy as np
from sklearn.model_selection import check_cv

from sklearn_skin.model_selection._protocols import strata_of
from sklearn_skin.utils import grouped_folds


def make_folds(cv, X, y, groups):
    """Return a list of (training rows, test rows); a `cv` that makes none is an error.

    Parameters
    ----------
    cv : int, splitter, iterable or None
        As in `StudyObjective`.
    X, y : DataFrame or array-like of n rows
    groups : ndarray of shape (n,) or None
    """
    cv = 5 if cv is None else cv
    if isinstance(cv, Integral):
        folds = _grouped(int(cv), y, groups)
    else:
        folds = _split(check_cv(cv), X, y, groups)
    _check_rows(folds, len(strata_of(y)))
    return folds


def _grouped(n_folds, y, groups):
    if n_folds < 2:
        raise ValueError(
            f"`cv` must be at least 2 folds, a splitter or an iterable; got {n_folds}."
        )
    folds = grouped_folds(strata_of(y), groups, n_folds)
    if len(folds) < n_folds:
        raise ValueError(
            f"`cv` asks for {n_folds} folds, and the rows make no more than {len(folds)}: too few "
            "groups, or rows of the most frequent class."
        )
    return folds


def _split(splitter, X, y, groups):
    try:
        return list(splitter.split(X, strata_of(y), groups))
    except (TypeError, ValueError) as error:
        advice = ""
        if groups is None and "group" in f"{type(splitter).__name__} {error}".lower():
            advice = " Name the group of every row in `groups=`."
        raise ValueError(f"`cv` {splitter} makes no folds of the rows: {error}{advice}") from error


def _check_rows(folds, n_rows):
    """Raise an error for folds that are none, or of other rows."""
    if not folds:
        raise ValueError("`cv` makes no fold.")
    for number, (train, test) in enumerate(folds):
        for rows in map(np.asarray, (train, test)):
            if rows.size == 0 or rows.max() >= n_rows:
                raise ValueError(
                    f"`cv`: fold {number} must train and test on some of the {n_rows} rows, by "
                    f"their positions; got {rows}."
                )
