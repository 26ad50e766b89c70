"""Features belong to the raw column that their names tell, whatever values a table holds."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_skin.image import as_images
from sklearn_skin.preprocessing import feature_groups, make_lesion_transformer, raw_column

IMPUTATIONS = ["simple", "neural"]
NAMES = [
    "plain", "two words", "a=b", "=", "==", "a=b=missing", "x_y", "x_y_z", "%", "100 %", "%3D",
    "a%3Db", "%25", "%%25=", "%2=5", "Größe", "部位", "missing", "plain_low",
]  # fmt: skip
VALUES = ["low", "=low", "==", "%3Dlow", "%25", "a=b", "missing", "=missing", "a b", "ü_1", "≥5=x"]


@pytest.fixture
def table():
    rng = np.random.RandomState(0)
    n = 40
    return pd.DataFrame(
        {
            "image": as_images([np.full((4, 4, 3), i, dtype=np.uint8) for i in range(n)]),
            "age": np.where(np.arange(n) % 7 == 0, np.nan, rng.uniform(20, 80, n)),
            "site": rng.choice(["arm", "b_arm", "back"], n),
            "site_b": rng.choice(["arm", "back"], n),
            "itch": rng.uniform(size=n) < 0.5,
            "patient": np.arange(n) // 2,
        }
    )


@pytest.mark.parametrize("imputation", IMPUTATIONS)
def test_transformer_pipeline_search_table_and_names_agree(table, imputation):
    transformer = make_lesion_transformer(
        group_column="patient", imputation=imputation, add_indicator=True, random_state=0
    )
    features = transformer.fit_transform(table).drop(columns="patient")
    groups = {
        "age": ["age", "age==missing"],
        "site": ["site=arm", "site=b_arm", "site=back"],
        "site_b": ["site_b=arm", "site_b=back"],
        "itch": ["itch=False", "itch=True"],
    }
    numbers = features.drop(columns="image")
    pipe = make_pipeline(transformer, StandardScaler())
    search = GridSearchCV(
        make_pipeline(make_lesion_transformer(add_indicator=True), LogisticRegression()),
        {"logisticregression__C": [1.0]},
        cv=2,
    ).fit(table.drop(columns=["image", "patient"]), np.arange(len(table)) % 2)
    for source in (transformer, pipe, features, numbers, list(numbers), search):
        assert feature_groups(source) == groups


@pytest.mark.parametrize("dtype", [bool, float])
def test_values_decide_nothing(dtype):
    # One-hot by their values in some rows: 0 or 1, never both, a common start of their names.
    hx_cancer = np.tile([1, 0, 0, 1, 0], 8)
    hx_melanoma = np.where(np.arange(40) < 20, 1 - hx_cancer, hx_cancer)
    X = pd.DataFrame({"hx_cancer": hx_cancer, "hx_melanoma": hx_melanoma}).astype(dtype)
    X["site"] = np.where(np.arange(40) % 2, "arm", "leg")
    transformer = make_lesion_transformer(scale=False).fit(X)
    expected = feature_groups(transformer)
    assert list(expected) == [*X] if dtype is float else {*expected} == {*X}
    no_positive = np.flatnonzero(hx_cancer == 0)
    for rows in (slice(None), slice(0, 20), slice(20, 40), no_positive, [0], []):
        assert feature_groups(transformer.transform(X).iloc[rows]) == expected


@pytest.mark.parametrize("imputation", IMPUTATIONS)
@pytest.mark.parametrize("kind", ["numeric", "categorical"])
def test_any_name_and_value_comes_back(imputation, kind):
    n = 3 * len(VALUES)
    if kind == "numeric":
        columns = {name: np.arange(n) + i for i, name in enumerate(NAMES)}
    else:
        columns = {name: np.roll(VALUES * 3, i) for i, name in enumerate(NAMES)}
    gaps = np.arange(n) % 5 == 0
    X = pd.DataFrame(columns).mask(np.tile(gaps[:, None], len(NAMES)))
    transformer = make_lesion_transformer(imputation=imputation, add_indicator=True, random_state=0)
    if imputation == "neural":
        transformer.set_params(metadata__impute__max_epochs=1)
    out = transformer.fit_transform(X)
    assert out.columns.is_unique
    groups = feature_groups(transformer)
    assert list(groups) == NAMES
    n_values = 1 if kind == "numeric" else len(VALUES)
    has_indicator = kind == "numeric" or imputation == "neural"
    for name, features in groups.items():
        assert len(features) == n_values + has_indicator
        assert {raw_column(feature) for feature in features} == {name}
        if has_indicator:
            (indicator,) = (feature for feature in features if feature.endswith("==missing"))
            assert (out[indicator] > out[indicator].mean()).tolist() == gaps.tolist()


def test_names_without_a_sign_are_groups_of_their_own():
    names = ["site_arm", "site_leg", "x0", "x1", "area %"]
    assert feature_groups(names) == {name: [name] for name in names}


def test_a_pipeline_without_a_column_transformer_is_an_error():
    with pytest.raises(ValueError, match="`source` must hold a ColumnTransformer; this Pipeline"):
        feature_groups(make_pipeline(StandardScaler(), LogisticRegression()))
