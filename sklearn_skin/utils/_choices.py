"""Options that have a few possible values."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
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


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of an error's sentence about a word that is not known.

    Parameters
    ----------
    word : str
        What was given.
    known : iterable of str
        What may be given.

    Returns
    -------
    ending : str

    Examples
    --------
    >>> from sklearn_skin.utils import did_you_mean
    >>> print("no 'epochs'" + did_you_mean("epochs", ["lr", "max_epochs"]))
    no 'epochs'; did you mean 'max_epochs'?
    """
    close = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else "."
