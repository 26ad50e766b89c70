"""Addresses of object storage in the place of paths: how they are told, joined and shown."""

import os
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

# A scheme has two characters at least, so that a drive of Windows is none; "zip://a::s3://b" and
# "simplecache::s3://b" are addresses, too, and their protocols are allowed to nobody.
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]+::)*[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_PASSWORD = re.compile(r"(://)[^/\s@]*:[^/\s@]*@")
_QUERY = re.compile(r"(://[^\s?'\"]*\?)[^\s'\"]+")


def is_url(text: str) -> bool:
    """Whether a text is an address, such as ``s3://bucket/a.jpg``, rather than a path."""
    return "://" in text and _URL.match(text) is not None


def protocol_of(url: str) -> str:
    """Return what stands before ``://``, in lower case."""
    return url.partition("://")[0].lower()


def redact_urls(text: str) -> str:
    """Return a text without the passwords and signatures that addresses in it hold.

    Parameters
    ----------
    text : str
        An address, a path or a message.

    Returns
    -------
    shown : str
        The text, where ``***`` stands for a user with a password and for what follows a ``?``.

    Examples
    --------
    >>> from sklearn_skin.image import redact_urls
    >>> redact_urls("https://images.example.org/a.jpg?signature=1234")
    'https://images.example.org/a.jpg?***'
    """
    if "://" not in text:
        return text
    return _QUERY.sub(r"\1***", _PASSWORD.sub(r"\1***@", text))


def as_path_or_url(path: str) -> str:
    """Return a path, also where it is written as file://, or an address without a password."""
    if "://" not in path or not is_url(path):
        return path
    if protocol_of(path) == "file":
        parts = urlsplit(path)
        if parts.netloc not in ("", "localhost"):
            raise ValueError(f"{path!r} names another machine; file:// is for files of this one.")
        return url2pathname(parts.path)
    if _PASSWORD.match(path, path.index("://")):
        raise ValueError(
            f"{redact_urls(path)!r} must not hold a password: tables are stored and passed on. "
            "fsspec takes it from its configuration or the environment."
        )
    return path


def below(root: str | os.PathLike, origins: Iterable[Any]) -> Iterator[Any]:
    """Put relative paths below a root; absolute ones, addresses and pictures stay as they are."""
    root = as_path_or_url(os.fspath(root))
    start = f"{root.rstrip('/')}/" if is_url(root) else os.path.join(root, "")
    for origin in origins:
        # Paths with none of these signs are relative, on any system.
        if isinstance(origin, str) and ":" not in origin and origin[0] not in "/\\":
            origin = start + origin
        elif isinstance(origin, str) and not (is_url(origin) or os.path.isabs(origin)):
            origin = start + origin if is_url(root) else os.path.join(root, origin)
        yield origin
