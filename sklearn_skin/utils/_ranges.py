"""What a search may try for a parameter."""

from typing import NamedTuple


class Range(NamedTuple):
    """Numbers in [low, high]; `log` spreads them evenly over orders of magnitude.

    Parameters
    ----------
    low, high : float
        Smallest and largest value.
    log : bool, default=False
        Whether ratios matter, and not differences.

    Examples
    --------
    >>> from sklearn_skin.utils import Range
    >>> Range(1e-5, 1e-2, log=True)
    Range(low=1e-05, high=0.01, log=True)
    """

    low: float
    high: float
    log: bool = False


class Choice(NamedTuple):
    """One of some values.

    Parameters
    ----------
    values : tuple
        What may be chosen.

    Examples
    --------
    >>> from sklearn_skin.utils import Choice
    >>> Choice((16, 32, 64)).values
    (16, 32, 64)
    """

    values: tuple
