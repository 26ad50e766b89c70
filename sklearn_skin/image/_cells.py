"""What one cell of an image column may hold: a path, a picture in memory, or nothing."""

import os
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from PIL import Image

Cell: TypeAlias = str | np.ndarray | None

_IN_MEMORY = "<image in memory"
_NO_NUMBER = (
    "Images are no numbers. Embed them first (sklearn_skin.neural_network.ImageEmbedder), leave "
    "their column out, or repeat whole rows with sklearn_skin.sampling.ClassBalancedSampler."
)


class PathText(str):
    """A path that advises whoever takes a table with images for numbers."""

    def __float__(self) -> float:
        raise ValueError(f"{_NO_NUMBER} Got {self!r}.")


class MemoryPicture(np.ndarray):
    """A picture that prints as a short text, so that tables and CSV files stay readable."""

    def __str__(self) -> str:
        if self.ndim != 3:
            return str(np.asarray(self))
        return f"{_IN_MEMORY} {self.shape[1]}x{self.shape[0]}>"

    def __repr__(self) -> str:
        return str(self)

    def __bool__(self) -> bool:
        # What scikit-learn's search for NaN asks of tables that it takes for numbers.
        if self.ndim == 3:
            raise ValueError(_NO_NUMBER)
        return bool(np.asarray(self))


class Picture(np.ndarray):
    """The pixels of one cell, read-only, that know the cell they came from.

    So a picture that is put into a column again is its path there, not its pixels. Results of
    computing with it know nothing.
    """

    source: Cell
    steps: tuple[Any, ...]

    def __array_finalize__(self, parent: Any) -> None:
        self.source, self.steps = None, ()

    @classmethod
    def of(cls, pixels: np.ndarray, source: Cell, steps: tuple[Any, ...]) -> "Picture":
        """Return `pixels` as the picture of a cell in a column with these steps."""
        picture = pixels.view(cls)
        picture.source, picture.steps = source, steps
        picture.flags.writeable = False
        return picture


def is_missing(value: Any) -> bool:
    """Whether `value` is None, NaN, NaT, NA or an empty text."""
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, str):
        return not value.strip()
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def is_picture(value: Any) -> bool:
    """Whether `value` is one picture rather than a sequence of cells."""
    if isinstance(value, Image.Image):
        return True
    return isinstance(value, np.ndarray) and value.ndim in (2, 3) and value.dtype != object


def as_cell(value: Any, steps: tuple[Any, ...] = ()) -> Cell:
    """Return `value` as a cell of a column with `steps`; TypeError, ValueError if it is none."""
    if is_missing(value):
        return None
    if isinstance(value, Picture) and value.source is not None and value.steps == steps:
        return value.source
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
    if path.startswith(_IN_MEMORY):
        raise ValueError(
            f"{path!r} stands for a picture that had no file when the table was written. "
            "Save such pictures to files and put their paths in the column first."
        )
    return str(path)


def _as_pixels(value: np.ndarray) -> np.ndarray:
    if value.dtype != np.uint8:
        raise TypeError(
            f"A picture in memory must be uint8 in 0..255; got {value.dtype}. Scale it first."
        )
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


def as_cells(values: Any, steps: tuple[Any, ...] = ()) -> np.ndarray:
    """Return an object array of cells from a sequence, or from an array (n, h, w, 3)."""
    if is_picture(values):
        raise ValueError(
            "Expected a sequence of images; got one picture. Put it in a list: [picture]."
        )
    # Iterating over a table or a dict gives names, which would be taken for paths.
    if isinstance(values, (str, bytes, os.PathLike, pd.DataFrame, dict, set)):
        raise TypeError(f"Expected a sequence of images; got {type(values).__name__}.")
    return object_array([as_cell(value, steps) for value in values])


def object_array(items: Iterable[Any]) -> np.ndarray:
    """Return a 1-D object array; arrays among `items` stay single elements."""
    items = list(items)
    out = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        out[i] = item
    return out


def exported(cell: Cell) -> Any:
    """Return a cell as it leaves the column: it prints shortly, and is no number."""
    if isinstance(cell, np.ndarray):
        return cell.view(MemoryPicture)
    return cell if cell is None else PathText(cell)


def cell_key(cell: Cell) -> str | None:
    """Return a text by which cells compare, hash and sort: paths first, then pictures."""
    if cell is None or isinstance(cell, str):
        return cell
    digest = blake2b(np.ascontiguousarray(cell), digest_size=20).hexdigest()
    # U+10FFFF sorts after every character that a path holds.
    return f"\U0010ffff{cell.shape}{digest}"


def cell_keys(cells: np.ndarray) -> np.ndarray:
    """Return `cell_key` of every cell; a picture repeated by reference is hashed once."""
    known: dict[int, str | None] = {}
    keys = np.empty(len(cells), dtype=object)
    for i, cell in enumerate(cells):
        if isinstance(cell, np.ndarray):
            if id(cell) not in known:
                known[id(cell)] = cell_key(cell)
            keys[i] = known[id(cell)]
        else:
            keys[i] = cell
    return keys


def cell_text(cell: Any, *, full: bool = False) -> str:
    """Return what a table shows for a cell: the file's name, or the size in memory."""
    if cell is None:
        return "None"
    if isinstance(cell, np.ndarray):
        return str(cell.view(MemoryPicture))
    return cell if full else os.path.basename(cell) or cell
