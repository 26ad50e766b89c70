"""Fixtures that several test packages share."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def _unpack(script, name, cache):
    """Unpack one set beside the cache and move it in, so that nobody sees half of it."""
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as place:
        subprocess.run([sys.executable, script, place, name], check=True, capture_output=True)
        try:
            (Path(place) / name).rename(cache / name)
        except OSError:
            if not (cache / name / ".complete").exists():
                raise


@pytest.fixture(scope="session")
def real_data():
    """Return a function: name of a data set -> its folder; skips the test where it is not there.

    The environment variable SKLEARN_SKIN_DATA names a folder that holds the data sets, or
    archives with an `unpack.py`; these are unpacked once into a folder of the user's own.
    """
    source = Path(os.environ.get("SKLEARN_SKIN_DATA", REPOSITORY.parent / "shared" / "data"))
    owner = os.getuid() if hasattr(os, "getuid") else "user"
    cache = Path(tempfile.gettempdir()) / f"sklearn_skin_data_{owner}"

    def find(name):
        if (source / name).is_dir():
            return source / name
        if not (source / "unpack.py").is_file():
            pytest.skip(f"no real data in {source}; see SKLEARN_SKIN_DATA")
        if not (cache / name / ".complete").exists():
            _unpack(source / "unpack.py", name, cache)
        return cache / name

    return find


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files that are decoded."""
    from sklearn_skin.image import _reader

    names = []
    decode = _reader.decode

    def watch(data, name, *args):
        names.append(name)
        return decode(data, name, *args)

    monkeypatch.setattr(_reader, "decode", watch)
    return names
