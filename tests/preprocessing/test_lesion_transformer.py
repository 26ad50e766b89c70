"""The table's transformer under what real tables do."""

import pickle
import re
import warnings
from datetime import date

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline

from sklearn_skin.datasets import make_lesions
from sklearn_skin.image import as_images
from sklearn_skin.preprocessing import (
    CLAHE,
    NeuralImputer,
    ShadesOfGray,
    make_lesion_transformer,
)

IMPUTATIONS = ["simple", "mean", "neural"]


def make_table(n=40, seed=0):
    rng = np.random.RandomState(seed)
    X = pd.DataFrame(
        {
            "image": as_images([np.full((6, 6, 3), i % 256, dtype=np.uint8) for i in range(n)]),
            "age": rng.uniform(20, 80, n).round(),
            "sex": rng.choice(["female", "male"], n),
            "site": pd.Categorical(rng.choice(["arm", "back", "upper_arm"], n)),
            "itch": rng.uniform(size=n) < 0.5,
            "n_lesions": pd.array(rng.randint(1, 9, n), dtype="Int64"),
            "patient": [f"p{i // 2}" for i in range(n)],
        },
        index=[f"row{i}" for i in range(n)],
    )
    X.loc[X.index[::7], "age"] = np.nan
    X.loc[X.index[::5], "sex"] = None
    X.loc[X.index[::9], "site"] = None
    X.loc[X.index[::11], "n_lesions"] = pd.NA
    return X


def make_target(n=40):
    return np.arange(n) % 2


def fit_quietly(transformer, X):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return transformer.fit(X)


class DropImages(ClassifierMixin, BaseEstimator):
    """A classifier of the metadata in a table with images."""

    def __init__(self, C=1.0):
        self.C = C

    def fit(self, X, y):
        self.model_ = LogisticRegression(C=self.C).fit(self._numbers(X), y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(self._numbers(X))

    def _numbers(self, X):
        self.seen_ = X
        return X.select_dtypes("number")


@pytest.mark.parametrize("imputation", IMPUTATIONS)
def test_output_is_a_complete_table_with_images(imputation):
    X = make_table()
    transformer = make_lesion_transformer(
        image_steps=[ShadesOfGray()], group_column="patient", imputation=imputation, random_state=0
    )
    assert isinstance(transformer, ColumnTransformer)
    out = fit_quietly(transformer, X).transform(X)
    assert out.index.equals(X.index)
    assert str(out["image"].dtype) == "image"
    assert out["image"].array.steps[0].name == "shades_of_gray"
    assert out["patient"].iloc[0] == "group of 'patient': p0"
    features = out.drop(columns=["image", "patient"])
    assert (features.dtypes == "float64").all() and np.isfinite(features).all(axis=None)
    assert list(features) == [
        "age", "n_lesions", "sex=female", "sex=male", "site=arm", "site=back", "site=upper_arm",
        "itch=False", "itch=True",
    ]  # fmt: skip
    assert_array_equal(transformer.get_feature_names_out(), out.columns)


def test_numbers_get_the_median_or_mean_and_are_scaled():
    X = make_table()[["age"]]
    known = X["age"].dropna()
    for imputation, value in (("simple", known.median()), ("mean", known.mean())):
        out = make_lesion_transformer(imputation=imputation, scale=False).fit_transform(X)
        assert_allclose(out["age"][X["age"].isna()], value)
        assert_allclose(out["age"][known.index], known)
    scaled = make_lesion_transformer().fit_transform(X)["age"]
    assert_allclose([scaled.mean(), scaled.std(ddof=0)], [0, 1], atol=1e-12)


def test_categories_get_the_mode_or_a_category_of_their_own():
    X = pd.DataFrame({"sex": ["male", "male", "female", None]})
    assert make_lesion_transformer().fit_transform(X).loc[3].to_dict() == {
        "sex=female": 0, "sex=male": 1,
    }  # fmt: skip
    for imputation in IMPUTATIONS:
        own = make_lesion_transformer(imputation=imputation, categorical_imputation="missing")
        row = own.fit_transform(X).loc[3]
        assert row.to_dict() == {"sex=female": 0, "sex=male": 0, "sex=missing": 1}


def test_indicators_tell_which_numbers_were_missing():
    X = make_table()
    out = make_lesion_transformer(
        add_indicator=True, scale=False, group_column="patient"
    ).fit_transform(X)
    assert_array_equal(out["age==missing"], X["age"].isna())


@pytest.mark.parametrize("imputation", IMPUTATIONS)
def test_statistics_come_from_the_rows_of_fit_only(imputation):  # FAILURES 20
    X = make_table(80).drop(columns="patient")
    transformer = make_lesion_transformer(imputation=imputation, random_state=0)
    halves = [clone(transformer).fit(X[:40]), clone(transformer).fit(X[40:])]
    ages = [half.transform(X[1:2])["age"].iloc[0] for half in halves]
    assert abs(ages[0] - ages[1]) > 1e-3
    # Other rows in transform change nothing.
    alone, together = halves[0].transform(X[50:51]), halves[0].transform(X[45:60])[5:6]
    assert_allclose(alone.select_dtypes("number"), together.select_dtypes("number"), atol=1e-9)


@pytest.mark.parametrize("imputation", IMPUTATIONS)
def test_spellings_of_one_value_are_one_feature(imputation):  # FAILURES 21
    sex = ["male", "Male ", " MALE", "male", "female", "Female"] * 3
    itch = [True, "True", "true ", False, "False", None] * 3
    X = pd.DataFrame({"sex": sex, "itch": itch, "grade": ["3", "3.0", 3, 3.0, "2", 2.0] * 3})
    # Texts that are numbers are numbers unless they are declared to be categories.
    X["grade"] = X["grade"].astype("category")
    transformer = make_lesion_transformer(imputation=imputation, random_state=0)
    out = fit_quietly(transformer, X).transform(X)
    wanted = {"sex=female", "sex=male", "itch=False", "itch=True", "grade=2", "grade=3"}
    assert set(out) - {"grade=3.0"} == wanted
    assert_array_equal(out["sex=male"], [1, 1, 1, 1, 0, 0] * 3)
    assert_array_equal(out["itch=True"][:5], [1, 1, 1, 0, 0])
    booleans = transformer.transform(X.assign(itch=[True, False] * 9))
    assert_array_equal(booleans["itch=True"], [1, 0] * 9)


def test_declared_categories_that_differ_by_case_stay_apart():
    X = pd.DataFrame({"grade": pd.Categorical(["m", "M", "m"], categories=["m", "M"])})
    assert list(make_lesion_transformer().fit_transform(X)) == ["grade=M", "grade=m"]


@pytest.mark.parametrize("imputation", IMPUTATIONS)
def test_unseen_values_are_zeros_and_one_warning_names_them(imputation):  # FAILURES 21
    X = make_table()
    transformer = make_lesion_transformer(
        group_column="patient", imputation=imputation, random_state=0
    ).fit(X)
    new = X[:6].assign(site=["toe", "arm", "Ear", "back", "arm", None], sex=["x"] + ["male"] * 5)
    with pytest.warns(UserWarning) as caught:
        out = transformer.transform(new)
    messages = [str(w.message) for w in caught if "not seen" in str(w.message)]
    assert len(messages) == 1
    assert "column 'site': 'toe', 'Ear'" in messages[0] and "column 'sex': 'x'" in messages[0]
    sites = out[["site=arm", "site=back", "site=upper_arm"]]
    assert_array_equal(sites.sum(axis=1), [0, 1, 0, 1, 1, 1])
    assert_array_equal(out.loc["row0", ["sex=female", "sex=male"]].astype(float), [0, 0])


@pytest.mark.parametrize("imputation", IMPUTATIONS)
def test_a_missing_column_is_named_and_order_and_extras_do_not_matter(imputation):  # FAILURES 22
    X = make_table()
    transformer = make_lesion_transformer(
        group_column="patient", imputation=imputation, random_state=0
    ).fit(X)
    with pytest.raises(ValueError, match=r"columns are missing.*age"):
        transformer.transform(X.drop(columns="age"))
    shuffled = X[X.columns[::-1]].assign(note="anything", visit=pd.Timestamp("2020-01-01"))
    pd.testing.assert_frame_equal(transformer.transform(shuffled), transformer.transform(X))


@pytest.mark.parametrize("imputation", IMPUTATIONS)
def test_a_column_without_values_keeps_its_place(imputation):  # FAILURES 22
    X = make_table()
    empty = X.assign(age=np.nan, sex=pd.Series([None] * len(X), index=X.index, dtype="str"))
    transformer = make_lesion_transformer(
        group_column="patient", imputation=imputation, random_state=0
    )
    out = fit_quietly(transformer, empty).transform(empty)
    assert {"age", "sex=missing"} <= set(out)
    with pytest.warns(UserWarning, match="column 'sex'"):
        later = transformer.transform(X)
    assert_allclose(later["age"], 0, atol=1e-12)  # no scale was learnt for it
    assert list(later) == list(out)


def test_rows_without_names_are_numbered_columns():
    rows = [[1.0, 2.0], [3.0, 5.0]]
    for X in (rows, np.array(rows), pd.DataFrame(rows)):
        assert list(make_lesion_transformer().fit_transform(X)) == ["x0", "x1"]
    with pytest.raises(ValueError, match="a table or a 2-D array; got Series"):
        make_lesion_transformer().fit(pd.Series([1.0, 2.0]))


def test_numbers_are_not_taken_for_positions_of_columns():
    X = pd.DataFrame({1: [1.0, 2.0], 0: ["a", "b"]})
    with pytest.raises(TypeError, match="column names must be texts; got 1"):
        make_lesion_transformer().fit(X)


def test_empty_columns_can_be_dropped():
    X = make_table()[["age", "n_lesions", "sex"]]
    empty = X.assign(age=np.nan, site="")
    transformer = make_lesion_transformer(keep_empty_features=False, add_indicator=True)
    with pytest.warns(UserWarning, match="^columns without a value are left out") as caught:
        out = transformer.fit_transform(empty)
    texts = sorted(str(w.message) for w in caught)
    assert ["'age'" in texts[0], "'site'" in texts[1], len(texts)] == [True, True, 2]
    assert list(out) == ["n_lesions", "n_lesions==missing", "sex=female", "sex=male"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        later = transformer.transform(X.assign(site="arm"))
    pd.testing.assert_frame_equal(later, out)


def test_numbers_as_text_are_read_and_other_text_is_named():
    X = make_table()[["age", "n_lesions"]]
    transformer = make_lesion_transformer(scale=False).fit(X)
    as_text = X[1:4].astype({"age": str}).assign(n_lesions=[" 3", "4 ", ""])
    out = transformer.transform(as_text)
    assert_allclose(out["age"], X["age"][1:4])
    assert_allclose(out["n_lesions"][:2], [3, 4])
    wrong = X[:3].astype(object).assign(age=[30, "old", 3])
    with pytest.raises(
        ValueError, match="column 'age' must hold finite numbers.*'old' in row 'row1'"
    ):
        transformer.transform(wrong)
    with pytest.raises(ValueError, match="column 'age' must hold finite.*got inf in row 'row0'"):
        transformer.transform(X[:2].assign(age=[np.inf, 3]))


def test_paths_are_lifted_and_a_column_without_images_passes(tmp_path):
    X = make_table(4).assign(image=["a.jpg", None, "b.jpg", "c.jpg"])
    X["derm"] = pd.Series([None] * 4, index=X.index, dtype=object)
    transformer = make_lesion_transformer(
        image_columns=["image", "derm"], image_steps="gray_world", image_root=tmp_path
    )
    out = transformer.fit_transform(X)
    assert str(out["image"].dtype) == str(out["derm"].dtype) == "image"
    assert out["image"].isna().tolist() == [False, True, False, False]
    assert out["derm"].isna().all()
    with pytest.raises(ValueError, match=r"columns are missing: \['nevus'\]"):
        make_lesion_transformer(image_columns="nevus").fit(X)


@pytest.mark.parametrize("imputation", IMPUTATIONS)
@pytest.mark.parametrize("n_rows_each", [1, 2])
def test_identifiers_are_refused(imputation, n_rows_each):  # FAILURES 42
    X = make_table(300)
    X["patient"] = [f"p{i // n_rows_each}" for i in range(300)]
    message = f"column 'patient' holds {300 // n_rows_each} different texts in 300 rows, such as "
    with pytest.raises(ValueError, match=message + "'p0'.*`group_column` of .* and of the"):
        make_lesion_transformer(imputation=imputation).fit(X)
    fitted = make_lesion_transformer(imputation=imputation, drop="patient", random_state=0).fit(X)
    assert not any("patient" in name for name in fitted.get_feature_names_out())
    # New patients need not have what is dropped.
    assert len(fitted.transform(X.drop(columns="patient")[:3])) == 3


def test_categories_that_are_declared_may_be_many():
    X = make_table(100).assign(doctor=pd.Categorical([f"d{i // 2}" for i in range(100)]))
    out = make_lesion_transformer(group_column="patient").fit_transform(X)
    assert sum(name.startswith("doctor=") for name in out) == 50


def test_names_of_image_files_are_no_categories():  # FAILURES 42
    X = make_table(8).assign(file=[f"images/{i}.JPG" for i in range(7)] + [None])
    message = "column 'file' holds names of image files, such as 'images/0.JPG': name it in "
    with pytest.raises(ValueError, match=message + "`image_columns`, or in `drop`"):
        make_lesion_transformer(group_column="patient").fit(X)
    made = make_lesion_transformer(group_column="patient", drop=["file"]).fit(X)
    assert list(made.transform(X).select_dtypes("image")) == ["image"]
    lifted = make_lesion_transformer(group_column="patient", image_columns="file").fit(X)
    assert list(lifted.transform(X).select_dtypes("image")) == ["file"]


@pytest.mark.parametrize("imputation", IMPUTATIONS)
def test_texts_that_are_numbers_are_numbers(imputation):
    ages = ["34", " 56.5", "Unknown", "?", "", None, "41", "n/a"] * 3
    X = make_table(24).assign(age=ages)
    transformer = make_lesion_transformer(
        imputation=imputation, scale=False, group_column="patient", random_state=0
    )
    message = (
        r"texts are read as numbers: 'age', with gaps for 'Unknown' \(3 times\), "
        r"'\?' \(3 times\), 'n/a' \(3 times\)\."
    )
    with pytest.warns(UserWarning, match=message):
        out = transformer.fit(X).transform(X)
    assert_allclose(out["age"].iloc[[0, 1, 6]], [34, 56.5, 41])
    median = float(out["age"].iloc[2])
    assert 34 <= median <= 56.5
    later = transformer.transform(X[:2].assign(age=["unknown", "12"]))["age"]
    assert_allclose(later, [median, 12], rtol=0.5)


def test_words_for_gaps_are_the_user_s():
    X = pd.DataFrame({"size": ["3", "4", "zu klein", "5"]})
    with pytest.raises(ValueError, match="'size' must hold finite numbers; got 'zu klein' in row"):
        make_lesion_transformer().fit(X)
    transformer = make_lesion_transformer(scale=False, missing_words=("zu klein",))
    with pytest.warns(UserWarning, match="read as numbers"):
        assert transformer.fit_transform(X)["size"].tolist() == [3, 4, 4, 5]


def test_a_category_may_be_called_unknown():
    X = pd.DataFrame({"skin": ["light", "unknown", "dark", "unknown"]})
    assert "skin=unknown" in fit_quietly(make_lesion_transformer(), X).get_feature_names_out()


DATES = [
    "31.1.2020",
    "31.01.20",
    "1/31/20",
    "2020-01",
    "2020/12",
    "2020/1/3 10:00",
    "Jan 31, 2020",
    "31 January 2020",
    "31-Jan-20",
    "May 2020",
]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pd.Timestamp("2020-01-01"), "column 'visit' has dtype datetime64"),
        ([date(2020, 1, i + 1) for i in range(10)], "column 'visit' holds a date in row 'row0'"),
        (["2020-01-31"] * 10, "column 'visit' holds dates, such as '2020-01-31'"),
        *[([text] * 10, f"column 'visit' holds dates, such as '{text}'") for text in DATES],
        (pd.Categorical(pd.to_datetime(["2020-01-31"] * 10)), "holds dates, such as '2020-01-31"),
        (pd.Categorical([date(2020, 1, 31)] * 10), "holds dates, such as '2020-01-31'"),
        ([None, *[[1, 2]] * 9], "column 'visit' holds a list in row 'row1'"),
        ([{"a": 1}] * 10, "column 'visit' holds a dict in row 'row0'"),
        ([np.zeros((2, 2, 3), np.uint8)] * 10, "column 'visit' holds a ndarray in row 'row0'"),
    ],
)
def test_other_values_are_refused_by_name(values, message):
    X = make_table(10).assign(visit=values)
    with pytest.raises(TypeError, match=message):
        make_lesion_transformer(group_column="patient").fit(X)


@pytest.mark.parametrize(
    "texts",
    [
        ["1", "2b", "3a"],
        ["marker 10", "may 10", "decade 2020"],
        ["20-30", "30-40", "40+"],
        ["1.2.3", "10.4", "1984-13"],
        ["007", "012", "x"],
        ["T1", "T2", "5 o'clock"],
    ],
)
def test_categories_are_not_taken_for_dates_or_numbers(texts):
    fit_quietly(make_lesion_transformer(), pd.DataFrame({"kind": texts * 4}))


@pytest.mark.parametrize("text", ["30,5", "1,000", "0,5", "30 mm", "<30", "≥ 3.5 cm", "-3 %", "5y"])
def test_texts_that_look_like_numbers_are_told_of(text):
    X = pd.DataFrame({"size": [text, text, "flat"] * 4})
    message = f"'size' holds texts that look like numbers and are categories, such as '{text}': "
    with pytest.warns(UserWarning, match=re.escape(message)):
        make_lesion_transformer().fit(X)
    fit_quietly(make_lesion_transformer(), X.astype("category"))


def test_unseen_categories_are_told_of_once_per_fit_and_line():
    X = pd.DataFrame({"site": ["arm", "back"] * 4})
    new = pd.DataFrame({"site": ["toe", "arm", "ear"]})
    transformer = make_lesion_transformer()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for k in range(3):
            # As folds do: a fit each, and other new values.
            fitted = clone(transformer).fit(X)
            for _ in range(2):
                fitted.transform(new[k:])
        fitted.transform(new)
        clone(transformer).fit(X).transform(new)
    assert [str(w.message).split(": ", 1)[1] for w in caught] == [
        "column 'site': 'toe', 'ear' (2 of 3 rows).",
        "column 'site': 'toe', 'ear' (2 of 3 rows).",
    ]
    assert all(w.filename == __file__ for w in caught)


def test_cross_validation_and_grid_search_reach_nested_parameters():
    X, y = make_table(), make_target()
    model = Pipeline(
        [
            ("prep", make_lesion_transformer(image_steps=[ShadesOfGray()], group_column="patient")),
            ("classify", DropImages()),
        ]
    )
    assert cross_val_score(model, X, y, cv=3, error_score="raise").shape == (3,)
    grid = {
        "prep__image__shadesofgray__power": [1.0, 6.0],
        "prep__numeric__impute__strategy": ["median", "mean"],
        "prep__categorical__encode__min_frequency": [None, 5],
        "classify__C": [0.1],
    }
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    power = search.best_params_["prep__image__shadesofgray__power"]
    steps = search.best_estimator_["classify"].seen_["image"].array.steps
    assert dict(steps[0].params)["power"] == power
    model.set_params(prep__image__shadesofgray="passthrough").fit(X, y)
    assert model["classify"].seen_["image"].array.steps == ()


def test_image_steps_may_be_names_pairs_or_objects():
    transformer = make_lesion_transformer(
        image_steps=["gray_world", ("soft", CLAHE(1.0)), CLAHE(), CLAHE()]
    )
    names = [
        name for name, _ in dict((n, t) for n, t, _ in transformer.transformers)["image"].steps
    ]
    assert names == ["lift", "grayworld", "soft", "clahe-2", "clahe-3"]


def test_numeric_arrays_and_tables_without_images():
    values = np.random.RandomState(0).normal(size=(20, 3))
    out = make_lesion_transformer().fit_transform(values)
    assert list(out) == ["x0", "x1", "x2"]
    assert list(make_lesion_transformer().fit_transform(make_table()[["sex"]])) == [
        "sex=female",
        "sex=male",
    ]


def test_an_imputer_takes_the_place_of_a_name():
    X = make_table().drop(columns=["image", "patient"])
    own = NeuralImputer(fallback="never", keep_empty_features=True, max_epochs=2, random_state=0)
    transformer = make_lesion_transformer(imputation=own, scale=False, random_state=1)
    out = transformer.fit_transform(X)
    impute = transformer.named_transformers_["metadata"]["impute"]
    assert impute is not own and not hasattr(own, "learned_")
    assert impute.get_params() == own.get_params()
    assert impute.fallback_columns_.tolist() == []
    assert out["age"][X["age"].isna()].nunique() > 1
    named = make_lesion_transformer(imputation="neural", scale=False, random_state=0)
    named.set_params(metadata__impute__fallback="never", metadata__impute__max_epochs=2)
    pd.testing.assert_frame_equal(out, named.fit_transform(X))


@pytest.mark.parametrize("imputation", IMPUTATIONS)
def test_clone_pickle_and_repr(imputation):
    X = make_table()
    transformer = make_lesion_transformer(
        group_column="patient", imputation=imputation, random_state=0
    )
    fitted = clone(transformer).fit(X)
    back = pickle.loads(pickle.dumps(fitted))
    pd.testing.assert_frame_equal(back.transform(X), fitted.transform(X))
    assert "image" in repr(transformer) and fitted._repr_html_()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"imputation": 3}, "`imputation` must be one of"),
        ({"imputation": "knn"}, r"`imputation` must be one of \['mean', 'neural', 'simple'\]"),
        ({"categorical_imputation": "mode"}, "`categorical_imputation` must be one of"),
        ({"image_steps": ["dullrazor"]}, "`image_steps` must be one of .*; got 'dullrazor'"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        make_lesion_transformer(**options)


def test_a_category_that_was_empty_in_fit_stays_constant():
    empty = pd.DataFrame({"age": [30.0, 40.0], "site": pd.array([None, None], dtype="str")})
    later = empty.assign(site=pd.array(["arm", None], dtype="str"))
    transformer = make_lesion_transformer().fit(empty)
    pd.testing.assert_frame_equal(transformer.transform(later), transformer.transform(empty))


def test_cells_in_a_column_of_objects_are_images():
    lesions = make_lesions(6, image_size=16, random_state=0)
    table = lesions.data.astype({"image": object})
    expected = make_lesion_transformer().fit_transform(lesions.data)
    pd.testing.assert_frame_equal(make_lesion_transformer().fit_transform(table), expected)
