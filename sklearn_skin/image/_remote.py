"""Image files in object storage, by fsspec: what their state is, and their bytes."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from sklearn_skin.exceptions import ImageDecodeError
from sklearn_skin.image._decoding import MAX_PIXELS
from sklearn_skin.image._urls import protocol_of, redact_urls
from sklearn_skin.utils import optional_import

# The user's configuration decides to which machine these lead; others name it in the address.
PROTOCOLS = ("abfs", "az", "gcs", "gs", "memory", "s3", "s3a")
VARIABLE = "SKLEARN_SKIN_PROTOCOLS"
# No picture of so many pixels takes more, uncompressed and with transparency.
MAX_BYTES = 4 * MAX_PIXELS

_HTTP = ("http", "https")
_AT_ONCE = 32
# The clock of Last-Modified ticks once a second.
_SETTLED_SECONDS = 2
_REASONS = {
    400: "the request is refused",
    401: "access is denied",
    403: "access is denied",
    404: "there is no such file",
    410: "there is no such file",
}


class RemoteFile(NamedTuple):
    """What a server says of a file: its size, and what tells whether it has changed, or None."""

    size: int
    state: tuple[Any, ...] | None


def stat_urls(urls: Sequence[str]) -> list[RemoteFile | ImageDecodeError]:
    """Return what the servers say of some files, or why they do not; many are asked at once.

    Parameters
    ----------
    urls : sequence of str
        Addresses.

    Returns
    -------
    files : list of RemoteFile or ImageDecodeError
        In the order of `urls`.

    Raises
    ------
    ImportError
        If fsspec, or the package that it needs for a protocol, is not installed.
    """
    return _on_each(_stat, urls, [()] * len(urls))


def read_urls(
    urls: Sequence[str], files: Sequence[RemoteFile | ImageDecodeError] | None = None
) -> list[bytes | ImageDecodeError]:
    """Return the bytes of some files, or why there are none; many are read at once.

    Parameters
    ----------
    urls : sequence of str
        Addresses.
    files : sequence of RemoteFile or ImageDecodeError, default=None
        What `stat_urls` has returned for them; None asks now.

    Returns
    -------
    data : list of bytes or ImageDecodeError
        In the order of `urls`.

    Raises
    ------
    ImportError
        As in `stat_urls`.
    """
    files = stat_urls(urls) if files is None else files
    return _on_each(_read, urls, [(found,) for found in files])


def _on_each(function: Callable, urls: Sequence[str], further: Sequence[tuple]) -> list[Any]:
    """Return the function's result for every address, or the error that it met."""
    # Made here and not in the threads: fsspec keeps one per thread of some of them.
    systems = {name: _file_system(name) for name in {protocol_of(u) for u in urls if allowed(u)}}

    def attempt(url: str, args: tuple) -> Any:
        try:
            if not allowed(url):
                raise ImageDecodeError(_refusal(url))
            return function(systems[protocol_of(url)], url, *args)
        except ImageDecodeError as error:
            return error
        except Exception as error:  # every protocol has errors of its own
            return _explained(url, error)

    # What waits for its turn in a loop of its own is made for threads.
    if len(urls) < 2 or not all(system.async_impl for system in systems.values()):
        return [attempt(url, args) for url, args in zip(urls, further)]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(attempt, urls, further))


def allowed(url: str) -> bool:
    """Whether images may come from an address."""
    protocol, _, place = url.partition("://")
    for entry in _allow_list():
        name, _, start = entry.partition("://")
        start = start.rstrip("/")
        if name.lower() == protocol.lower() and (not start or f"{place}/".startswith(f"{start}/")):
            return True
    return False


def _allow_list() -> Sequence[str]:
    given = os.environ.get(VARIABLE)
    return PROTOCOLS if given is None else [part.strip() for part in given.split(",")]


def _refusal(url: str) -> str:
    names = ", ".join(name for name in _allow_list() if name) or "nothing"
    return (
        f"{redact_urls(url)} is not fetched: {names} is what images may come from. The environment "
        f"variable {VARIABLE} says otherwise, such as 's3,https://images.example.org'."
    )


def _file_system(protocol: str) -> Any:
    # A listing that is kept would hide that a file has changed. Where a server that is allowed
    # sends us on, nobody has allowed.
    options = {"allow_redirects": False} if protocol in _HTTP else {}
    fsspec = optional_import("fsspec", "remote")
    return fsspec.filesystem(protocol, use_listings_cache=False, **options)


def _stat(system: Any, url: str) -> RemoteFile:
    info = system.info(url)
    if info.get("type") == "directory":
        raise ImageDecodeError(f"{redact_urls(url)} cannot be read: it is a folder.")
    size = info.get("size")
    if size is None:
        raise ImageDecodeError(f"{redact_urls(url)} cannot be read: its server hides the size.")
    if size > MAX_BYTES:
        raise ImageDecodeError(
            f"{redact_urls(url)} is not fetched: {size} bytes are more than {MAX_BYTES}."
        )
    return RemoteFile(int(size), _state({str(key).lower(): info[key] for key in info}))


def _state(info: dict[str, Any]) -> tuple[Any, ...] | None:
    """Return what tells one version of a file from the next; None where nothing is sure to."""
    tag, dated = str(info.get("etag") or ""), info.get("last-modified")
    # A weak tag may stay when bytes change.
    if not tag or tag.startswith("W/"):
        return None
    # Servers make the tag of this time and the size, which may both stay within its tick.
    if dated and time.time() - parsedate_to_datetime(dated).timestamp() < _SETTLED_SECONDS:
        return None
    return tag, str(dated or info.get("lastmodified") or "")


def _read(system: Any, url: str, found: RemoteFile | ImageDecodeError) -> bytes:
    if isinstance(found, ImageDecodeError):
        raise found
    if found.size == 0:
        raise ImageDecodeError(f"{redact_urls(url)} is empty.")
    # With an end, a file that has grown is no surprise; s3fs would ask for its size again.
    data = bytes(system.cat_file(url, start=0, end=found.size))
    if len(data) != found.size:
        raise ImageDecodeError(
            f"{redact_urls(url)} changed while it was read: {len(data)} of {found.size} bytes."
        )
    return data


def _explained(url: str, error: Exception) -> ImageDecodeError:
    cause: BaseException = error
    # What fsspec cannot find over HTTP may be anything; the cause says what.
    if protocol_of(url) in _HTTP and error.__cause__ is not None:
        cause = error.__cause__
    reason = _REASONS.get(getattr(cause, "status", None) or 0)
    if isinstance(cause, TimeoutError):
        reason = "the server took too long"
    elif isinstance(cause, PermissionError):
        reason = "access is denied"
    elif isinstance(cause, FileNotFoundError):
        reason = "there is no such file"
    reason = reason or f"{type(cause).__name__}: {redact_urls(str(cause))}"
    # The error itself is left out: it may hold the whole address.
    return ImageDecodeError(f"{redact_urls(url)} cannot be read: {reason}.")
