"""Pixels of many rows: decode, correct, resize, through the cache."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from sklearn_skin.exceptions import ImageDecodeError
from sklearn_skin.image._array import ImageArray, as_images
from sklearn_skin.image._cache import PixelCache, as_cache, hash_bytes, make_key
from sklearn_skin.image._decoding import as_size, decode, read_bytes, resize_pixels
from sklearn_skin.image._steps import ImageStep, apply_steps
from sklearn_skin.utils import list_names, warn_user

# Part of every key: raise it when decoding, a correction or resizing changes its result.
_VERSION = 1
# What a batch has decoded is written to the cache at once, and is all that a killed process loses.
_ROWS_PER_BATCH = 256


def load_pixels(
    images: Any,
    size: int | tuple[int, int],
    *,
    cache: Any = None,
    on_error: str = "raise",
    row_names: Sequence[Any] | None = None,
    column: str | None = None,
    advice: str = 'on_error="missing" takes such images for missing.',
    n_jobs: int | None = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Read the pixels of an image column.

    Every distinct image is decoded, corrected by the column's steps and resized once, also
    where several rows hold it.

    Parameters
    ----------
    images : ImageArray of shape (n,), or what `as_images` takes
        The column.
    size : int or (height, width)
        Size of the result in pixels. The aspect ratio is not kept.
    cache : PixelCache, path-like or None, default=None
        Where decoded pixels are kept; None keeps nothing.
    on_error : {"raise", "missing"}, default="raise"
        What to do about images that cannot be read: raise, or treat them as missing and
        warn with their number.
    row_names : sequence of length n, default=None
        Names of the rows in messages; None means their positions.
    column : str, default=None
        Name of the column in messages.
    advice : str
        What an error about an image that cannot be read ends with: what the caller's own caller
        can do.
    n_jobs : int or None, default=1
        Threads that decode, as in joblib.

    Returns
    -------
    pixels : ndarray of shape (n, height, width, 3), dtype uint8
        Zeros for missing images.
    present : ndarray of shape (n,), dtype bool
        Whether the row has an image.

    Raises
    ------
    ImageDecodeError
        If an image cannot be read and `on_error` is "raise"; the message names the row,
        the column and the file.
    ValueError
        If `size` or `on_error` is none of the above.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.image import ImageArray, load_pixels
    >>> images = ImageArray([np.full((6, 8, 3), 7, dtype=np.uint8), None])
    >>> pixels, present = load_pixels(images, 4)
    >>> pixels.shape, int(pixels[0].max()), present.tolist()
    ((2, 4, 4, 3), 7, [True, False])
    """
    if on_error not in ("raise", "missing"):
        raise ValueError(f"`on_error` must be one of ['missing', 'raise']; got {on_error!r}.")
    images, shape = as_images(images), as_size(size)
    reader = _Reader(images.steps, shape, as_cache(cache))
    rows_of = _rows_by_cell(images)
    firsts = [rows[0] for rows in rows_of]
    pixels = np.zeros((len(images), *shape, 3), dtype=np.uint8)
    present = np.zeros(len(images), dtype=bool)
    failures: list[tuple[int, Exception]] = []
    # Threads suffice: Pillow and OpenCV release the interpreter's lock while they decode.
    with Parallel(n_jobs=n_jobs, prefer="threads") as parallel:
        for start in range(0, len(firsts), _ROWS_PER_BATCH):
            batch = slice(start, start + _ROWS_PER_BATCH)
            results = reader.read([images.cells[row] for row in firsts[batch]], parallel)
            for rows, result in zip(rows_of[batch], results):
                if isinstance(result, Exception):
                    failures.append((rows[0], result))
                    if on_error == "raise":
                        text = _describe(failures[0], row_names, column)
                        raise ImageDecodeError(f"{text}\n{advice}") from result
                else:
                    pixels[rows], present[rows] = result, True
    if failures:
        n_rows = len(images) - int(present.sum()) - int(images.isna().sum())
        warn_user(
            f"{n_rows} of {len(images)} images cannot be read and are treated as missing; "
            f"the first: {_describe(failures[0], row_names, column)}",
            once=("unreadable", column),
        )
    return pixels, present


class _Reader:
    """Reads cells of one column at one size."""

    def __init__(
        self, steps: tuple[ImageStep, ...], size: tuple[int, int], cache: PixelCache
    ) -> None:
        self.steps = steps
        self.size = size
        self.cache = cache

    def read(self, cells: list[Any], parallel: Parallel) -> list[Any]:
        """Return the pixels of every cell, or the exception that it met."""
        if self.cache.path is None:
            return list(parallel(delayed(self._compute)(cell) for cell in cells))
        sources = [_guard(_source, cell) for cell in cells]
        keys = [self._key(cell, source) for cell, source in zip(cells, sources)]
        kept = self.cache.get_many([key for key in keys if key is not None])
        found = dict(zip((key for key in keys if key is not None), kept))
        results = [None if key is None else found[key] for key in keys]
        todo = [i for i, pixels in enumerate(results) if not self._fits(pixels)]
        computed = parallel(delayed(self._compute)(cells[i], sources[i]) for i in todo)
        new: dict[bytes, np.ndarray] = {}
        for i, pixels in zip(todo, computed):
            results[i] = pixels
            key = keys[i]
            if key is not None and isinstance(pixels, np.ndarray):
                new[key] = pixels
        self.cache.put_many(new)
        return results

    def _fits(self, pixels: np.ndarray | None) -> bool:
        return pixels is not None and pixels.shape == (*self.size, 3) and pixels.dtype == np.uint8

    def _key(self, cell: Any, source: Any) -> bytes | None:
        """Return the cache key of a cell; None if it is not worth keeping."""
        # Resizing a picture that is in memory already costs less than hashing and keeping it.
        if isinstance(source, Exception) or (isinstance(cell, np.ndarray) and not self.steps):
            return None
        origin: Any = hash_bytes(source)
        if isinstance(cell, np.ndarray):
            origin = (origin, cell.shape)
        chain = tuple((step.name, tuple(step.params)) for step in self.steps)
        return make_key("pixels", _VERSION, origin, chain, self.size)

    def _compute(self, cell: Any, source: Any = None) -> Any:
        return _guard(self._pixels, cell, source)

    def _pixels(self, cell: Any, source: Any) -> np.ndarray:
        if isinstance(source, Exception):
            raise source
        if isinstance(cell, np.ndarray):
            return resize_pixels(apply_steps(cell, self.steps), self.size)
        data = read_bytes(cell) if source is None else source
        if not self.steps:
            return decode(data, cell, self.size)
        # Corrections see the whole picture, so it is not decoded at a reduced size.
        return resize_pixels(apply_steps(decode(data, cell), self.steps), self.size)


def _guard(function: Any, *args: Any) -> Any:
    """Return the result, or the decoding error: one bad image must not stop the others."""
    try:
        return function(*args)
    except ImageDecodeError as error:
        return error


def _source(cell: Any) -> Any:
    """Return the bytes that a cell's pixels are known by."""
    return read_bytes(cell) if isinstance(cell, str) else np.ascontiguousarray(cell)


def _rows_by_cell(images: ImageArray) -> list[list[int]]:
    """Return, for every distinct path or picture, the rows that hold it."""
    # Pictures by identity: comparing their pixels would cost more than resizing one twice.
    rows: dict[Any, list[int]] = {}
    for row, cell in enumerate(images.cells):
        if cell is not None:
            rows.setdefault(cell if isinstance(cell, str) else id(cell), []).append(row)
    return list(rows.values())


def _describe(
    failure: tuple[int, Exception], row_names: Sequence[Any] | None, column: str | None
) -> str:
    row, error = failure
    label = list_names([row if row_names is None else row_names[row]])
    where = f"row {label}" + ("" if column is None else f", column {column!r}")
    return f"{where}: {error}"
