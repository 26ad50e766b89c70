"""The one file of an exported network: graph, what was learnt beside it, what comes before."""

import json
import os
import zipfile
from typing import Any, NamedTuple

from sklearn_skin.exceptions import ModelFileError
from sklearn_skin.utils import replacing

FORMAT = 1
_ABOUT, _NETWORK, _PREPROCESSING = "about.json", "network.onnx", "preprocessing.skops"


class ExportedModel(NamedTuple):
    """Parts of the file.

    Parameters
    ----------
    about : dict
        What JSON holds: the fit, the outputs, the views, and figures of the export.
    network : bytes
        The ONNX graph.
    preprocessing : bytes or None
        The transformers before the network.
    """

    about: dict[str, Any]
    network: bytes
    preprocessing: bytes | None = None


def write_model(model, path):
    """Write the file, whole or not at all."""
    about = json.dumps({"format": FORMAT, **model.about}, indent=1)
    parts = {_ABOUT: about, _NETWORK: model.network, _PREPROCESSING: model.preprocessing}
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            if content is not None:
                # Without the time of day equal models are equal files. Weights do not compress.
                archive.writestr(zipfile.ZipInfo(name), content)


def read_model(path):
    """Return the parts of a file; anything that `write_model` did not write is an error."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_parts(archive, os.fspath(path))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelFileError(
            f"{os.fspath(path)!r} is damaged, or no exported model: {error}"
        ) from error


def _read_parts(archive, path):
    infos = archive.infolist()
    names = sorted(info.filename for info in infos)
    # What is not compressed cannot grow beyond the length of the file.
    stored = all(info.compress_type == zipfile.ZIP_STORED for info in infos)
    if names not in ([_ABOUT, _NETWORK], [_ABOUT, _NETWORK, _PREPROCESSING]) or not stored:
        raise ModelFileError(f"{path!r} is not what export_onnx writes; it holds {names[:5]}.")
    try:
        about = json.loads(archive.read(_ABOUT))
        version = about.pop("format")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ModelFileError(f"{_ABOUT} in {path!r} cannot be read: {error!r}") from error
    if version != FORMAT:
        raise ModelFileError(
            f"{path!r} has format {version!r}; this version of sklearn_skin reads {FORMAT}."
        )
    before = archive.read(_PREPROCESSING) if _PREPROCESSING in names else None
    return ExportedModel(about, archive.read(_NETWORK), before)
