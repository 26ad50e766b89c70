"""Estimators without networks to bytes and back, by skops: nothing is pickled.

Nothing here imports torch, so that a transformer can be read where there is none.
"""

import copy
import importlib
import io
import json
import types
from os import PathLike, fspath
from zipfile import ZipFile

from joblib import Memory
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import MetadataRequest

from sklearn_skin.exceptions import ModelFileError
from sklearn_skin.persistence._archive import check_stored
from sklearn_skin.persistence._compiled import as_arrays, check_compiled
from sklearn_skin.persistence._tree import rewrite
from sklearn_skin.persistence._trusted import TRUSTED

_KEYS = (str, int)  # which skops writes and reads as they are
# Packages whose objects, and those of classes made from theirs, only pickle could hold.
_NO_DATA = {"joblib", "pandas", "skorch", "torch"}
# Folders of the machine that trained: no other has them, and no file may choose where to write.
_PLACES = {"cache_dir": "auto", "checkpoint_dir": None, "memory": None}


class SavedRequests:
    """What a `MetadataRequest` asks for: it holds its owner, and skops follows no circles."""

    def __init__(self, requests):
        self.requests = requests


class Pairs:
    """A dict with keys that are neither texts nor whole numbers."""

    def __init__(self, keys, values):
        self.keys = keys
        self.values = values


def dump_part(estimator):
    """Return an estimator without networks as bytes.

    Parameters
    ----------
    estimator : object
        A transformer, a scikit-learn classifier, a `LabelCodec`, or a dict or list of such,
        fitted or not.

    Returns
    -------
    data : bytes
        A skops file.

    Raises
    ------
    TypeError
        If it holds something that cannot be saved as data; the message names the parameter.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_skin.persistence._parts import dump_part, load_part
    >>> scaler = StandardScaler().fit(np.arange(4.0)[:, None])
    >>> load_part(dump_part(scaler)).mean_
    array([1.5])
    """
    import skops.io
    from skops.io.exceptions import UnsupportedTypeException

    try:
        return skops.io.dumps(rewrite(estimator, _as_data))
    except (UnsupportedTypeException, RecursionError) as error:
        raise TypeError(f"{type(estimator).__name__} cannot be saved: {error}") from error


def load_part(data, trusted=()):
    """Return the estimator that `dump_part` wrote.

    Parameters
    ----------
    data : bytes
        What `dump_part` returned.
    trusted : sequence of str or type, default=()
        Further types and functions that the file may name, such as ``"my_package.MyScaler"``.

    Returns
    -------
    estimator : object

    Raises
    ------
    ModelFileError
        If the bytes are no such file, or name a type that is not trusted; nothing of it has been
        made then.
    """
    import skops.io

    known = [*TRUSTED, *map(type_name, trusted)]
    try:
        _check_sizes(data)
        unknown = sorted({*skops.io.get_untrusted_types(data=data)} - {*known})
        part = None if unknown else skops.io.loads(data, trusted=known)
    except ModelFileError:
        raise
    # What is in the file decides what fails in skops.
    except Exception as error:
        raise ModelFileError(
            f"the part is damaged, or of another version of skops: {type(error).__name__}: {error}"
        ) from error
    if unknown:
        raise ModelFileError(
            f"the file names types that are not trusted: {unknown}. Where you know them, and who "
            f"made the file, pass trusted={unknown}."
        )
    return rewrite(part, _as_objects)


def _check_sizes(data):
    """Refuse a skops file that would take far more memory than its bytes."""
    with ZipFile(io.BytesIO(data)) as archive:
        check_stored(archive, len(data))
        left, readers = [json.loads(archive.read("schema.json"))], {}
    while left:
        node = left.pop()
        if isinstance(node, dict):
            if isinstance(node.get("file"), str):
                readers.setdefault(node["file"], set()).add(node.get("__id__"))
            left += node.values()
        elif isinstance(node, list):
            left += node
    # skops reads a member once for each node that names it.
    if any(len(ids) > 1 for ids in readers.values()):
        raise ModelFileError("it reads one array under several names.")


def type_name(named):
    """Return the name by which a file tells of a type or a function."""
    return named if isinstance(named, str) else f"{named.__module__}.{named.__qualname__}"


def _as_data(value, path):
    """Return what skops can write in the place of what it cannot."""
    if isinstance(value, MetadataRequest):
        requests = {m: dict(of.requests) for m, of in vars(value).items() if m != "owner"}
        return SavedRequests({method: found for method, found in requests.items() if found})
    if isinstance(value, PathLike):
        return fspath(value)
    if type(value) is dict and not all(type(key) in _KEYS for key in value):
        return Pairs(list(value), list(value.values()))
    _check_savable(value, path)
    return as_arrays(_without_places(value))


def _as_objects(value, path):
    """Undo `_as_data`."""
    if isinstance(value, Pairs):
        return dict(zip(value.keys, value.values))
    if isinstance(value, BaseEstimator):
        saved = vars(value).get("_metadata_request")
        if isinstance(saved, SavedRequests):
            value._metadata_request = _as_request(value, saved.requests)
        check_compiled(value)
    return _without_places(value)


def _without_places(value):
    """Return an estimator without the folders that it was told to use."""
    own = vars(value) if isinstance(value, BaseEstimator) else {}
    named = {n for n in _PLACES.keys() & own if isinstance(own[n], str | PathLike | Memory)}
    changed = {name: _PLACES[name] for name in named if own[name] != _PLACES[name]}
    if changed:
        value = copy.copy(value)
        vars(value).update(changed)
    return value


def _as_request(owner, saved):
    request = MetadataRequest(owner=owner)
    for method, requests in saved.items():
        for param, alias in requests.items():
            getattr(request, method).add_request(param=param, alias=alias)
    return request


def _check_savable(value, path):
    where = _describe(path)
    if isinstance(value, types.FunctionType | types.MethodType):
        if not _is_importable(value):
            raise TypeError(
                f"{where} is {value!r}, which no import finds, so a file cannot name it: write it "
                "as a function of a module, or set it to None before saving."
            )
    elif {c.__module__.partition(".")[0] for c in type(value).__mro__} & _NO_DATA:
        raise TypeError(
            f"{where} is a {type(value).__name__}, which cannot be saved without pickle; set it "
            "to None before saving."
        )


def _describe(path):
    """Name the parameter or attribute that a path leads to, and the path where it is longer."""
    names = [name for name in path if not name.isdigit()]
    if not names:
        return "the object"
    return f"`{names[-1]}`" + (f" (at {'.'.join(path)})" if len(path) > 1 else "")


def _is_importable(function):
    name = getattr(function, "__qualname__", "")
    if function.__module__ in (None, "__main__") or not name.isidentifier():
        return False
    return getattr(importlib.import_module(function.__module__), name, None) is function
