"""What a report of a fault should say about the machine."""

import importlib.metadata
import os
import platform
import re
import sys

import joblib


def show_versions():
    """Print the versions of Python, this package and what it needs, and what torch computes on.

    Paste it into a report of a fault.

    Examples
    --------
    >>> from sklearn_skin.utils import show_versions
    >>> show_versions()
    System:
      python: ...
    """
    import torch

    import sklearn_skin

    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    system = {
        "python": sys.version.replace("\n", " "),
        "executable": sys.executable,
        "machine": platform.platform(),
        "cores": joblib.cpu_count(),
        "torch threads": torch.get_num_threads(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set"),
        "GPU": ", ".join(devices) or "none",
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }
    _show("System", system)
    _show("Python dependencies", {"sklearn_skin": sklearn_skin.__version__} | _versions())


def _versions():
    """Return the versions of all dependencies, the optional ones too."""
    names = [re.split(r"[^\w-]", entry)[0] for entry in importlib.metadata.requires("sklearn_skin")]
    found = {}
    for name in sorted(set(names) - {"sklearn_skin"}, key=str.lower):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _show(title, entries):
    width = max(map(len, entries))
    print(f"{title}:")
    for name, value in entries.items():
        print(f"{name:>{width + 2}}: {value}")
    print()
