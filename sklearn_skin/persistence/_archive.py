"""One file of named parts that is read whole or not at all.

It is a zip in which nothing is compressed, so that nothing can grow when it is read. Its comment
ends with the SHA-256 of the file, in which these last digits count as zeros.
"""

import hashlib
import json
import os
import re
import stat
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from sklearn_skin.exceptions import ModelFileError
from sklearn_skin.utils import replacing

_MARK = b"sklearn_skin model, sha256 "
_NO_DIGEST = b"0" * 64
_NAME = re.compile(r"[a-z0-9]+(/[a-z0-9]+)?\.(json|onnx|skops|safetensors)")
_CHUNK = 2**20


def write_archive(path, parts):
    """Write named parts into a file that appears whole or not at all.

    Parameters
    ----------
    path : path-like
        File to make or replace.
    parts : dict of str to bytes
        By name.
    """
    with replacing(path) as file:
        hashed = _Hashed(file)
        with ZipFile(hashed, "w", ZIP_STORED) as archive:
            archive.comment = _MARK + _NO_DIGEST
            for name, data in parts.items():
                # Without a time, equal models are equal files as far as their parts are.
                archive.writestr(ZipInfo(name), data)
        file.seek(-len(_NO_DIGEST), os.SEEK_END)
        file.write(hashed.digest.hexdigest().encode())


class _Hashed:
    """A file that is written in order, and hashed on the way."""

    def __init__(self, file):
        self.file = file
        self.digest = hashlib.sha256()

    def write(self, data):
        self.digest.update(data)
        return self.file.write(data)

    def flush(self):
        self.file.flush()


@contextmanager
def open_archive(path):
    """Open a file that `write_archive` made, after every byte of it was found as it was written.

    Parameters
    ----------
    path : path-like
        File to read.

    Yields
    ------
    archive : Archive

    Raises
    ------
    FileNotFoundError
        If there is none.
    ModelFileError
        If it is no such file, or not as it was written.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no model file '{path}'.")
    # A pipe would be waited for, a device never ends.
    if not path.is_file():
        raise ModelFileError(f"'{path}' is not a file.")
    with open(path, "rb") as file:
        _check_digest(file, path)
        with _explained(path), ZipFile(file) as archive:
            _check_members(archive, file, path)
            yield Archive(archive, path)


class Archive:
    """The parts of an open file."""

    def __init__(self, archive, path):
        self._archive = archive
        self.path = path
        self.names = archive.namelist()

    def read(self, name):
        """Return a part."""
        if name not in self.names:
            raise ModelFileError(f"'{self.path}' has no part {name!r}.")
        return self._archive.read(name)

    def read_json(self, name):
        """Return a part that is a JSON object."""
        found = json.loads(self.read(name))
        if not isinstance(found, dict):
            raise ModelFileError(f"{name!r} of '{self.path}' must be a JSON object.")
        return found


@contextmanager
def _explained(path):
    """Turn whatever a crafted file makes fail into one error that names the file."""
    try:
        yield
    except ModelFileError as error:
        if str(path) in str(error):
            raise
        raise ModelFileError(f"'{path}': {error}") from error
    except Warning:
        raise
    except Exception as error:
        raise ModelFileError(
            f"'{path}' cannot be read as a model: {type(error).__name__}: {error}"
        ) from error


def _check_digest(file, path):
    size, tail = os.fstat(file.fileno()).st_size, len(_MARK) + len(_NO_DIGEST)
    file.seek(max(size - tail, 0))
    mark, stated = file.read(len(_MARK)), file.read()
    if mark != _MARK or len(stated) != len(_NO_DIGEST):
        file.seek(0)
        kind = _kind_of(file.read(4))
        raise ModelFileError(
            f"'{path}' is no complete file of `save_model` or `export_onnx`{kind}."
        )
    digest, left = hashlib.sha256(), size - len(_NO_DIGEST)
    file.seek(0)
    while left > 0 and (chunk := file.read(min(left, _CHUNK))):
        digest.update(chunk)
        left -= len(chunk)
    digest.update(_NO_DIGEST)
    if digest.hexdigest().encode() != stated:
        raise ModelFileError(
            f"'{path}' is not as it was written: its SHA-256 differs from the one at its end. "
            "Nothing of it was used; copy it again from where it was made."
        )


def _kind_of(start):
    if start.startswith(b"\x80"):
        return "; it looks like a pickle (joblib writes them), which is never loaded here"
    return "; it is a zip, but not one of a model" if start.startswith(b"PK") else ""


def _check_members(archive, file, path):
    """Refuse names that lead elsewhere, links, and sizes that are not in the file."""
    for member in archive.infolist():
        kind = stat.S_IFMT(member.external_attr >> 16)
        if not _NAME.fullmatch(member.filename) or kind not in (0, stat.S_IFREG):
            raise ModelFileError(f"it holds {member.filename!r}, which is no part of a model.")
    check_stored(archive, os.fstat(file.fileno()).st_size)


def check_stored(archive, size):
    """Refuse a zip whose members could take more memory than its bytes.

    Parameters
    ----------
    archive : ZipFile
        Open for reading.
    size : int
        Its bytes.

    Raises
    ------
    ModelFileError
        If a member is compressed, is there twice, or if all are larger than the zip.
    """
    members = archive.infolist()
    for member in members:
        if member.compress_type != ZIP_STORED or member.file_size != member.compress_size:
            raise ModelFileError(f"it holds {member.filename!r} compressed, as no model does.")
    if len({member.filename for member in members}) < len(members):
        raise ModelFileError("it holds a part twice.")
    if sum(member.file_size for member in members) > size:
        raise ModelFileError("it declares parts that are larger than itself.")
