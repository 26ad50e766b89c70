import os
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from sklearn_skin.exceptions import ImageDecodeError
from sklearn_skin.image import (
    ImageArray,
    ImageStep,
    PixelCache,
    PixelReader,
    _sources,
    as_images,
    load_pixels,
    read_image,
)


@pytest.fixture
def paths(tmp_path):
    rng = np.random.default_rng(0)
    names = [str(tmp_path / f"{i}.jpg") for i in range(5)]
    for name in names:
        small = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(small).resize((160, 120)).save(name)
    return names


@pytest.fixture(params=[False, True], ids=["no cache", "cache"])
def cache(request, tmp_path):
    return PixelCache(tmp_path / "cache" if request.param else None)


@pytest.mark.parametrize("size", [32, (30, 50), 400])
def test_rows_are_what_read_image_gives(paths, cache, size):
    pixels, present = load_pixels(as_images(paths), size, cache=cache)
    assert_array_equal(pixels, np.stack([read_image(path, size=size) for path in paths]))
    assert present.all()
    assert_array_equal(load_pixels(as_images(paths), size, cache=cache)[0], pixels)


def test_missing_rows_are_zeros(paths, cache):
    pixels, present = load_pixels(as_images([paths[0], None]), 16, cache=cache)
    assert present.tolist() == [True, False]
    assert not pixels[1].any()
    pixels, present = load_pixels(as_images([]), 16, cache=cache)
    assert pixels.shape == (0, 16, 16, 3) and present.shape == (0,)


def test_threads_do_not_change_the_result(paths, cache):
    images = as_images(paths * 3)
    assert_array_equal(load_pixels(images, 32, n_jobs=2)[0], load_pixels(images, 32)[0])


def test_steps_come_before_resizing(paths, cache):
    step = ImageStep("center_crop", (("size", 0.5),))
    images = as_images(paths[:1])
    pixels, _ = load_pixels(images.with_step(step), 20, cache=cache)
    plain, _ = load_pixels(images, 20, cache=cache)
    assert np.abs(pixels.astype(int) - plain).mean() > 1
    by_hand = ImageArray([images.with_step(step)[0].pixels])
    assert_array_equal(pixels, load_pixels(by_hand, 20)[0])


def test_files_and_pictures_in_memory_agree(paths, cache):
    step = ImageStep("gray_world")
    files = as_images(paths).with_step(step)
    in_memory = ImageArray([read_image(path) for path in paths]).with_step(step)
    expected, _ = load_pixels(files, 32, cache=cache)
    assert_array_equal(load_pixels(in_memory, 32, cache=cache)[0], expected)
    assert_array_equal(load_pixels(in_memory, 32, cache=cache)[0], expected)


def test_a_repeated_image_is_decoded_once(paths, decoded):
    pixels, present = load_pixels(as_images([paths[0]] * 50 + [None]), 16)
    assert len(decoded) == 1
    assert present.sum() == 50
    assert (pixels[:50] == pixels[0]).all()


def test_the_cache_decodes_once_for_every_chain_and_size(paths, decoded, tmp_path):
    images, folder = as_images(paths), tmp_path / "cache"
    corrected = images.with_step(ImageStep("gray_world"))
    stronger = images.with_step(ImageStep("shades_of_gray", (("power", 6),)))
    for expected in (25, 0):
        decoded.clear()
        for column, size in ((images, 16), (images, 24), (images, (16, 24)), (corrected, 16)):
            load_pixels(column, size, cache=folder)
        load_pixels(stronger, 16, cache=folder)
        assert len(decoded) == expected
    plain = load_pixels(images, 16, cache=folder)[0]
    assert not np.array_equal(load_pixels(corrected, 16, cache=folder)[0], plain)


def test_an_overwritten_image_is_never_read_from_the_cache(paths, tmp_path):
    cache = PixelCache(tmp_path / "cache")
    before = os.stat(paths[0])
    old, _ = load_pixels(as_images(paths[:1]), 16, cache=cache)
    Image.new("RGB", (160, 120), (10, 200, 30)).save(paths[0])
    os.utime(paths[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    new, _ = load_pixels(as_images(paths[:1]), 16, cache=cache)
    assert np.abs(new[0].astype(int) - (10, 200, 30)).max() < 5
    assert not np.array_equal(old, new)


@pytest.mark.parametrize(
    "content", [b"", b"<html>not found</html>", None], ids=["empty", "html", "truncated"]
)
def test_damaged_images_are_named_or_counted(content, paths, cache):
    with open(paths[2], "rb") as file:
        data = file.read()
    with open(paths[2], "wb") as file:
        file.write(data[: len(data) // 2] if content is None else content)
    images, labels = as_images(paths), pd.Index([f"ISIC_{i}" for i in range(5)])
    with pytest.raises(ImageDecodeError) as info:
        load_pixels(images, 16, cache=cache, row_names=labels, column="image")
    for part in ("row 'ISIC_2', column 'image'", paths[2], 'on_error="missing"'):
        assert part in str(info.value)
    with pytest.warns(
        UserWarning, match="(?s)1 of 5 images cannot be read .*'ISIC_2'(?!.*on_error)"
    ):
        pixels, present = load_pixels(images, 16, cache=cache, row_names=labels, on_error="missing")
    assert present.tolist() == [True, True, False, True, True]
    assert not pixels[2].any()


def test_a_damaged_image_that_is_repeated_is_counted_by_rows(cache):
    with pytest.warns(UserWarning, match="3 of 4 images cannot be read"):
        load_pixels(as_images(["nowhere.jpg"] * 3 + [None]), 8, cache=cache, on_error="missing")


@pytest.mark.parametrize("root", [None, "photos"])
def test_where_a_relative_path_was_looked_for(cache, tmp_path, monkeypatch, root):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / root if root else tmp_path
    images = as_images(["nowhere.jpg", None], root=root)
    message = (
        "nowhere.jpg cannot be read: No such file or directory. Relative paths start from "
        "`image_root` of make_lesion_transformer(), or `root` of as_images(); this one was looked "
        f"for in {str(folder)!r}.\non_error="
    )
    with pytest.raises(ImageDecodeError, match=re.escape(message)):
        load_pixels(images, 8, cache=cache)
    with pytest.warns(UserWarning, match="1 of 2 .*`image_root` of make_lesion_transformer"):
        load_pixels(images, 8, cache=cache, on_error="missing")


def test_a_path_below_a_folder_that_is_not_there(paths, tmp_path):
    images = as_images(["0.jpg"], root=tmp_path / "elsewhere")
    with pytest.raises(ImageDecodeError, match="that are relative .* from `image_root` of make_le"):
        load_pixels(images, 8)
    with open(paths[0], "wb"):
        pass
    with pytest.raises(ImageDecodeError, match="is empty") as info:
        load_pixels(as_images(["0.jpg"], root=tmp_path), 8)
    assert "image_root" not in str(info.value)


def test_options_are_checked(paths):
    with pytest.raises(ValueError, match=r"`on_error` must be one of .*; got 'ignore'"):
        load_pixels(as_images(paths), 16, on_error="ignore")
    with pytest.raises(ValueError, match="`size` must be"):
        load_pixels(as_images(paths), 0)
    with pytest.raises(ValueError, match="`name` must be one of"):
        load_pixels(as_images(paths).with_step(ImageStep("blur")), 16)


@pytest.fixture
def opened(monkeypatch):
    """Names of the files whose bytes are read."""
    names = []
    read_bytes = _sources.read_bytes

    def watch(path):
        names.append(path)
        return read_bytes(path)

    monkeypatch.setattr(_sources, "read_bytes", watch)
    return names


needs_times = pytest.mark.skipif(os.name == "nt", reason="Windows keeps times of overwritten files")


@needs_times
def test_files_that_the_cache_knows_are_not_opened(paths, opened, tmp_path, monkeypatch):
    monkeypatch.setattr(_sources, "_SETTLED_NS", 0)
    cache, images = PixelCache(tmp_path / "cache"), as_images(paths)
    first, _ = load_pixels(images, 16, cache=cache)
    assert opened == paths
    opened.clear()
    again, _ = load_pixels(images, 16, cache=cache)
    assert not opened
    assert_array_equal(again, first)
    # Another size is computed from the file, whose bytes may have changed meanwhile.
    larger, _ = load_pixels(images, 24, cache=cache)
    assert opened == paths
    assert_array_equal(larger, load_pixels(images, 24)[0])


@needs_times
def test_a_file_that_changes_keeping_name_size_and_date_is_read_anew(paths, tmp_path, monkeypatch):
    monkeypatch.setattr(_sources, "_SETTLED_NS", 0)
    cache, path = PixelCache(tmp_path / "cache"), str(tmp_path / "a.bmp")
    seen = []
    for gray in (10, 200):
        Image.new("RGB", (16, 16), (gray,) * 3).save(path)
        os.utime(path, ns=(10**18, 10**18))
        seen.append(load_pixels(as_images([path]), 16, cache=cache)[0][0, 0, 0, 0])
        tick = os.stat(path).st_ctime_ns
        while tick == os.stat(path).st_ctime_ns:
            os.utime(path, ns=(10**18, 10**18))
    assert seen == [10, 200]


@needs_times
def test_a_file_that_changed_a_moment_ago_is_known_by_its_bytes_alone(paths, opened, tmp_path):
    # Its clock may not have ticked since.
    cache, images = PixelCache(tmp_path / "cache"), as_images(paths)
    load_pixels(images, 16, cache=cache)
    load_pixels(images, 16, cache=cache)
    assert opened == paths * 2


def test_a_reader_decodes_what_is_asked_for_and_once(paths, opened, decoded, tmp_path):
    expected, _ = load_pixels(as_images([None, paths[2], paths[2], paths[0]]), 16)
    decoded.clear()
    opened.clear()
    reader = PixelReader(as_images([*paths, None]), 16, cache=tmp_path / "cache")
    assert reader.streams and not opened
    for _ in range(3):
        assert_array_equal(reader.read([5, 2, 2, 0]), expected)
    assert sorted(decoded) == sorted(opened) == [paths[0], paths[2]]


@pytest.mark.parametrize("kept", [True, False])
def test_a_reader_s_keys_tell_pixels_apart_and_nothing_else(paths, kept, tmp_path):
    cache = PixelCache(tmp_path / "cache" if kept else None)
    shutil.copy(paths[0], tmp_path / "copy.jpg")
    picture = read_image(paths[0])
    names = [paths[0], str(tmp_path / "copy.jpg"), paths[1], None]
    images = as_images([*names, picture, picture.copy()])
    reader = PixelReader(images, 16, cache=cache)
    first, copy, other, missing, memory, same = reader.keys(range(6))
    assert first == copy and memory == same and missing is None
    assert len({first, other, memory}) == 3
    assert reader.keys([0]) == [first]
    for changed in (
        PixelReader(images, 17, cache=cache),
        PixelReader(images.with_step(ImageStep("gray_world")), 16, cache=cache),
    ):
        assert not {first, memory} & set(changed.keys(range(6)))
    # Asking for keys keeps no pixels, and does not change what is read.
    assert_array_equal(reader.read(range(6)), load_pixels(images, 16)[0])


def test_a_reader_names_the_row_and_leaves_out_what_is_not_present(paths, tmp_path):
    with open(paths[1], "wb") as file:
        file.write(b"no picture")
    reader = PixelReader(as_images(paths), 16, row_names=list("abcde"), column="image")
    with pytest.raises(ImageDecodeError, match="row 'b', column 'image'"):
        reader.read([0, 1])
    reader.present[1] = False
    assert not reader.read([0, 1])[1].any()
