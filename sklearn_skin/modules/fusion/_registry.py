"""Fusion operators by name."""

from importlib import import_module
from inspect import signature
from typing import Any

from sklearn_skin.modules.fusion import OPERATORS
from sklearn_skin.modules.fusion._operator import FusionOperator
from sklearn_skin.utils import did_you_mean


def load_operators(table: dict[str, tuple[str, str]]) -> dict[str, type[FusionOperator]]:
    """Import the operators of a table: name -> file of this package and class."""
    return {
        name: getattr(import_module(f"{__package__}.{module}"), operator)
        for name, (module, operator) in table.items()
    }


FUSIONS = load_operators(OPERATORS)


def find_fusion(name: str) -> type[FusionOperator]:
    """Return the class of an operator, or raise a ValueError that lists the known names."""
    if name not in FUSIONS:
        hint = did_you_mean(str(name), FUSIONS)
        raise ValueError(f"`fusion` must be one of {list(FUSIONS)}; got {name!r}{hint}")
    return FUSIONS[name]


def make_fusion(name: str, image_dim: int, metadata_dim: int, **options: Any) -> FusionOperator:
    """Make a fusion operator by name.

    Parameters
    ----------
    name : str
        One of `FUSIONS`.
    image_dim : int
        Length of the image's feature vector, or channels of its map.
    metadata_dim : int
        Length of the metadata feature, or number of raw metadata features, as the operator's
        attribute `metadata` says.
    **options
        The operator's own parameters.

    Returns
    -------
    fusion : FusionOperator
        With ``forward(image, metadata) -> z`` of shape (n, ``out_features``).

    Raises
    ------
    ValueError
        If the name is unknown, or the operator has no such option.
    TypeError
        If an option has a value of another type than the operator takes.

    Examples
    --------
    >>> from sklearn_skin.modules.fusion import make_fusion
    >>> make_fusion("concat", 512, 256).out_features
    768
    >>> make_fusion("nonsense", 512, 256)
    Traceback (most recent call last):
        ...
    ValueError: `fusion` must be one of ['concat', ...]; got 'nonsense'.
    """
    make: Any = find_fusion(name)  # the constructors' options differ
    known = list(signature(make).parameters)[2:]
    for option in options:
        if option not in known:
            hint = did_you_mean(option, known)
            raise ValueError(
                f"`fusion_options`: {name!r} has no option {option!r}, only {known}{hint}"
            )
    try:
        operator: FusionOperator = make(image_dim, metadata_dim, **options)
    except TypeError as error:
        raise TypeError(
            f"`fusion_options`: {name!r} cannot be made with {options}: {error}"
        ) from error
    return operator
