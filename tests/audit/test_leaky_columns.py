"""Columns, and gaps, that give the label away."""

import numpy as np
import pandas as pd
import pytest
from audited import check_data, check_leakage

from sklearn_skin.audit._columns import leaky_names
from sklearn_skin.datasets import make_lesions


@pytest.fixture(scope="module")
def lesions():
    return make_lesions(60, images_per_lesion=2, random_state=0)


@pytest.fixture(scope="module")
def singles():
    return make_lesions(40, image_size=128, random_state=1)


def test_leaky_names():
    leaky = [
        "dx_type",
        "dx",
        "biopsed",
        "diagnosis_confirm_type",
        "diagnosis_full",
        "management",
        "level_of_diagnostic_difficulty",
        "seven_point_score",
        "invasion_thickness_interval",
        "mel_thick_mm_thickness",
        "histopathology",
        "Benign_Malignant",
        "follow-up",
    ]
    fine = [
        "age",
        "sex",
        "localization",
        "skin_cancer_history",
        "cancer_history",
        "fitzpatrick",
        "skin_tone_class",
        "itch",
        "changed",
        "family_history",
        "diameter_1",
        "site",
        "idx",
        3,
    ]
    assert leaky_names([*leaky, *fine]) == leaky


@pytest.mark.parametrize("pattern", ["diam", "diameter", "Ward_7", "ward 7"])
def test_further_leaky_names(singles, pattern):
    X = singles.data.assign(Ward_7=1.0)
    found = check_data(X, leaky_columns=[pattern]).columns["column"]
    assert found.tolist() == ["diameter" if "diam" in pattern else "Ward_7"]


@pytest.mark.parametrize("kind", ["number", "text"])
def test_a_column_that_holds_the_label(kind):
    lesions = make_lesions(150, random_state=0)
    codes = lesions.target.astype("category").cat.codes
    secret = codes * 10.0 if kind == "number" else "ward " + codes.astype(str)
    report = check_data(lesions.data.assign(ward=secret), lesions.target)
    assert report.columns["column"].tolist() == ["ward"]
    assert report.columns["auc"].iloc[0] > 0.99
    assert check_data(lesions.data, lesions.target).ok


def test_infinity_is_a_number_like_any_other():
    y = np.tile(["A", "B"], 20)
    X = pd.DataFrame({"secret": np.where(y == "A", -np.inf, np.inf), "age": np.arange(40.0)})
    X.loc[:2, "age"] = np.inf, np.nan, 1e300
    assert check_data(X, y).columns["column"].tolist() == ["secret"]


def test_few_patients_prove_nothing():
    groups = np.repeat(np.arange(5), 20)
    y, sex = np.where(groups % 2, "A", "B"), np.where(groups % 2, "f", "m")
    X = pd.DataFrame({"sex": sex})
    assert check_leakage(X, y, groups).columns["column"].tolist() == ["sex"]
    assert check_leakage(X[groups < 4], y[groups < 4], groups[groups < 4]).columns.empty


def test_identifiers_predict_only_where_groups_are_not_kept_whole(lesions):
    X = lesions.data.assign(patient=lesions.groups)
    many = pd.concat([X.set_axis(X.index + str(k)) for k in range(4)])[["sex", "patient"]]
    y = np.tile(lesions.target, 4)
    assert check_data(many, y).columns["column"].tolist() == ["patient"]
    assert check_leakage(many, y, np.tile(lesions.groups, 4)).columns.empty


def test_gaps_that_predict_the_label(singles):
    lesions = make_lesions(200, random_state=0)
    gaps = (lesions.target == "A") & (np.arange(200) % 3 > 0)
    X = lesions.data.assign(smoke=np.where(gaps, np.nan, 1.0))
    found = check_data(X, lesions.target).missingness
    assert found[["column", "class", "n_missing"]].to_numpy().tolist() == [
        ["smoke", "A", int(gaps.sum())]
    ]
    # Without the class every gap is still as frequent: AUC = (1 + P(gap | A)) / 2.
    assert found["auc"].iloc[0] == pytest.approx((1 + gaps[lesions.target == "A"].mean()) / 2)
    assert check_data(X, np.random.default_rng(0).permutation(lesions.target)).ok


def test_gaps_of_many_rows_of_few_patients_prove_nothing():
    y, groups = np.repeat(["A", "B"], 100), np.repeat(np.arange(10), 20)
    X = pd.DataFrame({"smoke": np.where(np.isin(groups, [0, 1, 5]), np.nan, 1.0)})
    X.loc[groups == 5, "smoke"] = 1.0
    assert len(check_data(X, y).missingness) == 1
    assert check_leakage(X, y, groups).missingness.empty
