"""Package attributes that are imported on first use, so that importing a package is cheap."""

import importlib
import sys


def attach(package, submodules):
    """Return `__getattr__`, `__dir__` and `__all__` for a package's `__init__`.

    Parameters
    ----------
    package : str
        The package's `__name__`.
    submodules : dict of str to list of str
        Module below the package -> the public names that it defines. An empty list makes
        the module itself the public name. A leading dot means beside the package.

    Returns
    -------
    getattr, dir : callable
        Module-level functions of PEP 562.
    names : list of str
        The public names, sorted.

    Examples
    --------
    >>> from sklearn_skin._lazy import attach
    >>> attach("sklearn_skin", {"image": []})[2]
    ['image']
    """
    origin = {name: module for module, names in submodules.items() for name in names or [module]}
    modules = {module for module, names in submodules.items() if not names}
    names = sorted(origin)

    def __getattr__(name):
        if name not in origin:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(f".{origin[name]}", package)
        value = module if name in modules else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    def __dir__():
        return names

    return __getattr__, __dir__, names
