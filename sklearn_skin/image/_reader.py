"""Pixels of an image column, some rows at a time."""

import os
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NoReturn

import numpy as np
from joblib import Parallel, delayed

from sklearn_skin.exceptions import ImageDecodeError
from sklearn_skin.image._array import as_images
from sklearn_skin.image._cache import KEY_BYTES, as_cache
from sklearn_skin.image._decoding import as_size, decode, resize_pixels
from sklearn_skin.image._sources import (
    content_of,
    find_states,
    guard,
    read_remote,
    read_sources,
    source_of,
)
from sklearn_skin.image._steps import apply_steps
from sklearn_skin.utils import list_names, warn_user

# Part of every key: raise it when decoding, a correction or resizing changes its result.
_VERSION = 1
# What a batch has decoded is written to the cache at once, and is all that a killed process loses.
_ROWS_PER_BATCH = 256


class PixelReader:
    """Pixels of an image column, some rows at a time, through the cache.

    A file is looked for in the cache by its path, size and times of change first, and its bytes
    are read only where these are new; one in object storage by its address, size and entity tag.
    What a row's pixels are kept under is known from then on.

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
        same = [rows[places] for places in self._places_by_cell(rows)]
        # Some at a time: the bytes of all of them need not fit into memory.
        for start in range(0, len(same), _ROWS_PER_BATCH):
            batch = same[start : start + _ROWS_PER_BATCH]
            _, new = self._find_keys(np.array([some[0] for some in batch]), of_all=True)
            self.cache.put_many(new)
            for some in batch:
                self._keys[some], self._known[some] = self._keys[some[0]], self._known[some[0]]
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
        cells = [self.cells[rows[i]] for i in todo]
        given = read_remote(cells, [sources[i] for i in todo])
        computed = self._compute_all(list(zip(cells, given)))
        errors: list[Exception | None] = [None] * len(rows)
        for i, (pixels, source) in zip(todo, computed):
            if isinstance(pixels, Exception):
                errors[i] = pixels
                continue
            outputs[i][...] = pixels
            if self.cache.path is not None and self._is_kept(rows[i]):
                if sources[i] is None:  # the file was read just now, and may be another
                    self._learn(rows[i], content_of(self.cells[rows[i]], source))
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
        states = find_states([self.cells[rows[i]] for i in todo])
        asked = [k for k, state in enumerate(states) if state.name is not None]
        digests = dict(zip(asked, self.cache.get_many([states[k].name or b"" for k in asked])))
        unread = []
        for k, i in enumerate(todo):
            digest = digests.get(k)
            if digest is not None:
                self._learn(rows[i], digest.tobytes())
            elif of_all or self._is_kept(rows[i]):
                unread.append(k)
        cells = [self.cells[rows[todo[k]]] for k in unread]
        new: dict[bytes, np.ndarray] = {}
        for k, source in zip(unread, read_sources(cells, [states[k] for k in unread])):
            sources[todo[k]], name = source, states[k].name
            if not isinstance(source, Exception):
                content = content_of(self.cells[rows[todo[k]]], source)
                self._learn(rows[todo[k]], content)
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
        source = guard(source_of, cell) if source is None else source
        if isinstance(source, Exception):
            return source, None
        return guard(self._pixels, cell, source), source

    def _pixels(self, cell: Any, source: Any) -> np.ndarray:
        if isinstance(cell, np.ndarray):
            return resize_pixels(apply_steps(cell, self.steps), self.size)
        if not self.steps:
            return decode(source, cell, self.size)
        # Corrections see the whole picture, so it is not decoded at a reduced size.
        return resize_pixels(apply_steps(decode(source, cell), self.steps), self.size)


def _advise_folder(cell: Any, error: Exception) -> str:
    """Return what a path starts from, where there is no such file."""
    if not isinstance(error.__cause__, FileNotFoundError):
        return ""
    start = "start from `image_root` of make_lesion_transformer(), or `root` of as_images()"
    if os.path.isabs(cell):
        return f" Paths that are relative in the table {start}."
    folder = os.path.dirname(os.path.abspath(cell))
    return f" Relative paths {start}; this one was looked for in {folder!r}."
