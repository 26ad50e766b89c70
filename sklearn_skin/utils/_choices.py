"""Options that have a few possible values."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

# What other libraries call the same, where no letters tell.
_COMMON_NAMES = {
    "acc": "accuracy",
    "bacc": "balanced_accuracy",
    "epochs": "max_epochs",
    "eta": "lr",
    "learning_rate": "lr",
    "n_epochs": "max_epochs",
    "num_epochs": "max_epochs",
    "pretrained": "weights",
    "seed": "random_state",
    "weight_decay": "optimizer",
}


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
    nearest = _nearest(word, sorted(known))
    return f"; did you mean {nearest!r}?" if nearest else "."


def _nearest(word: str, known: list[str]) -> str | None:
    """Return what a nested parameter's last part, or else the whole of it, may stand for."""
    inner = [name for name in known if name.endswith(f"__{word}")]
    if inner:
        return min(inner, key=len)
    start, cut, last = word.rpartition("__")
    beside = {
        name.removeprefix(start + cut): name for name in known if name.startswith(start + cut)
    }
    if _COMMON_NAMES.get(last) in beside:
        return beside[_COMMON_NAMES[last]]
    longer = [name for name in beside if len(last) >= 3 and last in name]
    if longer:
        return beside[min(longer, key=lambda name: (not name.startswith(last), len(name)))]
    close = get_close_matches(last, beside, n=1, cutoff=0.7)
    if close:
        return beside[close[0]]
    return next(iter(get_close_matches(word, known, n=1, cutoff=0.8)), None)
