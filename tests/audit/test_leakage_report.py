"""What is done about findings, and how they are told."""

import re

import numpy as np
import pandas as pd
import pytest
from audited import check_data, check_leakage

from sklearn_skin.datasets import make_lesions
from sklearn_skin.exceptions import DataLeakageWarning
from sklearn_skin.image import ImageArray


@pytest.fixture(scope="module")
def lesions():
    return make_lesions(60, images_per_lesion=2, random_state=0)


@pytest.fixture(scope="module")
def singles():
    return make_lesions(40, image_size=128, random_state=1)


def test_on_leak(singles):
    X = singles.data.assign(dx_type="histo")
    with pytest.warns(DataLeakageWarning, match="'dx_type'"):
        check_data(X, on_leak="warn")
    with pytest.raises(ValueError, match="columns that give the label away: 1"):
        check_leakage(X, on_leak="raise")
    with pytest.raises(ValueError, match=re.escape("'on_leak' parameter")):
        check_data(X, on_leak="shout")


def test_one_table_of_all_findings(lesions):
    X = lesions.data.assign(dx_type="histo")
    report = check_leakage(X, lesions.target, lesions.groups, splits=([0, 2], [1, 3]))
    frame = report.to_frame()
    assert frame["check"].tolist() == ["groups", "groups", "columns"]
    assert lesions.groups.iloc[0] in frame["finding"].iloc[0]
    assert "&lt;LeakageReport" in report._repr_html_()


def test_small_and_odd_tables():
    assert check_data(np.zeros((3, 2)), [0, 1, 0]).ok
    assert check_leakage(pd.DataFrame({"age": [1.0, 2.0]}), [np.nan, np.nan], [1, 2]).ok
    assert check_data(pd.DataFrame({"image": ImageArray([None, None])}), [0, 1]).n_images == 0
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        check_data(np.zeros((3, 2)), [0, 1])
