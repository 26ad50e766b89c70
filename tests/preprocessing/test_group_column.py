"""A group column tells which rows belong together, and is never a feature."""

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from numpy.testing import assert_allclose
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from sklearn_skin.datasets import make_lesions
from sklearn_skin.ensemble import FusionM4NetClassifier, WeightedFusionClassifier
from sklearn_skin.neural_network import (
    ImageClassifier,
    JointFusionClassifier,
    MetadataClassifier,
)
from sklearn_skin.preprocessing import make_lesion_transformer
from sklearn_skin.utils import fit_with_validation

SMALL = {"max_epochs": 1, "random_state": 0}
TINY = SMALL | {"backbone": "test_resnet", "weights": None, "image_size": 32}
LINEAR = "logistic_regression"


@pytest.fixture(scope="module")
def lesions():
    bunch = make_lesions(48, image_size=32, images_per_lesion=2, random_state=0)
    return bunch.data.assign(patient_id=np.arange(48) // 2 + 1000), bunch.target


def prepare(**options):
    return make_lesion_transformer(group_column="patient_id", **options)


def test_groups_are_texts_and_gaps_stay_gaps():
    X = pd.DataFrame({"age": 50.0, "patient_id": [7, 8.0, None]}, index=["a", "b", "b"])
    transformer = prepare().fit(X)
    found = transformer.transform(X)["patient_id"]
    assert found[:2].tolist() == ["group of 'patient_id': 7", "group of 'patient_id': 8"]
    assert found.isna().tolist() == [False, False, True] and found.index.equals(X.index)
    assert transformer.transform(X.drop(columns="patient_id"))["patient_id"].isna().all()
    with pytest.raises(ValueError, match="columns are missing.*'doctor'"):
        make_lesion_transformer(group_column="doctor").fit(X)


@pytest.mark.parametrize(
    "classifier",
    [
        JointFusionClassifier(group_column="patient_id", early_stopping=True, **TINY),
        ImageClassifier(**TINY),
        WeightedFusionClassifier(
            [("net", MetadataClassifier(**SMALL))], cv=2, group_column="patient_id"
        ),
        FusionM4NetClassifier(
            MetadataClassifier(**SMALL), LINEAR, cv=2, group_column="patient_id", random_state=0
        ),
        FusionM4NetClassifier(
            MetadataClassifier(group_column="patient_id", **SMALL), LINEAR, cv=2, random_state=0
        ),
    ],
    ids=lambda c: type(c).__name__,
)
def test_predictions_do_not_depend_on_groups(lesions, classifier):
    X, y = lesions
    model = make_pipeline(prepare(), classifier).fit(X, y)
    expected = model.predict_proba(X)
    for other in (X.assign(patient_id=10**6 - X["patient_id"]), X.drop(columns="patient_id")):
        assert_allclose(model.predict_proba(other), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("classifier", "named"),
    [
        (JointFusionClassifier(**TINY), "JointFusionClassifier"),
        (MetadataClassifier(**SMALL), "MetadataClassifier"),
        (
            WeightedFusionClassifier([("net", MetadataClassifier(**SMALL))], cv=2),
            "WeightedFusionClassifier",
        ),
        (FusionM4NetClassifier(second_stage=LINEAR, cv=2), "FusionM4NetClassifier"),
        (make_lesion_transformer(), r"what comes after make_lesion_transformer\(\)"),
    ],
    ids=lambda c: type(c).__name__,
)
def test_who_does_not_know_the_groups_says_so(lesions, classifier, named):
    X, y = lesions
    message = (
        r"column 'patient_id' holds groups, such as \"group of 'patient_id': 1000\", and no "
        f"feature: name it in `group_column` of {named}, too, or in `drop` of make_lesion"
    )
    with pytest.raises(ValueError, match=message):
        make_pipeline(prepare(), classifier).fit(X, y)
    for dtype in ("str", "string"):
        with pytest.raises(ValueError, match=message):
            classifier.fit(prepare().fit_transform(X).astype({"patient_id": dtype}), y)
    # A table without images, which networks read as numbers.
    if named == "MetadataClassifier":
        with pytest.raises(ValueError, match=message):
            make_pipeline(prepare(drop="image"), classifier).fit(X, y)


@pytest.mark.parametrize(
    "classifier",
    [
        JointFusionClassifier(group_column="pat", **TINY),
        WeightedFusionClassifier([("net", MetadataClassifier(**SMALL))], cv=2, group_column="pat"),
    ],
    ids=lambda c: type(c).__name__,
)
def test_groups_that_the_transformer_does_not_know_are_to_be_named_there(lesions, classifier):
    X, y = lesions
    X = X.assign(pat=[f"p{i // 8}" for i in range(48)]).drop(columns="patient_id")
    message = "`group_column`.*'pat'.* make_lesion_transformer.. .* name it in `group_column` there"
    with pytest.raises(ValueError, match=message):
        make_pipeline(make_lesion_transformer(), classifier).fit(X, y)
    make_pipeline(make_lesion_transformer(group_column="pat"), classifier).fit(X, y)


@pytest.mark.parametrize(
    "classifier",
    [LogisticRegression(), DecisionTreeClassifier(), HistGradientBoostingClassifier()],
    ids=lambda c: type(c).__name__,
)
def test_scikit_learn_s_classifiers_refuse_groups(lesions, classifier):
    X, y = lesions
    with pytest.raises(ValueError, match="to float: .group of 'patient_id': 1000"):
        make_pipeline(prepare(image_columns=[], drop="image"), classifier).fit(X, y)


def test_a_member_that_knows_no_groups_refuses_those_of_another(lesions):
    X, y = lesions
    numbers = X[["age", "diameter"]].fillna(50).assign(patient_id=X["patient_id"])
    members = [
        ("net", MetadataClassifier(group_column="patient_id", **SMALL)),
        ("linear", LogisticRegression()),
    ]
    model = WeightedFusionClassifier(members, cv=2, group_column="patient_id")
    with pytest.raises(ValueError, match="to float: .group of 'patient_id': "):
        model.fit(numbers, y)
    model.set_params(estimators=members[1:]).fit(numbers, y)


def test_groups_go_with_resampled_and_with_validation_rows(lesions):
    X, y = lesions
    net = MetadataClassifier(group_column="patient_id", early_stopping=True, **SMALL)
    sampler = RandomOverSampler(random_state=0)
    model = make_sampling_pipeline(prepare(drop="image"), sampler, net).fit(X[:40], y[:40])
    assert model.predict(X).shape == (48,)
    model = make_pipeline(prepare(), net)
    fit_with_validation(model, X[:32], y[:32], X[32:], y[32:])
    assert model[-1].metadata_names_[-1] != "patient_id"
