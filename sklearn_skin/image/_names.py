"""Names of image files, and images where a table is expected."""

from os import PathLike

import numpy as np
import pandas as pd

from sklearn_skin.image._cell import ImageCell
from sklearn_skin.image._dtype import ImageDtype

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
        If X is an array of pictures, or a list or Series of pictures or paths.

    Examples
    --------
    >>> from sklearn_skin.image import check_no_images
    >>> check_no_images(["a.jpg", "b.jpg"])
    Traceback (most recent call last):
        ...
    TypeError: X must be a table, such as pd.DataFrame({"image": as_images(paths)}) with
    sklearn_skin.image.as_images; got a list of paths.
    """
    if isinstance(X, pd.DataFrame) or not hasattr(X, "__getitem__"):
        return
    first = X[0] if isinstance(X, list | tuple) and len(X) else None
    if isinstance(X, pd.Series) and len(X):
        first = X.iloc[0]
    if isinstance(getattr(X, "dtype", None), ImageDtype) or isinstance(first, ImageCell):
        what = "an image column alone"
    elif isinstance(X, np.ndarray) and X.ndim >= 3:
        what = f"an array of shape {X.shape}"
    elif isinstance(first, np.ndarray) and first.ndim >= 2:
        what = "a list of arrays"
    elif isinstance(first, str | PathLike) and has_image_suffix(first):
        what = "a list of paths"
    else:
        return
    raise TypeError(
        'X must be a table, such as pd.DataFrame({"image": as_images(paths)}) with '
        f"sklearn_skin.image.as_images; got {what}."
    )
