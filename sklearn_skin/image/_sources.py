"""What the pixels of cells are known by: the states of their files, and bytes, many at once."""

import os
import stat
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sklearn_skin.exceptions import ImageDecodeError
from sklearn_skin.image._cache import hash_bytes, make_key
from sklearn_skin.image._decoding import read_bytes
from sklearn_skin.image._urls import is_url

# A file that changes twice within a tick of its clock looks as if it had changed once.
_SETTLED_NS = 2 * 10**9


class State(NamedTuple):
    """Name of a file's state, None where nothing tells whether it has changed; what was asked."""

    name: bytes | None
    remote: Any = None


def guard(function: Any, *args: Any) -> Any:
    """Return the result, or the decoding error: one bad image must not stop the others."""
    try:
        return function(*args)
    except ImageDecodeError as error:
        return error


def find_states(cells: Sequence[Any]) -> list[State]:
    """Return the states of files and addresses; those of pictures in memory have no name."""
    remote = [i for i, cell in enumerate(cells) if _is_remote(cell)]
    states = [State(_file_name(cell)) for cell in cells]
    if remote:
        from sklearn_skin.image._remote import stat_urls

        for i, found in zip(remote, stat_urls([cells[i] for i in remote])):
            states[i] = State(_remote_name(cells[i], found), found)
    return states


def read_remote(
    cells: Sequence[Any], sources: Sequence[Any], states: Sequence[State] | None = None
) -> list[Any]:
    """Return the sources, and for addresses that have none their bytes, or why there are none."""
    sources = list(sources)
    places = [i for i, cell in enumerate(cells) if sources[i] is None and _is_remote(cell)]
    if places:
        from sklearn_skin.image._remote import read_urls

        files = None if states is None else [states[i].remote for i in places]
        for i, found in zip(places, read_urls([cells[i] for i in places], files)):
            sources[i] = found
    return sources


def read_sources(cells: Sequence[Any], states: Sequence[State]) -> list[Any]:
    """Return the bytes that cells' pixels are known by, or why there are none."""
    fetched = read_remote(cells, [None] * len(cells), states)
    return [
        guard(source_of, cell) if source is None else source for cell, source in zip(cells, fetched)
    ]


def source_of(cell: Any) -> Any:
    """Return the bytes that a cell's pixels are known by."""
    return read_bytes(cell) if isinstance(cell, str) else np.ascontiguousarray(cell)


def content_of(cell: Any, source: Any) -> bytes:
    """Return what the pixels of a cell are known by: the hash of its bytes, and their shape."""
    shape = repr(cell.shape).encode() if isinstance(cell, np.ndarray) else b""
    return hash_bytes(source) + shape


def _is_remote(cell: Any) -> bool:
    return isinstance(cell, str) and is_url(cell)


def _remote_name(url: str, found: Any) -> bytes | None:
    if isinstance(found, ImageDecodeError) or found.state is None:
        return None
    return make_key("url", url, found.size, *found.state)


def _file_name(cell: Any) -> bytes | None:
    # On Windows a file that is overwritten may keep all of its times.
    if not isinstance(cell, str) or os.name == "nt" or is_url(cell):
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
