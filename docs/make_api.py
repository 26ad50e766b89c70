"""The reference: every public name, package by package, from the packages' `__all__`."""

import importlib
import inspect
import pkgutil
from pathlib import Path

import sklearn_skin

TARGET = Path(__file__).parent / "api.rst"
HEAD = """API reference
=============

Every public name, by package: ``from sklearn_skin.neural_network import ImageClassifier`` and the
like. Importing a package loads nothing heavy until a name is used.
"""


def find_packages():
    """Return the names of the public packages and plain modules, sub-packages included."""
    found = []
    for name in sklearn_skin.__all__:
        module = importlib.import_module(f"sklearn_skin.{name}")
        inner = [m for m in pkgutil.iter_modules(getattr(module, "__path__", ())) if m.ispkg]
        found += [name, *(f"{name}.{m.name}" for m in inner if not m.name.startswith("_"))]
    return found


def public_objects(package):
    """Return name -> value of what users import from a package; its own modules are left out."""
    module = importlib.import_module(f"sklearn_skin.{package}")
    values = {name: getattr(module, name) for name in module.__all__}
    return {name: value for name, value in values.items() if not inspect.ismodule(value)}


def describe_value(name, value):
    """Return the entry of a value that is neither a class nor a function."""
    keys = ", ".join(f"``{key!r}``" for key in value) if isinstance(value, dict) else ""
    text = f"With the keys {keys}." if keys else f"``{value!r}``"
    return ["", f".. py:data:: {name}", "", f"    {text}"]


def make_page():
    """Return the page."""
    lines = [HEAD]
    for package in find_packages():
        module = importlib.import_module(f"sklearn_skin.{package}")
        title = module.__name__
        lines += [title, "-" * len(title), "", inspect.getdoc(module).split("\n\n")[0], ""]
        lines += [f".. currentmodule:: {title}", "", ".. autosummary::", "    :toctree: generated/"]
        objects = public_objects(package)
        values = [n for n, v in objects.items() if not (inspect.isclass(v) or inspect.isroutine(v))]
        lines += ["", *(f"    {name}" for name in objects if name not in values)]
        for name in values:
            lines += describe_value(name, objects[name])
        lines.append("")
    return "\n".join(lines)
