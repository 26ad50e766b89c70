"""Names of image files, and images where a table is expected."""

from collections.abc import Mapping
from os import PathLike

import numpy as np
import pandas as pd
from PIL.Image import Image

from sklearn_skin.image._cell import ImageCell
from sklearn_skin.image._dtype import ImageDtype
from sklearn_skin.image._origins import is_missing, is_picture
from sklearn_skin.image._urls import is_url

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


def has_image_suffix(name):
    """Whether a file's name ends as those of images do.

    Parameters
    ----------
    name : str or path-like

    Returns
    -------
    found : bool

    Examples
    --------
    >>> from sklearn_skin.image import has_image_suffix
    >>> has_image_suffix("lesions/ISIC_0024306.JPG"), has_image_suffix("lesions.csv")
    (True, False)
    """
    name = str(name)
    name = name.partition("?")[0] if is_url(name) else name
    return name.lower().endswith(SUFFIXES)


def check_no_images(X):
    """Raise an error where images are given, or their paths, instead of a table that holds them.

    Parameters
    ----------
    X : object
        What an estimator is given as X.

    Raises
    ------
    TypeError
        If X is a row of a table, an array or tensor of pictures, or a list, Series or array of
        pictures or paths.

    Examples
    --------
    >>> from sklearn_skin.image import check_no_images
    >>> check_no_images(["a.jpg", "b.jpg"])
    Traceback (most recent call last):
        ...
    TypeError: X must be a table, such as pd.DataFrame({"image": as_images(paths)}) with
    sklearn_skin.image.as_images; got a list of paths. A ColumnTransformer gives one with
    set_output(transform="pandas").
    """
    if isinstance(X, pd.Series) and X.dtype == object and _is_row(X):
        raise TypeError(
            "X must be a table; got one row as a Series. X.iloc[[0]] is a table of the first row."
        )
    what = None if isinstance(X, pd.DataFrame) else _given_images(X)
    if what is not None:
        raise TypeError(
            'X must be a table, such as pd.DataFrame({"image": as_images(paths)}) with '
            f"sklearn_skin.image.as_images; got {what}. A ColumnTransformer gives one with "
            'set_output(transform="pandas").'
        )


def _given_images(X):
    """Return what images X consists of, or None."""
    if isinstance(getattr(X, "dtype", None), ImageDtype):
        return "an image column alone"
    if getattr(X, "ndim", 0) >= 3:
        return f"an array of shape {tuple(X.shape)}"
    if isinstance(X, Mapping) and not hasattr(X, "shape"):
        return "a dict"
    if X is None:
        return "None"
    if _is_plain_table(X):
        images = [isinstance(v, ImageCell) or is_picture(v) or _is_path(v) for v in X[0]]
        return "an array or list with images in its columns" if any(images) else None
    is_column = isinstance(X, list | tuple) or getattr(X, "ndim", 0) == 1
    first = next((v for v in _values(X) if not is_missing(v)), None) if is_column else None
    if isinstance(first, ImageCell):
        return "an image column alone"
    if isinstance(first, Image):
        return "a list of PIL images"
    if getattr(first, "ndim", 0) >= 2:
        return "a list of arrays"
    if _is_path(first):
        return "a list of paths"
    return None


def _is_plain_table(X):
    """Whether X is an array of two axes, or a list of rows."""
    if isinstance(X, list | tuple):
        return len(X) > 0 and isinstance(X[0], list | tuple)
    return isinstance(X, np.ndarray) and X.ndim == 2 and len(X) > 0


def _is_row(X):
    """Whether a Series holds an image beside values of other kinds, as a row of a table does."""
    values = [value for value in X if not is_missing(value)]
    # Texts without a suffix may be paths as well.
    others = [v for v in values if not (isinstance(v, str | PathLike) or is_picture(v))]
    cells = [isinstance(value, ImageCell) for value in values]
    return any(cells) and not all(cells) or len(others) > 0 and any(map(_is_path, values))


def _is_path(value):
    return isinstance(value, str | PathLike) and has_image_suffix(value)


def _values(X):
    return X.to_numpy() if isinstance(X, pd.Series | pd.Index) else X
