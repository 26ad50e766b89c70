"""Cells: one value for pandas and NumPy, whose pixels are read when they are asked for."""

import copy
import io
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from sklearn_skin.exceptions import ImageDecodeError
from sklearn_skin.image import ImageArray, ImageCell, ImageStep, as_images

GRAY, CROP = ImageStep("gray_world"), ImageStep("center_crop", (("size", 2),))


def pictures(n, height=4, width=6):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n, height, width, 3), dtype=np.uint8)


@pytest.fixture
def paths(tmp_path):
    names = [str(tmp_path / f"{i}.png") for i in range(4)]
    for name, picture in zip(names, pictures(4)):
        Image.fromarray(picture).save(name)
    return names


@pytest.fixture(params=["files", "memory"])
def column(request, paths):
    """Four different images and a missing one."""
    return pd.Series(as_images([*(paths if request.param == "files" else pictures(4)), None]))


def test_a_cell_knows_its_path_and_reads_its_pixels_corrected(paths):
    images = as_images([paths[1], pictures(4)[1], None])
    cropped = images.with_step(CROP)
    assert images[0].path == paths[1] and images[1].path is None and images[2] is None
    for row in (0, 1):
        assert_array_equal(images[row].pixels, pictures(4)[1])
        assert_array_equal(cropped[row].pixels, pictures(4)[1][1:3, 2:4])
    assert images.steps == ()


def test_pixels_of_a_cell_cannot_change_the_column(column):
    with pytest.raises(ValueError, match="read-only"):
        column.iloc[0].pixels[:] = 0
    assert column.iloc[0].pixels.any()


def test_a_file_that_cannot_be_read_is_an_error_only_for_its_pixels():
    cell = ImageCell("nowhere.jpg", [GRAY])
    assert (str(cell), repr(cell), cell.path) == ("nowhere.jpg", "<image nowhere.jpg>", cell.origin)
    assert cell in {cell} and cell == pickle.loads(pickle.dumps(cell))
    with pytest.raises(ImageDecodeError, match="nowhere.jpg"):
        cell.pixels  # noqa: B018
    assert repr(ImageCell(pictures(1)[0])) == "<image in memory 6x4>"


def test_numpy_and_pandas_take_a_cell_for_one_value(column):
    cell = column.iloc[0]
    for name in ("__len__", "__iter__", "__getitem__", "__array__"):
        assert not hasattr(cell, name)
    assert np.array([cell, cell], dtype=object).shape == np.array([cell, cell]).shape == (2,)
    assert pd.api.types.is_scalar(cell) and not pd.api.types.is_list_like(cell)


def test_cells_are_equal_by_origin_and_corrections(column, paths):
    cells, again = list(column[:4]), list(column.copy()[:4])
    assert cells == again and len({*cells, *again}) == 4
    assert {cell: row for row, cell in enumerate(cells)}[again[2]] == 2
    corrected = column.array.with_step(GRAY)
    assert corrected[0] != cells[0] and corrected[0] == column.array.with_step(GRAY)[0]
    assert ImageCell(paths[0]) != ImageCell(pictures(4)[0])
    assert ImageCell(paths[0]) != paths[0]
    # The same bytes in another shape are another picture.
    assert ImageCell(pictures(1)[0]) != ImageCell(pictures(1)[0].reshape(6, 4, 3))


def test_cells_have_no_order(column):
    with pytest.raises(TypeError, match="'<' not supported"):
        sorted(column[:4])
    with pytest.raises(TypeError, match="'<=' not supported"):
        column.iloc[0] <= column.iloc[1]  # noqa: B015


def test_a_cell_put_back_is_its_origin(column):
    images = column.array.with_step(GRAY)
    images[0] = images[1]
    assert images.cells[0] is images.cells[1]
    assert images[0] == images[1] != images[2]
    rebuilt = ImageArray(list(images))
    assert rebuilt.steps == images.steps
    assert all(one is two for one, two in zip(rebuilt.cells, images.cells))


def test_a_cell_with_other_corrections_is_refused(column):
    plain, corrected = column.array, column.array.with_step(GRAY)
    for images, cell in ((plain, corrected[0]), (corrected, plain[0])):
        with pytest.raises(ValueError, match=r"different corrections .*\[\] and \['gray_world'\]"):
            pd.Series(images).fillna(cell)
        with pytest.raises(ValueError, match="`.path` or `.pixels`"):
            images[0] = cell
        with pytest.raises(ValueError, match="different corrections"):
            ImageArray([plain[0], corrected[0]])
        images[0] = cell.pixels
        assert_array_equal(images.cells[0], cell.pixels)
    with pytest.raises(ValueError, match="different corrections"):
        ImageArray([plain[1]], steps=[GRAY])
    # A path or a picture has no corrections yet and gets those of the column.
    corrected[0] = "b.jpg"
    assert corrected[0] == ImageCell("b.jpg", [GRAY])


def as_cell(column):
    return column.iloc[2]


def as_path(column):
    return "other.jpg"


@pytest.mark.parametrize("make", [as_cell, as_path])
def test_pandas_puts_single_images_where_they_belong(make, column):
    value = make(column)
    rows = np.array([False, True, False, False, True])
    expected = column.array.cells.copy()
    for row in np.flatnonzero(rows):
        expected[row] = as_images([value]).cells[0]
    filled = column.fillna(value)
    assert filled.notna().all() and (filled == value).iloc[4]
    assert (column.array == value)[rows].tolist() == [False, False]
    by_loc, by_iloc, table = column.copy(), column.copy(), column.to_frame("image")
    by_loc.loc[rows] = value
    by_iloc.iloc[[1, 4]] = value
    table.loc[rows, "image"] = value
    for result in (
        column.where(~rows, value),
        column.mask(rows, value),
        column.to_frame("image").mask(rows[:, None], value)["image"],
        by_loc,
        by_iloc,
        table["image"],
    ):
        assert result.dtype == "image"
        assert all(one is two or one == two for one, two in zip(result.array.cells, expected))


def test_comparing_columns_gives_the_rows_that_differ(column):
    other = column.copy()
    other.iloc[1] = column.iloc[2]
    difference = column.compare(other)
    assert difference.index.tolist() == [1]
    assert difference.loc[1, "self"] == column[1] and difference.loc[1, "other"] == column[2]
    assert (column == column.iloc[0]).tolist() == [True] + [False] * 4


def test_looking_at_pixels_leaves_no_trace(column):
    column = pd.Series(column.array.with_step(GRAY))
    cell, before = column.iloc[0], (joblib.hash(column), len(pickle.dumps(column)))
    alone = joblib.hash(cell), len(pickle.dumps(cell))
    cell.pixels, hash(cell), cell._repr_png_(), column.map(hash, na_action="ignore")
    assert (joblib.hash(column), len(pickle.dumps(column))) == before
    assert (joblib.hash(cell), len(pickle.dumps(cell))) == alone


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_are_equal_and_independent(duplicate, column):
    cell = column.array.with_step(GRAY)[0]
    assert duplicate(cell) == cell and joblib.hash(duplicate(cell)) == joblib.hash(cell)
    again = duplicate(column)
    pd.testing.assert_series_equal(again, column)
    again.iloc[0] = again.iloc[1]
    assert column.iloc[0] != column.iloc[1]


def test_a_notebook_shows_a_cell_as_a_thumbnail():
    large = np.full((500, 1000, 3), (10, 200, 30), dtype=np.uint8)
    thumbnail = Image.open(io.BytesIO(ImageCell(large)._repr_png_()))
    assert thumbnail.size == (256, 128) and thumbnail.getpixel((5, 5)) == (10, 200, 30)


@pytest.mark.parametrize(("origin", "error"), [(None, TypeError), (1, TypeError), ([], TypeError)])
def test_a_cell_is_an_image(origin, error):
    with pytest.raises(error, match="An image must be a path"):
        ImageCell(origin)
