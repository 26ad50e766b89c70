"""X, y and groups as the checks read them."""

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_consistent_length

from sklearn_skin.image import ImageDtype, as_images
from sklearn_skin.utils import list_names, task_labels, task_names


class CheckedTable:
    """A checked X, y and groups.

    Parameters
    ----------
    X, y, groups, image_columns, group_column
        As in `check_leakage`.

    Attributes
    ----------
    X : DataFrame
    tasks : dict of str to TaskLabels
        Empty without y.
    groups : int ndarray of shape (n,), or None
        A missing group is one of its own.
    group_labels : array-like of shape (n,), or None
        What the user calls them; missing ones may be on both sides of a split.
    images : dict of str to ImageArray
    metadata : DataFrame
        Columns that are neither images nor groups.
    """

    def __init__(self, X, y, groups, image_columns, group_column):
        if not isinstance(X, pd.DataFrame):
            X = pd.DataFrame(np.asarray(X))
            X.columns = [f"x{j}" for j in X.columns]
        if group_column is not None and group_column not in X.columns:
            raise ValueError(f"`group_column` must be a column of X; got {group_column!r}.")
        if groups is None and group_column is not None:
            groups = X[group_column]
        check_consistent_length(X, y, groups)
        self.X = X
        self.tasks = {} if y is None else dict(zip(task_names(y), task_labels(y)))
        self.groups = None if groups is None else _as_codes(groups)
        self.group_labels = groups
        self.images = _image_columns(X, image_columns)
        self.metadata = X.drop(columns=[*self.images, *([group_column] if group_column else [])])


def _as_codes(groups):
    """Return groups as numbers; each missing one is a group of its own."""
    codes = pd.factorize(np.asarray(groups, dtype=object))[0]
    missing = codes < 0
    codes[missing] = codes.max(initial=-1) + 1 + np.arange(missing.sum())
    return codes


def _image_columns(X, image_columns):
    if isinstance(image_columns, str):
        image_columns = (
            [image_columns]
            if image_columns != "auto"
            else [name for name in X if isinstance(X[name].dtype, ImageDtype)]
        )
    absent = [name for name in image_columns if name not in X.columns]
    if absent:
        raise ValueError(f"`image_columns` must be columns of X; got {list_names(absent)}.")
    return {name: as_images(X[name]) for name in image_columns}
