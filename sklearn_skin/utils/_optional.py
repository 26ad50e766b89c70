"""Packages that only some features need."""

import importlib


def optional_import(name, extra):
    """Import `name`, or say which extra of this package installs it.

    Parameters
    ----------
    name : str
        Module to import, such as ``"captum.attr"``.
    extra : str
        The extra in ``pip install "sklearn_skin[extra]"``.

    Returns
    -------
    module : module

    Raises
    ------
    ImportError
        If the package is not installed.

    Examples
    --------
    >>> from sklearn_skin.utils import optional_import
    >>> optional_import("json", "explain").__name__
    'json'
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ImportError(
            f'this needs {package}, which is not installed: pip install "sklearn_skin[{extra}]"'
        ) from error
