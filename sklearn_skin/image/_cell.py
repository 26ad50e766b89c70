"""One cell of an image column: a value that knows where its pixels are."""

import os
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from sklearn_skin.image._origins import (
    IN_MEMORY,
    Origin,
    as_origin,
    is_missing,
    is_picture,
    object_array,
    origin_key,
)
from sklearn_skin.image._steps import ImageStep, apply_steps
from sklearn_skin.image._urls import redact_urls

NO_NUMBERS = (
    "Images are no numbers. Embed them first (sklearn_skin.neural_network.ImageEmbedder), leave "
    "their column out, or repeat whole rows with sklearn_skin.sampling.ClassBalancedSampler."
)


class ImageCell:
    """One image of a column: where it comes from, and the corrections asked for.

    A cell is one value for pandas and NumPy, like a number or a date: it has no length and no
    elements, so it can be assigned, compared, filled in, put in sets and used as a key. It is
    decoded when its pixels are asked for, each time anew, and holds no pixels of files.

    Cells are equal if their paths are equal as text, or their pictures in memory are equal, and
    their corrections are the same. A path never equals a picture, because comparing them would
    read the file. Cells have no order.

    Parameters
    ----------
    origin : path-like, address, ndarray of shape (h, w, 3), (h, w) or (h, w, 4), or PIL image
        Where the pixels come from. Arrays are uint8 in 0..255, and not copied.
    steps : sequence of ImageStep, default=()
        Corrections, in order.

    Attributes
    ----------
    origin : str or ndarray of shape (h, w, 3), dtype uint8
        The path, or the picture in memory, without the corrections.
    steps : tuple of ImageStep
        The corrections.

    Raises
    ------
    TypeError, ValueError
        If `origin` is none of the above.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn_skin.image import ImageCell, as_images
    >>> column = pd.Series(as_images(["a.jpg", None]))
    >>> column.iloc[0], column.iloc[0].path
    (<image a.jpg>, 'a.jpg')
    >>> picture = ImageCell(np.full((4, 6, 3), 200, dtype=np.uint8))
    >>> column.fillna(picture).iloc[1].pixels.shape
    (4, 6, 3)
    """

    __slots__ = ("_origin", "_steps")
    _origin: Origin
    _steps: tuple[ImageStep, ...]

    def __init__(self, origin: Any, steps: Iterable[ImageStep] = ()) -> None:
        self._origin = as_origin(origin)
        self._steps = tuple(ImageStep(*step) for step in steps)

    @classmethod
    def _of(cls, origin: Origin, steps: tuple[ImageStep, ...]) -> Self:
        """Make a cell of what a column holds, without checking it again."""
        self = cls.__new__(cls)
        self._origin, self._steps = origin, steps
        return self

    @property
    def origin(self) -> Origin:
        return self._origin

    @property
    def steps(self) -> tuple[ImageStep, ...]:
        return self._steps

    @property
    def path(self) -> str | None:
        """Path or address of the file; None for a picture in memory."""
        return self._origin if isinstance(self._origin, str) else None

    @property
    def pixels(self) -> np.ndarray:
        """Pixels with the corrections applied, uint8 of shape (h, w, 3), read-only.

        Raises
        ------
        ImageDecodeError
            If the file cannot be read.
        """
        pixels = self._origin
        if isinstance(pixels, str):
            from sklearn_skin.image._decoding import read_image

            pixels = read_image(pixels)
        pixels = apply_steps(pixels, self._steps).view()
        # A picture in memory is the column's own: writing to it would change every copy of the row.
        pixels.flags.writeable = False
        return pixels

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ImageCell):
            return NotImplemented
        return self._steps == other._steps and (
            origin_key(self._origin) == origin_key(other._origin)
        )

    def __hash__(self) -> int:
        return hash((origin_key(self._origin), self._steps))

    def __float__(self) -> float:
        # Also why pandas takes a cell for a scalar: its test is whether float() is defined.
        raise ValueError(f"{NO_NUMBERS} Got {self!r}.")

    def __str__(self) -> str:
        if isinstance(self._origin, str):
            return self._origin
        return f"{IN_MEMORY} {self._origin.shape[1]}x{self._origin.shape[0]}>"

    def __repr__(self) -> str:
        origin = self._origin
        return f"<image {redact_urls(origin)}>" if isinstance(origin, str) else str(self)

    def _repr_png_(self) -> bytes:
        from sklearn_skin.image._display import png, thumbnail

        return png(thumbnail(self, size=256))


def unpack_cells(values: Any) -> tuple[np.ndarray, set[tuple[ImageStep, ...]]]:
    """Return origins of any images, and the chains of corrections that cells among them have."""
    if is_picture(values):
        raise ValueError(
            "Expected a sequence of images; got one picture. Put it in a list: [picture]."
        )
    # Iterating over a table or a dict gives names, which would be taken for paths.
    if isinstance(values, (str, bytes, os.PathLike, pd.DataFrame, dict, set, ImageCell)):
        raise TypeError(f"Expected a sequence of images; got {type(values).__name__}.")
    if isinstance(values, ExtensionArray):
        values = values.to_numpy(dtype=object, na_value=None)
    origins: list[Any] = []
    chains = set()
    for value in values:
        # A column of a million paths is this line: nothing else begins or reads like that.
        if type(value) is str and value[:1].strip(" \t<") and "://" not in value:
            origins.append(value)
        elif isinstance(value, ImageCell):
            origins.append(value.origin)
            chains.add(value.steps)
        else:
            origins.append(None if is_missing(value) else as_origin(value))
    return object_array(origins), chains


def one_chain(chains: set[tuple[ImageStep, ...]]) -> tuple[ImageStep, ...]:
    """Return the one chain of corrections; ValueError if there are several."""
    if len(chains) > 1:
        shown = " and ".join(str([step.name for step in chain]) for chain in sorted(chains))
        raise ValueError(
            f"Images with different corrections cannot be in one column: {shown}. Join the "
            "rows first and then correct all of them, or use `.path` or `.pixels` of a cell."
        )
    return next(iter(chains), ())
