"""Warnings that point at the user's line, and are not repeated there."""

import sys
import warnings
from collections.abc import Hashable
from types import CodeType, FrameType

# Packages whose code calls ours, and is not what the user wrote.
_BETWEEN = set(
    "concurrent contextlib functools imblearn joblib optuna pandas sklearn sklearn_skin skorch "
    "torch".split()
)
# Where a worker begins; the user's line is in another process or thread.
_WORKERS = {"multiprocessing", "threading"}

# Python's own memory is lost whenever a library changes the filters for a moment.
_SHOWN: set[tuple[CodeType | None, int, Hashable]] = set()


def warn_user(
    message: str, category: type[Warning] = UserWarning, *, once: Hashable = None
) -> None:
    """Warn, with the nearest line that is neither ours nor of a library that calls us.

    In a worker, which has no line of the user's, the package's name stands for it.

    Parameters
    ----------
    message : str
    category : type, default=UserWarning
    once : hashable, default=None
        Where filters show warnings once per line, Python's default, those with an equal `once`
        are the same one, though their texts differ. In a worker those with an equal text are.

    Examples
    --------
    >>> import warnings
    >>> from sklearn_skin.utils import warn_user
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("default")
    ...     for count in (3, 5):
    ...         warn_user(f"{count} gaps", once="gaps")
    >>> [str(warning.message) for warning in caught]
    ['3 gaps']
    """
    frame = sys._getframe(1)
    while frame.f_back is not None and _package(frame) in _BETWEEN:
        frame = frame.f_back
    module = frame.f_globals.get("__name__", "<unknown>")
    place = frame.f_code.co_filename, frame.f_lineno
    # By the code, since every line of an interactive session is line 1 of the same file.
    key: tuple[CodeType | None, int, Hashable] = frame.f_code, frame.f_lineno, once
    if _package(frame) in _WORKERS:
        # A worker serves one fit after another from the same line.
        module, place, key = "sklearn_skin", ("<sklearn_skin>", 0), (None, 0, message)
    if once is not None and _shown_once(message, category, module, place[1]):
        if key in _SHOWN:
            return
        _SHOWN.add(key)
    warnings.warn_explicit(message, category, *place, module=module)


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).split(".")[0]


def _shown_once(message: str, category: type[Warning], module: str, line: int) -> bool:
    """Whether the filters that are set show a warning only once per line."""
    for action, pattern, kind, place, number in warnings.filters:
        fits = (pattern is None or pattern.match(message)) and issubclass(category, kind)
        if fits and (place is None or place.match(module)) and number in (0, line):
            return action not in ("always", "all", "error")
    return True
