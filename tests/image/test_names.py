"""Images where a table is expected: an error that shows the table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sklearn_skin.image import as_images, check_no_images, has_image_suffix
from sklearn_skin.neural_network import ImageClassifier, MetadataClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

PICTURES = np.zeros((4, 8, 8, 3), dtype=np.uint8)
GIVEN = {
    "an array of shape .4, 8, 8, 3.": PICTURES,
    "a list of arrays": list(PICTURES),
    "a list of paths": ["a.jpg", "b.jpg", "c.jpg", "d.jpg"],
    "an image column alone": pd.Series(as_images(list(PICTURES))),
}
FITS = {
    "ImageClassifier": lambda X: ImageClassifier(weights=None).fit(X, [0, 1, 0, 1]),
    "MetadataClassifier": lambda X: MetadataClassifier().fit(X, [0, 1, 0, 1]),
    "transformer": lambda X: make_lesion_transformer().fit(X),
}


@pytest.mark.parametrize("what", GIVEN)
@pytest.mark.parametrize("fit", FITS)
def test_pictures_and_paths_are_no_table(what, fit):
    with pytest.raises(TypeError, match=f"X must be a table, such as .*as_images; got {what}"):
        FITS[fit](GIVEN[what])


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((4, 2)),
        [[1.0, 2.0], [3.0, 4.0]],
        pd.DataFrame({"path": ["a.jpg"]}),
        pd.Series(["nevus"]),
        [],
        None,
    ],
    ids=repr,
)
def test_other_things_are_left_to_others(X):
    check_no_images(X)


def test_paths_count_as_pathlib_writes_them():
    assert has_image_suffix(Path("lesions") / "a.PNG")
    with pytest.raises(TypeError, match="a list of paths"):
        check_no_images([Path("a.tiff")])
    with pytest.raises(TypeError, match="a list of paths"):
        check_no_images(pd.Series(["a.webp"], index=[7]))
