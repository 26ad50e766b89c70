import io
import json
import os
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from sklearn_skin.exceptions import ImageDecodeError
from sklearn_skin.image import (
    ImageArray,
    ImageCell,
    ImageDtype,
    ImageStep,
    _cell,
    _origins,
    as_images,
)


def pictures(n, height=4, width=6):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n, height, width, 3), dtype=np.uint8)


def pixels(images):
    return np.stack([cell.pixels for cell in images])


@pytest.fixture
def paths(tmp_path):
    names = [str(tmp_path / f"{i}.png") for i in range(4)]
    for name, picture in zip(names, pictures(4)):
        Image.fromarray(picture).save(name)
    return names


@pytest.fixture
def nowhere():
    """A table whose files do not exist, so that any look at pixels fails."""
    images = as_images([f"nowhere/{i}.jpg" for i in range(6)] + [None])
    return pd.DataFrame({"image": images, "age": np.arange(7.0)})


def test_row_operations_never_read_files(nowhere):
    for table in (
        nowhere.iloc[[3, 1]],
        nowhere[nowhere.age > 2],
        nowhere.sample(5, replace=True, random_state=0),
        pd.concat([nowhere, nowhere]),
        nowhere.sort_values("image"),
        nowhere.drop_duplicates("image"),
        nowhere.merge(nowhere, on="age"),
        nowhere.reindex([0, 100]),
        nowhere.shift(1),
        nowhere.copy(),
        nowhere.ffill(),
        pickle.loads(pickle.dumps(nowhere)),
    ):
        assert isinstance(table.filter(like="image").dtypes.iloc[0], ImageDtype)
        repr(table), table._repr_html_(), table.to_csv()
        joblib.hash(table)
        pd.util.hash_pandas_object(table)
    assert (nowhere == nowhere).image.sum() == 6
    assert nowhere.image.nunique() == 6
    assert len(nowhere.groupby("image")) == 6
    with pytest.raises(ImageDecodeError, match="nowhere/0.jpg"):
        nowhere.image.iloc[0].pixels  # noqa: B018


def test_scikit_learn_takes_rows_without_reading_files(nowhere):
    from sklearn.compose import ColumnTransformer
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    train, test = train_test_split(nowhere, random_state=0)
    transformer = ColumnTransformer(
        [("scale", StandardScaler(), ["age"]), ("image", "passthrough", ["image"])]
    ).set_output(transform="pandas")
    transformer.fit(train)
    assert isinstance(transformer.transform(test).dtypes["image__image"], ImageDtype)


def test_what_a_column_can_be_made_of(tmp_path):
    rgb = pictures(3)
    assert_array_equal(pixels(ImageArray(rgb)), rgb)
    mixed = [tmp_path / "a.jpg", "b.jpg", rgb[0], Image.fromarray(rgb[1]), rgb[2, :, :, 0]]
    images = as_images([*mixed, None, np.nan, pd.NA, ""])
    assert images.cells[0] == str(tmp_path / "a.jpg")
    assert_array_equal(images[3].pixels, rgb[1])
    assert_array_equal(images[4].pixels[:, :, 1], rgb[2, :, :, 0])
    assert images.isna().tolist() == [False] * 5 + [True] * 4
    assert type(as_images(np.array(["a.jpg"])).cells[0]) is str
    transparent = np.zeros((2, 2, 4), dtype=np.uint8)
    assert (ImageArray([transparent])[0].pixels == 255).all()
    assert ImageArray([images[0], images[3]]).cells[0] == str(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("cells", "error", "match"),
    [
        ([1], TypeError, "must be a path"),
        ([b"a.jpg"], TypeError, "must be a path"),
        ([np.zeros((2, 2, 3))], TypeError, "must be uint8 .* got float64"),
        ([np.zeros((2, 2, 5), np.uint8)], ValueError, r"shape \(h, w, 3\); got \(2, 2, 5\)"),
        ([np.zeros((0, 2, 3), np.uint8)], ValueError, "shape"),
        (np.zeros((2, 2, 3), np.uint8), ValueError, "one picture"),
        ("a.jpg", TypeError, "sequence of images"),
        (pd.DataFrame({"image": ["a.jpg"]}), TypeError, "sequence of images; got DataFrame"),
        ({"image": "a.jpg"}, TypeError, "sequence of images; got dict"),
    ],
)
def test_what_a_column_cannot_be_made_of(cells, error, match):
    with pytest.raises(error, match=match):
        ImageArray(cells)


def test_plain_paths_are_looked_at_once(monkeypatch):
    looked_at = []
    monkeypatch.setattr(_cell, "is_missing", lambda value: looked_at.append(value) or not value)
    names = [f"{i}.jpg" for i in range(500)]
    images = as_images(pd.Series([*names, None, ""]), root="r")
    assert images.cells.tolist() == [*(f"r/{name}" for name in names), None, None]
    assert looked_at == [None, ""]


@pytest.mark.parametrize("root", ["r", "r/", "", ".", "../r"])
def test_roots_are_joined_as_the_system_joins(root):
    names = ["a.jpg", "b/a.jpg", "/a.jpg", "../a.jpg", "a:b.jpg", "./a.jpg", "C:/a.jpg", "~/a.jpg"]
    expected = [os.path.join(root, name) for name in names]
    assert as_images(names, root=root).cells.tolist() == expected


def test_root_goes_before_relative_paths():
    assert as_images(["a.jpg", "/b.jpg"], root="r").cells.tolist() == ["r/a.jpg", "/b.jpg"]


def test_columns_with_different_steps_are_not_joined():
    images = ImageArray(pictures(2))
    corrected = images.with_step(ImageStep("gray_world"))
    with pytest.raises(ValueError, match="different corrections .*gray_world"):
        pd.concat([pd.Series(images), pd.Series(corrected)])
    with pytest.raises(ValueError, match="different corrections"):
        images[0:1] = corrected[0:1]
    missing = pd.Series(ImageArray([None]))
    assert pd.concat([pd.Series(corrected), missing]).array.steps == corrected.steps
    assert not (images == corrected).any()
    assert not images.isin(corrected).any() and corrected.isin(corrected).all()
    # All rows missing: nothing was corrected yet, and the chain is kept.
    assert pd.concat([missing, pd.Series(corrected[:0])]).array.steps == corrected.steps


def test_marks_of_repeated_rows_go_with_the_rows():
    images = ImageArray(pictures(3)).with_copies([0, 1, 2])
    assert images[[2, 1]].copies.tolist() == [2, 1]
    assert images.take([2, -1], allow_fill=True).copies.tolist() == [2, 0]
    assert pd.concat([pd.Series(images)] * 2).array.copies.tolist() == [0, 1, 2, 0, 1, 2]
    assert pickle.loads(pickle.dumps(images)).copies.tolist() == [0, 1, 2]
    assert images.with_step(ImageStep("gray_world")).copies.tolist() == [0, 1, 2]
    changed = images.copy()
    changed[:2], changed[2] = images[[1, 2]], images[2]
    assert changed.copies.tolist() == [1, 2, 0]  # a cell alone is an original
    with pytest.raises(ValueError, match="`copies` must be non-negative"):
        images.with_copies([-1, 0, 0])


def test_equality_is_by_path_or_by_content(paths):
    rgb = pictures(4)
    in_memory = ImageArray(rgb)
    assert (in_memory == in_memory[1]).tolist() == [False, True, False, False]
    assert (in_memory == rgb[1]).tolist() == [False, True, False, False]
    assert (in_memory == ImageArray(pictures(4).copy())).all()
    assert not (in_memory == as_images(paths)).any()
    assert in_memory.duplicated().sum() == 0
    assert in_memory[[0, 0, 1]].duplicated().tolist() == [False, True, False]
    assert in_memory.isin(in_memory[:1]).tolist() == [True, False, False, False]
    for other in (in_memory, in_memory[0]):
        with pytest.raises(TypeError, match="not supported between instances of"):
            in_memory < other  # noqa: B015
        with pytest.raises(TypeError, match="unsupported operand"):
            in_memory + other


def test_json_keeps_paths(paths):
    table = pd.DataFrame({"image": as_images([*paths, None])})
    assert json.loads(table.to_json())["image"]["1"] == paths[1]
    assert json.loads(table.image.to_json(orient="values")) == [*paths, None]
    in_memory = pd.DataFrame({"image": ImageArray(pictures(2))})
    assert json.loads(in_memory.to_json())["image"]["1"] == "<image in memory 6x4>"


def test_images_are_no_numbers(paths):
    from sklearn.preprocessing import StandardScaler

    table = pd.DataFrame({"image": as_images(paths), "age": 1.0})
    for image in (table.image, ImageArray(pictures(4))):
        broken = table.assign(image=image)
        with pytest.raises(ValueError, match="Images are no numbers.*ImageEmbedder"):
            StandardScaler().fit(broken)
        for dtype in (float, int, np.uint8, bool):
            with pytest.raises(ValueError, match="Images are no numbers"):
                broken["image"].astype(dtype)
    assert all(isinstance(cell, ImageCell) for cell in np.asarray(table)[:, 0])


def test_a_picture_that_is_repeated_is_hashed_once(monkeypatch):
    hashed = []
    monkeypatch.setattr(_origins, "origin_key", lambda o: hashed.append(o) or str(o))
    images = ImageArray([*pictures(3)] * 5)[[*range(15)] * 2]
    assert images.duplicated().sum() == 27 and len(hashed) == 3
    assert len(images.unique()) == 3 and len(hashed) == 6


def test_csv_keeps_paths(paths):
    table = pd.DataFrame({"image": as_images([*paths, None])})
    again = pd.read_csv(io.StringIO(table.to_csv(index=False)), dtype={"image": "image"})
    pd.testing.assert_frame_equal(table, again)
    assert_array_equal(again.image.iloc[0].pixels, pictures(4)[0])


def test_parquet_keeps_paths_and_the_dtype(paths, tmp_path):
    pytest.importorskip("pyarrow")
    table = pd.DataFrame({"image": as_images([*paths, None]), "age": 1.0})
    table.to_parquet(tmp_path / "table.parquet")
    again = pd.read_parquet(tmp_path / "table.parquet")
    pd.testing.assert_frame_equal(table, again)


def test_pictures_in_memory_are_not_written_silently(tmp_path):
    table = pd.DataFrame({"image": ImageArray(pictures(2))})
    assert "<image in memory 6x4>" in table.to_csv()
    assert "<image in memory 6x4>" in repr(table)
    with pytest.raises(ValueError, match="had no file when the table was written"):
        pd.read_csv(io.StringIO(table.to_csv()), dtype={"image": "image"})
    with pytest.raises(ValueError, match="2 of 2 images are held in memory"):
        table.image.astype(str)
    with pytest.raises(ValueError, match="2 of 2 images are held in memory"):
        table.to_parquet(tmp_path / "table.parquet")


def test_equal_tables_hash_alike_and_pickle_small(nowhere):
    hashes = {
        joblib.hash(table)
        for table in (nowhere, nowhere.copy(), pickle.loads(pickle.dumps(nowhere)))
    }
    again = pd.DataFrame({"image": list(nowhere.image.array.cells), "age": nowhere.age})
    again["image"] = again.image.astype("image")
    assert hashes == {joblib.hash(again)}
    corrected = nowhere.assign(image=nowhere.image.array.with_step(ImageStep("gray_world")))
    assert joblib.hash(corrected) not in hashes
    assert len(pickle.dumps(ImageArray(["a" * 20] * 1000))) < 15_000
    # A few rows of a large column do not take the other rows with them.
    assert len(pickle.dumps(ImageArray(pictures(50, 50, 50))[:1])) < 10_000


def test_mapping_a_function_gives_it_cells(paths):
    column = pd.Series(as_images([*paths, None]))
    means = column.map(lambda cell: cell.pixels.mean(), na_action="ignore")
    assert_allclose(means, [*pictures(4).mean(axis=(1, 2, 3)), np.nan])
    # What a function returns is a path only if it says so.
    assert column.map(lambda cell: cell.path, na_action="ignore").dtype != "image"
    pd.testing.assert_series_equal(column.map(lambda cell: cell), column)


def test_unstacking_moves_cells_and_leaves_gaps_missing(nowhere):
    wide = nowhere.set_index([[0, 0, 0, 1, 1, 1, 1], [0, 1, 2, 1, 2, 3, 0]]).image.unstack()
    assert (wide.dtypes == "image").all()
    at = [[origin and origin[8] for origin in wide[name].array.cells] for name in wide]
    assert at == [["0", None], ["1", "3"], ["2", "4"], [None, "5"]]


def test_a_column_shows_thumbnails_and_escapes_names():
    images = ImageArray([*pictures(2), None, "<script>.jpg"])
    page = images._repr_html_()
    assert page.count("<img") == 4
    assert "<script>" not in page
    assert images.show(3, size=16).size == (48, 16)
    assert "ImageArray" in repr(images)


def test_a_column_made_of_a_column_keeps_everything(nowhere):
    images = nowhere.image.array.with_step(ImageStep("gray_world")).with_copies(np.arange(7))
    for again in (ImageArray(images), ImageArray(pd.Series(images)), as_images(images)):
        assert again.cells.tolist() == images.cells.tolist()
        assert again.steps == images.steps
        assert again.copies.tolist() == images.copies.tolist()
