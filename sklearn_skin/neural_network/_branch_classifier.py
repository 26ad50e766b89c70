"""From a table to the weighed probabilities of branches, whatever computes them; no torch."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_skin.image import PixelCache
from sklearn_skin.neural_network._branch_weights import combine_branches
from sklearn_skin.neural_network._rows import LesionRows
from sklearn_skin.neural_network._table import Columns, read_columns, read_features
from sklearn_skin.utils import LabelCodec, TaskClassifierMixin


class BaseBranchClassifier(TaskClassifierMixin, BaseEstimator):
    """Base of what classifies rows by branches: networks, and what they are exported to.

    A subclass writes ``_branches(X)`` -> dict of branch to probabilities (n, C_t) per task. It has
    learnt, after `restore_fit`, what another one has told by `describe_fit`. Nothing here needs
    torch.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_classification
    >>> from sklearn_skin.neural_network import BaseBranchClassifier, MetadataClassifier
    >>> class Uniform(BaseBranchClassifier):
    ...     def _branches(self, X):
    ...         rows = self.read_rows(X)
    ...         return {"metadata": [np.full((len(rows), len(self.classes_)), 0.5)]}
    >>> X, y = make_classification(random_state=0)
    >>> net = MetadataClassifier(max_epochs=1, random_state=0).fit(X, y)
    >>> uniform = Uniform()
    >>> uniform.restore_fit(net.describe_fit())
    >>> uniform.predict_proba(X[:2]).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """

    def predict_branches(self, X):
        """Return the probabilities of every branch.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.

        Returns
        -------
        branches : dict of str to ndarray (n, C), or to list of T arrays (n, C_t)
            The final branch is the last one.
        """
        branches = self._branches(X)
        return {name: self._codec.public(tasks) for name, tasks in branches.items()}

    def describe_fit(self):
        """Return what was learnt, and how rows are read, beside the weights of a network.

        Returns
        -------
        fit : dict
            Texts, numbers, lists and dicts, as JSON has them.

        Raises
        ------
        TypeError
            If a column's name is neither text nor a whole number, or a label is something else
            than text, a number or a boolean.
        """
        check_is_fitted(self)
        return {
            "columns": _describe_columns(self._columns),
            "classes": [_describe_labels(labels) for labels in self._codec.classes_],
            "multi_task": self._codec.multi_task,
            "branch_weights": self.branch_weights_,
            "rows": self._row_settings(),
        }

    def restore_fit(self, fit):
        """Take what another classifier has learnt.

        Parameters
        ----------
        fit : dict
            What `describe_fit` returned.
        """
        codec = LabelCodec()
        codec.classes_ = [np.array(values, dtype) for dtype, values in fit["classes"]]
        codec.multi_task = fit["multi_task"]
        self._settings = fit["rows"]
        self._learnt(_restore_columns(fit["columns"]), codec, dict(fit["branch_weights"]))

    def read_rows(self, X, cache_dir=None):
        """Return the rows of a table as a network reads them.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.
        cache_dir : "auto", path or None, default=None
            Where decoded pixels are kept.

        Returns
        -------
        rows : LesionRows
            Images, metadata, and which images there are.
        """
        table, cache = self._read_table(X), PixelCache(cache_dir)
        return LesionRows(table, cache=cache, **self._row_settings())

    def _row_settings(self):
        """Return the options of `LesionRows`."""
        return self._settings

    def _task_probabilities(self, X):
        return combine_branches(self._branches(X), self.branch_weights_)

    def _read_table(self, X):
        if self._columns.by_name:
            return read_columns(X, self._columns)
        return read_features(X, validate_data(self, X, reset=False, dtype=np.float32))

    def _learnt(self, columns, codec, branch_weights):
        """Set what every classifier of branches has after a fit."""
        self._columns, self._codec, self.branch_weights_ = columns, codec, branch_weights
        self.classes_ = codec.public(codec.classes_)
        self.n_features_in_ = len(columns.images) + len(columns.metadata)
        self.image_columns_ = list(columns.images)
        self.metadata_names_ = list(map(str, columns.metadata))
        self.__dict__.pop("feature_names_in_", None)
        if columns.names is not None:
            self.feature_names_in_ = columns.names


def _describe_columns(columns):
    names = None if columns.names is None else list(map(_as_name, columns.names))
    return {
        "images": list(map(_as_name, columns.images)),
        "metadata": list(map(_as_name, columns.metadata)),
        "group": columns.group,
        "names": names,
        "by_name": columns.by_name,
    }


def _restore_columns(saved):
    names = saved["names"]
    return Columns(**saved | {"names": None if names is None else np.array(names, dtype=object)})


def _as_name(column):
    column = column.item() if isinstance(column, np.generic) else column
    if not isinstance(column, str | int):
        raise TypeError(f"names of columns must be texts or whole numbers; got {column!r}.")
    return column


def _describe_labels(labels):
    """Return the dtype and the values of an array of labels."""
    values = labels.tolist()
    wrong = [value for value in values if not isinstance(value, str | int | float)]
    if wrong:
        raise TypeError(f"labels must be texts, numbers or booleans; got {wrong[0]!r}.")
    return [labels.dtype.str, values]
