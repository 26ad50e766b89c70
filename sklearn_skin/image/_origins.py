"""Where the pixels of an image come from: a path, a picture in memory, or nowhere."""

import os
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from PIL import Image

from sklearn_skin.image._urls import as_path_or_url

Origin: TypeAlias = str | np.ndarray

IN_MEMORY = "<image in memory"


def is_missing(value: Any) -> bool:
    """Whether `value` is None, NaN, NaT, NA or an empty text."""
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, str):
        return not value.strip()
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def is_picture(value: Any) -> bool:
    """Whether `value` is one picture rather than a sequence of images."""
    if isinstance(value, Image.Image):
        return True
    return isinstance(value, np.ndarray) and value.ndim in (2, 3) and value.dtype != object


def as_origin(value: Any) -> Origin:
    """Return a path as text or a picture as pixels; TypeError, ValueError if it is neither."""
    if isinstance(value, (str, os.PathLike)):
        return _as_path(value)
    if isinstance(value, Image.Image):
        from sklearn_skin.image._decoding import picture_to_rgb

        return picture_to_rgb(value)
    if isinstance(value, np.ndarray):
        return _as_pixels(value)
    raise TypeError(
        "An image must be a path, a uint8 array of shape (h, w, 3), a PIL image or None; "
        f"got {type(value).__name__}."
    )


def _as_path(value: str | os.PathLike) -> str:
    path = os.fspath(value)
    if not isinstance(path, str):
        raise TypeError(f"A path must be text; got {path!r}.")
    if path.startswith(IN_MEMORY):
        raise ValueError(
            f"{path!r} stands for a picture that had no file when the table was written. "
            "Save such pictures to files and put their paths in the column first."
        )
    # NumPy's text is a subclass of str, which pickles at ten times the size.
    return as_path_or_url(str(path))


def _as_pixels(value: np.ndarray) -> np.ndarray:
    if value.dtype != np.uint8:
        raise TypeError(
            f"A picture in memory must be uint8 in 0..255; got {value.dtype}. Scale it first."
        )
    if type(value) is not np.ndarray:
        value = value.view(np.ndarray)
    if value.ndim == 2:
        value = np.stack([value] * 3, axis=-1)
    elif value.ndim == 3 and value.shape[2] == 1:
        value = np.repeat(value, 3, axis=2)
    elif value.ndim == 3 and value.shape[2] == 4:
        from sklearn_skin.image._decoding import picture_to_rgb

        value = picture_to_rgb(Image.fromarray(np.ascontiguousarray(value)))
    if value.ndim != 3 or value.shape[2] != 3 or value.size == 0:
        raise ValueError(f"A picture must have shape (h, w, 3); got {value.shape}.")
    return value


def object_array(items: Iterable[Any]) -> np.ndarray:
    """Return a 1-D object array; arrays among `items` stay single elements."""
    # One by one: NumPy would spread arrays of one shape over more dimensions.
    return np.fromiter(items, dtype=object)


def origin_key(origin: Origin) -> str:
    """Return a text by which origins compare, hash and sort: paths first, then pictures."""
    if isinstance(origin, str):
        return origin
    digest = blake2b(np.ascontiguousarray(origin), digest_size=20).hexdigest()
    # U+10FFFF sorts after every character that a path holds.
    return f"\U0010ffff{origin.shape}{digest}"


def origin_keys(origins: np.ndarray) -> np.ndarray:
    """Return `origin_key` of every row; a picture that several rows hold is hashed once."""
    keys, known = origins.copy(), {}
    for row, origin in enumerate(origins):
        if isinstance(origin, np.ndarray):
            if id(origin) not in known:
                known[id(origin)] = origin_key(origin)
            keys[row] = known[id(origin)]
    return keys
