"""A pandas extension array whose cells say where a picture comes from."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from pandas.api.extensions import no_default, take
from pandas.api.indexers import check_array_indexer
from pandas.api.types import is_list_like, pandas_dtype

from sklearn_skin.image import _display, _notebook
from sklearn_skin.image._cell import NO_NUMBERS, ImageCell, one_chain, unpack_cells
from sklearn_skin.image._comparison import CellComparison
from sklearn_skin.image._dtype import ImageDtype
from sklearn_skin.image._origins import is_missing, is_picture, object_array
from sklearn_skin.image._steps import ImageStep
from sklearn_skin.image._urls import below


class ImageArray(CellComparison):
    """Lazy column of images: paths or pictures, and the corrections asked for so far.

    Taking rows, concatenating, comparing, copying, pickling and hashing never open a file.
    One element (``array[0]``, ``series.iloc[0]``) is an :class:`ImageCell`, which decodes its
    file when its `pixels` are asked for; batches are read by
    :func:`~sklearn_skin.image.load_pixels`.

    Parameters
    ----------
    cells : sequence or ImageArray
        One of these per row: a path, a uint8 array of shape (h, w, 3), (h, w) or
        (h, w, 4), a PIL image, an `ImageCell`, or a missing value. An array of shape
        (n, h, w, 3) is a sequence of pictures. Arrays are not copied.
    steps : sequence of ImageStep, default=()
        Corrections of every picture of the column, in order. Paths and pictures get them;
        cells must have them already, or else none are given and the column has those of
        its cells.
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
        What each cell holds, without the corrections: a path (str), a picture (uint8 array
        of shape (h, w, 3)) or None.

    Raises
    ------
    TypeError, ValueError
        If a cell is none of the above, or cells differ in their corrections.

    Notes
    -----
    A column has one chain of corrections. So a cell that is put into a column must have the
    column's chain, and is its origin there; paths and pictures get the column's chain.

    NumPy gets an object array of cells, and no array of numbers: images are no numbers.
    CSV, JSON and Parquet files and ``astype(str)`` get the paths; the corrections are not
    written. Pictures in memory have no path: CSV and JSON say so in the cell, which cannot be
    read back; Parquet and ``astype(str)`` refuse them.

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
    >>> column.iloc[0].pixels.shape
    (4, 6, 3)
    """

    _origins: np.ndarray
    _copies: np.ndarray

    def __init__(self, cells: Any, steps: Iterable[ImageStep] = (), copies: Any = None) -> None:
        if isinstance(cells, (pd.Series, pd.Index)):
            cells = cells.array
        if isinstance(cells, ImageArray):
            self._origins, chains = cells._origins, {cells._steps}
            copies = cells._copies if copies is None else copies
        else:
            self._origins, chains = unpack_cells(cells)
        given = tuple(ImageStep(*step) for step in steps)
        self._steps = one_chain(chains | {given} if given else chains)
        self._copies = _as_copies(copies, len(self._origins))

    @classmethod
    def _of(cls, origins: np.ndarray, steps: tuple[ImageStep, ...], copies: np.ndarray) -> Self:
        """Make an array of origins that are known to be valid, without checking each."""
        self = cls.__new__(cls)
        self._origins, self._steps, self._copies = origins, steps, copies
        return self

    # -- what is particular to images ---------------------------------------------------

    @property
    def cells(self) -> np.ndarray:
        return self._origins

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
        chain = (*self._steps, ImageStep(*step))
        return self._of(self._origins.copy(), chain, self._copies.copy())

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
        return self._of(self._origins.copy(), self._steps, _as_copies(copies, len(self)))

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
        return _display.html_figures(self)

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
        present = [value for value in scalars if not is_missing(value)]
        # Text that a user's function returns stays text: it need not be a path.
        if not present or not all(isinstance(value, ImageCell) for value in present):
            raise ValueError("The values are not cells.")
        return cls(scalars)

    @classmethod
    def _concat_same_type(cls, to_concat: Sequence[Self]) -> Self:
        chains = {array._steps for array in to_concat if not array.isna().all()}
        # Columns without any image have no say, unless there are no others.
        steps = one_chain(chains or {max((array._steps for array in to_concat), key=len)})
        origins = np.concatenate([array._origins for array in to_concat])
        return cls._of(origins, steps, np.concatenate([array._copies for array in to_concat]))

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        dtype = pandas_dtype(dtype)
        if isinstance(dtype, pd.StringDtype) or dtype.kind in "US":
            return pd.array(self._paths(), dtype="str").astype(dtype)
        return super().astype(dtype, copy=copy)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("Unable to avoid a copy: an image column is no NumPy array.")
        kind = "O" if dtype is None else np.dtype(dtype).kind
        if kind in "US":
            return np.array(self._paths(), dtype=dtype)
        if kind != "O":
            raise ValueError(NO_NUMBERS)
        return object_array(self)

    def to_numpy(self, dtype: Any = None, copy: bool = False, na_value: Any = no_default) -> Any:
        # Never a view, so never read-only, which pandas assumes of object dtypes.
        return super().to_numpy(dtype, copy=True, na_value=na_value)

    def __arrow_array__(self, type: Any = None) -> Any:
        import pyarrow

        return pyarrow.array(self._paths(), type=type or pyarrow.string())

    def _values_for_json(self) -> np.ndarray:
        # As in CSV files: pandas' C code dies of an error here, so no picture can be refused.
        return object_array(None if cell is None else str(cell) for cell in self)

    def _paths(self) -> list[str | None]:
        in_memory = sum(isinstance(origin, np.ndarray) for origin in self._origins)
        if in_memory:
            raise ValueError(
                f"{in_memory} of {len(self)} images are held in memory and have no path to "
                "write. Save them to files and put the paths in the column first."
            )
        return list(self._origins)

    def __getstate__(self) -> dict[str, Any]:
        # Lists, not views of larger arrays: equal columns pickle and hash alike.
        steps = [(step.name, [list(param) for param in step.params]) for step in self._steps]
        return {"origins": list(self._origins), "steps": steps, "copies": self._copies.copy()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._origins = object_array(state["origins"])
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
        pixels = {id(o): o.nbytes for o in self._origins if isinstance(o, np.ndarray)}
        paths = sum(len(origin) for origin in self._origins if isinstance(origin, str))
        return self._origins.nbytes + self._copies.nbytes + paths + sum(pixels.values())

    def __len__(self) -> int:
        return len(self._origins)

    def __iter__(self) -> Iterator[ImageCell | None]:
        for origin in self._origins:
            yield None if origin is None else ImageCell._of(origin, self._steps)

    def __getitem__(self, item: Any) -> Any:
        item = _unpack_indexer(item)
        if isinstance(item, (int, np.integer)) and not isinstance(item, bool):
            origin = self._origins[item]
            return None if origin is None else ImageCell._of(origin, self._steps)
        item = check_array_indexer(self, item)
        result = self._of(self._origins[item], self._steps, self._copies[item])
        if isinstance(item, slice):
            result._readonly = self._readonly
        return result

    def __setitem__(self, key: Any, value: Any) -> None:
        if self._readonly:
            raise ValueError("Cannot modify read-only array")
        key = check_array_indexer(self, _unpack_indexer(key))
        one_row = isinstance(key, (int, np.integer))
        if not is_list_like(value) or is_picture(value):
            value = [value]
        elif one_row:
            raise ValueError("setting an array element with a sequence.")
        if isinstance(value, (pd.Series, pd.Index)):
            value = value.array
        if not isinstance(value, ImageArray):
            value = ImageArray(value, self._steps)
        if not value.isna().all():
            one_chain({self._steps, value._steps})
        # With a bare position, NumPy would store the array of one origin as the element.
        key = [key] if one_row else key
        self._origins[key], self._copies[key] = value._origins, value._copies

    def take(self, indices: Any, *, allow_fill: bool = False, fill_value: Any = None) -> Self:
        rows = np.asarray(indices, dtype=np.intp)
        copies: Any = take(self._copies, rows, allow_fill=allow_fill, fill_value=0)
        origins: Any = take(self._origins, rows, allow_fill=allow_fill, fill_value=None)
        if allow_fill:
            origins[rows == -1] = None  # pandas fills object arrays with NaN
        result = self._of(origins, self._steps, copies.astype(np.int32, copy=False))
        if allow_fill and not is_missing(fill_value):
            result[rows == -1] = fill_value
        return result

    def copy(self) -> Self:
        return self._of(self._origins.copy(), self._steps, self._copies.copy())

    def isna(self) -> np.ndarray:
        return pd.isna(self._origins)

    # -- pandas: printing ---------------------------------------------------------------

    def _formatter(self, boxed: bool = False) -> Callable[[Any], str]:
        return _notebook.cell_formatter()

    def _get_repr_footer(self) -> str:
        steps = f", steps: {[step.name for step in self._steps]}" if self._steps else ""
        return f"Length: {len(self)}, dtype: {self.dtype}{steps}"


def as_images(paths: Any, *, root: str | os.PathLike | None = None) -> ImageArray:
    """Make a lazy image column from paths or pictures.

    Parameters
    ----------
    paths : sequence of path-like, ndarray, PIL image, ImageCell or missing; or (n, h, w, 3)
        What :class:`ImageArray` accepts; an `ImageArray` or a Series of one is returned as
        it is.
    root : path-like or str, default=None
        Folder, or address such as ``"s3://bucket/folder"``, that relative paths are below. The
        files need not exist yet.

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
    origins = object_array(below(root, images._origins))
    return ImageArray._of(origins, images.steps, images.copies)


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


def _unpack_indexer(item: Any) -> Any:
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


# Importing this module is the first use of an image column, and tables can be displayed from here.
_notebook.show_pictures()
