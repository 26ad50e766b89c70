"""Pixels of an image column, some rows at a time."""

import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NoReturn

import numpy as np
from joblib import Parallel, delayed

from sklearn_skin.exceptions import ImageDecodeError
from sklearn_skin.image._array import as_images
from sklearn_skin.image._cache import KEY_BYTES, as_cache, hash_bytes, make_key
from sklearn_skin.image._decoding import as_size, decode, read_bytes, resize_pixels
from sklearn_skin.image._steps import apply_steps
from sklearn_skin.utils import list_names, warn_user

# Part of every key: raise it when decoding, a correction or resizing changes its result.
_VERSION = 1
# What a batch has decoded is written to the cache at once, and is all that a killed process loses.
_ROWS_PER_BATCH = 256
# A file that changes twice within a tick of its clock looks as if it had changed once.
_SETTLED_NS = 2 * 10**9


class PixelReader:
    """Pixels of an image column, some rows at a time, through the cache.

    A file is looked for in the cache by its path, size and times of change first, and its bytes
    are read only where these are new. What a row's pixels are kept under is known from then on.

    Parameters
    ----------
    images : ImageArray of shape (n,), or what `as_images` takes
        The column.
    size : int or (height, width)
        Size in pixels. The aspect ratio is not kept.
    cache, row_names, column, advice, n_jobs
        As in `load_pixels`.

    Attributes
    ----------
    size : (int, int)
        Height and width.
    present : ndarray of shape (n,), dtype bool
        Whether the row has an image. What is set to False is not read.
    streams : bool
        Whether every image comes from a file and its pixels are kept in the cache, so that they
        need not be kept in memory.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.image import ImageArray, PixelReader
    >>> reader = PixelReader(ImageArray([np.full((6, 8, 3), 7, dtype=np.uint8), None]), 4)
    >>> reader.read([0, 1, 0]).shape, reader.present.tolist()
    ((3, 4, 4, 3), [True, False])
    """

    def __init__(
        self,
        images: Any,
        size: int | tuple[int, int],
        *,
        cache: Any = None,
        row_names: Sequence[Any] | None = None,
        column: str | None = None,
        advice: str = "",
        n_jobs: int | None = 1,
    ) -> None:
        images = as_images(images)
        self.cells, self.steps = images.cells, images.steps
        self.size = as_size(size)
        self.cache = as_cache(cache)
        self.row_names, self.column, self.advice = row_names, column, advice
        self.n_jobs = n_jobs
        self.present = ~np.asarray(images.isna(), dtype=bool)
        in_memory = any(isinstance(cell, np.ndarray) for cell in self.cells)
        self.streams = self.cache.path is not None and not in_memory
        chain = tuple((step.name, tuple(step.params)) for step in self.steps)
        self._suffix = repr(("pixels", _VERSION, chain, self.size)).encode()
        self._keys = np.zeros((len(images), KEY_BYTES), np.uint8)
        self._known = np.zeros(len(images), bool)

    def __len__(self) -> int:
        return len(self.cells)

    def read(self, rows: Any, output: np.ndarray | None = None) -> np.ndarray:
        """Return the pixels of some rows; those of missing images are zero.

        Parameters
        ----------
        rows : array-like of shape (m,)
            Positions.
        output : uint8 ndarray of shape (m, height, width, 3), default=None
            Where the pixels go.

        Returns
        -------
        pixels : uint8 ndarray of shape (m, height, width, 3)

        Raises
        ------
        ImageDecodeError
            If an image that is `present` cannot be read.
        """
        rows = np.asarray(rows)
        if output is None:
            output = np.empty((len(rows), *self.size, 3), dtype=np.uint8)
        for place, error in self.fill(rows, output):
            self.fail(rows[place], error)
        return output

    def fill(self, rows: np.ndarray, output: np.ndarray) -> Iterator[tuple[int, Exception]]:
        """Read pixels into `output`; give place and error of every image that cannot be read.

        Every distinct image is decoded, corrected and resized once.
        """
        output[~self.present[rows]] = 0
        places_of = self._places_by_cell(rows)
        firsts = [places[0] for places in places_of]
        for start in range(0, len(firsts), _ROWS_PER_BATCH):
            batch = slice(start, start + _ROWS_PER_BATCH)
            outputs = [output[place] for place in firsts[batch]]
            errors = self._fill_distinct(rows[firsts[batch]], outputs)
            for places, error in zip(places_of[batch], errors):
                if error is not None:
                    output[places] = 0
                    yield from ((place, error) for place in places)
                elif len(places) > 1:
                    output[places[1:]] = output[places[0]]

    def keys(self, rows: Any) -> list[bytes | None]:
        """Return what tells the pixels of some rows from all others.

        Images are known by the hash of their file's bytes, whatever its name, or of their pixels
        in memory, together with the corrections and the size.

        Parameters
        ----------
        rows : array-like of shape (m,)
            Positions.

        Returns
        -------
        keys : list of bytes or None
            None for missing images and files that cannot be opened.
        """
        rows = np.asarray(rows)
        _, new = self._find_keys(rows[self.present[rows]], of_all=True)
        self.cache.put_many(new)
        return [self._key(row) for row in rows]

    def fail(self, row: int, error: Exception) -> NoReturn:
        """Raise the error of a row, with the row's name and the column's."""
        raise ImageDecodeError(f"{self._describe(row, error)}\n{self.advice}".rstrip()) from error

    def leave_out(self, failures: Mapping[int, Exception]) -> None:
        """Take rows whose images cannot be read for missing, and say how many they are."""
        if failures:
            self.present[list(failures)] = False
            first = min(failures)
            warn_user(
                f"{len(failures)} of {len(self)} images cannot be read and are treated as missing; "
                f"the first: {self._describe(first, failures[first])}",
                once=("unreadable", self.column),
            )

    def check_some(self, failures: Mapping[int, Exception]) -> None:
        """Raise an error where there are several images and not one of them can be read."""
        there = np.flatnonzero(self.present)
        if len(there) == len(failures) and len(self._places_by_cell(there)) > 1:
            first = min(failures)
            raise ImageDecodeError(
                f"not one of the {len(there)} images can be read; the first: "
                f"{self._describe(first, failures[first])}\nAn image that is missing on purpose is "
                "None."
            ) from failures[first]

    def _describe(self, row: int, error: Exception) -> str:
        label = list_names([int(row) if self.row_names is None else self.row_names[row]])
        where = f"row {label}" + (f", column {self.column!r}" if self.column else "")
        return f"{where}: {error}{_advise_folder(self.cells[row], error)}"

    def _places_by_cell(self, rows: np.ndarray) -> list[list[int]]:
        """Return, for every distinct path or picture, the places that hold it."""
        # Pictures by identity: comparing their pixels would cost more than resizing one twice.
        places: dict[Any, list[int]] = {}
        for place, row in enumerate(rows):
            if self.present[row]:
                cell = self.cells[row]
                places.setdefault(cell if isinstance(cell, str) else id(cell), []).append(place)
        return list(places.values())

    def _fill_distinct(self, rows: np.ndarray, outputs: list[np.ndarray]) -> list[Exception | None]:
        """Fill the outputs of rows with distinct images; return the error of each, or None."""
        new: dict[bytes, np.ndarray] = {}
        sources: list[Any] = [None] * len(rows)
        if self.cache.path is not None:
            sources, new = self._find_keys(rows)
        known = [i for i, row in enumerate(rows) if self._known[row] and self._is_kept(row)]
        keys = [self._keys[rows[i]].tobytes() for i in known]
        found = self.cache.get_into(keys, [outputs[i] for i in known])
        done = {i for i, here in zip(known, found) if here}
        todo = [i for i in range(len(rows)) if i not in done]
        computed = self._compute_all([(self.cells[rows[i]], sources[i]) for i in todo])
        errors: list[Exception | None] = [None] * len(rows)
        for i, (pixels, source) in zip(todo, computed):
            if isinstance(pixels, Exception):
                errors[i] = pixels
                continue
            outputs[i][...] = pixels
            if self.cache.path is not None and self._is_kept(rows[i]):
                if sources[i] is None:  # the file was read just now, and may be another
                    self._learn(rows[i], _content(self.cells[rows[i]], source))
                new[self._keys[rows[i]].tobytes()] = pixels
        self.cache.put_many(new)
        return errors

    def _is_kept(self, row: int) -> bool:
        # Resizing a picture that is in memory costs less than hashing and keeping it.
        return isinstance(self.cells[row], str) or bool(self.steps)

    def _find_keys(
        self, rows: np.ndarray, of_all: bool = False
    ) -> tuple[list[Any], dict[bytes, np.ndarray]]:
        """Find what the images of some rows are kept under.

        Returns what was read for it, or its error, or None, per row; and what the cache should
        know of the files from now on.
        """
        sources: list[Any] = [None] * len(rows)
        todo = [i for i, row in enumerate(rows) if not self._known[row]]
        names = {i: _file_name(self.cells[rows[i]]) for i in todo}
        asked = [i for i in todo if names[i] is not None]
        digests = dict(zip(asked, self.cache.get_many([names[i] or b"" for i in asked])))
        new: dict[bytes, np.ndarray] = {}
        for i in todo:
            digest, cell, name = digests.get(i), self.cells[rows[i]], names[i]
            if digest is not None:
                self._learn(rows[i], digest.tobytes())
            elif of_all or self._is_kept(rows[i]):
                sources[i] = _guard(_source, cell)
                if not isinstance(sources[i], Exception):
                    content = _content(cell, sources[i])
                    self._learn(rows[i], content)
                    if name is not None:
                        new[name] = np.frombuffer(content, np.uint8)
        return sources, new

    def _learn(self, row: int, content: bytes) -> None:
        key = blake2b(content + self._suffix, digest_size=KEY_BYTES).digest()
        self._keys[row] = np.frombuffer(key, np.uint8)
        self._known[row] = True

    def _key(self, row: int) -> bytes | None:
        here = self._known[row] and self.present[row]
        return self._keys[row].tobytes() if here else None

    def _compute_all(self, todo: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
        if self.n_jobs == 1 or len(todo) < 2:
            return [self._compute(*each) for each in todo]
        # Threads suffice: Pillow and OpenCV release the interpreter's lock while they decode.
        parallel = Parallel(n_jobs=self.n_jobs, prefer="threads")
        return list(parallel(delayed(self._compute)(*each) for each in todo))

    def _compute(self, cell: Any, source: Any) -> tuple[Any, Any]:
        """Return pixels, or the error that they met, and what they were computed from."""
        if isinstance(source, Exception):
            return source, None
        source = _guard(_source, cell) if source is None else source
        if isinstance(source, Exception):
            return source, None
        return _guard(self._pixels, cell, source), source

    def _pixels(self, cell: Any, source: Any) -> np.ndarray:
        if isinstance(cell, np.ndarray):
            return resize_pixels(apply_steps(cell, self.steps), self.size)
        if not self.steps:
            return decode(source, cell, self.size)
        # Corrections see the whole picture, so it is not decoded at a reduced size.
        return resize_pixels(apply_steps(decode(source, cell), self.steps), self.size)


def _guard(function: Any, *args: Any) -> Any:
    """Return the result, or the decoding error: one bad image must not stop the others."""
    try:
        return function(*args)
    except ImageDecodeError as error:
        return error


def _advise_folder(cell: Any, error: Exception) -> str:
    """Return what a path starts from, where there is no such file."""
    if not isinstance(error.__cause__, FileNotFoundError):
        return ""
    start = "start from `image_root` of make_lesion_transformer(), or `root` of as_images()"
    if os.path.isabs(cell):
        return f" Paths that are relative in the table {start}."
    folder = os.path.dirname(os.path.abspath(cell))
    return f" Relative paths {start}; this one was looked for in {folder!r}."


def _source(cell: Any) -> Any:
    """Return the bytes that a cell's pixels are known by."""
    return read_bytes(cell) if isinstance(cell, str) else np.ascontiguousarray(cell)


def _content(cell: Any, source: Any) -> bytes:
    """Return what the pixels of a cell are known by: the hash of its bytes, and their shape."""
    shape = repr(cell.shape).encode() if isinstance(cell, np.ndarray) else b""
    return hash_bytes(source) + shape


def _file_name(cell: Any) -> bytes | None:
    """Return the name of a file's state; None where no state tells whether it has changed."""
    # On Windows a file that is overwritten may keep all of its times.
    if not isinstance(cell, str) or os.name == "nt":
        return None
    try:
        found = os.stat(cell)
    except (OSError, ValueError):
        return None
    changed = max(found.st_mtime_ns, found.st_ctime_ns)
    if not stat.S_ISREG(found.st_mode) or time.time_ns() - changed < _SETTLED_NS:
        return None
    path = cell if cell.startswith(os.sep) else os.path.abspath(cell)
    state = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)
    return make_key("file", path, *state)
