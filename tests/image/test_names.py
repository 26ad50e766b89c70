"""Images where a table is expected: an error that shows the table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression

from sklearn_skin.ensemble import WeightedFusionClassifier
from sklearn_skin.image import as_images, check_no_images, has_image_suffix
from sklearn_skin.neural_network import (
    ImageClassifier,
    ImageEmbedder,
    JointFusionClassifier,
    MetadataClassifier,
)
from sklearn_skin.preprocessing import make_lesion_transformer

PICTURES = np.zeros((4, 8, 8, 3), dtype=np.uint8)
PATHS = ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
COLUMN = pd.Series(as_images(list(PICTURES)))
GIVEN = [
    (PICTURES, "an array of shape .4, 8, 8, 3."),
    (torch.zeros(4, 3, 8, 8), "an array of shape .4, 3, 8, 8."),
    (list(PICTURES), "a list of arrays"),
    ([torch.zeros(3, 8, 8)] * 4, "a list of arrays"),
    ([Image.fromarray(picture) for picture in PICTURES], "a list of PIL images"),
    (PATHS, "a list of paths"),
    (np.array(PATHS), "a list of paths"),
    (np.array(PATHS, dtype=object), "a list of paths"),
    (pd.Index([None, *PATHS[1:]]), "a list of paths"),
    (np.array(PATHS)[:, None], "an array or list with images in its columns"),
    ([["a.jpg", 3]] * 4, "an array or list with images in its columns"),
    (pd.DataFrame({"image": COLUMN, "age": 1}).to_numpy(), "an array or list with images"),
    ({"image": PATHS}, "a dict"),
    (None, "None"),
    (COLUMN, "an image column alone"),
    (COLUMN.to_numpy(), "an image column alone"),
]
FUSION = WeightedFusionClassifier([("linear", LogisticRegression())])
FITS = {
    "ImageClassifier": lambda X: ImageClassifier(weights=None).fit(X, [0, 1, 0, 1]),
    "ImageEmbedder": lambda X: ImageEmbedder(weights=None).fit(X),
    "WeightedFusionClassifier": lambda X: FUSION.fit(X, [0, 1, 0, 1]),
    "MetadataClassifier": lambda X: MetadataClassifier().fit(X, [0, 1, 0, 1]),
    "transformer": lambda X: make_lesion_transformer().fit(X),
}


@pytest.fixture(scope="module")
def fitted():
    X = pd.DataFrame({"image": as_images(list(PICTURES)), "age": range(4)})
    net = JointFusionClassifier(
        backbone="test_resnet", weights=None, image_size=32, max_epochs=1, cache_dir=None
    )
    return net.fit(X, [0, 1, 0, 1])


@pytest.mark.parametrize(("X", "what"), GIVEN)
@pytest.mark.parametrize("fit", FITS)
def test_pictures_and_paths_are_no_table(X, what, fit):
    with pytest.raises(TypeError, match=f"X must be a table, such as .*as_images; got {what}"):
        FITS[fit](X)


@pytest.mark.parametrize(("X", "what"), GIVEN)
def test_nor_are_they_in_prediction(X, what, fitted):
    with pytest.raises(TypeError, match=f"X must be a table, such as .*as_images; got {what}"):
        fitted.predict(X)


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((4, 2)),
        [[1.0, 2.0], [3.0, 4.0]],
        pd.DataFrame({"path": ["a.jpg"]}),
        pd.Series(["nevus"]),
        np.array([["nevus", 3]], dtype=object),
        np.array(["nevus", None], dtype=object),
        torch.zeros(4, 2),
        "nevus",
        [],
    ],
    ids=repr,
)
def test_other_things_are_left_to_others(X):
    check_no_images(X)


CELL = as_images(["a.jpg"])[0]


@pytest.mark.parametrize(
    "row", [[CELL, 50, "arm"], [50, CELL], ["a.jpg", "arm", 50.0, None]], ids=str
)
def test_a_row_is_no_table(row, fitted):
    row = pd.Series(row, dtype=object)
    for given in (check_no_images, fitted.predict, lambda X: make_lesion_transformer().fit(X)):
        with pytest.raises(TypeError, match=r"got one row as a Series. X.iloc\[\[0\]\] is a table"):
            given(row)


def test_a_row_of_numbers_is_no_table(fitted):
    with pytest.raises(TypeError, match=r"got Series. A row of a table is X.iloc\[\[0\]\]"):
        fitted.predict(pd.Series([1.0, 2.0]))


@pytest.mark.parametrize("column", [["a.jpg", "b", None], [CELL, None]], ids=str)
def test_a_column_with_gaps_is_no_row(column):
    with pytest.raises(TypeError, match="got a list of paths|an image column alone"):
        check_no_images(pd.Series(column, dtype=object))


def test_paths_count_as_pathlib_writes_them():
    assert has_image_suffix(Path("lesions") / "a.PNG")
    with pytest.raises(TypeError, match="a list of paths"):
        check_no_images([Path("a.tiff")])
    with pytest.raises(TypeError, match="a list of paths"):
        check_no_images(pd.Series(["a.webp"], index=[7]))
