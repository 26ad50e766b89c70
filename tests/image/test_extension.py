"""pandas' own test suite for extension arrays."""

import pandas as pd
import pytest
from pandas.tests.extension import base
from pandas.tests.extension.conftest import (  # noqa: F401
    all_arithmetic_operators,
    all_boolean_reductions,
    all_data,
    all_numeric_accumulations,
    all_numeric_reductions,
    all_reductions,
    as_array,
    as_frame,
    as_series,
    box_in_series,
    comparison_op,
    data_for_twos,
    data_repeated,
    fillna_method,
    groupby_apply_op,
    invalid_scalar,
    na_cmp,
    na_value,
    use_numpy,
    using_nan_is_na,
)
from PIL import Image

from sklearn_skin.image import ImageArray, ImageDtype


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Files named a.png to l.png, each of another colour."""
    folder = tmp_path_factory.mktemp("pictures")
    names = [folder / f"{letter}.png" for letter in "abcdefghijkl"]
    for shade, name in enumerate(names):
        Image.new("RGB", (3, 2), (20 * shade, 0, 0)).save(name)
    return [str(name) for name in names]


@pytest.fixture
def dtype():
    return ImageDtype()


@pytest.fixture
def data(paths):
    return ImageArray(paths[:10])


@pytest.fixture
def data_missing(paths):
    return ImageArray([None, paths[0]])


@pytest.fixture
def data_for_sorting(paths):
    return ImageArray([paths[1], paths[2], paths[0]])


@pytest.fixture
def data_missing_for_sorting(paths):
    return ImageArray([paths[1], None, paths[0]])


@pytest.fixture
def data_for_grouping(paths):
    a, b, c = paths[:3]
    return ImageArray([b, b, None, None, a, a, b, c])


SKIPPED = {
    "test_combine_le": "images have no order",
    "test_plot_on_y_axis": "images are no numbers to plot",
    "test_unstack": "its object column turns None into NaN; see test_array.py",
}


class TestImageArray(base.ExtensionTests):
    @pytest.fixture(autouse=True)
    def skip(self, request):
        if request.node.originalname in SKIPPED:
            pytest.skip(SKIPPED[request.node.originalname])

    def test_astype_str(self, data):
        # Differs from the suite on purpose: the text of an image is its path.
        assert pd.Series(data).astype(str).tolist() == data.cells.tolist()
