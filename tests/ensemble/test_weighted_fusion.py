import warnings

import numpy as np
import pandas as pd
import pytest
from ensemble_fakes import TwoBranches, blobs, twins, two_tasks
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupShuffleSplit,
    KFold,
    StratifiedGroupKFold,
    cross_val_predict,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_skin.ensemble import (
    FusionM4NetClassifier,
    WeightedFusionClassifier,
    search_simplex_weights,
)

MEMBERS = [
    ("linear", LogisticRegression()),
    ("bayes", GaussianNB()),
    ("tree", DecisionTreeClassifier(max_depth=3, random_state=0)),
]


@parametrize_with_checks(
    [WeightedFusionClassifier(MEMBERS[::2], cv=3, random_state=0)],
    expected_failed_checks=lambda estimator: estimator._expected_failed_checks,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_equal_weights_are_soft_voting():
    X, y = blobs()
    ours = WeightedFusionClassifier(MEMBERS, weights=None).fit(X, y)
    voting = VotingClassifier(MEMBERS, voting="soft").fit(X, y)
    assert_allclose(ours.predict_proba(X), voting.predict_proba(X))


def test_given_weights_are_normalised():
    X, y = blobs()
    ours = WeightedFusionClassifier(MEMBERS, weights=[2, 1, 1]).fit(X, y)
    voting = VotingClassifier(MEMBERS, voting="soft", weights=[2, 1, 1]).fit(X, y)
    assert_allclose(ours.predict_proba(X), voting.predict_proba(X))


def test_weights_are_those_of_the_search_on_held_out_predictions():
    X, y = blobs()
    groups = np.arange(len(y)) // 2
    folds = list(StratifiedGroupKFold(4).split(X, y, groups))
    ours = WeightedFusionClassifier(MEMBERS, cv=folds).fit(X, y)
    held_out = [
        cross_val_predict(member, X, y, cv=folds, method="predict_proba") for _, member in MEMBERS
    ]
    weights, score, _ = search_simplex_weights(held_out, y)
    assert_allclose(ours.weights_, weights, atol=1e-6)
    assert_allclose(ours.search_score_, score)
    assert ours.search_proven_
    ours.set_params(weights=None).fit(X, y)
    assert ours.search_score_ is None and ours.search_proven_ is None


@pytest.mark.parametrize("stopped", [False, True])
def test_weights_of_four_members_say_whether_they_are_proven(monkeypatch, stopped):
    X, y = blobs(30)
    members = [*MEMBERS, ("nearest", KNeighborsClassifier(3))]
    if stopped:
        monkeypatch.setattr("sklearn_skin.utils._simplex_bounds._MAX_WORK", 0)
    fusion = WeightedFusionClassifier(members, cv=2, random_state=0).fit(X, y)
    assert fusion.search_proven_ == (not stopped)
    both = FusionM4NetClassifier(members, LogisticRegression(), cv=2, random_state=0).fit(X, y)
    assert both.search_proven_ == (not stopped)


def test_a_member_that_guesses_gets_less_weight():
    X, y = blobs()
    noise = DummyClassifier(strategy="stratified", random_state=0)
    members = [("good", LogisticRegression()), ("useless", noise)]
    fusion = WeightedFusionClassifier(members, random_state=0).fit(X, y)
    assert fusion.weights_[0] > fusion.weights_[1]
    assert_allclose(fusion.weights_.sum(), 1)


def test_prefit_members_are_used_as_they_are():
    X, y = blobs()
    fitted = [(name, clone(member).fit(X[:60], y[:60])) for name, member in MEMBERS]
    fusion = WeightedFusionClassifier(fitted, cv="prefit").fit(X[60:], y[60:])
    assert fusion.estimators_[0] is fitted[0][1]
    expected = search_simplex_weights([m.predict_proba(X[60:]) for _, m in fitted], y[60:])[0]
    assert_allclose(fusion.weights_, expected, atol=1e-6)


def test_rows_held_out_once():
    X, y = blobs()
    groups = np.arange(len(y)) // 3
    cv = GroupShuffleSplit(1, test_size=0.3, random_state=0)
    fusion = WeightedFusionClassifier(MEMBERS, cv=cv).fit(X, y, groups=groups)
    ((train, test),) = cv.split(X, y, groups)
    held_out = [clone(m).fit(X[train], y[train]).predict_proba(X[test]) for _, m in MEMBERS]
    assert_allclose(fusion.weights_, search_simplex_weights(held_out, y[test])[0], atol=1e-6)
    for member, (_, original) in zip(fusion.estimators_, MEMBERS):
        assert_allclose(member.predict_proba(X), clone(original).fit(X, y).predict_proba(X))


def test_several_tasks_with_missing_labels():
    X, y = two_tasks()
    members = [("branches", TwoBranches()), *MEMBERS[:2]]
    fusion = WeightedFusionClassifier(members, random_state=0).fit(X, y)
    proba = fusion.predict_proba(X)
    assert [p.shape for p in proba] == [(120, 3), (120, 2)]
    for table in proba:
        assert_allclose(table.sum(axis=1), 1)
    assert fusion.predict(X).shape == (120, 2)
    assert fusion.score(X, y) > 0.6
    branches = fusion.predict_branches(X)
    assert list(branches) == ["branches", "linear", "bayes", "fusion"]


@pytest.mark.parametrize(
    "settings", [{"cv": "prefit"}, {"weights": None}, {"weights": [1, 2, 3]}], ids=str
)
def test_groups_that_split_nothing_change_nothing(settings):
    X, y = blobs()
    members = [(name, clone(member).fit(X, y)) for name, member in MEMBERS]
    fusion = WeightedFusionClassifier(members, **settings)
    with_groups = fusion.fit(X, y, groups=np.arange(len(y)) // 2).predict_proba(X)
    assert_allclose(with_groups, fusion.fit(X, y).predict_proba(X))


def test_a_splitter_that_tears_groups_apart_is_pointed_out():
    X, y = blobs()
    groups = np.arange(len(y)) // 2
    apart = WeightedFusionClassifier(MEMBERS[:2], cv=KFold(4, shuffle=True, random_state=0))
    with pytest.warns(UserWarning, match="one group on both sides of 4 of its 4 splits: got KFold"):
        apart.fit(X, y, groups=groups)
    whole = [KFold(4), StratifiedGroupKFold(4), list(StratifiedGroupKFold(4).split(X, y, groups))]
    for cv in whole:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            WeightedFusionClassifier(MEMBERS[:2], cv=cv).fit(X, y, groups=groups)


def test_a_search_switches_splits_on_and_off_with_groups_routed():
    X, y, groups = twins(30)
    with config_context(enable_metadata_routing=True):
        fusion = WeightedFusionClassifier(MEMBERS[1:], random_state=0).set_fit_request(groups=True)
        search = GridSearchCV(
            fusion, {"weights": ["search", None, [1, 2]]}, cv=StratifiedGroupKFold(2)
        ).fit(X, y, groups=groups)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_groups_keep_twins_together():
    X, y, groups = twins()
    members = [("nearest", KNeighborsClassifier(1)), ("tree", DecisionTreeClassifier())]
    with_groups = WeightedFusionClassifier(members, random_state=0).fit(X, y, groups=groups)
    without = WeightedFusionClassifier(members, random_state=0).fit(X, y)
    assert without.search_score_ > 0.85
    assert with_groups.search_score_ < 0.7


def test_dropped_members_and_nested_parameters():
    X, y = blobs()
    fusion = WeightedFusionClassifier(MEMBERS, random_state=0)
    fusion.set_params(tree="drop", linear__C=0.1).fit(X, y)
    assert len(fusion.estimators_) == len(fusion.weights_) == 2
    assert fusion.named_estimators_["tree"] == "drop"
    search = GridSearchCV(fusion, {"linear__C": [0.1, 1.0]}, cv=2, error_score="raise").fit(X, y)
    fitted = search.best_estimator_.named_estimators_["linear"]
    assert fitted.C == search.best_params_["linear__C"]


def test_logits_put_a_member_aside_that_excludes_the_class():
    X, y = blobs()
    fusion = WeightedFusionClassifier(MEMBERS, weights=[3, 2, 1], space="logits").fit(X, y)
    linear, bayes, tree = (member.predict_proba(X) for member in fusion.estimators_)
    product = linear ** (3 / 6) * bayes ** (2 / 6) * tree ** (1 / 6)
    assert_allclose(
        fusion.predict_proba(X), product / product.sum(axis=1, keepdims=True), atol=1e-6
    )
    assert (tree < 1e-9).any() and (fusion.predict_proba(X)[tree < 1e-9] < 1e-6).all()


def test_weight_zero_is_a_row_left_out():
    X, y = blobs(90)
    kept = np.arange(90) % 3 > 0
    folds = [(np.arange(45), np.arange(45, 90)), (np.arange(45, 90), np.arange(45))]
    position = np.cumsum(kept) - 1
    left = [tuple(position[rows[kept[rows]]] for rows in fold) for fold in folds]
    weighted = WeightedFusionClassifier(MEMBERS[:2], cv=folds)
    weighted.fit(X, y, sample_weight=kept.astype(float))
    fewer = WeightedFusionClassifier(MEMBERS[:2], cv=left).fit(X[kept], y[kept])
    assert_allclose(weighted.weights_, fewer.weights_, atol=0.02)
    assert_allclose(weighted.predict_proba(X), fewer.predict_proba(X), atol=0.02)


def test_weights_need_members_that_take_them():
    X, y = blobs()
    members = [("nearest", KNeighborsClassifier())]
    with pytest.raises(ValueError, match="KNeighborsClassifier does not support it"):
        WeightedFusionClassifier(members).fit(X, y, sample_weight=np.ones(len(y)))


def test_metadata_routing():
    X, y = blobs()
    groups, weight = np.arange(len(y)) // 2, np.linspace(0.5, 1, len(y))
    with config_context(enable_metadata_routing=True):
        member = TwoBranches().set_fit_request(sample_weight=True, groups=True)
        bayes = GaussianNB().set_fit_request(sample_weight=False)
        fusion = WeightedFusionClassifier([("a", member), ("b", bayes)], random_state=0)
        fusion.fit(X, y, sample_weight=weight, groups=groups)
        assert_array_equal(fusion.estimators_[0].groups_, groups)
        fusion.set_fit_request(groups=True, sample_weight=True)
        fusion.set_score_request(sample_weight=True)
        result = cross_validate(
            fusion,
            X,
            y,
            cv=StratifiedGroupKFold(2),
            params={"groups": groups, "sample_weight": weight},
            error_score="raise",
            return_estimator=True,
            return_indices=True,
        )
    for fitted, rows in zip(result["estimator"], result["indices"]["train"]):
        assert_array_equal(fitted.estimators_[0].groups_, groups[rows])
        assert_array_equal(fitted.estimators_[0].weight_, weight[rows])


def test_html_shows_every_member():
    html = WeightedFusionClassifier(MEMBERS)._repr_html_()
    assert all(name in html for name in ("linear", "bayes", "tree"))


class Grouped(LogisticRegression):
    """Takes groups, too."""

    def fit(self, X, y, sample_weight=None, groups=None):
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("groups", [None, np.arange(60) // 2])
def test_a_fold_of_one_class_is_no_error(groups):
    X, y = blobs(60, n_classes=1)
    y[0] = "B"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")
        model = WeightedFusionClassifier([("linear", Grouped())], cv=3, random_state=0)
        proba = model.fit(X, y, groups=groups).predict_proba(X)
    assert_allclose(proba.sum(axis=1), 1)
    assert proba[:, 1].mean() < 0.1


def test_a_missing_group_is_an_error():
    X, y = blobs(60)
    groups = np.array([f"p{row // 2}" for row in range(60)], dtype=object)
    groups[3] = None
    model = WeightedFusionClassifier([("linear", LogisticRegression())])
    with pytest.raises(ValueError, match="1 of 60 are missing"):
        model.fit(X, y, groups=groups)
    table = pd.DataFrame(X, columns=list("abcd")).assign(lesion=groups)
    with pytest.raises(ValueError, match="1 of 60 are missing"):
        model.set_params(group_column="lesion").fit(table, y)
    # Nothing is split by them.
    model.set_params(weights=None, group_column=None).fit(X, y, groups=groups)


def test_nothing_is_routed_to_classifiers_that_are_fitted_already():
    X, y = blobs(60)
    model = WeightedFusionClassifier([("linear", LogisticRegression().fit(X, y))], cv="prefit")
    alone = model.fit(X, y).predict_proba(X)
    with config_context(enable_metadata_routing=True):
        routed = model.fit(X, y, groups=np.arange(60), sample_weight=np.ones(60))
        assert_allclose(routed.predict_proba(X), alone)


def test_prefit_classifiers_may_know_different_classes():
    X, y = blobs(90)
    members = [
        ("all", LogisticRegression().fit(X, y)),
        ("some", LogisticRegression().fit(X, np.where(y == "C", "D", y))),
    ]
    model = WeightedFusionClassifier(members, cv="prefit").fit(X, y)
    assert model.classes_.tolist() == list("ABCD")
    assert_allclose(model.predict_proba(X).sum(axis=1), 1)


def test_groups_reach_members_that_split_inside():
    X, y = blobs(60)
    groups = np.arange(60) // 2
    model = WeightedFusionClassifier([("net", TwoBranches())], weights=None)
    assert_array_equal(model.fit(X, y, groups=groups).estimators_[0].groups_, groups)


@pytest.mark.parametrize("prefit", [False, True])
def test_weights_are_searched_on_given_validation_rows(prefit):
    X, y = blobs(150)
    train, valid = slice(100), slice(100, None)
    members = [(name, clone(m).fit(X[train], y[train])) for name, m in MEMBERS]
    fusion = WeightedFusionClassifier(members, random_state=0, cv="prefit" if prefit else 5)
    fusion.fit(X[train], y[train], X_val=X[valid], y_val=y[valid])
    tables = [member.predict_proba(X[valid]) for _, member in members]
    weights, score, _ = search_simplex_weights(tables, y[valid])
    assert_allclose(fusion.weights_, weights)
    assert fusion.search_score_ == pytest.approx(score)


def test_members_validate_on_the_given_rows():
    X, y = blobs(150)
    pipe = make_pipeline(StandardScaler(), TwoBranches())
    fusion = WeightedFusionClassifier([("net", pipe), ("bayes", GaussianNB())])
    fusion.fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    X_val, y_val = fusion.estimators_[0][-1].valid_
    assert_allclose(X_val, (X[100:] - X[:100].mean(axis=0)) / X[:100].std(axis=0))
    assert list(y_val) == list(y[100:])


def test_validation_rows_come_with_labels():
    X, y = blobs()
    with pytest.raises(ValueError, match="`X_val` and `y_val` must be given together"):
        WeightedFusionClassifier(MEMBERS).fit(X, y, X_val=X)


@pytest.mark.parametrize("model", [WeightedFusionClassifier, FusionM4NetClassifier])
def test_pipelines_are_members_with_metadata_routing(model):
    X, y = blobs()
    members = [("pipe", make_pipeline(StandardScaler(), GaussianNB())), ("bayes", GaussianNB())]
    with config_context(enable_metadata_routing=True):
        routed = model(members, random_state=0).fit(X, y).predict_proba(X)
    assert_allclose(routed, model(members, random_state=0).fit(X, y).predict_proba(X))


@pytest.mark.parametrize("gap", [np.nan, None])
def test_validation_rows_without_a_label_do_not_count(gap):
    X, y = blobs(150)
    y_val = y[100:].astype(object)
    y_val[:10] = gap
    gaps = WeightedFusionClassifier(MEMBERS).fit(X[:100], y[:100], X_val=X[100:], y_val=y_val)
    rows = {"X_val": X[110:], "y_val": y[110:]}
    assert_allclose(
        gaps.weights_, WeightedFusionClassifier(MEMBERS).fit(X[:100], y[:100], **rows).weights_
    )
    y_val[:] = gap
    with pytest.raises(ValueError, match="y_val has no label: every value is missing"):
        WeightedFusionClassifier(MEMBERS).fit(X[:100], y[:100], X_val=X[100:], y_val=y_val)
