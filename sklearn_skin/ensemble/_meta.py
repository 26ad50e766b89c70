"""What the meta-estimators share: X, y, groups and predictions."""

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import _routing_enabled, process_routing
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from sklearn_skin.ensemble._branches import fit_params
from sklearn_skin.utils import Choice, LabelCodec, task_names


class FusionMixin(ClassifierMixin):
    """Reading of X and y, and predictions from `_task_probabilities`.

    A class needs the parameters `group_column`, `classes` and `cv`, and the methods
    ``_task_probabilities(X)`` -> list of T arrays (n, C_t) and ``_members()`` -> list of
    (str, classifier).
    """

    def predict(self, X):
        """Return the most probable labels.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.

        Returns
        -------
        y : ndarray of shape (n,) or (n, T)
            Labels.
        """
        proba = self._task_probabilities(X)
        return self._codec.decode(np.stack([p.argmax(axis=1) for p in proba], axis=1))

    def predict_proba(self, X):
        """Return probabilities of the classes, in the order of `classes_`.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.

        Returns
        -------
        proba : ndarray of shape (n, C), or list of T arrays of shape (n, C_t)
            Rows sum to 1.
        """
        return self._public(self._task_probabilities(X))

    def score(self, X, y, sample_weight=None):
        """Return the accuracy, with several tasks its mean over the tasks.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.
        y : array-like of shape (n,) or (n, T)
            True labels.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.

        Returns
        -------
        score : float
            In [0, 1].
        """
        from sklearn_skin.metrics import mean_task_accuracy

        return mean_task_accuracy(y, self.predict(X), sample_weight=sample_weight)

    def search_ranges(self):
        """Return what a search may try for the parameters of this object.

        Returns
        -------
        ranges : dict of str to Range or Choice
            By parameter.
        """
        return {"space": Choice(("proba", "logits"))}

    def __sklearn_tags__(self):
        """Return scikit-learn's tags."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _public(self, tables):
        return tables if self._codec.multi_task else tables[0]

    def _read_fit(self, X, y, sample_weight, groups, classes):
        """Return checked X, labels, codes, sample weights and groups; learn the columns."""
        codec = LabelCodec(classes).fit(y)
        codes = codec.transform(y)
        groups = self._groups_of(X, groups)
        self._task_names = task_names(y)
        X = self._read(X, reset=True)
        check_consistent_length(X, codes, groups)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        self._codec = codec
        self.classes_ = codec.public_classes()
        return X, plain_labels(codec, codes), codes, sample_weight, groups

    def _groups_of(self, X, groups):
        name = "`groups`"
        if groups is None:
            if self.group_column is None:
                return None
            name = f"`group_column` {self.group_column!r}"
            if self.group_column not in getattr(X, "columns", ()):
                raise ValueError(f"{name} is not a column of X.")
            groups = X[self.group_column]
        groups = np.asarray(groups)
        missing = np.count_nonzero(pd.isna(groups))
        if missing:
            raise ValueError(f"{name} must name the group of every row; {missing} are missing.")
        return groups

    def _read(self, X, reset=False):
        """Check X: a table with images or texts by column, numbers as scikit-learn does."""
        if reset:
            self._by_name = isinstance(X, pd.DataFrame) and _needs_names(X, self.group_column)
        elif self._by_name and not isinstance(X, pd.DataFrame):
            raise TypeError(f"X must be a DataFrame, as in fit; got {type(X).__name__}.")
        if self._by_name:
            return self._read_by_name(X, reset)
        accepts = get_tags(self).input_tags
        checked = validate_data(
            self,
            X,
            reset=reset,
            accept_sparse=accepts.sparse and "csr",
            ensure_all_finite=not accepts.allow_nan,
        )
        return X if isinstance(X, pd.DataFrame) else checked

    def _read_by_name(self, X, reset):
        if len(X) == 0:
            raise ValueError(
                f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required."
            )
        if reset:
            names = [name for name in X.columns if name != self.group_column]
            self.feature_names_in_ = np.array(names, dtype=object)
            self.n_features_in_ = len(names)
            self._keeps_groups = self._passes_groups_on()
        missing = [name for name in self.feature_names_in_ if name not in X.columns]
        if missing:
            raise ValueError(f"X lacks the columns {missing}; it has {list(X.columns)}.")
        names = list(self.feature_names_in_)
        if self._keeps_groups and self.group_column in X.columns:
            names.append(self.group_column)
        return X[names]

    def _passes_groups_on(self):
        """Whether a member knows the group column; to all others it would be a feature."""
        for _, member in self._members():
            for name, value in member.get_params().items():
                if name.split("__")[-1] == "group_column" and value == self.group_column:
                    return True
                if isinstance(value, ColumnTransformer):
                    if any(block == "group" for block, *_ in value.transformers):
                        return True
        return False

    def _route(self, members, sample_weight, groups):
        """Return the parameters of every member's fit."""
        if not _routing_enabled():
            return [fit_params(member, sample_weight, groups) for _, member in members]
        routed = process_routing(self, "fit", sample_weight=sample_weight, groups=groups)
        return [dict(routed[name].fit) for name, _ in members]

    def _is_prefit(self):
        return isinstance(self.cv, str) and self.cv == "prefit"

    def _known_classes(self, members):
        """Return `classes`, or the labels that classifiers which are fitted already know."""
        if self.classes is not None or not self._is_prefit():
            return self.classes
        for _, member in members:
            check_is_fitted(member)
        known = [member.classes_ for _, member in members]
        if not isinstance(known[0], list):
            return _union(known)
        return [_union(task) for task in zip(*known)]


def plain_labels(codec, codes):
    """Return labels (n,) or (n, T) for codes, None where missing."""
    labels = codec.decode(np.maximum(codes, 0))
    if (codes < 0).any():
        labels = labels.astype(object)
        labels[codes < 0] = None
    return labels


def missing_as_nan(codes):
    """Return codes as floats, NaN where missing."""
    return np.where(codes < 0, np.nan, codes.astype(float))


def _union(labels):
    return np.unique(np.concatenate(labels))


def _needs_names(X, group_column):
    numeric = all(pd.api.types.is_numeric_dtype(dtype) for dtype in X.dtypes)
    return not numeric or group_column in X.columns
