"""What a mutation tester changed unnoticed: weights, groups, seeds and names in the ensembles."""

import numpy as np
import pandas as pd
import pytest
from ensemble_fakes import TwoBranches, blobs, twins, two_tasks
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from sklearn_skin.ensemble import (
    FusionM4NetClassifier,
    WeightedFusionClassifier,
    search_simplex_weights,
)
from sklearn_skin.ensemble._branches import combine
from sklearn_skin.ensemble._crossfit import make_folds
from sklearn_skin.ensemble._second_stage import StageData, fit_second_stage
from sklearn_skin.preprocessing import make_lesion_transformer

LINEAR = LogisticRegression(max_iter=300)
PAIR = [("linear", LINEAR), ("bayes", GaussianNB())]


class Columns(ClassifierMixin, BaseEstimator):
    """Remembers the columns it has seen, and knows of a group column."""

    def __init__(self, group_column=None, image_columns="auto"):
        self.group_column = group_column
        self.image_columns = image_columns

    def fit(self, X, y):
        self.columns_ = list(X.columns)
        self.classes_, counts = np.unique(y, return_counts=True)
        self.proba_ = counts / counts.sum()
        return self

    def predict_proba(self, X):
        return np.tile(self.proba_, (len(X), 1))


class Always(Columns):
    """Takes rows with gaps."""

    def fit(self, X, y):
        return super().fit(pd.DataFrame(X), y)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def make_table(n=60):
    X, y = blobs(n)
    site = np.where(np.arange(n) % 3, "arm", "back")
    return pd.DataFrame(X[:, :2], columns=["a", "b"]).assign(site=site), y


@pytest.mark.parametrize(
    "weights", [[1.0], [1.0, -0.5], [0.0, 0.0], [0.5, 0.5, 0.0], [[0.5, 0.5]]], ids=str
)
def test_weights_that_are_none_are_named(weights):
    X, y = blobs(60)
    with pytest.raises(ValueError, match="`weights`"):
        WeightedFusionClassifier(PAIR, weights=weights).fit(X, y)


@pytest.mark.parametrize(("weights", "shares"), [([0, 2], [0, 1]), ([0.3, 0.1], [0.75, 0.25])])
def test_any_scale_of_weights_will_do(weights, shares):
    X, y = blobs(60)
    model = WeightedFusionClassifier(PAIR, weights=weights).fit(X, y)
    assert_allclose(model.weights_, shares)


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: WeightedFusionClassifier(PAIR, cv=2, random_state=seed),
        lambda seed: FusionM4NetClassifier(PAIR, "mlp", cv=2, random_state=seed),
    ],
)
def test_the_seed_decides_folds_and_second_stage(make):
    X, y = blobs(90, spread=2.0)
    proba = [make(seed).fit(X, y).predict_proba(X) for seed in (0, 0, 1)]
    assert_allclose(proba[0], proba[1])
    assert abs(proba[0] - proba[2]).max() > 1e-4


@pytest.mark.parametrize("knows", ["member", "transformer", "nobody"])
def test_the_group_column_reaches_members_that_know_it_alone(knows):
    X, y = make_table()
    table = X.assign(patient=[f"p{i // 2}" for i in range(len(X))])
    member = Columns("patient" if knows == "member" else None)
    if knows == "transformer":
        member = make_pipeline(make_lesion_transformer(group_column="patient"), member)
    model = WeightedFusionClassifier(
        [("one", member)], cv=2, group_column="patient", weights=None
    ).fit(table, y)
    seen = model.estimators_[0]
    columns = seen[-1].columns_ if knows == "transformer" else seen.columns_
    assert ("patient" in columns) is (knows != "nobody")
    assert model.n_features_in_ == 3
    # New patients need not be named.
    assert model.predict_proba(table if knows == "member" else X).shape == (len(X), 3)


def test_another_group_column_is_not_the_ensemble_s():
    X, y = make_table()
    table = X.assign(patient=np.arange(len(X)) // 2, site=0.0)
    model = WeightedFusionClassifier([("one", Columns("doctor"))], cv=2, group_column="patient")
    assert "patient" not in model.fit(table, y).estimators_[0].columns_


def test_columns_that_a_member_takes_for_images_are_no_metadata():
    X, y = make_table()
    table = X.assign(path=[f"{i}.png" for i in range(len(X))])
    model = FusionM4NetClassifier(
        [("net", Columns(image_columns=["path"]))], LINEAR, cv=2, random_state=0
    ).fit(table, y)
    names = model.get_feature_names_out()
    assert names.dtype == object
    assert names.tolist() == ["P1_A", "P1_B", "P1_C", "a", "b", "site=arm", "site=back"]


@pytest.mark.parametrize("position", [0, 3])
def test_metadata_by_position(position):
    X, y = blobs(60)
    model = FusionM4NetClassifier(PAIR, LINEAR, passthrough_features=[position], random_state=0)
    assert model.fit(X, y).get_feature_names_out()[-1] == f"x{position}"
    for wrong in (-1, 4):
        with pytest.raises(ValueError, match="`passthrough_features` must be positions"):
            model.set_params(passthrough_features=[wrong]).fit(X, y)


def test_members_of_a_list_are_branches_as_a_whole():
    X, y = blobs(60)
    members = [("net", TwoBranches()), ("linear", LINEAR)]
    model = FusionM4NetClassifier(members, LINEAR, cv=2, random_state=0).fit(X, y)
    assert list(model.branch_weights_) == ["net", "linear"]
    assert list(model.predict_stages(X)) == ["net", "linear", "P1", "P2", "P3"]


def test_validation_labels_are_named_in_errors():
    X, y = blobs(60)
    model = WeightedFusionClassifier(PAIR, cv=2)
    with pytest.raises(ValueError, match="y_val has labels that were not there in fit: .'Z'"):
        model.fit(X, y, X_val=X[:3], y_val=["A", "B", "Z"])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, y, X_val=X[:3], y_val=y[:4])


def test_scores_of_stages_are_weighted_as_the_rows_are():
    X, y = blobs(90, spread=2.0)
    members = [(name, clone(member).fit(X[:60], y[:60])) for name, member in PAIR]
    weight = np.linspace(0.01, 1, 30) ** 3
    model = FusionM4NetClassifier(members, LINEAR, cv="prefit", random_state=0)
    model.fit(X[60:], y[60:], sample_weight=weight)
    for name, member in members:
        expected = accuracy_score(y[60:], member.predict(X[60:]), sample_weight=weight)
        assert model.stage_scores_[name] == pytest.approx(expected)


def test_a_joint_second_stage_learns_with_the_rows_weights():
    X, y = two_tasks()
    weight = np.where(X[:, 3] > 0, 1.0, 1e-6)
    joint = MultiOutputClassifier(LINEAR)
    members = [("net", TwoBranches().fit(X, y))]
    stages = [
        FusionM4NetClassifier(members, joint, cv="prefit", random_state=0)
        .fit(X, y, sample_weight=own)
        .predict_stages(X)["P2"][0]
        for own in (None, weight)
    ]
    assert abs(stages[0] - stages[1]).max() > 0.01


def make_stage(y, groups):
    """Return rows for a second stage, of which the features tell the group and nothing else."""
    rng = np.random.default_rng(0)
    codes = np.unique(y, return_inverse=True)[1][:, None]
    features = rng.normal(size=(groups.max() + 1, 60))[groups]
    return StageData(features, codes, None, groups, []), [np.unique(y)]


def test_calibration_keeps_groups_whole():
    # Twins share noise and label: folds that part them make the machine sure of itself.
    _, y, pairs = twins(40)
    data, classes = make_stage(y, pairs)
    sure = {}
    for name, groups in {"whole": pairs, "apart": None}.items():
        stage = fit_second_stage(
            LinearSVC(C=100.0, max_iter=100_000), data._replace(groups=groups), classes, {}, 0
        )
        sure[name] = stage.predict_proba(data.features)[0].max(axis=1).mean()
    assert sure["whole"] < sure["apart"] - 0.1


def test_calibration_of_the_second_stage_names_the_classifier():
    X, y = blobs(60)
    model = FusionM4NetClassifier(PAIR, make_pipeline(LinearSVC()), cv=2, random_state=0)
    with pytest.warns(UserWarning, match="^LinearSVC has no predict_proba"):
        model.fit(X, y)


def test_classes_with_two_rows_are_calibrated_too():
    rng = np.random.default_rng(0)
    y = np.array(["A"] * 10 + ["B"] * 10 + ["C"] * 2)
    data = StageData(rng.normal(size=(22, 3)), np.unique(y, return_inverse=True)[1][:, None],
                     None, None, [])  # fmt: skip
    stage = fit_second_stage(LinearSVC(), data, [np.unique(y)], {}, 0)
    proba = stage.predict_proba(data.features)[0]
    assert_allclose(proba.sum(axis=1), 1)
    assert_array_equal(stage.estimators[0].classes_, ["A", "B", "C"])
    assert isinstance(stage.estimators[0].cv, list | StratifiedGroupKFold)


def test_all_weights_are_searched_with_the_rows_weights():
    X, y = blobs(120, spread=2.0)
    # Rows of one half count, on which one member is right and the other is not.
    left = X[:, 3] > 0
    members = [
        ("left", clone(LINEAR).fit(X[left], y[left])),
        ("right", clone(LINEAR).fit(-X[~left], y[~left])),
    ]
    weight = np.where(left, 1.0, 0.0)
    model = FusionM4NetClassifier(members, LINEAR, cv="prefit", random_state=0)
    model.fit(X, y, sample_weight=weight)
    tables = [member.predict_proba(X) for _, member in members]
    found = search_simplex_weights(tables, y, sample_weight=weight)
    assert_allclose(list(model.branch_weights_.values()), found.weights)
    plain = search_simplex_weights(tables, y)
    assert abs(found.weights - plain.weights).max() > 0.01
    mixed = np.tensordot(found.weights, tables, 1).argmax(axis=1)
    expected = accuracy_score(y, model.classes_[mixed], sample_weight=weight)
    assert model.stage_scores_["P1"] == pytest.approx(expected)


def test_a_second_stage_per_task_learns_with_the_rows_weights():
    X, y = blobs(120)
    weight = np.where(X[:, 3] > 0, 1.0, 1e-6)
    second = LogisticRegression(C=100.0)
    stages = [
        FusionM4NetClassifier(
            [(n, clone(m).fit(X, y)) for n, m in PAIR], second, cv="prefit", random_state=0
        )
        .fit(X, y, sample_weight=own)
        .second_stage_[0]
        .coef_
        for own in (None, weight)
    ]
    assert abs(stages[0] - stages[1]).max() > 0.01


def test_gaps_that_fit_did_not_see_get_the_column_s_median():
    X, y = blobs(60)
    X[:, 1:] += np.arange(1, 4) * 100
    model = FusionM4NetClassifier([("columns", Always())], LINEAR, cv=2, random_state=0)
    model.fit(X, y)
    holes = X[:2].copy()
    holes[0, 1], holes[1, 3] = np.nan, np.nan
    filled = holes.copy()
    filled[0, 1], filled[1, 3] = np.median(X[:, 1]), np.median(X[:, 3])
    assert_allclose(model.predict_proba(holes), model.predict_proba(filled))
    with pytest.raises(ValueError, match="infinity"):
        model.predict_proba(np.where(np.isnan(holes), np.inf, holes))


def test_halves_keep_groups_whole_and_follow_the_seed():
    _, y, pairs = twins(40)
    codes = y[:, None]
    parts = [make_folds("half", codes, codes, pairs, seed) for seed in (0, 0, 1)]
    (train, test), *others = parts[0]
    assert not others and len(train) == len(test) == 40
    assert not set(pairs[train]) & set(pairs[test])
    assert_array_equal(parts[0][0][1], parts[1][0][1])
    assert not np.array_equal(parts[0][0][1], parts[2][0][1])


def test_members_of_several_tasks_learn_with_the_rows_weights():
    X, y = two_tasks()
    weight = np.where(X[:, 3] > 0, 1.0, 1e-6)
    proba = [
        WeightedFusionClassifier([("linear", LogisticRegression(C=100.0))], weights=None)
        .fit(X, y, sample_weight=own)
        .predict_proba(X)
        for own in (None, weight)
    ]
    for plain, weighted in zip(*proba):
        assert abs(plain - weighted).max() > 0.01


def test_logits_of_rows_that_every_branch_excludes_stay_finite():
    tiny = np.full((2, 3), 1e-300)
    tiny[:, 1] = [1e-250, 1e-10]
    (found,) = combine([[tiny], [tiny]], [0.5, 0.5], "logits")
    assert_allclose(found.sum(axis=1), 1)
    assert (found.argmax(axis=1) == 1).all()
