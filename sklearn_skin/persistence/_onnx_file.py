"""The one file of an exported network: graph, what was learnt beside it, what comes before."""

import json
from typing import Any, NamedTuple

from sklearn_skin.exceptions import ModelFileError
from sklearn_skin.persistence._archive import open_archive, write_archive

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
    about = json.dumps({"format": FORMAT, **model.about}, indent=1).encode()
    parts = {_ABOUT: about, _NETWORK: model.network, _PREPROCESSING: model.preprocessing}
    write_archive(path, {name: part for name, part in parts.items() if part is not None})


def read_model(path):
    """Return the parts of a file; anything that `write_model` did not write is an error."""
    with open_archive(path) as archive:
        about = archive.read_json(_ABOUT)
        version = about.pop("format", None)
        if version != FORMAT:
            raise ModelFileError(
                f"it has format {version!r}; this version of sklearn_skin reads {FORMAT}."
            )
        before = archive.read(_PREPROCESSING) if _PREPROCESSING in archive.names else None
        return ExportedModel(about, archive.read(_NETWORK), before)
