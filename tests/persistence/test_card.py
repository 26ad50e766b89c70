"""What a model says of itself, and what it says of new tables."""

import warnings

import numpy as np
import pandas as pd
import pytest
from saved_models import fitted_model, lesions, make_table
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklearn_skin.ensemble import WeightedFusionClassifier
from sklearn_skin.exceptions import ModelFileError
from sklearn_skin.persistence import ModelCard, model_card, save_model
from sklearn_skin.preprocessing import make_lesion_transformer


def table(n=100):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 91, n).astype(float),
            "sex": rng.choice(["male", "female"], n),
            "site": ["arm"] * (n - 1) + ["behind the left ear"],
            "biopsied": rng.choice([True, False], n),
            "patient": [f"Jane Doe {i // 2}" for i in range(n)],
            "unused": rng.normal(size=n),
        }
    )


@pytest.fixture
def card(tmp_path):
    X, y = table(), np.repeat(["mole", "melanoma"], 50)
    X.loc[3, "age"] = np.nan
    prepare = make_lesion_transformer(group_column="patient", drop="unused", random_state=3)
    ensemble = WeightedFusionClassifier(
        [("a", LogisticRegression(C=7.5))], cv=2, group_column="patient", random_state=5
    )
    model = make_pipeline(prepare, ensemble).fit(X, y)
    path = tmp_path / "model.skin"
    save_model(
        model, path, X=X, y=y, groups=X["patient"], scores={"auc": np.float64(0.9)},
        intended_use="Research.", notes={"ethics": ["approved", 2024]},
    )  # fmt: skip
    return model_card(path), path


def test_the_digest_describes_columns(card):
    data = card[0]["training_data"]
    assert data["rows"] == 100 and data["groups"] == 50
    assert data["classes"] == {"melanoma": 50, "mole": 50}
    age = data["columns"]["age"]
    assert age["range"] == [18.0, 90.0] and age["missing"] == 1 and age["dtype"] == "float64"
    assert data["columns"]["sex"]["categories"] == ["female", "male"]
    assert data["columns"]["biopsied"]["categories"] == ["False", "True"]
    assert "unused" not in data["columns"]


def test_no_patient_can_be_told_from_it(card):
    read = card[1].read_bytes().partition(b"card.json")[2].partition(b"PK")[0].decode()
    columns = card[0]["training_data"]["columns"]
    # One row has this category.
    assert columns["site"] == {
        "kind": "category", "dtype": "str", "missing": 0, "categories": ["arm"], "others": 1,
    }  # fmt: skip
    assert columns["patient"] == {"kind": "group", "missing": 0, "distinct": 50}
    assert "Jane" not in read and "behind" not in read


@pytest.mark.parametrize(
    "values",
    [np.arange(1000, 1100), [f"case {i}" for i in range(100)], [f"{i}.jpg" for i in range(100)]],
    ids=["numbers", "texts", "files"],
)
def test_identifiers_are_counted_and_not_named(values, tmp_path):
    X = pd.DataFrame({"number": values, "age": np.linspace(20, 90, 100)})
    model = LogisticRegression().fit(X[["age"]], np.arange(100) % 2)
    model.feature_names_in_ = np.array(["number", "age"], dtype=object)
    save_model(model, tmp_path / "model.skin", X=X)
    found = model_card(tmp_path / "model.skin")["training_data"]["columns"]["number"]
    assert found["distinct"] == 100 and not {"range", "categories"} & found.keys()


def test_the_recipe_holds_what_was_chosen(card):
    recipe, seeds = card[0]["recipe"], card[0]["seeds"]
    assert recipe["weightedfusionclassifier__a__C"] == 7.5
    assert "weightedfusionclassifier__a__l1_ratio" not in recipe
    assert seeds == {"weightedfusionclassifier__random_state": 5}
    assert card[0]["scores"] == {"auc": 0.9}
    assert card[0]["notes"] == {"ethics": ["approved", 2024]}
    assert card[0]["versions"].keys() >= {"scikit-learn", "torch", "sklearn_skin"}


def test_it_prints_every_entry(card):
    text = str(card[0])
    for part in ("age: number (float64), 18 to 90, 1 missing", "auc: 0.9", "Research.", "ethics"):
        assert part in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_a_missing_column_is_named(card):
    with pytest.raises(ValueError, match=r"lacks columns .*: \['age'\]"):
        card[0].check(table().drop(columns="age"))


def test_a_range_that_was_never_seen_is_told_of(card):
    X = table()
    X.loc[:1, "age"] = [3, 120]
    with pytest.warns(UserWarning, match="'age' has 2 rows from 3 to 120 outside 18 to 90"):
        card[0].check(X)


def test_usual_tables_pass_without_a_word(card):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        card[0].check(table())
        # New patients have no group; order and additional columns do not matter.
        card[0].check(table().drop(columns=["patient", "unused"]).assign(more=1)[::-1])


def test_images_are_counted(tmp_path):
    save_model(fitted_model("frozen"), tmp_path / "model.skin", X=lesions().data)
    card = model_card(tmp_path / "model.skin")
    assert card["training_data"]["columns"]["image"] == {"kind": "image", "missing": 0}
    with pytest.raises(ValueError, match="'image'"):
        card.check(lesions().data.drop(columns="image"))


def test_tasks_are_counted_one_by_one(tmp_path):
    data = lesions(1, 2)
    save_model(fitted_model("multi-task"), tmp_path / "model.skin", y=data.target)
    classes = model_card(tmp_path / "model.skin")["training_data"]["classes"]
    assert len(classes) == 2
    assert all(sum(counts.values()) <= 60 for counts in classes.values())


def test_without_training_rows_columns_are_checked_all_the_same(tmp_path):
    save_model(fitted_model("frozen"), tmp_path / "model.skin")
    card = model_card(tmp_path / "model.skin")
    assert "rows" not in card["training_data"]
    card.check(lesions().data)
    with pytest.raises(ValueError, match="'age'"):
        card.check(lesions().data.drop(columns="age"))


def test_arrays_are_counted(tmp_path):
    save_model(fitted_model("array"), tmp_path / "model.skin", X=make_table("array"))
    card = model_card(tmp_path / "model.skin")
    card.check(make_table("array"))
    with pytest.raises(ValueError, match="4 columns; got shape"):
        card.check(make_table("array")[:, :3])
    save_model(fitted_model("array"), tmp_path / "unknown.skin")
    model_card(tmp_path / "unknown.skin").check(make_table("array"))


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("scores", 0.9),
        ("scores", {"auc": object()}),
        ("intended_use", {"research"}),
        ("notes", "none"),
    ],
)
def test_what_no_json_holds_is_an_error_that_names_the_argument(argument, value, tmp_path):
    with pytest.raises(TypeError, match=f"`{argument}` must"):
        save_model(fitted_model("array"), tmp_path / "model.skin", **{argument: value})
    assert list(tmp_path.iterdir()) == []


def test_a_crafted_card_is_an_error(tmp_path):
    with pytest.raises(ModelFileError):
        (tmp_path / "model.skin").write_bytes(b"{}")
        model_card(tmp_path / "model.skin")


def test_a_card_is_a_dict():
    assert dict(ModelCard({"estimator": "Pipeline"})) == {"estimator": "Pipeline"}
