"""Pixels of a whole image column."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_skin.image._reader import PixelReader


def load_pixels(
    images: Any,
    size: int | tuple[int, int],
    *,
    cache: Any = None,
    on_error: str = "raise",
    row_names: Sequence[Any] | None = None,
    column: str | None = None,
    advice: str = 'on_error="missing" takes such images for missing.',
    n_jobs: int | None = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Read the pixels of an image column.

    Every distinct image is decoded, corrected by the column's steps and resized once, also
    where several rows hold it.

    Parameters
    ----------
    images : ImageArray of shape (n,), or what `as_images` takes
        The column.
    size : int or (height, width)
        Size of the result in pixels. The aspect ratio is not kept.
    cache : PixelCache, path-like or None, default=None
        Where decoded pixels are kept; None keeps nothing.
    on_error : {"raise", "missing"}, default="raise"
        What to do about images that cannot be read: raise, or treat them as missing and
        warn with their number.
    row_names : sequence of length n, default=None
        Names of the rows in messages; None means their positions.
    column : str, default=None
        Name of the column in messages.
    advice : str
        What an error about an image that cannot be read ends with: what the caller's own caller
        can do.
    n_jobs : int or None, default=1
        Threads that decode, as in joblib.

    Returns
    -------
    pixels : ndarray of shape (n, height, width, 3), dtype uint8
        Zeros for missing images.
    present : ndarray of shape (n,), dtype bool
        Whether the row has an image.

    Raises
    ------
    ImageDecodeError
        If an image cannot be read and `on_error` is "raise"; the message names the row,
        the column and the file.
    ValueError
        If `size` or `on_error` is none of the above.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.image import ImageArray, load_pixels
    >>> images = ImageArray([np.full((6, 8, 3), 7, dtype=np.uint8), None])
    >>> pixels, present = load_pixels(images, 4)
    >>> pixels.shape, int(pixels[0].max()), present.tolist()
    ((2, 4, 4, 3), 7, [True, False])
    """
    if on_error not in ("raise", "missing"):
        raise ValueError(f"`on_error` must be one of ['missing', 'raise']; got {on_error!r}.")
    reader = PixelReader(
        images, size, cache=cache, row_names=row_names, column=column, advice=advice, n_jobs=n_jobs
    )
    pixels = np.empty((len(reader), *reader.size, 3), dtype=np.uint8)
    if on_error == "raise":
        return reader.read(np.arange(len(reader)), pixels), reader.present
    reader.leave_out(dict(reader.fill(np.arange(len(reader)), pixels)))
    return pixels, reader.present
