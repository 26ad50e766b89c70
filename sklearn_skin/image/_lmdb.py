"""The only place that talks to LMDB: opening, reading, writing and repairing a store."""

import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import lmdb

from sklearn_skin.utils import warn_user

Result = TypeVar("Result")

_STORE = "store.lmdb"
_ENTRIES, _ORDER = b"entries", b"order"
# Pages that a transaction frees are used again by later ones only, so transactions are small
# and the map is larger than what the entries may fill.
_BYTES_PER_TRANSACTION = 16 * 2**20
_SLACK = 64 * 2**20
_DAMAGE = (
    lmdb.BadChecksumError,
    lmdb.BadDbiError,
    lmdb.CorruptedError,
    lmdb.IncompatibleError,
    lmdb.InvalidError,
    lmdb.NotFoundError,
    lmdb.PageFullError,
    lmdb.PageNotFoundError,
    lmdb.PanicError,
    lmdb.VersionMismatchError,
)

# LMDB must not open one store twice in a process, nor use one across a fork. The lock keeps
# one thread from closing a store that another one reads.
_environments: dict[str, tuple[lmdb.Environment, int]] = {}
_lock = threading.RLock()
# Pages that are read or written, and those around them that the kernel maps at once, count as
# memory of the process until the store is closed.
_mapped: dict[str, int] = {}
_MOST_MAPPED = 64 * 2**20
_MAPPED_AROUND = 128 * 2**10


def _forget() -> None:
    """Start a forked child without the parent's handles."""
    for store, _ in _environments.values():
        store.close()
    _environments.clear()
    _mapped.clear()
    _lock.release()


if hasattr(os, "register_at_fork"):
    # No fork in the middle of a transaction, which the child could never end.
    os.register_at_fork(
        before=lambda: _lock.acquire(),
        after_in_parent=lambda: _lock.release(),
        after_in_child=_forget,
    )


def make_folder(path: str) -> str:
    """Make the folder and, below it, the store's, which only its owner can enter."""
    os.makedirs(path, mode=0o700, exist_ok=True)
    store = os.path.join(path, _STORE)
    os.makedirs(store, mode=0o700, exist_ok=True)
    os.chmod(store, 0o700)  # also where another mode was left behind
    if not os.access(store, os.R_OK | os.W_OK | os.X_OK):
        raise PermissionError(f"{store} is not writable")
    return path


def read(
    path: str, max_bytes: int, names: Sequence[bytes], unpack: Callable[[int, Any], Result]
) -> list[Result | None]:
    """Return ``unpack(position, entry)`` of every entry; None for those that are absent."""

    def work(store: lmdb.Environment) -> list[Result | None]:
        with store.begin(buffers=True) as transaction:
            if not transaction.stat()["entries"]:
                return [None] * len(names)
            entries = store.open_db(_ENTRIES, transaction, create=False)
            values = [transaction.get(name, db=entries) for name in names]
            _count_mapped(path, values)
            return [None if v is None else unpack(i, v) for i, v in enumerate(values)]

    result = _attempt(path, max_bytes, work)
    _unmap(path)
    return [None] * len(names) if result is None else result


def write(path: str, max_bytes: int, entries: Mapping[bytes, bytes]) -> None:
    """Keep entries; the oldest ones make room. A full disk is a warning."""
    batch: dict[bytes, bytes] = {}
    for name, entry in entries.items():
        batch[name] = entry
        if sum(map(len, batch.values())) >= _BYTES_PER_TRANSACTION:
            _attempt(path, max_bytes, _write_work(path, max_bytes, batch))
            batch = {}
    if batch:
        _attempt(path, max_bytes, _write_work(path, max_bytes, batch))
    _unmap(path)


def clear(path: str, max_bytes: int) -> None:
    """Remove all entries."""

    def work(store: lmdb.Environment) -> None:
        with store.begin(write=True) as transaction:
            for name in (_ENTRIES, _ORDER):
                transaction.drop(store.open_db(name, transaction), delete=False)

    _attempt(path, max_bytes, work)


def count(path: str, max_bytes: int) -> int:
    """Return the number of entries."""

    def work(store: lmdb.Environment) -> int:
        with store.begin() as transaction:
            if not transaction.stat()["entries"]:
                return 0
            entries = store.open_db(_ENTRIES, transaction, create=False)
            return int(transaction.stat(entries)["entries"])

    return _attempt(path, max_bytes, work) or 0


def _write_work(
    path: str, max_bytes: int, new: Mapping[bytes, bytes]
) -> Callable[[lmdb.Environment], None]:
    def work(store: lmdb.Environment) -> None:
        with store.begin(write=True) as transaction:
            entries, order = (store.open_db(name, transaction) for name in (_ENTRIES, _ORDER))
            _count_mapped(path, new.values())
            for name, entry in new.items():
                if len(entry) > max_bytes:
                    continue
                # A damaged entry may be there; in the order of arrival it counts once.
                if not transaction.delete(name, db=entries):
                    _append(transaction, order, name)
                _make_room(transaction, entries, order, max_bytes - len(entry))
                transaction.put(name, entry, db=entries)

    return work


def _count_mapped(path: str, entries: Iterable[Any]) -> None:
    sizes = [len(entry) + _MAPPED_AROUND for entry in entries if entry is not None]
    _mapped[path] = _mapped.get(path, 0) + sum(sizes)


def _unmap(path: str) -> None:
    """Close a store of which much is mapped; the next transaction opens it again."""
    with _lock:
        if _mapped.get(path, 0) > _MOST_MAPPED:
            _close(path)


def _append(transaction: lmdb.Transaction, order: Any, name: bytes) -> None:
    cursor = transaction.cursor(order)
    place = int.from_bytes(cursor.key(), "big") + 1 if cursor.last() else 0
    transaction.put(place.to_bytes(9, "big"), name, db=order)


def _make_room(transaction: lmdb.Transaction, entries: Any, order: Any, limit: int) -> None:
    """Delete the oldest entries until all of them take at most `limit` bytes."""
    cursor = transaction.cursor(order)
    while transaction.stat(entries)["entries"] and _used(transaction, entries) > limit:
        if not cursor.first():
            # The order of arrival was lost: nothing says which entries are old.
            transaction.drop(entries, delete=False)
            return
        transaction.delete(cursor.value(), db=entries)
        cursor.delete()


def _used(transaction: lmdb.Transaction, entries: Any) -> int:
    stat = transaction.stat(entries)
    pages = stat["overflow_pages"] + stat["leaf_pages"] + stat["branch_pages"]
    return int(pages * stat["psize"])


def _attempt(
    path: str, max_bytes: int, work: Callable[[lmdb.Environment], Result]
) -> Result | None:
    """Do some work on a store, rebuilding it where it is damaged; None if that fails."""
    for _ in range(3):
        try:
            with _lock:
                return work(_environment(path, max_bytes))
        except lmdb.MapResizedError:  # another process works with a larger store
            with _lock:
                _environment(path, max_bytes).set_mapsize(0)
        except _DAMAGE:
            _rebuild(path, max_bytes)
        except (lmdb.Error, OSError) as error:
            once = ("cache", path, str(error))
            warn_user(f"The cache in {path} is not used: {error}", once=once)
            return None
    return None


def _environment(path: str, max_bytes: int) -> lmdb.Environment:
    """Return this process's handle of a store, opened anew if its file was replaced."""
    if path in _environments:
        store, inode = _environments[path]
        if _file(path).st_ino == inode:
            _check_length(store, path)
            return store
        _close(path)
    store = _open(path, max_bytes)
    _environments[path] = (store, _file(path).st_ino)
    _check_length(store, path)
    return store


def _open(path: str, max_bytes: int) -> lmdb.Environment:
    make_folder(path)
    store = lmdb.open(
        os.path.join(path, _STORE),
        map_size=max_bytes + max_bytes // 4 + _SLACK,
        max_dbs=2,
        mode=0o600,
        metasync=False,  # a crash of the system may lose the last entries, not the store
        readahead=False,
        max_readers=512,
    )
    store.reader_check()  # forget readers that were killed: they keep pages from being used
    return store


def _close(path: str) -> None:
    store, _ = _environments.pop(path, (None, 0))
    _mapped.pop(path, None)
    if store is not None:
        store.close()


def _file(path: str) -> os.stat_result:
    try:
        return os.stat(os.path.join(path, _STORE, "data.mdb"))
    except FileNotFoundError:
        return os.stat_result([0] * 10)


def _check_length(store: lmdb.Environment, path: str) -> None:
    # Reading a page behind the end of a cut file would kill the process (SIGBUS).
    if (store.info()["last_pgno"] + 1) * store.stat()["psize"] > _file(path).st_size:
        raise lmdb.CorruptedError("the file is cut")


def _rebuild(path: str, max_bytes: int) -> None:
    """Start a damaged store anew, unless another process has done so already."""
    with _lock, _between_processes(path):
        damaged = _file(path).st_ino
        _close(path)
        with contextlib.suppress(*_DAMAGE):
            _environment(path, max_bytes)
            if _file(path).st_ino != damaged:
                return
        _close(path)
        if os.path.isdir(os.path.join(path, _STORE)):
            aside = tempfile.mkdtemp(prefix="damaged-", dir=path)
            os.rename(os.path.join(path, _STORE), os.path.join(aside, _STORE))
            shutil.rmtree(aside, ignore_errors=True)
        make_folder(path)
    warn_user(f"The cache in {path} was damaged; it is started anew.")


@contextlib.contextmanager
def _between_processes(path: str) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # Windows refuses to rename a store that another process has open
        yield
        return
    with open(os.path.join(path, "rebuild.lock"), "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
