"""Deterministic corrections of one image: pure functions of uint8 pixels (h, w, 3)."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

# Always uint8; OpenCV's own annotations do not tell.
Pixels: TypeAlias = NDArray[Any]


def shades_of_gray(pixels: Pixels, power: float = 6.0) -> Pixels:
    r"""Remove the colour of the light, estimated by a Minkowski mean of each channel.

    .. math:: e_c = \Big(\frac{1}{N} \sum_i x_{ic}^p\Big)^{1/p}, \quad
              x'_{ic} = x_{ic} \, \frac{(e_R e_G e_B)^{1/3}}{e_c}

    The geometric mean fixes the brightness, so that gray images stay as they are and gains on
    the channels with a product of one cancel out; other gains change the brightness only.

    Parameters
    ----------
    pixels : uint8 array of shape (h, w, 3)
        RGB image.
    power : float, default=6.0
        Minkowski exponent p >= 1; 1 is gray world, large values approach the brightest pixel.

    Returns
    -------
    pixels : uint8 array of shape (h, w, 3)
        The image as under a neutral light, clipped to [0, 255].

    Raises
    ------
    ValueError
        If `power` is below 1 or the pixels are not uint8 of shape (h, w, 3).

    References
    ----------
    .. [1] :ref:`Finlayson and Trezzi (2004) <finlayson2004>`, "Shades of gray and colour
       constancy".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.image._corrections import shades_of_gray
    >>> reddish = np.full((2, 2, 3), (200, 100, 50), dtype=np.uint8)
    >>> shades_of_gray(reddish)[0, 0].tolist()
    [100, 100, 100]
    """
    _check_pixels(pixels)
    if not power >= 1:
        raise ValueError(f"`power` must be at least 1; got {power!r}.")
    light = np.array([_minkowski_mean(pixels[..., channel], power) for channel in range(3)])
    if (light == 0).any():  # a channel that is black everywhere says nothing about the light
        return pixels.copy()
    gains = np.exp(np.log(light).mean()) / light
    table = np.rint(np.arange(256)[:, None] * gains).clip(0, 255).astype(np.uint8)
    return cv2.LUT(np.ascontiguousarray(pixels), table.reshape(1, 256, 3))


def gray_world(pixels: Pixels) -> Pixels:
    """Remove the colour of the light, assuming that the scene is gray on average.

    This is :func:`shades_of_gray` with a power of 1.

    Parameters
    ----------
    pixels : uint8 array of shape (h, w, 3)
        RGB image.

    Returns
    -------
    pixels : uint8 array of shape (h, w, 3)
        The corrected image.

    References
    ----------
    .. [1] :ref:`Buchsbaum (1980) <buchsbaum1980>`, "A spatial processor model for object colour
       perception".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.image._corrections import gray_world
    >>> gray_world(np.full((2, 2, 3), (200, 100, 50), dtype=np.uint8))[0, 0].tolist()
    [100, 100, 100]
    """
    return shades_of_gray(pixels, power=1.0)


def clahe(pixels: Pixels, clip_limit: float = 2.0, grid: int | tuple[int, int] = 8) -> Pixels:
    """Equalise the lightness locally, with limited contrast; colours keep their a and b.

    Contrast-limited adaptive histogram equalisation of L in CIE Lab. The conversion runs in
    floating point: 8-bit Lab would round a and b. Only colours that leave the RGB cube are
    clipped.

    Parameters
    ----------
    pixels : uint8 array of shape (h, w, 3)
        RGB image.
    clip_limit : float, default=2.0
        Highest allowed bin, as a multiple of a flat histogram's; larger is stronger.
    grid : int or (int, int), default=8
        Number of tiles per side, or (rows, columns).

    Returns
    -------
    pixels : uint8 array of shape (h, w, 3)
        The corrected image.

    Raises
    ------
    ValueError
        If `clip_limit` or `grid` is not positive.

    References
    ----------
    .. [1] :ref:`Zuiderveld (1994) <zuiderveld1994>`, "Contrast limited adaptive histogram
       equalization".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.image._corrections import clahe
    >>> ramp = np.linspace(100, 130, 64).astype(np.uint8)
    >>> dull = np.repeat(np.tile(ramp, (64, 1))[..., None], 3, axis=2)
    >>> bool(clahe(dull, clip_limit=4.0, grid=1).std() > dull.std())
    True
    """
    _check_pixels(pixels)
    rows, columns = grid if isinstance(grid, Sequence) else (grid, grid)
    if not clip_limit > 0 or min(rows, columns) < 1:
        raise ValueError(
            f"`clip_limit` and `grid` must be positive; got {clip_limit!r} and {grid!r}."
        )
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    lightness = np.rint(lab[..., 0] * 2.55).astype(np.uint8)
    equaliser = cv2.createCLAHE(clipLimit=float(clip_limit), tileGridSize=(columns, rows))
    lab[..., 0] = equaliser.apply(lightness) / np.float32(2.55)
    rgb = cv2.cvtColor(lab, cv2.COLOR_Lab2RGB)
    return np.rint(rgb * 255).clip(0, 255).astype(np.uint8)


def hair_mask(
    pixels: Pixels, width: float = 0.03, threshold: float = 10.0, min_length: float = 0.07
) -> NDArray[np.bool_]:
    """Find dark hairs: thin, straight over some length, and darker than what surrounds them.

    The black hat (closing minus image) of the lightness answers to dark structures narrower
    than its kernel; highlights are first removed by an opening. Openings of the hat by lines
    in 16 directions keep what stays dark along a straight piece, so that dots, globules and
    pigment network are spared.

    Parameters
    ----------
    pixels : uint8 array of shape (h, w, 3)
        RGB image.
    width : float, default=0.03
        Widest hair, as a fraction of the image's shorter side; sets the kernel.
    threshold : float, default=10.0
        Least contrast of a hair, in gray levels (0 to 255).
    min_length : float, default=0.07
        Shortest straight piece, as a fraction of the shorter side.

    Returns
    -------
    mask : bool array of shape (h, w)
        True on hairs.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.image._corrections import hair_mask
    >>> skin = np.full((100, 100, 3), 200, dtype=np.uint8)
    >>> skin[:, 50] = 30
    >>> np.flatnonzero(hair_mask(skin).all(axis=0)).tolist()
    [50]
    """
    _check_pixels(pixels)
    side = min(pixels.shape[:2])
    gray = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    # Without the opening, what lies between specular highlights or light hairs counts as dark.
    calm = cv2.morphologyEx(gray, cv2.MORPH_OPEN, _disk(max(1, round(width * side / 8))))
    wide = _disk(max(1, round(width * side / 2)))
    calm = cv2.morphologyEx(calm, cv2.MORPH_CLOSE, wide)
    hat = cv2.subtract(calm, gray)
    straight = np.zeros_like(hat)
    for line in _lines(max(3, round(min_length * side))):
        np.maximum(straight, cv2.morphologyEx(hat, cv2.MORPH_OPEN, line), out=straight)
    # Bends and tips are not straight: take what is dark next to a straight piece too.
    near = cv2.dilate((straight > threshold).astype(np.uint8), wide)
    return (near > 0) & (hat > threshold)


def remove_hair(
    pixels: Pixels,
    width: float = 0.03,
    threshold: float = 10.0,
    min_length: float = 0.07,
    margin: float = 0.004,
) -> Pixels:
    """Paint over dark hairs with the skin around them.

    A mask of hairs (:func:`hair_mask`) is widened by `margin` and filled by inpainting. All
    sizes are fractions of the shorter side, so one setting fits every resolution. Pixels
    outside the mask stay as they are.

    Parameters
    ----------
    pixels : uint8 array of shape (h, w, 3)
        RGB image.
    width : float, default=0.03
        Widest hair, as a fraction of the image's shorter side; sets the kernel.
    threshold : float, default=10.0
        Least contrast of a hair, in gray levels (0 to 255).
    min_length : float, default=0.07
        Shortest straight piece, as a fraction of the shorter side.
    margin : float, default=0.004
        How far the mask is widened, as a fraction of the shorter side; at least one pixel.

    Returns
    -------
    pixels : uint8 array of shape (h, w, 3)
        The image without its hairs.

    References
    ----------
    .. [1] :ref:`Lee et al. (1997) <lee1997>`, "DullRazor".
    .. [2] :ref:`Telea (2004) <telea2004>`, "An image inpainting technique based on the fast
       marching method".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.image._corrections import remove_hair
    >>> hairy = np.full((100, 100, 3), 200, dtype=np.uint8)
    >>> hairy[:, 50] = 30
    >>> bool(remove_hair(hairy).min() >= 199)
    True
    """
    mask = hair_mask(pixels, width, threshold, min_length)
    if not mask.any():
        return pixels.copy()
    radius = max(1, round(margin * min(pixels.shape[:2])))
    wide = cv2.dilate(mask.astype(np.uint8), _disk(radius))
    # OpenCV leaves the outermost pixels unpainted: give it a frame to leave.
    frame = (2 * radius + 1,) * 4
    padded = cv2.copyMakeBorder(pixels, *frame, cv2.BORDER_REFLECT_101)
    wide = cv2.copyMakeBorder(wide, *frame, cv2.BORDER_REFLECT_101)
    painted = cv2.inpaint(padded, wide, 2 * radius + 1, cv2.INPAINT_TELEA)
    inner = slice(frame[0], -frame[0])
    return np.ascontiguousarray(painted[inner, inner])


def center_crop(pixels: Pixels, size: float | tuple[int, int] | None = None) -> Pixels:
    """Cut out the middle.

    Parameters
    ----------
    pixels : uint8 array of shape (h, w, 3)
        RGB image.
    size : float, int, (int, int) or None, default=None
        A float in (0, 1]: that fraction of each side. An int: a square of that many pixels.
        (h, w): that many pixels. None: the largest square. Sizes beyond the image give the
        whole side.

    Returns
    -------
    pixels : uint8 array of shape (h', w', 3)
        The middle of the image.

    Raises
    ------
    ValueError
        If `size` is not positive, or a float above 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.image._corrections import center_crop
    >>> image = np.zeros((60, 80, 3), dtype=np.uint8)
    >>> center_crop(image).shape, center_crop(image, 0.5).shape, center_crop(image, (10, 20)).shape
    ((60, 60, 3), (30, 40, 3), (10, 20, 3))
    """
    _check_pixels(pixels)
    height, width = pixels.shape[:2]
    if size is None:
        target = (min(height, width),) * 2
    elif isinstance(size, float):
        if not 0 < size <= 1:
            raise ValueError(f"`size` as a float must be in (0, 1]; got {size!r}.")
        target = (max(1, round(height * size)), max(1, round(width * size)))
    else:
        target = _as_pair(size)
    rows, columns = min(target[0], height), min(target[1], width)
    top, left = (height - rows) // 2, (width - columns) // 2
    return pixels[top : top + rows, left : left + columns].copy()


def resize(pixels: Pixels, size: int | tuple[int, int] = 224) -> Pixels:
    """Scale to a given size: area averages where it shrinks, linear where it grows.

    Parameters
    ----------
    pixels : uint8 array of shape (h, w, 3)
        RGB image.
    size : int or (int, int), default=224
        Side of a square, or (h, w), in pixels. The aspect ratio is not kept.

    Returns
    -------
    pixels : uint8 array of shape (h', w', 3)
        The scaled image.

    Raises
    ------
    ValueError
        If `size` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.image._corrections import resize
    >>> resize(np.zeros((60, 80, 3), dtype=np.uint8), (30, 40)).shape
    (30, 40, 3)
    """
    _check_pixels(pixels)
    height, width = _as_pair(size)
    shrinks = height * width < pixels.shape[0] * pixels.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(pixels), (width, height), interpolation=method)


IMAGE_STEPS: dict[str, Callable[..., Pixels]] = {
    "shades_of_gray": shades_of_gray,
    "gray_world": gray_world,
    "clahe": clahe,
    "remove_hair": remove_hair,
    "center_crop": center_crop,
    "resize": resize,
}


def _minkowski_mean(channel: Pixels, power: float) -> float:
    counts = np.bincount(channel.ravel(), minlength=256)
    # Levels in [0, 1] keep high powers finite.
    mean = counts @ (np.arange(256) / 255) ** power / counts.sum()
    return float(255 * mean ** (1 / power))


def _disk(radius: int) -> Pixels:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _lines(length: int, n_directions: int = 16) -> list[Pixels]:
    """Return line-shaped kernels in `n_directions` directions."""
    half = (length - 1) / 2
    lines: list[Pixels] = []
    for angle in np.arange(n_directions) * np.pi / n_directions:
        x, y = half * np.cos(angle), half * np.sin(angle)
        reach = int(np.ceil(half))
        kernel = np.zeros((2 * reach + 1, 2 * reach + 1), dtype=np.uint8)
        start, stop = ((round(reach + s * x), round(reach + s * y)) for s in (-1, 1))
        lines.append(cv2.line(kernel, start, stop, color=1))
    return lines


def _as_pair(size: int | tuple[int, int]) -> tuple[int, int]:
    pair = tuple(size) if isinstance(size, Sequence) else (size, size)
    if len(pair) != 2 or min(pair) < 1:
        raise ValueError(f"`size` must be a positive int or a pair of them; got {size!r}.")
    return int(pair[0]), int(pair[1])


def _check_pixels(pixels: Pixels) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(
            "an image must be a uint8 array of shape (h, w, 3); "
            f"got {pixels.dtype} of shape {pixels.shape}."
        )
