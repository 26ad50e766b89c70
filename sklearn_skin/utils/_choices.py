"""Options that have a few possible values."""

from collections.abc import Sequence
from typing import Any


def check_choice(value: Any, choices: Sequence[Any], name: str) -> Any:
    """Return a value if it is one of the possible ones.

    Parameters
    ----------
    value : object
        What was given.
    choices : sequence
        What may be given, in the order of the message.
    name : str
        Name of the parameter.

    Returns
    -------
    value : object
        The same.

    Raises
    ------
    ValueError
        If it is none of them.

    Examples
    --------
    >>> from sklearn_skin.utils import check_choice
    >>> check_choice("map", ["map", "pooled"], "layout")
    'map'
    >>> check_choice("flat", ["map", "pooled"], "layout")
    Traceback (most recent call last):
        ...
    ValueError: `layout` must be one of ['map', 'pooled']; got 'flat'.
    """
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {list(choices)}; got {value!r}.")
    return value
