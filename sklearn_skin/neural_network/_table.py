"""Tell a table's image columns from its metadata columns, and read them."""

import os
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.utils.validation import _get_feature_names, check_array

from sklearn_skin.image import ImageArray, ImageCell, ImageDtype, as_images, check_no_images
from sklearn_skin.preprocessing import feature_groups
from sklearn_skin.utils import check_no_groups, check_table, list_names, row_names, warn_user


@dataclass(frozen=True)
class DataShapes:
    """What a network's layers depend on.

    Parameters
    ----------
    image_columns : list of str
        Image columns, in order.
    metadata_names : list of str
        Metadata features, in order.
    n_classes : list of int
        Classes per task.
    image_size : tuple of (int, int) or None
        Height and width in pixels.
    """

    image_columns: list
    metadata_names: list
    n_classes: list
    image_size: tuple | None

    @property
    def n_metadata(self):
        """Number of metadata features."""
        return len(self.metadata_names)

    @property
    def metadata_groups(self):
        """Positions of the metadata features that come from one raw column each."""
        names = list(map(str, self.metadata_names))
        position = {name: i for i, name in enumerate(names)}
        groups = feature_groups(names).values()
        return [[position[name] for name in group] for group in groups]


@dataclass(frozen=True)
class Columns:
    """The columns that a network was fitted on.

    Parameters
    ----------
    images, metadata : list of str
        Image columns and metadata features, in the network's order; positions of an array
        without names.
    group : str or None
        Column that names the patient or lesion.
    names : ndarray of str or None
        All of them in the order of X.
    by_name : bool
        Whether rows are read by the columns' names, as a table with images must be.
    """

    images: list
    metadata: list
    group: str | None
    names: np.ndarray | None
    by_name: bool


@dataclass
class LesionTable:
    """A checked X: image columns, a float32 metadata matrix, row names and groups."""

    images: dict[str, ImageArray]
    metadata: np.ndarray
    row_names: np.ndarray
    groups: np.ndarray | None = None

    def __len__(self):
        return len(self.row_names)

    def take(self, rows):
        """Return the rows at these positions."""
        return LesionTable(
            {name: images[rows] for name, images in self.images.items()},
            self.metadata[rows],
            self.row_names[rows],
            None if self.groups is None else self.groups[rows],
        )


def find_image_columns(X, image_columns):
    """Return the names of X's image columns; `image_columns` is "auto", a name or names."""
    automatic = isinstance(image_columns, str) and image_columns == "auto"
    if not isinstance(X, pd.DataFrame):
        if automatic or len(image_columns) == 0:
            check_no_images(X)
            return []
        raise TypeError(
            f"X must be a DataFrame with the columns {image_columns!r} of `image_columns`; "
            f"got {type(X).__name__}."
        )
    if automatic:
        return [name for name, dtype in X.dtypes.items() if isinstance(dtype, ImageDtype)]
    return [image_columns] if isinstance(image_columns, str) else list(image_columns)


def find_metadata_columns(X, image_columns, group_column):
    """Return the columns of X that are neither images, named or not, nor groups."""
    return [
        name
        for name, dtype in X.dtypes.items()
        if name not in image_columns and name != group_column and not isinstance(dtype, ImageDtype)
    ]


def check_images(images, X, image_columns, estimator):
    """Raise an error where an estimator that is for images finds none in a table.

    An array of numbers, or a table without names, as scikit-learn's own checks pass them, is a
    warning.
    """
    if images or not isinstance(image_columns, str):
        return
    name = type(estimator).__name__
    if any(isinstance(column, str) for column in getattr(X, "columns", ())):
        raise ValueError(
            f"{name} finds no image in X, whose columns are {list_names(X.columns)}. Name columns "
            "of paths in `image_columns` of make_lesion_transformer; with image_columns=[] it does "
            "without images."
        )
    warn_user(
        f"{name} was given an array, which holds no images, and does without. A ColumnTransformer "
        'keeps image columns with remainder="passthrough" and set_output(transform="pandas"), as '
        "make_lesion_transformer() does; image_columns=[] says that there are none.",
        once=("no image", name),
    )


def learn_columns(X, images, metadata, group_column, estimator):
    """Return the columns to read from a table, in fit and ever after."""
    check_table(X)
    names = [*images, *metadata]
    if not names:
        raise ValueError(f"{type(estimator).__name__} finds no column to learn from in X.")
    check_no_groups(X[metadata], type(estimator).__name__)
    in_order = np.array([name for name in X.columns if name in names], dtype=object)
    return Columns(images, metadata, group_column, in_order, by_name=True)


def learn_features(X, estimator):
    """Return the features of a plain numeric table or array."""
    if isinstance(X, pd.DataFrame):
        check_no_groups(X, type(estimator).__name__)
    n_features = check_features(X, estimator).shape[1]
    names = _get_feature_names(X)
    features = list(range(n_features) if names is None else names)
    return Columns([], features, estimator.group_column, names, by_name=False)


def check_features(X, estimator, name="X"):
    """Return a plain numeric table or array as float32, or scikit-learn's error about it."""
    check_no_images(X)
    return check_array(X, dtype=np.float32, estimator=estimator, input_name=name)


def read_features(X, matrix):
    """Return a checked matrix as a table with the names of the rows of X."""
    names = row_names(X if isinstance(X, pd.DataFrame) else matrix)
    return LesionTable({}, matrix, names)


def read_columns(X, columns):
    """Read the columns of a DataFrame."""
    check_no_images(X)
    wanted = [*columns.images, *columns.metadata]
    check_table(X, wanted)
    # X[name] would be a table of both.
    repeated = X.columns[X.columns.duplicated() & X.columns.isin(wanted)]
    if len(repeated):
        raise ValueError(f"X has more than one column named {list(repeated.unique())}.")
    return LesionTable(
        {name: _as_image_array(X[name]) for name in columns.images},
        _as_matrix(X, columns.metadata),
        row_names(X),
        # New patients need no group: only a fit splits by it.
        X[columns.group].to_numpy() if columns.group in X.columns else None,
    )


def _as_image_array(column):
    if isinstance(column.dtype, ImageDtype):
        return column.array
    values = column.to_numpy(dtype=object, na_value=None)
    # pandas makes a column of objects of cells that are put together one by one.
    known = [v is None or isinstance(v, str | ImageCell | os.PathLike) for v in values]
    wrong = [value for value, fine in zip(values, known) if not fine]
    if wrong:
        raise TypeError(
            f"image column {column.name!r} must hold images or paths; "
            f"got a value of type {type(wrong[0]).__name__}."
        )
    return as_images(values)


def _as_matrix(X, names):
    """Return the metadata as float32, or say which column and row cannot be."""
    table = X[list(names)]
    for name, dtype in zip(names, table.dtypes):
        if not pd.api.types.is_numeric_dtype(dtype):
            raise ValueError(
                f"column {name!r} has dtype {dtype}, and metadata must be numeric: put "
                "make_lesion_transformer() before the network, which lifts paths of images that it "
                "is told of in `image_columns`. A column of groups is named in `group_column` of "
                "both."
            )
    with np.errstate(over="ignore"):
        # Cast before the check: what is too large for float32 is an infinity to the network.
        matrix = table.to_numpy(np.float64, na_value=np.nan).astype(np.float32)
    finite = np.isfinite(matrix)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        value = "NaN" if np.isnan(matrix[row, column]) else "infinity"
        raise ValueError(
            f"Input X contains {value}: row {list_names(X.index[[row]])}, column "
            f"{names[column]!r}. make_lesion_transformer() imputes missing metadata."
        )
    return matrix
