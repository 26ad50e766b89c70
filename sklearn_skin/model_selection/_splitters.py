"""Folds for several tasks."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_consistent_length, check_random_state

from sklearn_skin.utils import group_codes


class MultiTaskStratifiedGroupKFold(BaseCrossValidator):
    r"""K folds that keep groups whole and hold a like share of every class of every task.

    scikit-learn stratifies by one column of labels without gaps. Here every label of every task
    counts, and a missing one does not. Groups are dealt to the folds one by one, those with the
    most uneven labels first, each to the fold in which the sum over classes c of the variance over
    folds,

    .. math:: \sum_c \mathrm{Var}_k\!\left(\frac{n_{kc}}{n_c}\right),

    then is smallest, with :math:`n_{kc}` the labels c in fold k, of :math:`n_c`.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    shuffle : bool, default=False
        Whether groups that are as uneven as one another are dealt in random order.
    random_state : int, RandomState instance or None, default=None
        Seed of that order.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.model_selection import MultiTaskStratifiedGroupKFold
    >>> y = np.array([["nevus", "absent"], ["melanoma", None]] * 4, dtype=object)
    >>> splitter = MultiTaskStratifiedGroupKFold(2)
    >>> [y[test, 0].tolist().count("nevus") for _, test in splitter.split(y, y)]
    [2, 2]
    """

    # Searches and cross_validate with metadata routing pass groups by themselves.
    __metadata_request__split = {"groups": True}

    def __init__(self, n_splits=5, *, shuffle=False, random_state=None):
        if not isinstance(n_splits, Integral) or n_splits < 2:
            raise ValueError(f"`n_splits` must be an int of at least 2; got {n_splits!r}.")
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : ignored
            There for scikit-learn's sake.

        Returns
        -------
        n_splits : int
        """
        return self.n_splits

    def split(self, X, y, groups=None):
        """Yield the positions of the training rows and of the rows held out.

        Parameters
        ----------
        X : array-like of n rows
            Only their number matters.
        y : array-like of shape (n,) or (n, T)
            Labels; NaN or None where missing.
        groups : array-like of shape (n,), default=None
            Rows with the same value stay together; by default every row is its own group.

        Yields
        ------
        train, test : ndarray of int

        Raises
        ------
        ValueError
            If there are fewer groups than folds, or a row has none.
        """
        check_consistent_length(X, y, groups)
        return super().split(X, y, groups)

    def _iter_test_masks(self, X, y, groups):
        folds = self._deal(y, np.arange(len(y)) if groups is None else group_codes(groups))
        for fold in range(self.n_splits):
            yield folds == fold

    def _deal(self, y, groups):
        """Return the fold of every row."""
        shares = _label_shares(y)
        n_groups = groups.max() + 1
        if n_groups < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} cannot be greater than the number of groups, {n_groups}."
            )
        of_group = np.zeros((n_groups, shares.shape[1]))
        np.add.at(of_group, groups, shares)
        order = np.arange(n_groups)
        if self.shuffle:
            check_random_state(self.random_state).shuffle(order)
        order = order[np.argsort(-of_group[order].std(axis=1), kind="stable")]
        so_far, sizes = np.zeros((self.n_splits, shares.shape[1])), np.zeros(self.n_splits)
        fold_of_group = np.empty(n_groups, dtype=np.int64)
        n_rows = np.bincount(groups)
        for group in order:
            # Adding a to fold k changes the variance of a sum that is fixed by a² + 2 a so_far[k].
            growth = ((so_far * 2 + of_group[group]) * of_group[group]).sum(axis=1)
            fold = np.lexsort((sizes, growth.round(12)))[0]
            fold_of_group[group] = fold
            so_far[fold] += of_group[group]
            sizes[fold] += n_rows[group]
        return fold_of_group[groups]


def _label_shares(y):
    """Return for every row and label 1 / n_c where the row has it: an array (n, sum of C_t)."""
    labels, blocks = np.asarray(y, dtype=object), []
    for column in labels.reshape(len(labels), -1).T:
        # A gap is -1, and of no class.
        codes, classes = pd.factorize(column)
        has = codes[:, None] == np.arange(len(classes))
        blocks.append(has / has.sum(axis=0))
    return np.concatenate(blocks, axis=1)
