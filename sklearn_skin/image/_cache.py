"""Arrays on disk, found by what they were computed from."""

import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np

from sklearn_skin.image import _lmdb
from sklearn_skin.utils import warn_user

DEFAULT_MAX_BYTES = 10 * 2**30
_VARIABLE = "SKLEARN_SKIN_CACHE_BYTES"

_MAGIC = b"SKI2"
KEY_BYTES = 32
_HEADER = struct.Struct("<4sI8sB7x")  # magic, checksum, NumPy type, number of dimensions
_BLOCK = 2**12  # words of 8 bytes whose sum is taken at once


def make_key(*parts: Any) -> bytes:
    """Return a cache key from everything that a result depends on.

    Parameters
    ----------
    *parts : bytes, str, int, float, None, or tuples of these
        Such as the hash of a file, the corrections and the size.

    Returns
    -------
    key : bytes of length 32

    Examples
    --------
    >>> from sklearn_skin.image._cache import make_key
    >>> make_key("a", 1) == make_key("a", 1), make_key("a", 1) == make_key("a1")
    (True, False)
    """
    return blake2b(repr(parts).encode(), digest_size=32).digest()


class PixelCache:
    """Arrays kept on disk under the hash of what they were computed from.

    Pixels are kept under the hash of the image file's bytes, the corrections and the size,
    so an image that is overwritten is another entry, whatever its name and date. What a file's
    hash was is kept under its path, size, inode and times of change. Features
    of frozen networks are kept likewise, under the weights' hash. Several threads and
    processes can read and write at once. Each entry has a checksum: one that is damaged
    counts as absent, and a store that is damaged as a whole is started anew.

    Parameters
    ----------
    cache_dir : "auto", path-like or None, default="auto"
        Folder of the store; made with mode 0700 where it is missing. "auto" is the user's
        cache folder of this operating system; None keeps nothing.
    max_bytes : int, default=None
        Largest size of the store; the oldest entries make room for new ones. None is what the
        environment variable SKLEARN_SKIN_CACHE_BYTES says, or 10 GiB.

    Attributes
    ----------
    path : str or None
        Folder of the store; None where nothing is kept.

    Raises
    ------
    ValueError
        If `max_bytes`, or the environment variable, is no number or less than 1 MiB.
    OSError
        If a folder given by the user cannot be made. With "auto" there is a warning
        instead and nothing is kept.

    Notes
    -----
    The store is an LMDB environment [1]_, whose transactions survive the death of a writer.
    Entries are a type, a shape and bytes; nothing is unpickled.

    References
    ----------
    .. [1] https://www.symas.com/lmdb

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn_skin.image import PixelCache
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cache = PixelCache(folder)
    ...     cache.put(b"key", np.arange(3))
    ...     cache.get(b"key"), cache.get(b"other")
    (array([0, 1, 2]), None)
    """

    def __init__(
        self,
        cache_dir: str | os.PathLike | None = "auto",
        *,
        max_bytes: int | None = None,
    ) -> None:
        self.cache_dir = cache_dir
        self.max_bytes = _size_of_store() if max_bytes is None else int(max_bytes)
        if self.max_bytes < 2**20:
            raise ValueError(f"`max_bytes` must be at least {2**20} (1 MiB); got {max_bytes}.")
        self.path = _make_folder(cache_dir)

    def __repr__(self) -> str:
        return f"PixelCache({self.cache_dir!r}, max_bytes={self.max_bytes})"

    def get(self, key: bytes) -> np.ndarray | None:
        """Return the array kept under a key.

        Parameters
        ----------
        key : bytes
            The key it was put under.

        Returns
        -------
        array : ndarray or None
            None if it is absent or damaged.
        """
        return self.get_many([key])[0]

    def get_many(self, keys: Sequence[bytes]) -> list[np.ndarray | None]:
        """Return the arrays kept under many keys, in one transaction.

        Parameters
        ----------
        keys : sequence of bytes
            The keys they were put under.

        Returns
        -------
        arrays : list of ndarray or None
            In the order of `keys`; None where one is absent or damaged.
        """
        if self.path is None:
            return [None] * len(keys)
        names = [_name(key) for key in keys]
        return _lmdb.read(self.path, self.max_bytes, names, lambda i, e: _unpack(names[i], e))

    def get_into(self, keys: Sequence[bytes], outputs: Sequence[np.ndarray]) -> list[bool]:
        """Copy the arrays kept under many keys to where they are wanted, in one transaction.

        Parameters
        ----------
        keys : sequence of bytes
            The keys they were put under.
        outputs : sequence of ndarray
            As many contiguous arrays, such as rows of a batch.

        Returns
        -------
        found : list of bool
            False where an array is absent, damaged, or of another type or shape; its output then
            holds anything.
        """
        if self.path is None:
            return [False] * len(keys)
        names = [_name(key) for key in keys]
        found = _lmdb.read(
            self.path,
            self.max_bytes,
            names,
            lambda i, e: _unpack_into(names[i], e, outputs[i]),
        )
        return [bool(value) for value in found]

    def put(self, key: bytes, array: np.ndarray) -> None:
        """Keep an array.

        Parameters
        ----------
        key : bytes
            What the array was computed from; see `make_key`.
        array : ndarray of numbers or booleans
            The array.
        """
        self.put_many({key: array})

    def put_many(self, arrays: Mapping[bytes, np.ndarray]) -> None:
        """Keep several arrays, in one transaction.

        Parameters
        ----------
        arrays : mapping of bytes to ndarray
            Key -> array of numbers or booleans. A full disk is a warning, not an error.

        Raises
        ------
        TypeError
            If an array holds objects or text.
        """
        entries = {_name(key): _pack(_name(key), np.asarray(a)) for key, a in arrays.items()}
        if self.path is not None and entries:
            _lmdb.write(self.path, self.max_bytes, entries)

    def clear(self) -> None:
        """Remove all entries."""
        if self.path is not None:
            _lmdb.clear(self.path, self.max_bytes)

    def __len__(self) -> int:
        return 0 if self.path is None else _lmdb.count(self.path, self.max_bytes)


def as_cache(cache: "PixelCache | str | os.PathLike | None") -> PixelCache:
    """Return a PixelCache from one, or from what its `cache_dir` may be."""
    return cache if isinstance(cache, PixelCache) else PixelCache(cache)


def hash_bytes(data: Any) -> bytes:
    """Return the digest by which a file's bytes are known."""
    return blake2b(data, digest_size=32).digest()


def _size_of_store() -> int:
    # A property of the machine rather than of a model: no estimator has a parameter for it.
    given = os.environ.get(_VARIABLE, str(DEFAULT_MAX_BYTES))
    if not given.isdecimal() or int(given) < 2**20:
        raise ValueError(f"{_VARIABLE} must be a number of bytes, at least {2**20}; got {given!r}.")
    return int(given)


def _make_folder(cache_dir: str | os.PathLike | None) -> str | None:
    if cache_dir is None:
        return None
    if cache_dir != "auto":
        return _lmdb.make_folder(os.path.abspath(os.fspath(cache_dir)))
    import platformdirs

    folder = os.path.join(platformdirs.user_cache_dir("sklearn_skin"), "pixels")
    try:
        return _lmdb.make_folder(folder)
    except OSError as error:
        warn_user(f"No cache: {error}. Choose a `cache_dir`.", once=("cache", str(error)))
        return None


def _name(key: bytes) -> bytes:
    """Return a key of the one length that entries have."""
    return key if len(key) == KEY_BYTES else blake2b(key, digest_size=KEY_BYTES).digest()


def _checksum(name: bytes, head: bytes, array: np.ndarray) -> int:
    """Return a checksum that is faster than a copy of the array.

    The name takes part, so that an entry is never taken for another one; each block has its sum,
    so that blocks are not taken for one another.
    """
    flat = array.reshape(-1).view(np.uint8)
    n_words = len(flat) // 8
    words = flat[: 8 * n_words].view("<u8")
    sums = np.add.reduceat(words, range(0, n_words, _BLOCK)) if n_words else words
    return zlib.crc32(flat[8 * n_words :], zlib.crc32(sums, zlib.crc32(name + head)))


@lru_cache
def _head(dtype: np.dtype, shape: tuple[int, ...]) -> tuple[bytes, bytes]:
    """Return the parts of a header that tell the type, and number and lengths of the axes."""
    return dtype.str.encode().ljust(8, b"\0"), struct.pack(f"<{len(shape)}q", *shape)


def _pack(name: bytes, array: np.ndarray) -> bytes:
    if array.dtype.kind not in "biufc":
        raise TypeError(f"Only numbers and booleans can be kept; got {array.dtype}.")
    array = np.asarray(array, order="C")
    dtype, shape = _head(array.dtype, array.shape)
    checksum = _checksum(name, dtype + shape, array)
    return _HEADER.pack(_MAGIC, checksum, dtype, array.ndim) + shape + array.tobytes()


def _unpack(name: bytes, entry: memoryview) -> np.ndarray | None:
    """Return a copy of an entry's array; None if the entry is damaged."""
    if len(entry) < _HEADER.size:
        return None
    _, _, dtype, ndim = _HEADER.unpack_from(entry)
    try:
        shape = struct.unpack_from(f"<{ndim}q", entry, _HEADER.size)
        array = np.empty(shape, np.dtype(dtype.rstrip(b"\0").decode()))
    except (struct.error, TypeError, ValueError, MemoryError):
        return None
    return array if _unpack_into(name, entry, array) else None


def _unpack_into(name: bytes, entry: memoryview, output: np.ndarray) -> bool:
    """Copy an entry's array; False if the entry is damaged or of another type or shape."""
    start = _HEADER.size + 8 * output.ndim
    if len(entry) != start + output.nbytes:
        return False
    magic, checksum, *_ = _HEADER.unpack_from(entry)
    dtype, shape = _head(output.dtype, output.shape)
    known = entry[8:16] == dtype and entry[_HEADER.size : start] == shape
    if magic != _MAGIC or entry[16] != output.ndim or not known:
        return False
    output[...] = np.frombuffer(entry, output.dtype, output.size, start).reshape(output.shape)
    # Of the copy, which nobody changes any more.
    return bool(_checksum(name, dtype + shape, output) == checksum)
