"""Identical and nearly identical images, and those that cannot be read."""

import io

import numpy as np
import pandas as pd
import pytest
from audited import check_data, check_leakage, with_picture
from PIL import Image, ImageEnhance
from sklearn.model_selection import GroupKFold, KFold

from sklearn_skin.audit._image_copies import (
    ORIENTATIONS,
    _hashes,
    _low_frequencies,
    _turn,
    _turn_frequencies,
)
from sklearn_skin.datasets import make_lesions
from sklearn_skin.image import ImageArray


@pytest.fixture(scope="module")
def singles():
    return make_lesions(40, image_size=128, random_state=1)


def jpeg(image, quality=80):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


COPIES = {
    "recompressed": jpeg,
    "smaller": lambda image: image.resize((80, 80)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "recoloured": lambda image: Image.fromarray(
        (np.asarray(image) * [1.0, 0.9, 0.8]).astype(np.uint8)
    ),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "turned back": lambda image: image.transpose(Image.Transpose.ROTATE_270),
    "transverse": lambda image: image.transpose(Image.Transpose.TRANSVERSE),
}


def test_identical_images_across_a_split(singles):
    X = with_picture(singles.data, 30, singles.data["image"].iloc[3])
    report = check_leakage(X, splits=KFold(2))
    pair = report.images.iloc[0]
    assert len(report.images) == 1 and (pair["kind"], pair["splits"]) == ("identical", "0, 1")
    assert [pair["row_1"], pair["row_2"]] == X.index[[3, 30]].tolist()
    assert check_leakage(X, splits=([0, 3, 30], [5, 6])).ok


@pytest.mark.parametrize("name", sorted(COPIES))
def test_nearly_identical_images_are_found(singles, name):
    source = Image.fromarray(singles.data["image"].iloc[3].pixels)
    X = with_picture(singles.data, 30, COPIES[name](source))
    pairs = check_leakage(X).images
    assert pairs[["row_1", "row_2"]].to_numpy().tolist() == [X.index[[3, 30]].tolist()]
    assert pairs["kind"].tolist() == ["near"]
    assert check_leakage(X, max_distance=None).ok
    assert check_data(X).ok


def test_different_lesions_are_not_copies():
    lesions = make_lesions(300, random_state=3)
    assert check_leakage(lesions.data, lesions.target).images.empty


def test_flat_images_are_not_near_each_other():
    flat = [np.full((32, 32, 3), value, np.uint8) for value in range(100, 140)]
    assert check_leakage(pd.DataFrame({"image": ImageArray(flat)})).ok


def test_many_copies_are_linked_across_a_split():
    picture = make_lesions(1, random_state=0).data["image"].iloc[0]
    X = pd.DataFrame({"image": ImageArray([picture.pixels.copy() for _ in range(500)])})
    pairs = check_leakage(X, splits=(np.arange(0, 250), np.arange(250, 500))).images
    assert 1 <= len(pairs) < 500


def test_copies_within_a_group_cannot_be_parted(singles):
    X = with_picture(singles.data, 30, singles.data["image"].iloc[3])
    groups = np.arange(40)
    assert not check_leakage(X, groups=groups).ok
    groups[30] = 3
    assert check_leakage(X, groups=groups).ok
    assert check_leakage(X, groups=groups, splits=GroupKFold(4)).ok


def test_one_picture_in_two_columns():
    two = make_lesions(12, image_columns=("clinic", "derm"), random_state=0).data
    cells = two["derm"].array.cells.copy()
    cells[0] = two["clinic"].array.cells[0]  # of the same row: no leak
    cells[1] = two["clinic"].array.cells[5]
    pairs = check_data(two.assign(derm=pd.Series(ImageArray(cells), two.index))).images
    assert pairs[["row_1", "column_1", "row_2", "column_2"]].to_numpy().tolist() == [
        [two.index[5], "clinic", two.index[1], "derm"]
    ]


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_hashes_of_turned_pictures_need_no_pictures(name):
    gray = np.random.default_rng(0).uniform(0, 255, (5, 64, 64)).astype(np.float32)
    turned = np.ascontiguousarray(_turn(gray, ORIENTATIONS[name]))
    frequencies, expected = (
        np.array([_low_frequencies(picture) for picture in pictures]) for pictures in (gray, turned)
    )
    oriented = _turn_frequencies(frequencies, ORIENTATIONS[name])
    np.testing.assert_allclose(oriented, expected, atol=0.1)
    assert np.bitwise_count(_hashes(oriented) ^ _hashes(expected)).max() <= 1


def test_duplicates_with_different_labels(singles):
    X, y = singles.data, singles.target.copy()
    first, second = 3, int(np.flatnonzero(y.to_numpy() != y.iloc[3])[0])
    X = with_picture(X, second, X["image"].iloc[first])
    for report in (check_data(X, y), check_leakage(X, y, splits=([first, second], [1, 2]))):
        found = report.labels.iloc[0]
        rows = sorted([first, second])
        assert [found["row_1"], found["row_2"]] == X.index[rows].tolist()
        assert [found["label_1"], found["label_2"]] == y.iloc[rows].tolist()
    assert check_data(X, y.where(np.arange(40) != first)).labels.empty
    assert check_data(X, pd.DataFrame({"a": 0, "b": y})).labels["task"].tolist() == ["b"]


def test_unreadable_images_are_named(tmp_path):
    X = make_lesions(6, folder=tmp_path, random_state=0).data
    path = X["image"].array.cells[2]
    with open(path, "wb") as file:
        file.write(b"<html>not found</html>")
    report = check_data(X, on_leak="ignore")
    found = report.unreadable.iloc[0]
    assert len(report.unreadable) == 1 and report.n_images == 5
    assert (found["row"], found["column"], found["path"]) == (X.index[2], "image", path)
    assert X.index[2] in repr(report) and path in repr(report)


def test_text_columns_of_paths(tmp_path):
    X = make_lesions(6, folder=tmp_path, random_state=0).data
    paths = X.assign(image=X["image"].astype(str), again=X["image"].astype(str))
    assert check_data(paths, image_columns=["image"]).n_images == 6
    with pytest.raises(ValueError, match="`image_columns`"):
        check_data(X, image_columns="photo")
