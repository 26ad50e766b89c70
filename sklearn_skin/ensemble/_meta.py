"""What the meta-estimators share: reading X, y and groups, cross-fitting and the search."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import _routing_enabled, process_routing
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from sklearn_skin.ensemble._branches import check_probabilities
from sklearn_skin.ensemble._crossfit import cross_fit, make_folds
from sklearn_skin.ensemble._group_columns import common_group_column, named_group_columns
from sklearn_skin.ensemble._parameters import SPACES, complete_docstring
from sklearn_skin.image import check_no_images
from sklearn_skin.utils import (
    Choice,
    LabelCodec,
    TaskClassifierMixin,
    check_labelled,
    check_no_groups,
    check_table,
    check_validation_rows,
    label_groups,
    metadata_for_fit,
    missing_as_nan,
    search_simplex_weights,
    task_names,
)


class FusionData(NamedTuple):
    """The checked rows of a fit; `codes` (n, T) are -1 where a label is missing."""

    X: object
    y: np.ndarray
    codes: np.ndarray
    sample_weight: np.ndarray | None = None
    groups: np.ndarray | None = None
    valid: "FusionData | None" = None

    def weight_of(self, rows):
        """Return the weights of some rows, or None where all weigh the same."""
        return None if self.sample_weight is None else self.sample_weight[rows]


class FusionMixin(TaskClassifierMixin):
    """Classifiers upon classifiers.

    A class needs the common parameters and the methods ``_stages(X)`` -> dict of lists of T
    arrays (n, C_t), the final one last, and ``_members()`` -> list of (str, classifier).
    """

    # Repeating a row puts copies on both sides of a fold, unless the copies are one group.
    _expected_failed_checks = {
        "check_sample_weight_equivalence_on_dense_data": "folds differ when rows are repeated",
    }

    def __init_subclass__(cls, **kwargs):
        """Put the common parameters and attributes into the documentation."""
        complete_docstring(cls)
        super().__init_subclass__(**kwargs)

    def predict_branches(self, X):
        """Return the probabilities of every part and of what is made of them.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.

        Returns
        -------
        branches : dict of str to ndarray (n, C), or to list of T arrays (n, C_t)
            By name; the last is what `predict_proba` returns.
        """
        return {name: self._codec.public(tables) for name, tables in self._stages(X).items()}

    def _task_probabilities(self, X):
        return list(self._stages(X).values())[-1]

    def search_ranges(self):
        """Return what a search may try for the parameters of this object.

        Returns
        -------
        ranges : dict of str to Range or Choice
            By parameter.
        """
        return {"space": Choice(SPACES)}

    def _read_fit(self, X, y, members, *, sample_weight, groups, X_val, y_val):
        """Return the checked rows; learn the columns and the labels."""
        check_validation_rows(X_val, y_val)
        check_probabilities(members)
        codec = LabelCodec(self._known_classes(members)).fit(y)
        codes = codec.transform(y)
        groups = self._groups_of(X, groups, members, splits=self._splits(X_val))
        self._task_names = task_names(y)
        X = self._read(X, reset=True)
        check_consistent_length(X, codes, groups)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        self._codec = codec
        self.classes_ = codec.public(codec.classes_)
        valid = None if X_val is None else self._read_valid(X_val, y_val)
        return FusionData(X, _plain_labels(codec, codes), codes, sample_weight, groups, valid)

    def _read_valid(self, X_val, y_val):
        codes = self._codec.transform(y_val, "y_val")
        check_labelled(codes, "y_val")
        X_val = self._read(X_val)
        check_consistent_length(X_val, codes)
        return FusionData(X_val, _plain_labels(self._codec, codes), codes)

    def _splits(self, X_val):
        """Whether a fit splits rows."""
        return True

    def _groups_of(self, X, groups, members, splits):
        if groups is None and self.group_column is not None:
            if self.group_column not in getattr(X, "columns", ()):
                raise ValueError(
                    f"`group_column` {self.group_column!r} is not a column of X. Where "
                    "make_lesion_transformer() comes before, name it in `group_column` there, too, "
                    "and it is handed on."
                )
            groups = X[self.group_column]
        elif groups is None and splits:
            column = common_group_column(members, X, type(self).__name__)
            groups = None if column is None else X[column]
        # Gaps are the folds' to refuse: nothing else needs every row's group.
        return None if groups is None else np.asarray(groups)

    def _read(self, X, reset=False):
        """Check X: a table with images or texts by column, numbers as scikit-learn does."""
        check_no_images(X)
        if reset:
            named = named_group_columns(self._members())
            self._by_name = _needs_names(X, named | {self.group_column})
            # Kept for members that name them; all others would learn from patients' numbers.
            self._passed_groups = [name for name in getattr(X, "columns", ()) if name in named]
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
        # The members see names and dtypes as they were; only the check needed an array.
        return X if isinstance(X, pd.DataFrame) else checked

    def _read_by_name(self, X, reset):
        check_table(X, [] if reset else self.feature_names_in_)
        if reset:
            groups = {self.group_column, *self._passed_groups}
            names = [name for name in X.columns if name not in groups]
            self.feature_names_in_ = np.array(names, dtype=object)
            self.n_features_in_ = len(names)
            check_no_groups(X[names], type(self).__name__)
        features = X[list(self.feature_names_in_)]
        # New patients need not be named.
        here = [name for name in self._passed_groups if name in X.columns]
        # As texts: one member may know the column, and another learn from numbers.
        return features.assign(**{name: label_groups(X[name]) for name in here})

    def _route(self, members, sample_weight, groups):
        """Return the parameters of every member's fit."""
        given = {"sample_weight": sample_weight, "groups": groups}
        if self._is_prefit():
            return [{} for _ in members]
        # With routing, process_routing also refuses what no member has asked for.
        if not _routing_enabled():
            return [metadata_for_fit(member, **given) for _, member in members]
        routed = process_routing(self, "fit", **given)
        # Pipelines are handed what nobody gave as well.
        return [
            {key: value for key, value in routed[name].fit.items() if value is not None}
            for name, _ in members
        ]

    def _fitted_members(self):
        """Return the members by name that metadata may be routed to: those that fit fits."""
        return {} if self._is_prefit() else dict(self._members())

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

    def _cross_fit(self, members, data, params, seed, *, holds_out=True, split=False):
        folds = make_folds(self.cv, data.X, data.codes, data.groups, seed) if holds_out else []
        return cross_fit(
            members,
            data.X,
            data.y,
            self._codec,
            params,
            folds,
            valid=(None, None) if data.valid is None else (data.valid.X, data.valid.y),
            split=split,
            memory=self.memory,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )

    def _search_weights(self, tables, codes, sample_weight, n_grid):
        """Return the best weights of K lists of T tables, their score, and if they are proven."""
        return search_simplex_weights(
            tables,
            missing_as_nan(codes),
            search=self.search,
            n_grid=n_grid,
            sample_weight=sample_weight,
            classes=[np.arange(len(labels)) for labels in self._codec.classes_],
        )


def _plain_labels(codec, codes):
    """Return labels (n,) or (n, T) for codes, None where missing."""
    labels = codec.decode(np.maximum(codes, 0))
    if (codes < 0).any():
        labels = labels.astype(object)
        labels[codes < 0 if labels.ndim == 2 else codes[:, 0] < 0] = None
    return labels


def _union(labels):
    return np.unique(np.concatenate(labels))


def _needs_names(X, group_columns):
    if not isinstance(X, pd.DataFrame):
        return False
    numeric = all(pd.api.types.is_numeric_dtype(dtype) for dtype in X.dtypes)
    return not numeric or any(name in group_columns for name in X.columns)
