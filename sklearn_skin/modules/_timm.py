"""The one place where timm is imported; importing this module makes torchvision importable.

Pickles name the classes of this package before those of timm that are in them, so a fitted network
can be read in a process that has made none.

timm needs torchvision's Python parts only. The torchvision wheel of the package registry is
built for CUDA; beside a CPU build of torch its compiled library does not load, and importing
it then fails with ``operator torchvision::nms does not exist``, because it registers shape
functions for operators that nobody declared. Declaring them first cures that. Operators such
as ``torchvision.ops.nms`` and ``torchvision.io`` stay unusable there; nothing here needs them.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
# torch drops an operator when the library object that declared it is collected.
_LIBRARIES: list[torch.library.Library] = []


def _compiled_library_loads(folder: Path) -> bool:
    """Tell whether torchvision's compiled operators fit the installed torch."""
    for path in (*sorted(folder.glob("_C*.so")), *sorted(folder.glob("_C*.pyd"))):
        try:
            torch.ops.load_library(str(path))
        except (ImportError, OSError):
            continue
        return True
    return False


def prepare_torchvision() -> None:
    """Make ``import torchvision`` work beside a torch that its library was not built for.

    Does nothing where torchvision is absent, already imported, or complete.

    Examples
    --------
    >>> from sklearn_skin.modules._timm import prepare_torchvision
    >>> prepare_torchvision()
    >>> import torchvision
    """
    if "torchvision" in sys.modules or _LIBRARIES:
        return
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return
    if _compiled_library_loads(Path(spec.submodule_search_locations[0])):
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        library.define(schema)
    _LIBRARIES.append(library)


prepare_torchvision()


def import_timm() -> ModuleType:
    """Import timm, which takes a second: only when a network is made.

    Returns
    -------
    timm : module

    Examples
    --------
    >>> from sklearn_skin.modules._timm import import_timm
    >>> import_timm().__name__
    'timm'
    """
    return importlib.import_module("timm")
