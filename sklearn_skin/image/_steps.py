"""The chain of deterministic corrections that an image column carries."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np


class ImageStep(NamedTuple):
    """One correction asked for: its name in `IMAGE_STEPS` and its parameters.

    Steps are plain values: they compare, hash, print and pickle, and they hold no pixels.

    Parameters
    ----------
    name : str
        Key of `IMAGE_STEPS`.
    params : tuple of (str, value) pairs, default=()
        Keyword arguments of the correction.

    Examples
    --------
    >>> from sklearn_skin.image import ImageStep
    >>> ImageStep("center_crop", (("size", 0.8),)).name
    'center_crop'
    """

    name: str
    params: tuple[tuple[str, Any], ...] = ()


def apply_steps(pixels: np.ndarray, steps: Iterable[ImageStep]) -> np.ndarray:
    """Apply corrections to a picture, in order.

    Parameters
    ----------
    pixels : ndarray of shape (h, w, 3), dtype uint8
        The picture; it is not changed.
    steps : iterable of ImageStep
        The corrections.

    Returns
    -------
    corrected : ndarray of shape (h', w', 3), dtype uint8
        The picture itself where there are no steps.

    Raises
    ------
    ValueError
        If a step is not in `IMAGE_STEPS`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.image import ImageStep, apply_steps
    >>> apply_steps(np.full((4, 4, 3), 9, np.uint8), [ImageStep("gray_world")]).shape
    (4, 4, 3)
    """
    steps = tuple(steps)
    if not steps:
        return pixels
    # Imported here: columns without corrections need none of the corrections' packages.
    from sklearn_skin.image._corrections import IMAGE_STEPS

    for name, params in steps:
        if name not in IMAGE_STEPS:
            raise ValueError(f"`name` must be one of {sorted(IMAGE_STEPS)}; got {name!r}.")
        pixels = IMAGE_STEPS[name](pixels, **dict(params))
    return pixels
