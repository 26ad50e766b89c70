"""Names of image files, and images where a table is expected."""

from os import PathLike

import pandas as pd
from PIL.Image import Image

from sklearn_skin.image._cell import ImageCell
from sklearn_skin.image._dtype import ImageDtype
from sklearn_skin.image._origins import is_missing

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
    return str(name).lower().endswith(SUFFIXES)


def check_no_images(X):
    """Raise an error where images are given, or their paths, instead of a table that holds them.

    Parameters
    ----------
    X : object
        What an estimator is given as X.

    Raises
    ------
    TypeError
        If X is an array or tensor of pictures, or a list, Series or array of pictures or paths.

    Examples
    --------
    >>> from sklearn_skin.image import check_no_images
    >>> check_no_images(["a.jpg", "b.jpg"])
    Traceback (most recent call last):
        ...
    TypeError: X must be a table, such as pd.DataFrame({"image": as_images(paths)}) with
    sklearn_skin.image.as_images; got a list of paths.
    """
    what = None if isinstance(X, pd.DataFrame) else _given_images(X)
    if what is not None:
        raise TypeError(
            'X must be a table, such as pd.DataFrame({"image": as_images(paths)}) with '
            f"sklearn_skin.image.as_images; got {what}."
        )


def _given_images(X):
    """Return what images X consists of, or None."""
    if isinstance(getattr(X, "dtype", None), ImageDtype):
        return "an image column alone"
    if getattr(X, "ndim", 0) >= 3:
        return f"an array of shape {tuple(X.shape)}"
    # Tables of objects are left to those who know their columns.
    is_column = isinstance(X, list | tuple) or getattr(X, "ndim", 0) == 1
    first = next((v for v in _values(X) if not is_missing(v)), None) if is_column else None
    if isinstance(first, ImageCell):
        return "an image column alone"
    if isinstance(first, Image):
        return "a list of PIL images"
    if getattr(first, "ndim", 0) >= 2:
        return "a list of arrays"
    if isinstance(first, str | PathLike) and has_image_suffix(first):
        return "a list of paths"
    return None


def _values(X):
    return X.to_numpy() if isinstance(X, pd.Series | pd.Index) else X
