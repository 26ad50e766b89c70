"""Tell a table's image columns from its metadata columns."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from sklearn_skin.image import ImageDtype, as_images
from sklearn_skin.preprocessing import feature_groups


@dataclass
class DataShapes:
    """What a network's layers depend on.

    Parameters
    ----------
    image_columns : list of str
        Image columns, in order.
    metadata_names : list of str
        Metadata features, in order.
    metadata_groups : list of list of int
        Positions of the metadata features that come from one raw column.
    n_classes : list of int
        Classes per task.
    image_size : tuple of (int, int)
        Height and width in pixels.
    """

    image_columns: list
    metadata_names: list
    metadata_groups: list
    n_classes: list
    image_size: tuple

    @property
    def n_metadata(self):
        """Number of metadata features."""
        return len(self.metadata_names)


@dataclass
class LesionTable:
    """A checked X: image columns, a float32 metadata matrix, row labels and groups."""

    images: dict
    metadata: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None = None
    names: list = field(default_factory=list)

    def __len__(self):
        return len(self.labels)

    def take(self, rows):
        """Return the rows at these positions."""
        return LesionTable(
            {name: images[rows] for name, images in self.images.items()},
            self.metadata[rows],
            self.labels[rows],
            None if self.groups is None else self.groups[rows],
            self.names,
        )


def find_image_columns(X, image_columns):
    """Return the names of X's image columns; `image_columns` is "auto", a name or names."""
    if not isinstance(X, pd.DataFrame):
        return []
    if isinstance(image_columns, str) and image_columns == "auto":
        return [name for name, dtype in X.dtypes.items() if isinstance(dtype, ImageDtype)]
    return [image_columns] if isinstance(image_columns, str) else list(image_columns)


def read_table(X, image_columns, metadata_columns, group_column):
    """Read the named columns of a DataFrame into a `LesionTable`."""
    wanted = [*image_columns, *metadata_columns]
    missing = [name for name in wanted if name not in X.columns]
    if missing:
        raise ValueError(f"X lacks the columns {missing}; it has {list(X.columns)}.")
    repeated = X.columns[X.columns.duplicated() & X.columns.isin(wanted)]
    if len(repeated):
        raise ValueError(f"X has more than one column named {list(repeated.unique())}.")
    images = {name: _as_image_array(X[name]) for name in image_columns}
    groups = X[group_column].to_numpy() if group_column in X.columns else None
    metadata = _as_matrix(X, metadata_columns)
    return LesionTable(images, metadata, X.index.to_numpy(), groups, list(metadata_columns))


def _as_image_array(column):
    if isinstance(column.dtype, ImageDtype):
        return column.array
    values = column.to_numpy(dtype=object, na_value=None)
    wrong = [v for v in values if not (v is None or isinstance(v, str) or hasattr(v, "__fspath__"))]
    if wrong:
        raise TypeError(
            f"image column {column.name!r} must hold images or paths; "
            f"got a value of type {type(wrong[0]).__name__}."
        )
    return as_images(values)


def _as_matrix(X, names):
    """Return the metadata as float32, or say which column and row cannot be."""
    for name in names:
        if not pd.api.types.is_numeric_dtype(X[name].dtype):
            raise ValueError(
                f"column {name!r} has dtype {X[name].dtype}, and metadata must be numeric: put "
                "make_lesion_transformer() before the network, or name the column in "
                "`image_columns` if it holds paths of images."
            )
    matrix = X[list(names)].to_numpy(dtype=np.float64, na_value=np.nan)
    finite = np.isfinite(matrix)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        value = "NaN" if np.isnan(matrix[row, column]) else "infinity"
        raise ValueError(
            f"Input X contains {value}: row {X.index[row]!r}, column {names[column]!r}. "
            "make_lesion_transformer() imputes missing metadata."
        )
    return matrix.astype(np.float32)


def group_positions(matrix, names):
    """Return the positions of the metadata features that come from one raw column each."""
    names = list(map(str, names))
    groups = feature_groups(pd.DataFrame(matrix, columns=names))
    position = {name: i for i, name in enumerate(names)}
    return [[position[name] for name in group] for group in groups.values()]
