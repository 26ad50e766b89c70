"""The transformer's steps: fast or replaced, they are what scikit-learn's would be."""

import re
import warnings
from datetime import date

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, OneHotEncoder

from sklearn_skin.image import as_images
from sklearn_skin.preprocessing import (
    MISSING_WORDS,
    NeuralImputer,
    _cleaning,
    _kinds,
    make_lesion_transformer,
)

N = 40


def make_table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "age": rng.uniform(20, 80, N),
            "size": rng.integers(1, 9, N),
            "sex": rng.choice(["female", "male"], N),
            "site": rng.choice(["arm", "back"], N),
        }
    )
    X.loc[::7, "age"] = np.nan
    X.loc[::5, "sex"] = None
    return X


def fit_quietly(transformer, X):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return transformer.fit(X)


def transform_quietly(transformer, X):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return transformer.transform(X)


class AgeInMonths(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Reads a column by its name."""

    def fit(self, X, y=None):
        self.feature_names_in_, self.n_features_in_ = np.array(X.columns), X.shape[1]
        return self

    def transform(self, X):
        return X.assign(age=12 * X["age"])


STEPS = {
    "numeric__scale": [
        "passthrough",
        AgeInMonths(),
        FunctionTransformer(np.log1p, feature_names_out="one-to-one"),
        KBinsDiscretizer(3, encode="ordinal", quantile_method="averaged_inverted_cdf"),
        ColumnTransformer([("log", FunctionTransformer(np.log1p), ["age"])]),
    ],
    "numeric__impute": [KNNImputer(), SimpleImputer(add_indicator=True), "passthrough"],
    "categorical__encode": [OneHotEncoder(sparse_output=False, drop="first")],
}


@pytest.mark.parametrize(
    ("name", "step"), [(name, step) for name, steps in STEPS.items() for step in steps], ids=str
)
def test_steps_may_be_others(name, step):
    X = make_table()
    transformer = make_lesion_transformer().set_params(**{name: step})
    out = transformer.fit_transform(X)
    pd.testing.assert_frame_equal(transform_quietly(transformer, X), out)
    pd.testing.assert_frame_equal(transform_quietly(transformer, X[3:4]), out[3:4])
    block = transformer.named_transformers_[name.split("__")[0]]
    # As an ordinary Pipeline has it, table by table.
    plain = Pipeline(block.steps).transform(X[block.feature_names_in_])
    assert_allclose(out[plain.columns], plain)


def test_numbers_are_numbers_after_an_imputer_of_objects():
    X = make_table()
    imputer = SimpleImputer(strategy="most_frequent", add_indicator=True)
    transformer = make_lesion_transformer(imputation=imputer, scale=False)
    out = transformer.fit_transform(X)
    indicators = ["missingindicator_age", "missingindicator_sex"]
    categories = ["sex=female", "sex=male", "site=arm", "site=back"]
    assert list(out) == ["age", "size", *indicators, *categories]
    assert (out.dtypes == "float64").all()
    assert_allclose(out["age"][X["age"].notna()], X["age"].dropna())
    assert_allclose(out["age"][X["age"].isna()], X["age"].mode()[0])
    assert_allclose(out["missingindicator_sex"], X["sex"].isna())
    pd.testing.assert_frame_equal(transformer.transform(X[4:9]), out[4:9])


class Nameless(TransformerMixin, BaseEstimator):
    """Knows no names of columns."""

    def fit(self, X, y=None):
        return self


@pytest.mark.parametrize(
    ("imputer", "message"),
    [
        (KNNImputer(), r"KNNImputer\(\) raised: .*\n.*set_params\(numeric__impute=KNNImputer\(\)"),
        (SimpleImputer(strategy="constant", fill_value=0), "'sex' holds 0 beside 'female' after"),
        (SimpleImputer(strategy="constant", fill_value="?"), r"'age' holds \d.* beside '\?' after"),
        (FunctionTransformer(lambda X: X.to_numpy()), "must return a DataFrame; got ndarray"),
        (FunctionTransformer(lambda X: X.assign(sex=[{}] * N)), r"'sex' holds \{\} after it"),
    ],
)
def test_imputers_that_take_no_texts_or_leave_none(imputer, message):
    with pytest.raises((TypeError, ValueError), match="`imputation` .*" + message):
        make_lesion_transformer(imputation=imputer).fit(make_table())


@pytest.mark.parametrize("imputer", [KNNImputer, Nameless()])
def test_imputers_are_instances_that_name_their_columns(imputer):
    with pytest.raises(ValueError, match="`imputation` must be .* with `get_feature_names_out`"):
        make_lesion_transformer(imputation=imputer)


def test_an_imputer_of_numbers_may_stand_where_there_are_no_texts():
    X = make_table()[["age", "size"]]
    out = make_lesion_transformer(imputation=KNNImputer(), scale=False).fit_transform(X)
    assert_allclose(out, KNNImputer().fit_transform(X))


def test_other_errors_do_not_name_the_imputer():
    X = make_table()
    transformer = make_lesion_transformer(imputation=SimpleImputer(strategy="most_frequent"))
    with pytest.raises(ValueError, match="^column 'age' must hold finite numbers"):
        transformer.fit(X).transform(X.assign(age="old"))
    with pytest.raises(ValueError, match="^The 'strategy' parameter of SimpleImputer"):
        transformer.set_params(metadata__impute__strategy="mode").fit(X)


def test_arrays_between_the_steps_change_nothing():
    X = make_table()
    X.index = [f"row {i}" for i in range(N)]
    for options in ({}, {"scale": False, "add_indicator": True}, {"keep_empty_features": False}):
        transformer = make_lesion_transformer(**options).fit(X)
        for name in ("numeric", "categorical"):
            block = transformer.named_transformers_[name]
            own = X[block.feature_names_in_]
            plain = Pipeline(block.steps).transform(own)
            pd.testing.assert_frame_equal(block.transform(own), plain)


@pytest.mark.parametrize("none", ["passthrough", None])
@pytest.mark.parametrize("names", [["clean"], ["clean", "impute"], ["clean", "impute", "scale"]])
def test_steps_may_be_left_out(names, none):
    X = make_table().fillna({"age": 50.0})
    image = as_images([np.zeros((2, 2, 3), np.uint8)] * N)
    transformer = make_lesion_transformer()
    transformer.set_params(**{f"numeric__{name}": none for name in names})
    out = transformer.fit_transform(X.assign(image=image))
    assert str(out["image"].dtype) == "image"
    pd.testing.assert_frame_equal(transformer.transform(X.assign(image=image)), out)
    kept = X["age"] if "scale" in names else (X["age"] - X["age"].mean()) / X["age"].std(ddof=0)
    assert_allclose(out["age"].astype(float), kept)


def test_a_row_passes_as_arrays(monkeypatch):
    X = make_table()
    transformer = make_lesion_transformer().fit(X)
    expected = transformer.transform(X)
    # Where scikit-learn keeps a step's output otherwise, the slow way would be taken unseen.
    monkeypatch.setattr(Pipeline, "transform", None)
    pd.testing.assert_frame_equal(transform_quietly(transformer, X), expected)


def test_fitted_steps_know_their_names_and_serve_alone():
    X = make_table()
    block = make_lesion_transformer().fit(X).named_transformers_["categorical"]
    assert list(block["encode"].get_feature_names_out()) == list(block.get_feature_names_out())
    assert list(block[:-1].transform(X[["sex", "site"]])) == ["sex", "site"]


@pytest.mark.parametrize("where", ["fit", "transform"])
def test_a_global_output_of_tables_changes_nothing(where):
    X = make_table()
    expected = make_lesion_transformer().fit(X).transform(X)
    with config_context(transform_output="pandas" if where == "fit" else "default"):
        transformer = make_lesion_transformer().fit(X)
    with config_context(transform_output="pandas" if where == "transform" else "default"):
        pd.testing.assert_frame_equal(transform_quietly(transformer, X), expected)


def test_output_may_be_an_array():
    X = make_table()
    expected = make_lesion_transformer().fit_transform(X)
    found = make_lesion_transformer().set_output(transform="default").fit_transform(X)
    assert_allclose(np.asarray(found, dtype=float), expected)


@pytest.mark.parametrize("names", [["age", "size"], ["sex", "site"]])
def test_a_whole_kind_without_a_value_may_be_dropped(names):
    X = make_table()
    with pytest.warns(UserWarning, match="without a value are left out: "):
        out = make_lesion_transformer(keep_empty_features=False).fit_transform(
            X.assign(**dict.fromkeys(names, None))
        )
    kept = make_lesion_transformer().fit_transform(X.drop(columns=names))
    pd.testing.assert_frame_equal(out, kept)


@pytest.mark.parametrize("imputation", ["simple", "neural"])
@pytest.mark.parametrize("categorical_imputation", ["most_frequent", "missing"])
def test_a_column_that_was_empty_in_fit_stays_as_it_was(imputation, categorical_imputation):
    X = make_table()
    transformer = make_lesion_transformer(
        imputation=imputation, categorical_imputation=categorical_imputation, random_state=0
    ).fit(X.assign(site=""))
    if (imputation, categorical_imputation) == ("neural", "most_frequent"):
        return  # the network's own business
    with pytest.warns(UserWarning, match="no value in fit stay 'missing': column 'site': 'back'"):
        later = transformer.transform(X)
    assert (later["site=missing"] == 1).all()


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("age", pd.date_range("2020", periods=N), "'age' has dtype datetime64"),
        ("age", pd.to_timedelta(np.arange(N), "D"), "'age' has dtype timedelta64"),
        ("age", np.ones(N, dtype=complex), "'age' has dtype complex128"),
        ("age", pd.Series([date(2020, 1, 2)] * N, dtype=object), "holds a date in row 0"),
        ("sex", pd.Series([["male"]] * N), "holds a list in row 0"),
        ("sex", pd.Series([{"sex": "male"}] * N), "holds a dict in row 0"),
    ],
)
def test_what_is_no_value_is_refused_after_fit_too(column, values, message):
    X = make_table()
    transformer = make_lesion_transformer().fit(X)
    with pytest.raises(TypeError, match=message):
        transformer.transform(X.assign(**{column: values}))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("lesion", [f"L{i // 3}" for i in range(90)]),
        ("code", [f"P{i % 80}" for i in range(100)]),
        ("note", [f"free text {i}" for i in range(10)]),
        ("patient", range(10)),
        ("case", [f"{i // 2:05d}" for i in range(90)]),
        ("patient", range(1000, 1090)),
        ("patient_id", np.repeat(np.arange(45), 2)),
        ("Lesion_No", range(90)),
        ("patient_id", [float(i) for i in range(89)] + [np.nan]),
        ("patient_id", [str(1000 + i) for i in range(90)]),
        ("person_id", pd.Series(range(90), dtype=object)),
        ("PatientID", range(90)),
        ("Patient ID", range(90)),
        ("patient-id", range(90)),
        ("patients", range(90)),
        ("image_uid", range(90)),
        ("StudyInstanceUID", range(90)),
        ("accession_number", range(90)),
        ("Unnamed: 0", range(90)),
    ],
)
def test_identifiers_with_some_rows_each(name, values):
    X = pd.DataFrame({"age": 50.0, name: values})
    with pytest.raises(ValueError, match=rf"'{name}' holds .* seems to be an identifier"):
        make_lesion_transformer().fit(X)
    assert list(make_lesion_transformer(drop=name).fit_transform(X)) == ["age"]


def test_identifiers_are_shown_as_they_are():
    X = pd.DataFrame({"patient": range(1000, 1040)})
    message = (
        "such as 1000, and seems to be an identifier: name it in `group_column` of "
        r"make_lesion_transformer\(\) and of the network, or in `drop`"
    )
    with pytest.raises(ValueError, match=message):
        make_lesion_transformer().fit(X)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("size", range(1000, 1090)),
        ("n_lesions", range(90)),
        ("patient_age", range(90)),
        ("thyroid", range(90)),
        ("case_id", np.arange(90) + 0.5),
        ("previous_lesion", [True, False] * 45),
        ("previous_lesion", ["Yes", "no ", None] * 30),
        ("site", [f"site {i % 19}" for i in range(90)]),
        ("region", [f"region {i % 22}" for i in range(90)]),
        ("doctor", [f"doctor {i}" for i in range(9)]),
        ("doctor", [f"doctor {i % 9}" for i in range(10)]),
    ],
)
def test_other_columns_are_no_identifiers(name, values):
    fit_quietly(make_lesion_transformer(), pd.DataFrame({"age": 50.0, name: values}))


@pytest.mark.parametrize(
    ("name", "values", "what"),
    [
        ("patient_id", np.repeat(np.arange(1000, 1100), 5), "100 different numbers in 500 rows"),
        ("PatientID", np.repeat([f"p{i}" for i in range(12)], 4), "12 different texts in 48 rows"),
        ("patient", [0.0, 1.0, np.nan] * 30, "2 different numbers in 60 rows"),
        ("Lesion No", pd.Series(["7", "8", "9"] * 30), "3 different numbers in 90 rows"),
    ],
)
def test_identifiers_with_many_rows_each_are_told_of(name, values, what):
    X = pd.DataFrame({"age": 50.0, name: values})
    transformer = make_lesion_transformer()
    message = (
        f"column '{name}' is named like an identifier, and becomes a feature, with {what}: name it "
        "in `group_column` .* or in `drop`; .* dtype category"
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            transformer.fit(X).transform(X)
    told = [str(w.message) for w in caught if "identifier" in str(w.message)]
    assert len(told) == 1 and re.search(message, told[0])
    fit_quietly(transformer, X.astype({name: "category"}))
    fit_quietly(make_lesion_transformer(group_column=name), X)
    with pytest.warns(UserWarning, match=message):
        make_lesion_transformer(imputation="neural").fit(X)


def test_many_categories_stay_whichever_rows_there_are():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"age": 50.0, "site": rng.permutation([f"site {i % 24}" for i in range(160)])})
    transformer = make_lesion_transformer()
    fit_quietly(transformer, X)
    for n in (80, 48):
        with pytest.warns(UserWarning, match=rf"'site' has \d\d categories in {n} rows, and each"):
            transformer.fit(X[:n])
    declared = X[:48].astype({"site": "category"})
    fit_quietly(transformer, declared)
    y = np.arange(160) % 2
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        model = make_pipeline(transformer, LogisticRegression())
        cross_val_score(model, X, y, cv=KFold(2), error_score="raise")
    assert sum("categories in" in str(w.message) for w in caught) == 1
    clinics = pd.DataFrame({"age": 50.0, "clinic": [f"clinic {i % 120}" for i in range(12000)]})
    with pytest.warns(UserWarning, match="'clinic' has 120 categories in 12000 rows"):
        assert make_lesion_transformer().fit_transform(clinics).shape[1] == 121


def test_missing_words_in_any_case():
    X = pd.DataFrame({"size": ["3", "4", "Keine Angabe"] * 4})
    with pytest.warns(UserWarning, match="'Keine Angabe'"):
        out = make_lesion_transformer(missing_words=["KEINE angabe"], scale=False).fit_transform(X)
    assert_allclose(out["size"][:3], [3, 4, 3.5])
    with pytest.raises(ValueError, match="'Keine Angabe' in row 2. "):
        make_lesion_transformer().fit(X)


def test_the_advice_about_a_text_among_numbers_helps():
    X = pd.DataFrame({"size": ["3", "4", "5", "6", "not known", "unknown", "85+"] * 4})
    advised = (
        r"got '(.*)' in row \d+\. Write a number of your own for it, or give the column the "
        r"dtype category; or, .*, pass missing_words=(\[.*\]), with MISSING_WORDS of"
    )
    words, met = ["nicht bekannt"], []
    for _ in range(2):
        with pytest.raises(ValueError, match=advised) as info:
            make_lesion_transformer(missing_words=words).fit(X)
        met.append(re.search(advised, str(info.value))[1])
        words = eval(re.search(advised, str(info.value))[2], {"MISSING_WORDS": MISSING_WORDS})
    assert met == ["not known", "85+"]
    assert words == [*MISSING_WORDS, "nicht bekannt", "not known", "85+"]
    make_lesion_transformer().fit(X.astype("category"))
    own = X.replace("85+", "90")
    out = make_lesion_transformer(missing_words=words, scale=False).fit_transform(own)
    assert out["size"].max() == 90
    with pytest.raises(ValueError, match="got '\\?' .*missing_words=\\[\\*MISSING_WORDS\\],"):
        make_lesion_transformer(missing_words=None).fit(X.replace("not known", "?"))


def test_who_has_no_missing_words_is_not_advised_to_name_some():
    X = pd.DataFrame({"size": [3.0, 4.0], "sex": ["male", "female"]})
    imputer = NeuralImputer().fit(X)
    with pytest.raises(ValueError, match="got 'old' in row 0. .* dtype category.$"):
        imputer.transform(X.assign(size=["old", 3.0]))


@pytest.mark.parametrize("words", ["unknown", [-1], ["?", None]])
def test_missing_words_are_texts(words):
    message = f"`missing_words` must be a list of texts or None; got {words!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        make_lesion_transformer(missing_words=words)


def test_there_may_be_no_missing_words():
    X = pd.DataFrame({"size": ["3", "4", "?"]})
    with pytest.raises(ValueError, match="'size' must hold finite numbers; got '\\?' in row 2"):
        make_lesion_transformer(missing_words=None).fit(X)


def test_numbers_that_mean_a_gap_are_counted():
    X = pd.DataFrame({"size": ["3", "999", " 999", "5", ""]})
    transformer = make_lesion_transformer(missing_words=["999"], scale=False)
    with pytest.warns(UserWarning, match=r"'size', with gaps for '999' \(2 times\)\."):
        assert transformer.fit_transform(X)["size"].tolist() == [3, 4, 4, 5, 4]


def test_a_table_without_rows_is_named():
    transformer = make_lesion_transformer()
    with pytest.raises(ValueError, match="X has no rows"):
        transformer.fit(make_table()[:0])


def test_a_pipeline_of_its_own_is_cloned_and_cached(tmp_path):
    X = make_table()
    transformer = make_lesion_transformer()
    transformer.set_params(numeric__memory=str(tmp_path))
    out = transformer.fit_transform(X)
    assert_allclose(make_pipeline(transformer).fit_transform(X), out)


def test_a_search_may_swap_imputers():
    X = pd.DataFrame({"age": [30.0, None, 50.0] * 4, "sex": ["f", "m", None] * 4})
    imputer = SimpleImputer(strategy="most_frequent")
    expected = make_lesion_transformer(imputation=imputer).fit_transform(X)
    swapped = make_lesion_transformer(imputation="neural").set_params(metadata__impute=imputer)
    pd.testing.assert_frame_equal(clone(swapped).fit_transform(X), expected)


def test_a_text_is_looked_at_once_however_many_rows_hold_it(monkeypatch):
    looked_at = []

    def watch(module, name):
        function = getattr(module, name)
        monkeypatch.setattr(module, name, lambda v: looked_at.append(v) or function(v))

    watch(_kinds, "_is_date")
    watch(_kinds, "has_image_suffix")
    watch(_cleaning, "_as_text")
    few = pd.DataFrame(
        {"site": ["arm", " arm", None, "Back", "back"], "age": ["30", "40"] * 2 + [""]}
    )
    transformer = make_lesion_transformer(scale=False)
    with pytest.warns(UserWarning, match="texts are read as numbers"):
        expected = transformer.fit_transform(few)
        n_looks = len(looked_at)
        looked_at.clear()
        found = transformer.fit_transform(pd.concat([few] * 100, ignore_index=True))
    assert len(looked_at) == n_looks > 0
    assert_allclose(found, np.tile(expected, (100, 1)))


def test_shares_of_texts_are_shares_of_rows():
    mostly_numbers = pd.Series(["1"] * 60 + [f"word {i}" for i in range(40)])
    assert _kinds.kind_of(mostly_numbers) == "numeric"
    mostly_words = pd.Series(["a"] * 60 + [str(i) for i in range(40)])
    assert _kinds.kind_of(mostly_words) == "categorical"
    # Equal, and not the same.
    assert _kinds.kind_of(pd.Series([True] * 3 + [1] * 2, dtype=object)) == "categorical"
