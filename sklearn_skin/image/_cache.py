"""Arrays on disk, found by what they were computed from."""

import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from sklearn_skin.image import _lmdb
from sklearn_skin.utils import warn_user

DEFAULT_MAX_BYTES = 10 * 2**30

_MAGIC = b"SKI1"
_HEADER = struct.Struct("<4sI8sB")  # magic, checksum, NumPy type, number of dimensions


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
    so an image that is overwritten is another entry, whatever its name and date. Features
    of frozen networks are kept likewise, under the weights' hash. Several threads and
    processes can read and write at once. Each entry has a checksum: one that is damaged
    counts as absent, and a store that is damaged as a whole is started anew.

    Parameters
    ----------
    cache_dir : "auto", path-like or None, default="auto"
        Folder of the store; made with mode 0700 where it is missing. "auto" is the user's
        cache folder of this operating system; None keeps nothing.
    max_bytes : int, default=10737418240
        Largest size of the store; the oldest entries make room for new ones.

    Attributes
    ----------
    path : str or None
        Folder of the store; None where nothing is kept.

    Raises
    ------
    ValueError
        If `max_bytes` is less than 1 MiB.
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
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        if max_bytes < 2**20:
            raise ValueError(f"`max_bytes` must be at least {2**20} (1 MiB); got {max_bytes}.")
        self.cache_dir = cache_dir
        self.max_bytes = int(max_bytes)
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
        return _lmdb.read(self.path, self.max_bytes, names, _unpack)

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
        warn_user(f"No cache: {error}. Choose a `cache_dir`.")
        return None


def _name(key: bytes) -> bytes:
    """Return a key of the one length that entries have."""
    return blake2b(key, digest_size=32).digest()


def _checksum(name: bytes, head: bytes, payload: Any) -> int:
    # The name takes part, so that an entry is never taken for another one.
    return zlib.crc32(payload, zlib.crc32(head, zlib.crc32(name)))


def _pack(name: bytes, array: np.ndarray) -> bytes:
    if array.dtype.kind not in "biufc":
        raise TypeError(f"Only numbers and booleans can be kept; got {array.dtype}.")
    payload = np.ascontiguousarray(array).tobytes()
    shape = struct.pack(f"<{array.ndim}q", *array.shape)
    dtype = array.dtype.str.encode()
    checksum = _checksum(name, dtype.ljust(8, b"\0") + shape, payload)
    return _HEADER.pack(_MAGIC, checksum, dtype, array.ndim) + shape + payload


def _unpack(name: bytes, entry: memoryview) -> np.ndarray | None:
    """Return a copy of an entry's array; None if the entry is damaged."""
    if len(entry) < _HEADER.size:
        return None
    magic, checksum, dtype, ndim = _HEADER.unpack_from(entry)
    start = _HEADER.size + 8 * ndim
    if magic != _MAGIC or len(entry) < start:
        return None
    head, payload = dtype + bytes(entry[_HEADER.size : start]), entry[start:]
    if _checksum(name, head, payload) != checksum:
        return None
    shape = struct.unpack_from(f"<{ndim}q", entry, _HEADER.size)
    return np.frombuffer(payload, np.dtype(dtype.rstrip(b"\0").decode())).reshape(shape).copy()
