"""pandas' own test suite for extension arrays."""

import numpy as np
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
from sklearn_skin.image._cells import Picture


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Files named a.png to l.png, each of another colour."""
    folder = tmp_path_factory.mktemp("pictures")
    names = [folder / f"{letter}.png" for letter in "abcdefghijkl"]
    for shade, name in enumerate(names):
        Image.new("RGB", (3, 2), (20 * shade, 0, 0)).save(name)
    return [str(name) for name in names]


@pytest.fixture(autouse=True)
def one_truth_value(monkeypatch):
    """Let a picture compare and hash as one value, as the suite assumes of every scalar.

    Pictures are arrays, and arrays compare by element. Only the suite needs the other meaning,
    so only here pictures are equal if they come from equal cells, and have no order.
    """

    def equal(picture, other):
        other = getattr(other, "source", other)
        return isinstance(other, str) and picture.source == other

    def refuse(picture, other):
        raise TypeError("pictures have no order")

    monkeypatch.setattr(Picture, "__eq__", equal)
    monkeypatch.setattr(Picture, "__ne__", lambda picture, other: not equal(picture, other))
    monkeypatch.setattr(Picture, "__hash__", lambda picture: hash(picture.source))
    for name in ("lt", "le", "gt", "ge"):
        monkeypatch.setattr(Picture, f"__{name}__", refuse)


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


LIST = (
    "the suite hands a picture to pandas, which takes any array for a list of values; "
    "a path is taken for one value, see test_array.py"
)
NO_ORDER = "pictures have no order"
SKIPPED = {
    "test_setitem_loc_scalar_mixed": LIST,
    "test_setitem_loc_scalar_multiple_homogoneous": LIST,
    "test_setitem_iloc_scalar_mixed": LIST,
    "test_setitem_iloc_scalar_multiple_homogoneous": LIST,
    "test_setitem_loc_iloc_slice": LIST,
    "test_compare_scalar": LIST,
    "test_fillna_series": LIST,
    "test_fillna_frame": LIST,
    "test_fillna_limit_frame": LIST,
    "test_fillna_limit_series": LIST,
    "test_fillna_copy_frame": LIST,
    "test_fillna_copy_series": LIST,
    "test_where_series_listlike_other": LIST,
    "test_mask_listlike_other_inplace": LIST,
    "test_series_constructor_scalar_with_index": LIST,
    "test_loc_setitem_with_expansion_preserves_ea_index_dtype": (
        "for hashable scalars; outside of this suite pictures are not hashable"
    ),
    "test_combine_le": NO_ORDER,
    "test_invert": "a picture can be inverted, a column of them cannot",
    "test_plot_on_y_axis": "images are not numbers to plot",
    "test_unstack": "in the object column of the suite's comparison pandas turns None into NaN",
}
# Direct assignment to the array works, and only assignment through a Series is skipped.
SKIPPED_IN_SERIES = {
    "test_setitem_mask",
    "test_setitem_mask_boolean_array_with_na",
    "test_setitem_integer_array",
    "test_setitem_slice",
}


class TestImageArray(base.ExtensionTests):
    # Arithmetic between a column and a picture: pandas compares the lengths first.
    series_scalar_exc = (TypeError, ValueError)
    frame_scalar_exc = (TypeError, ValueError)

    @pytest.fixture(autouse=True)
    def skip(self, request):
        name = request.node.originalname
        if name in SKIPPED:
            pytest.skip(SKIPPED[name])
        if name in SKIPPED_IN_SERIES and request.getfixturevalue("box_in_series"):
            pytest.skip(LIST)

    def test_array_interface(self, data):
        # Differs from the suite on purpose: NumPy gets the paths, so that no file is read.
        assert np.array(data, dtype=object).tolist() == data.cells.tolist()

    def test_astype_str(self, data):
        # As above: the text of an image is its path.
        assert pd.Series(data).astype(str).tolist() == data.cells.tolist()

    @pytest.mark.parametrize("text", ["string[python]", "string[pyarrow]"])
    def test_astype_string(self, data, text):
        result = pd.Series(data).astype(text)
        assert result.tolist() == data.cells.tolist()
        assert result.dtype == text
