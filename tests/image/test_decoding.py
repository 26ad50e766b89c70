import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image, ImageFile

from sklearn_skin.exceptions import ImageDecodeError
from sklearn_skin.image import read_image
from sklearn_skin.image._decoding import decode, picture_to_rgb

# The corner that is red in the upright picture lies here in the stored one.
UPRIGHT = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def scene(height=120, width=160):
    """A smooth picture in which each corner has another colour."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return np.stack([255 * (1 - x), 255 * y, 255 * x * y], axis=-1).astype(np.uint8)


def encode(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def jpeg(height=120, width=160, **options):
    return encode(Image.fromarray(scene(height, width)), "JPEG", quality=95, **options)


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


@pytest.fixture(autouse=True)
def truncated_images_stay_errors():
    yield
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.9])
def test_truncated_files_are_errors(kind, part, tmp_path):
    data = encode(Image.fromarray(scene()), kind)
    path = tmp_path / "lesion.jpg"
    path.write_bytes(data[: int(part * len(data))])
    for size in (None, 30):
        with pytest.raises(ImageDecodeError, match="lesion.jpg"):
            read_image(path, size=size)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>404</html>", "is a web page"),
        (b"  <html>404</html>", "is a web page"),
        (b"GIF89a" + bytes(100), "is not an image of format JPEG, PNG"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "broken|not an image|cannot be decoded"),
        (bytes(100), "is not an image of format"),
    ],
)
def test_what_is_no_image_is_an_error(content, match, tmp_path):
    path = tmp_path / "lesion.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageDecodeError, match=f"lesion.jpg.*({match})"):
        read_image(path)


def test_missing_file_and_folder_are_errors(tmp_path):
    with pytest.raises(ImageDecodeError, match="a.jpg cannot be read: No such file"):
        read_image(tmp_path / "a.jpg")
    with pytest.raises(ImageDecodeError, match="cannot be read"):
        read_image(tmp_path)


def test_other_formats_are_refused():
    data = encode(Image.fromarray(scene()), "GIF")
    with pytest.raises(ImageDecodeError, match="is not an image of format"):
        decode(data, "lesion.gif")


def test_16_bit_png_is_scaled_by_its_bit_depth():
    values = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    pixels = decode(encode(Image.fromarray(values)), "x.png")
    assert_array_equal(pixels[..., 0], np.rint(values / 257))
    assert pixels.min() == 0 and pixels.max() == 255


def test_12_bit_tiff_is_scaled_by_its_bit_depth():
    values = np.array([[0, 2048, 4095, 1]], dtype=np.uint16)
    picture = Image.fromarray(values)
    picture.tag_v2 = {258: (12,)}
    assert picture_to_rgb(picture)[0, :, 0].tolist() == [0, 128, 255, 0]


MODES = ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "LA", "PA", "RGBX"]
MODES += ["La", "RGBa", "I;16", "I"]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_becomes_rgb(mode):
    gray = Image.new("L", (3, 2), 255)
    if mode in ("La", "RGBa"):
        picture = gray.convert(mode.upper()).convert(mode)
    elif mode == "PA":
        picture = gray.convert("P").convert("PA")
    elif mode in ("I;16", "I"):
        dtype = {"I;16": np.uint16, "I": np.int32}[mode]
        picture = Image.fromarray(np.full((2, 3), 65535, dtype))
    elif mode == "LAB":
        picture = Image.merge("LAB", [gray] + [Image.new("L", (3, 2), 128)] * 2)
    else:
        picture = gray.convert("RGB").convert(mode)
    assert picture.mode == mode
    pixels = picture_to_rgb(picture)
    assert pixels.shape == (2, 3, 3) and pixels.dtype == np.uint8
    assert pixels.min() >= 250


def test_mode_f_is_an_error():
    data = encode(Image.new("F", (3, 2)), "TIFF")
    with pytest.raises(ImageDecodeError, match="x.tiff.*floating point"):
        decode(data, "x.tiff")


@pytest.mark.parametrize("background", [(255, 255, 255), (10, 20, 30)])
def test_transparency_shows_the_background(background):
    palette = Image.new("P", (2, 2), 1)
    palette.putpalette([0, 0, 0, 200, 0, 0])
    clear_palette = encode(palette, transparency=1)
    clear_gray = encode(Image.new("L", (2, 2), 7), transparency=7)
    clear_rgba = encode(Image.new("RGBA", (2, 2), (200, 0, 0, 0)))
    clear_la = encode(Image.new("LA", (2, 2), (200, 0)))
    for data in (clear_palette, clear_gray, clear_rgba, clear_la):
        pixels = decode(data, "x.png", background=background)
        assert (pixels == background).all()
    half = decode(encode(Image.new("RGBA", (1, 1), (0, 0, 0, 128))), "x", background=background)
    assert np.abs(half[0, 0] - np.array(background) * 127 / 255).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "size"), [("JPEG", None), ("JPEG", (30, 40)), ("PNG", None), ("TIFF", None)]
)
def test_pictures_are_upright(orientation, kind, size):
    upright = Image.fromarray(scene())
    turn = UPRIGHT[orientation]
    stored = upright if turn is None else upright.transpose(turn)
    data = encode(stored, kind, exif=exif(orientation))
    expected = upright if size is None else upright.resize(size[::-1], Image.Resampling.BILINEAR)
    pixels = decode(data, "x", size)
    assert pixels.shape == np.asarray(expected).shape
    assert np.abs(pixels - np.asarray(expected).astype(int)).mean() < 3


@pytest.mark.parametrize("size", [None, 30])
@pytest.mark.parametrize("value", [0, 9, 4242])
def test_orientations_that_do_not_exist_are_warnings(value, size):
    with pytest.warns(UserWarning, match="x.jpg: the EXIF orientation is malformed"):
        pixels = decode(jpeg(exif=exif(value)), "x.jpg", size)
    assert pixels.shape[2] == 3


@pytest.mark.parametrize("size", [None, 30])
def test_malformed_exif_is_a_warning(size):
    blocks = [b"Exif\0\0garbage" * 3, b"Exif\0\0II*\0" + struct.pack("<I", 8) + b"\xff" * 20]
    for block in blocks:
        with pytest.warns(UserWarning, match="EXIF"):
            pixels = decode(jpeg(exif=block), "x.jpg", size)
        assert pixels.shape[2] == 3


def test_huge_images_are_refused_from_the_header(tmp_path):
    path = tmp_path / "huge.png"
    path.write_bytes(encode(Image.new("L", (400, 300))))
    with pytest.raises(ImageDecodeError, match="huge.png is 400 x 300 pixels.*`max_pixels`=1000"):
        read_image(path, max_pixels=1000)
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(header))
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + checksum
    path.write_bytes(bomb + struct.pack(">I", 100) + b"IDAT" + bytes(100))
    with pytest.raises(ImageDecodeError, match="too many pixels"):
        read_image(path)


@pytest.mark.parametrize("shape", [(450, 600), (1000, 1500), (1800, 1800), (301, 500)])
@pytest.mark.parametrize("size", [224, (100, 180)])
def test_reduced_decoding_equals_full_decoding(shape, size):
    data = jpeg(*shape)
    height, width = (size, size) if isinstance(size, int) else size
    full = Image.fromarray(decode(data, "x")).resize((width, height), Image.Resampling.BILINEAR)
    difference = np.abs(decode(data, "x", size) - np.asarray(full).astype(int))
    assert difference.mean() <= 1


def test_reduced_decoding_is_left_to_plain_jpegs():
    cmyk = encode(Image.fromarray(scene()).convert("CMYK"), "JPEG", quality=95)
    gray = encode(Image.fromarray(scene()).convert("L"), "JPEG", quality=95)
    for data, mode in ((cmyk, "RGB"), (gray, "L")):
        full = Image.fromarray(scene()).convert(mode).convert("RGB").resize((40, 30))
        assert np.abs(decode(data, "x", (30, 40)) - np.asarray(full).astype(int)).mean() < 4
    # Without its end mark, a file is read by Pillow, which does not fill it up in gray.
    with pytest.raises(ImageDecodeError, match="truncated"):
        decode(jpeg()[:-200], "x", 30)


@pytest.mark.parametrize("size", [0, -3, (1, 2, 3), "big", True, (4, 0)])
def test_sizes_are_checked(size):
    with pytest.raises(ValueError, match="`size` must be"):
        decode(jpeg(), "x", size)


def test_plain_images_raise_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ("JPEG", "PNG", "BMP", "TIFF", "WEBP"):
            decode(encode(Image.fromarray(scene()), kind), "x", 30)
