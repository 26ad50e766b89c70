"""From a file's bytes to upright uint8 RGB pixels, or an error that says what is wrong."""

import io
import os
from typing import Any

import numpy as np
from PIL import Image

from sklearn_skin.exceptions import ImageDecodeError
from sklearn_skin.image._urls import as_path_or_url, is_url, redact_urls
from sklearn_skin.utils import warn_user

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
MAX_PIXELS = 89_478_485  # Pillow's own limit: a quarter of 1 GiB at 3 bytes per pixel
WHITE = (255, 255, 255)

_ORIENTATION = 0x0112
_BITS_PER_SAMPLE = 258
_TIFF_HEADERS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_REDUCTIONS = (8, 4, 2)


def read_image(
    path: str | os.PathLike,
    *,
    size: int | tuple[int, int] | None = None,
    background: tuple[int, int, int] = WHITE,
    max_pixels: int = MAX_PIXELS,
) -> np.ndarray:
    """Read an image file as upright RGB.

    The orientation stored in the file is applied, transparent parts are put on
    `background`, gray becomes RGB, and 16-bit gray is scaled by its bit depth. Only the first
    picture of a file is read.

    Parameters
    ----------
    path : path-like or str
        A JPEG, PNG, BMP, TIFF or WEBP file, or the address of one in object storage, such as
        ``"s3://bucket/a.jpg"``; the name's ending does not matter.
    size : int or (height, width), default=None
        Size of the result in pixels; None keeps the file's. The aspect ratio is not kept.
        Large JPEG files are decoded at a half, a quarter or an eighth of their size, where
        that is still at least `size`.
    background : tuple of 3 int in [0, 255], default=(255, 255, 255)
        Red, green and blue behind transparent parts.
    max_pixels : int, default=89478485
        Files that declare more pixels are refused before they are decoded. Pillow has a
        limit of its own, at twice the default.

    Returns
    -------
    pixels : ndarray of shape (height, width, 3), dtype uint8

    Raises
    ------
    ImageDecodeError
        If the file cannot be read, is cut, is no such image or is too large. The message
        names the path.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from sklearn_skin.image import read_image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "lesion.png")
    ...     Image.new("RGBA", (6, 4)).save(path)
    ...     read_image(path)[0, 0].tolist()
    [255, 255, 255]
    """
    path = as_path_or_url(os.fsdecode(path))
    return decode(read_bytes(path), path, size, background=background, max_pixels=max_pixels)


def read_bytes(path: str | os.PathLike) -> bytes:
    """Return a file's bytes, or ImageDecodeError if there are none."""
    if isinstance(path, str) and is_url(path):
        from sklearn_skin.image._remote import read_urls

        [found] = read_urls([path])
        if isinstance(found, ImageDecodeError):
            raise found
        return found
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageDecodeError(f"{os.fspath(path)} cannot be read: {reason}.") from error
    if not data:
        raise ImageDecodeError(f"{os.fspath(path)} is empty.")
    return data


def decode(
    data: bytes,
    name: str,
    size: int | tuple[int, int] | None = None,
    *,
    background: tuple[int, int, int] = WHITE,
    max_pixels: int = MAX_PIXELS,
) -> np.ndarray:
    """Decode a file's bytes as `read_image` does; `name` stands in messages."""
    height_width = None if size is None else as_size(size)
    name = redact_urls(name)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            _check_n_pixels(picture, name, max_pixels)
            if height_width is not None:
                pixels = _decode_reduced(data, picture, name, height_width)
                if pixels is not None:
                    return pixels
            picture.load()
            return resize_pixels(_upright_rgb(picture, name, background), height_width)
    except ImageDecodeError:
        raise
    except Exception as error:  # decoders raise anything on foreign or damaged bytes
        raise ImageDecodeError(f"{name} {_complaint(data, error)}") from error


def _check_n_pixels(picture: Image.Image, name: str, max_pixels: int) -> None:
    width, height = picture.size
    if width * height > max_pixels:
        raise ImageDecodeError(
            f"{name} is {width} x {height} pixels, more than `max_pixels`={max_pixels}."
        )


def _complaint(data: bytes, error: Exception) -> str:
    head = data[:512].lstrip().lower()
    if head.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")):
        return "is a web page (HTML or XML), not an image."
    if isinstance(error, Image.UnidentifiedImageError):
        return f"is not an image of format {', '.join(FORMATS)}, or its header is damaged."
    if isinstance(error, Image.DecompressionBombError):
        return f"has too many pixels: {error}"
    if "truncated" in str(error).lower():
        return f"is truncated ({len(data) / 1000:.1f} kB are there)."
    return f"cannot be decoded ({len(data) / 1000:.1f} kB): {error}"


def _orientation(picture: Image.Image, name: str) -> int:
    """Return the EXIF orientation, 1 to 8; 1 with a warning where it is malformed."""
    value: Any
    try:
        _check_exif_header(picture.info.get("exif", b""))
        value = picture.getexif().get(_ORIENTATION, 1)
    except Exception as error:  # as in `decode`: EXIF is free-form bytes
        value = error
    if value in range(1, 9):
        return int(value)
    warn_user(
        f"{name}: the EXIF orientation is malformed ({value!r}) and not applied.",
        once=("orientation", name, repr(value)),
    )
    return 1


def _check_exif_header(data: Any) -> None:
    # Pillow passes over data without a TIFF header in silence; of other damage it warns.
    block = bytes(data).removeprefix(b"Exif\0\0")
    if block and (len(block) < 8 or not block.startswith(_TIFF_HEADERS)):
        raise ValueError("no TIFF header")


def _turn(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn stored pixels upright; EXIF 2.32, tag 0x0112."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _upright_rgb(picture: Image.Image, name: str, background: tuple[int, int, int]) -> np.ndarray:
    # Pillow turns TIFF files itself while it loads them and drops the tag.
    orientation = _orientation(picture, name)
    return _turn(picture_to_rgb(picture, background), orientation)


def picture_to_rgb(picture: Image.Image, background: tuple[int, int, int] = WHITE) -> np.ndarray:
    """Convert a loaded PIL image of any mode to uint8 RGB of shape (h, w, 3)."""
    if picture.mode == "F":
        raise ValueError(
            "The picture holds floating point numbers, whose range is not known; scale them "
            "to uint8 first."
        )
    if picture.mode.startswith("I"):
        return _scale_by_bit_depth(picture, background)
    if picture.has_transparency_data or picture.mode in ("La", "RGBa"):
        if picture.mode == "La":
            picture = picture.convert("LA")
        layer = picture.convert("RGBA")
        below = Image.new("RGBA", layer.size, (*background, 255))
        picture = Image.alpha_composite(below, layer)
    return np.array(picture.convert("RGB"))


def _scale_by_bit_depth(picture: Image.Image, background: tuple[int, int, int]) -> np.ndarray:
    values = np.asarray(picture).astype(np.int64)
    tags: Any = getattr(picture, "tag_v2", {})
    bits = tags.get(_BITS_PER_SAMPLE, 16)
    bits = bits[0] if isinstance(bits, tuple) else bits
    if values.min() < 0 or values.max() >= 2**bits:
        raise ValueError(f"The picture holds values outside its {bits} bits.")
    gray = np.rint(values * (255 / (2**bits - 1))).astype(np.uint8)
    pixels = np.stack([gray] * 3, axis=-1)
    transparent = picture.info.get("transparency")
    if isinstance(transparent, int):
        pixels[values == transparent] = background
    return pixels


def _decode_reduced(
    data: bytes, picture: Image.Image, name: str, size: tuple[int, int]
) -> np.ndarray | None:
    """Decode a plain JPEG at a fraction of its size; None where that is not possible."""
    # Anything unusual is Pillow's: other colour spaces, and files without an end mark,
    # which OpenCV completes in gray without saying so.
    if (
        picture.format not in ("JPEG", "MPO")
        or picture.mode not in ("RGB", "L")
        or picture.info.get("adobe_transform", 1) != 1
        or not data.endswith(b"\xff\xd9")
    ):
        return None
    orientation = _orientation(picture, name)
    height, width = size if orientation < 5 else size[::-1]
    factors = [
        k for k in _REDUCTIONS if picture.width >= k * width and picture.height >= k * height
    ]
    if not factors:
        return None
    import cv2  # only here: a twentieth of a second, which importing a network would take longer

    reduced = getattr(cv2, f"IMREAD_REDUCED_COLOR_{factors[0]}")
    flags = reduced | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:
        return None
    # Linear interpolation skips pixels from a factor of 2 on; only an eighth can leave one.
    small = pixels.shape[1] < 2 * width and pixels.shape[0] < 2 * height
    method = cv2.INTER_LINEAR if small else cv2.INTER_AREA
    pixels = cv2.resize(pixels, (width, height), interpolation=method)
    return _turn(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), orientation)


def resize_pixels(pixels: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """Resize (h, w, 3) uint8 pixels to `size` = (height, width), antialiased."""
    if size is None or pixels.shape[:2] == size:
        return pixels
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    return np.array(picture.resize(size[::-1], Image.Resampling.BILINEAR))


def as_size(size: Any) -> tuple[int, int]:
    """Return (height, width) from an int or a pair; ValueError otherwise."""
    pair = (size, size) if isinstance(size, (int, np.integer)) else size
    try:
        height, width = (int(side) for side in pair)
    except (TypeError, ValueError):
        height, width = 0, 0
    if height < 1 or width < 1 or isinstance(size, bool):
        raise ValueError(f"`size` must be a positive int or a pair (height, width); got {size!r}.")
    return height, width
