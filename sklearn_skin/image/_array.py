"""A pandas extension array whose cells say where a picture comes from."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from pandas.api.extensions import no_default, take
from pandas.api.indexers import check_array_indexer
from pandas.api.types import is_list_like, pandas_dtype

from sklearn_skin.image import _cells, _display
from sklearn_skin.image._comparison import CellComparison
from sklearn_skin.image._dtype import ImageDtype
from sklearn_skin.image._steps import ImageStep, apply_steps


class ImageArray(CellComparison):
    """Lazy column of images: paths or pictures, and the corrections asked for so far.

    Taking rows, concatenating, comparing, copying, pickling and hashing never open a file.
    One picture is decoded, with the corrections applied, when one element is asked for
    (``array[0]``, ``series.iloc[0]``); batches are read by
    :func:`~sklearn_skin.image.load_pixels`. Converting the whole column to NumPy gives the
    cells for ``dtype=object`` and all the pixels for a numeric dtype.

    Parameters
    ----------
    cells : sequence or ImageArray
        One of these per row: a path, a uint8 array of shape (h, w, 3), (h, w) or
        (h, w, 4), a PIL image, or a missing value. An array of shape (n, h, w, 3) is a
        sequence of pictures. Arrays are not copied.
    steps : sequence of ImageStep, default=()
        Corrections of every picture of the column, in order.
    copies : array-like of int of shape (n,), default=None
        0 for an original row, k > 0 for the k-th repetition of a row by a sampler. None
        means that all rows are originals.

    Attributes
    ----------
    steps : tuple of ImageStep
        The corrections.
    copies : ndarray of shape (n,), dtype int32
        The marks of repeated rows.
    cells : ndarray of shape (n,), dtype object
        Path (str), picture (uint8 array of shape (h, w, 3)) or None.

    Raises
    ------
    TypeError, ValueError
        If a cell is none of the above.

    Notes
    -----
    Cells are equal if their paths are equal as text, or if their pictures are equal. A path
    is never equal to a picture, because comparing them would read the file.

    CSV and Parquet files get the paths; the corrections are not written. Pictures in memory
    have no path: Parquet and ``astype(str)`` refuse them and CSV says so in the cell.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn_skin.image import ImageArray
    >>> pictures = np.zeros((2, 4, 6, 3), dtype=np.uint8)
    >>> column = pd.Series(ImageArray([*pictures, "lesion.jpg", None]))
    >>> column
    0    <image in memory 6x4>
    1    <image in memory 6x4>
    2               lesion.jpg
    3                     None
    dtype: image
    >>> column.iloc[0].shape
    (4, 6, 3)
    """

    # Makes NumPy leave `ndarray == ImageArray` to this class.
    __array_priority__ = 1000
    _readonly: bool = False
    _copies: np.ndarray

    def __init__(
        self,
        cells: Any,
        steps: Iterable[ImageStep] = (),
        copies: Any = None,
    ) -> None:
        if isinstance(cells, (pd.Series, pd.Index)):
            cells = cells.array
        if isinstance(cells, ImageArray):
            steps = tuple(steps) or cells._steps
            copies = cells._copies if copies is None else copies
            cells = cells._cells
        self._cells = _cells.as_cells(cells)
        self._steps = tuple(ImageStep(*step) for step in steps)
        self._copies = _as_copies(copies, len(self._cells))

    @classmethod
    def _of(cls, cells: np.ndarray, steps: tuple[ImageStep, ...], copies: np.ndarray) -> Self:
        """Make an array of cells that are known to be valid, without checking each."""
        self = cls.__new__(cls)
        self._cells, self._steps, self._copies = cells, steps, copies
        return self

    # -- what is particular to images ---------------------------------------------------

    @property
    def cells(self) -> np.ndarray:
        return self._cells

    @property
    def steps(self) -> tuple[ImageStep, ...]:
        return self._steps

    @property
    def copies(self) -> np.ndarray:
        return self._copies

    def with_step(self, step: ImageStep) -> Self:
        """Return the same rows with one more correction.

        Parameters
        ----------
        step : ImageStep
            Applied after the corrections that are there already.

        Returns
        -------
        images : ImageArray
        """
        return self._of(self._cells.copy(), (*self._steps, ImageStep(*step)), self._copies.copy())

    def with_copies(self, copies: Any) -> Self:
        """Return the same rows, marked as originals or repetitions.

        Parameters
        ----------
        copies : array-like of int of shape (n,)
            0 for an original row, k > 0 for the k-th repetition.

        Returns
        -------
        images : ImageArray
        """
        return self._of(self._cells.copy(), self._steps, _as_copies(copies, len(self)))

    def show(self, n_images: int = 12, *, size: int = 128) -> Any:
        """Return one PIL image with the first pictures side by side.

        Parameters
        ----------
        n_images : int, default=12
            How many rows to show, at most.
        size : int, default=128
            Longest side of a thumbnail, in pixels.

        Returns
        -------
        sheet : PIL.Image.Image
            A notebook displays it. Missing and unreadable pictures are gray.
        """
        return _display.contact_sheet(self[:n_images], size)

    def _repr_html_(self) -> str:
        return _display.html_table(self)

    def _picture(self, row: int) -> _cells.Picture | None:
        from sklearn_skin.image._decoding import read_image

        cell = self._cells[row]
        if cell is None:
            return None
        pixels = read_image(cell) if isinstance(cell, str) else cell
        return _cells.Picture.of(apply_steps(pixels, self._steps), cell, self._steps)

    # -- pandas: construction and conversion --------------------------------------------

    @classmethod
    def _from_sequence(cls, scalars: Any, *, dtype: Any = None, copy: bool = False) -> Self:
        if isinstance(scalars, (pd.Series, pd.Index)):
            scalars = scalars.array
        if isinstance(scalars, cls):
            return scalars.copy() if copy else scalars[:]
        return cls(scalars)

    @classmethod
    def _from_sequence_of_strings(cls, strings: Any, *, dtype: Any, copy: bool = False) -> Self:
        return cls(strings)

    @classmethod
    def _from_scalars(cls, scalars: Any, *, dtype: Any) -> Self:
        scalars = list(scalars)
        pictures = [value for value in scalars if not _cells.is_missing(value)]
        if not pictures or not all(_cells.is_picture(value) for value in pictures):
            # The result of a user's function is text or a number, not a path.
            raise ValueError("The values are not pictures.")
        return cls(scalars)

    @classmethod
    def _concat_same_type(cls, to_concat: Sequence[Self]) -> Self:
        steps = _common_steps(to_concat)
        cells = np.concatenate([array._cells for array in to_concat])
        return cls._of(cells, steps, np.concatenate([array._copies for array in to_concat]))

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        dtype = pandas_dtype(dtype)
        if isinstance(dtype, ImageDtype):
            return self.copy() if copy else self
        if isinstance(dtype, pd.StringDtype) or dtype.kind in "US":
            return pd.array(self._paths(), dtype="str").astype(dtype)
        return super().astype(dtype, copy=copy)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("Unable to avoid a copy: an image column is no NumPy array.")
        if dtype is None or np.dtype(dtype) == object:
            return _cells.object_array(_cells.exported(cell) for cell in self._cells)
        if np.dtype(dtype).kind in "US":
            return np.array(self._paths(), dtype=dtype)
        if self.isna().any():
            raise ValueError("Missing images have no pixels; drop them first.")
        return np.array(list(self), dtype=dtype)

    def to_numpy(self, dtype: Any = None, copy: bool = False, na_value: Any = no_default) -> Any:
        return super().to_numpy(dtype, copy=True, na_value=na_value)  # never a view

    def __arrow_array__(self, type: Any = None) -> Any:
        import pyarrow

        return pyarrow.array(self._paths(), type=type or pyarrow.string())

    def _paths(self) -> list[str | None]:
        in_memory = sum(isinstance(cell, np.ndarray) for cell in self._cells)
        if in_memory:
            raise ValueError(
                f"{in_memory} of {len(self)} images are held in memory and have no path to "
                "write. Save them to files and put the paths in the column first."
            )
        return list(self._cells)

    def __getstate__(self) -> dict[str, Any]:
        # Lists, not views of larger arrays: equal columns pickle and hash alike.
        steps = [(step.name, [list(param) for param in step.params]) for step in self._steps]
        return {"cells": list(self._cells), "steps": steps, "copies": self._copies.copy()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._cells = _cells.object_array(state["cells"])
        self._steps = tuple(
            ImageStep(name, tuple((key, value) for key, value in params))
            for name, params in state["steps"]
        )
        self._copies = state["copies"]

    # -- pandas: rows -------------------------------------------------------------------

    @property
    def dtype(self) -> ImageDtype:
        return ImageDtype()

    @property
    def nbytes(self) -> int:
        pixels = {id(c): c.nbytes for c in self._cells if isinstance(c, np.ndarray)}
        paths = sum(len(cell) for cell in self._cells if isinstance(cell, str))
        return self._cells.nbytes + self._copies.nbytes + paths + sum(pixels.values())

    def __len__(self) -> int:
        return len(self._cells)

    def __iter__(self) -> Iterator[np.ndarray | None]:
        return (self._picture(row) for row in range(len(self)))

    def __getitem__(self, item: Any) -> Any:
        item = _unpack(item)
        if isinstance(item, (int, np.integer)) and not isinstance(item, bool):
            return self._picture(int(item))
        item = check_array_indexer(self, item)
        result = self._of(self._cells[item], self._steps, self._copies[item])
        if isinstance(item, slice):
            result._readonly = self._readonly
        return result

    def __setitem__(self, key: Any, value: Any) -> None:
        if self._readonly:
            raise ValueError("Cannot modify read-only array")
        key = check_array_indexer(self, _unpack(key))
        if isinstance(value, (pd.Series, pd.Index)):
            value = value.array
        if isinstance(value, ImageArray):
            _common_steps([self, value])
            self._cells[key], self._copies[key] = value._cells, value._copies
        elif _cells.is_picture(value) or isinstance(value, os.PathLike) or not is_list_like(value):
            self._set_one(key, _cells.as_cell(value, self._steps))
        else:
            cells = _cells.as_cells(value, self._steps)
            if isinstance(key, (int, np.integer)):
                raise ValueError("setting an array element with a sequence.")
            self._cells[key], self._copies[key] = cells, 0

    def _set_one(self, key: Any, cell: _cells.Cell) -> None:
        # Assigned row by row: NumPy would spread a picture over the rows.
        for row in np.atleast_1d(np.arange(len(self))[key]):
            self._cells[row], self._copies[row] = cell, 0

    def take(self, indices: Any, *, allow_fill: bool = False, fill_value: Any = None) -> Self:
        rows = np.asarray(indices, dtype=np.intp)
        copies: Any = take(self._copies, rows, allow_fill=allow_fill, fill_value=0)
        cells: Any = take(self._cells, rows, allow_fill=allow_fill, fill_value=None)
        if allow_fill:
            cells[rows == -1] = None  # pandas fills object arrays with NaN
        result = self._of(cells, self._steps, copies.astype(np.int32, copy=False))
        if allow_fill and not _cells.is_missing(fill_value):
            result._set_one(rows == -1, _cells.as_cell(fill_value, self._steps))
        return result

    def copy(self) -> Self:
        return self._of(self._cells.copy(), self._steps, self._copies.copy())

    def isna(self) -> np.ndarray:
        return np.fromiter((cell is None for cell in self._cells), bool, len(self))

    def fillna(self, value: Any, limit: int | None = None, copy: bool = True) -> Self:
        if not _cells.is_picture(value):
            return super().fillna(value, limit=limit, copy=copy)
        missing = self.isna()
        if limit is not None:
            missing &= missing.cumsum() <= limit
        result = self.copy() if copy else self[:]
        result[missing] = value
        return result

    def shift(self, periods: int = 1, fill_value: Any = None) -> Self:
        rows = np.arange(len(self)) - periods
        rows[(rows < 0) | (rows >= len(self))] = -1
        return self.take(rows, allow_fill=True, fill_value=fill_value)

    def _where(self, mask: np.ndarray, value: Any) -> Self:
        result = self.copy()
        result._putmask(~mask, value)
        return result

    def _putmask(self, mask: np.ndarray, value: Any) -> None:
        if is_list_like(value) and not _cells.is_picture(value):
            value = self._from_sequence(value)
            if len(value) == 1:
                value = value.take(np.zeros(len(self), dtype=np.intp))
            elif len(value) != len(self):
                raise ValueError(
                    f"Length of values ({len(value)}) does not match length of index ({len(self)})"
                )
            value = value[mask]
        self[mask] = value

    # -- pandas: functions of a picture, printing ----------------------------------------

    def map(self, mapper: Any, na_action: Any = None) -> Any:
        pictures = pd.Series(_cells.object_array(self), dtype=object)
        values = pictures.map(mapper, na_action=na_action).to_numpy()
        return self._cast_pointwise_result(values)  # type: ignore[attr-defined]

    def _formatter(self, boxed: bool = False) -> Callable[[Any], str | None]:
        return _cells.cell_text

    def __repr__(self) -> str:
        return _display.text(self)


def as_images(paths: Any, *, root: str | os.PathLike | None = None) -> ImageArray:
    """Make a lazy image column from paths or pictures.

    Parameters
    ----------
    paths : sequence of path-like, ndarray, PIL image or missing; or ndarray (n, h, w, 3)
        What :class:`ImageArray` accepts; an `ImageArray` or a Series of one is returned as
        it is.
    root : path-like, default=None
        Folder that relative paths are below. The files need not exist yet.

    Returns
    -------
    images : ImageArray of shape (n,)

    Raises
    ------
    TypeError, ValueError
        If an element is no image, or `paths` is one path or picture.

    Examples
    --------
    >>> from sklearn_skin.image import as_images
    >>> as_images(["a.jpg", None], root="images").cells.tolist()
    ['images/a.jpg', None]
    """
    images = ImageArray._from_sequence(paths)
    if root is None:
        return images
    cells = [os.path.join(root, cell) if isinstance(cell, str) else cell for cell in images.cells]
    return ImageArray._of(_cells.object_array(cells), images.steps, images.copies)


def _as_copies(copies: Any, n_rows: int) -> np.ndarray:
    if copies is None:
        return np.zeros(n_rows, dtype=np.int32)
    copies = np.asarray(copies)
    if copies.shape != (n_rows,) or copies.dtype.kind not in "iu" or (copies < 0).any():
        raise ValueError(
            f"`copies` must be non-negative integers of shape ({n_rows},); got "
            f"{copies.dtype} of shape {copies.shape}."
        )
    return copies.astype(np.int32)


def _common_steps(arrays: Sequence[ImageArray]) -> tuple[ImageStep, ...]:
    """Return the one chain of all arrays that hold pictures; ValueError if they differ."""
    chains = {array._steps for array in arrays if not array.isna().all()}
    if len(chains) > 1:
        shown = " and ".join(str([step.name for step in chain]) for chain in sorted(chains))
        raise ValueError(
            f"Image columns with different corrections cannot be joined: {shown}. Join the "
            "rows first, then correct all of them."
        )
    return chains.pop() if chains else arrays[0]._steps


def _unpack(item: Any) -> Any:
    """Return the one indexer of ``array[item]``, where pandas adds an Ellipsis."""
    if isinstance(item, tuple):
        item = [part for part in item if part is not Ellipsis]
        if len(item) > 1:
            raise IndexError("too many indices for array.")
        item = item[0] if item else slice(None)
    elif item is Ellipsis:
        item = slice(None)
    if is_list_like(item) or isinstance(item, (slice, int, np.integer)):
        return item
    raise IndexError(
        "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer "
        "or boolean arrays are valid indices"
    )
