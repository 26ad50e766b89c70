"""Parameters as a reader wants to see them: those that somebody chose, as plain values."""

import inspect
import math
import os
from os import PathLike, fspath

import numpy as np

# Folders, which are the machine's and not the model's.
_LEFT_OUT = {"cache_dir", "checkpoint_dir", "memory", "verbose", "n_jobs", "num_workers"}


def describe_recipe(estimator):
    """Return the parameters that are not at their default, and the seeds, by name.

    Parameters
    ----------
    estimator : estimator
        Its parts' parameters are named as in `get_params`.

    Returns
    -------
    recipe, seeds : dict of str to object
    """
    parts = {f"{n}__": v for n, v in estimator.get_params().items() if hasattr(v, "get_params")}
    chosen = {}
    for prefix, part in {"": estimator, **parts}.items():
        if isinstance(part, type):
            continue
        defaults = inspect.signature(type(part).__init__).parameters
        for name, value in part.get_params(deep=False).items():
            default = defaults[name].default if name in defaults else inspect.Parameter.empty
            if name not in _LEFT_OUT and not _holds_parts(value) and repr(default) != repr(value):
                chosen[prefix + name] = _readable(value)
    seeds = {name: value for name, value in chosen.items() if name.endswith("random_state")}
    return {name: value for name, value in chosen.items() if name not in seeds}, seeds


def as_plain(value, name):
    """Return what JSON can hold; anything else is an error that names the argument."""
    if isinstance(value, dict):
        return {str(key): as_plain(item, name) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [as_plain(item, name) for item in value]
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"`{name}` must hold numbers, texts, lists and dicts; got {value!r}.")


def _holds_parts(value):
    """Whether a parameter is an estimator, or a list of named ones, whose own are listed."""
    if isinstance(value, list | tuple):
        return any(_holds_parts(item) for item in value)
    return hasattr(value, "get_params")


def _readable(value):
    if isinstance(value, str | PathLike):
        # A name tells enough; a path tells of a machine and its user.
        text = fspath(value)
        return os.path.basename(text) if os.path.isabs(text) else text
    if isinstance(value, dict):
        return {str(key): _readable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | np.ndarray):
        return [_readable(item) for item in value]
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    try:
        return as_plain(value, "value")
    except TypeError:
        return type(value).__name__
