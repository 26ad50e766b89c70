"""Predictions of rows by classifiers that have not seen them."""

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_memory

from sklearn_skin.ensemble._branches import fit_member, member_branches
from sklearn_skin.utils import call_each, grouped_folds, warn_user


class CrossFit(NamedTuple):
    """Fitted members, the rows with held-out predictions, and these by branch."""

    members: list
    rows: np.ndarray
    branches: dict


def make_folds(cv, X, codes, groups, seed):
    """Return a list of (training rows, held-out rows).

    Parameters
    ----------
    cv : int, "half", splitter or iterable
        An int makes folds stratified by the first task, by group where groups are given;
        "half" is the first of two such folds.
    X : array-like or DataFrame of n rows
    codes : ndarray of shape (n, T)
        Class codes, -1 where missing.
    groups : ndarray of shape (n,) or None
    seed : int
    """
    strata = codes[:, 0]
    if isinstance(cv, str) and cv == "half":
        return grouped_folds(strata, groups, 2, seed)[:1]
    if isinstance(cv, int | np.integer):
        return grouped_folds(strata, groups, int(cv), seed)
    with warnings.catch_warnings():
        # Whether folds tear groups apart is seen in the folds; most splitters need no groups.
        warnings.filterwarnings("ignore", message="The groups parameter is ignored")
        folds = list(check_cv(cv, strata, classifier=True).split(X, strata, groups))
    if groups is not None:
        _warn_of_torn_groups(cv, folds, pd.factorize(groups)[0])
    return folds


def _warn_of_torn_groups(cv, folds, groups):
    torn = sum(np.isin(groups[test], groups[train]).any() for train, test in folds)
    if torn:
        warn_user(
            f"`cv` puts rows of one group on both sides of {torn} of its {len(folds)} splits: "
            f"got {cv!r}. Pass a number of folds or a splitter by group, such as "
            "StratifiedGroupKFold.",
            once=("torn groups", repr(cv)),
        )


def cross_fit(
    members,
    X,
    y,
    codec,
    params,
    folds,
    *,
    valid=(None, None),
    split=False,
    memory=None,
    n_jobs=None,
    verbose=0,
):
    """Fit every member on all rows, and on each fold's to predict the held-out ones.

    Parameters
    ----------
    members : list of (str, classifier)
    X, y : rows and labels
    codec : LabelCodec
    params : list of dict
        Arrays of n values that each member's `fit` is given.
    folds : list of (ndarray, ndarray)
        Training rows and held-out rows; without folds nothing is predicted.
    valid : tuple of (rows, labels), or of two None
        What members whose fit takes `X_val` and `y_val` validate on.
    split : bool
        Whether the branches of a member are told apart.
    memory, n_jobs, verbose
        As in the estimators.

    Returns
    -------
    result : CrossFit
    """
    # The fits on all rows come last, since `rows` and `branches` are read from the front.
    everything = np.arange(codec.transform(y).shape[0])
    jobs = [
        (name, member, own, train, test)
        for train, test in [*folds, (everything, None)]
        for (name, member), own in zip(members, params)
    ]
    run = check_memory(memory).cache(_fit_and_predict)
    # joblib keys the cache by the arguments' contents: same classifier, rows and labels, same fit.
    tasks = ((*_arguments(job, X, y, codec), valid, split) for job in jobs)
    results = call_each(run, tasks, n_jobs, verbose=max(verbose - 1, 0))
    k = len(members)
    branches = _join([_merge(results[i : i + k]) for i in range(0, k * len(folds), k)])
    rows = np.concatenate([test for _, test in folds]) if folds else np.empty(0, dtype=int)
    return CrossFit(results[k * len(folds) :], rows, branches)


def _arguments(job, X, y, codec):
    name, member, params, train, test = job
    own = {key: np.asarray(value)[train] for key, value in params.items()}
    held_out = None if test is None else _safe_indexing(X, test)
    return name, member, _safe_indexing(X, train), y[train], own, held_out, codec


def _fit_and_predict(name, member, X, y, params, X_held_out, codec, valid, split):
    """Return the fitted member, or what it says of the held-out rows."""
    fitted = fit_member(member, X, y, codec, params, valid)
    if X_held_out is None:
        return fitted
    return member_branches(fitted, X_held_out, codec, name, split)


def _merge(results):
    return {name: tables for branches in results for name, tables in branches.items()}


def _join(folds):
    """Join the folds' branches row-wise."""
    if not folds:
        return {}
    return {
        name: [np.concatenate(tables) for tables in zip(*(fold[name] for fold in folds))]
        for name in folds[0]
    }
