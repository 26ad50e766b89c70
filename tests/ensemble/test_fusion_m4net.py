import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ensemble_fakes import TwoBranches, blobs, twins, two_tasks
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    cross_validate,
)
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_skin.datasets import make_lesions
from sklearn_skin.ensemble import FusionM4NetClassifier, search_simplex_weights
from sklearn_skin.preprocessing import make_lesion_transformer

LIST = [("linear", LogisticRegression()), ("tree", DecisionTreeClassifier(max_depth=3))]
LINEAR = LogisticRegression(max_iter=300)


@parametrize_with_checks(
    [
        FusionM4NetClassifier(
            [("linear", LogisticRegression()), ("tree", DecisionTreeClassifier(random_state=0))],
            LogisticRegression(),
            cv=3,
            random_state=0,
        )
    ],
    expected_failed_checks=lambda estimator: estimator._expected_failed_checks,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("cv", [3, "half", StratifiedGroupKFold(3)], ids=str)
@pytest.mark.parametrize("space", ["proba", "logits"])
def test_stages_are_what_the_equations_say(cv, space):
    X, y = two_tasks()
    model = FusionM4NetClassifier(TwoBranches(), LINEAR, cv=cv, space=space, random_state=0)
    groups = None if not hasattr(cv, "split") else np.arange(len(X)) // 2
    stages = model.fit(X, y, groups=groups).predict_stages(X)
    assert list(stages) == ["clinical", "dermoscopy", "fusion", "P1", "P2", "P3"]
    w, branch = model.branch_weights_, model.first_stage_.predict_branches(X)
    for task in range(2):
        if space == "proba":
            p1 = sum(w[name] * branch[name][task] for name in w)
        else:
            p1 = np.exp(sum(w[name] * np.log(branch[name][task]) for name in w))
            p1 /= p1.sum(axis=1, keepdims=True)
        assert_allclose(stages["P1"][task], p1)
        features = np.hstack([*stages["P1"], X])
        assert_allclose(stages["P2"][task], model.second_stage_[task].predict_proba(features))
        final = model.stage_weights_["P1"] * p1 + model.stage_weights_["P2"] * stages["P2"][task]
        assert_allclose(stages["P3"][task], final)
        assert_allclose(model.predict_proba(X)[task], final)
    assert_allclose(sum(model.stage_weights_.values()), 1)


def test_one_task_and_a_list_of_classifiers():
    X, y = blobs()
    model = FusionM4NetClassifier(LIST, LINEAR, random_state=0).fit(X, y)
    stages = model.predict_stages(X)
    assert list(stages) == ["linear", "tree", "P1", "P2", "P3"]
    assert_array_equal(model.predict(X), model.classes_[stages["P3"].argmax(axis=1)])
    names = [f"P1_{c}" for c in "ABC"] + ["x0", "x1", "x2", "x3"]
    assert model.get_feature_names_out().tolist() == names


@pytest.mark.parametrize(
    "second_stage",
    [
        None,
        MLPClassifier(max_iter=30, random_state=0),
        HistGradientBoostingClassifier(max_iter=5),
        RandomForestClassifier(10, random_state=0),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
    ids=lambda s: s if isinstance(s, str) else type(s).__name__,
)
def test_any_classifier_is_a_second_stage(second_stage):
    X, y = two_tasks(80)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Stochastic Optimizer")
        model = FusionM4NetClassifier(TwoBranches(), second_stage, cv=2, random_state=0).fit(X, y)
    kind = CalibratedClassifierCV if second_stage is None else type(second_stage)
    for classifier, table in zip(model.second_stage_, model.predict_stages(X)["P2"], strict=True):
        assert isinstance(classifier, kind)
        assert_allclose(table.sum(axis=1), 1)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_what_a_search_may_try_can_be_fitted():
    X, y = blobs(30)
    model = FusionM4NetClassifier(LIST, "svm", cv=2, random_state=0)
    ranges = model.search_ranges()
    assert set(ranges) == {"space", "second_stage"}
    for space in ranges["space"].values:
        model.set_params(space=space).fit(X, y)
        assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    for name in ranges["second_stage"].values:
        assert_allclose(model.refit_second_stage(name).predict_proba(X).sum(axis=1), 1)
    assert "second_stage" not in FusionM4NetClassifier(LIST, LINEAR).search_ranges()


@pytest.mark.parametrize("classifier", [SVC(), LinearSVC(), make_pipeline(LinearSVC())])
def test_scores_are_calibrated_and_it_says_so(classifier):
    X, y = blobs(60)
    with pytest.warns(UserWarning, match="CalibratedClassifierCV"):
        model = FusionM4NetClassifier(LIST, classifier, random_state=0).fit(X, y)
    assert not model.second_stage_[0].ensemble
    assert_allclose(model.predict_stages(X)["P2"].sum(axis=1), 1)


def test_calibration_survives_rare_classes():
    X, y = blobs(60)
    y[:1] = "D"
    y[1:3] = "E"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")
        model = FusionM4NetClassifier(LIST, None, cv=2, random_state=0).fit(X, y)
    p2 = model.predict_stages(X)["P2"]
    assert_allclose(p2.sum(axis=1), 1)
    # The class of a single row cannot be calibrated: the second stage leaves it out.
    assert_allclose(p2[:, 3], 0, atol=1e-12)
    assert p2[:, 4].max() > 0.01


def test_a_multi_output_classifier_is_used_as_it_is():
    X, y = two_tasks()
    joint = MultiOutputClassifier(LogisticRegression())
    model = FusionM4NetClassifier(TwoBranches(), joint, cv=2, random_state=0).fit(X, y)
    stages = model.predict_stages(X)
    features = np.hstack([*stages["P1"], X])
    for ours, theirs in zip(stages["P2"], model.second_stage_.predict_proba(features)):
        assert_allclose(ours, theirs)


def test_the_second_stage_swaps_without_training_the_first(tmp_path):
    X, y = two_tasks()
    log = tmp_path / "fits"
    model = FusionM4NetClassifier(TwoBranches(log=log), LINEAR, cv=3, random_state=0).fit(X, y)
    assert count(log) == 4
    fresh = FusionM4NetClassifier(TwoBranches(), "svm", cv=3, random_state=0).fit(X, y)
    model.refit_second_stage("svm")
    assert count(log) == 4
    for ours, theirs in zip(model.predict_proba(X), fresh.predict_proba(X)):
        assert_allclose(ours, theirs)
    assert model.get_params()["second_stage"] == "svm"


def test_a_search_over_second_stages_trains_each_network_once_per_fold(tmp_path):
    X, y = blobs()
    table = pd.DataFrame(X, columns=list("abcd")).assign(site=np.where(y == "A", "arm", "leg"))
    log = tmp_path / "fits"
    model = FusionM4NetClassifier(
        TwoBranches(log=log), cv=3, memory=str(tmp_path / "memory"), random_state=0
    )
    stages = [SVC(), LINEAR, MLPClassifier(max_iter=20), HistGradientBoostingClassifier()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = GridSearchCV(
            model, {"second_stage": stages}, cv=2, refit=False, error_score="raise"
        ).fit(table, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    # Two outer folds, and in each of them three inner ones and the whole.
    assert count(log) == 2 * 4


def count(log):
    return len(Path(log).read_text().splitlines())


def test_nested_parameters():
    model = FusionM4NetClassifier(make_pipeline(TwoBranches()), SVC())
    model.set_params(second_stage__C=3.0, first_stage__twobranches__weight=0.2)
    assert model.second_stage.C == 3.0
    assert model.first_stage[-1].weight == 0.2
    listed = FusionM4NetClassifier(clone_list(), SVC()).set_params(linear__C=2.0)
    assert dict(listed.first_stage)["linear"].C == 2.0
    assert clone(listed).get_params()["linear__C"] == 2.0
    listed.set_params(tree=GaussianNB())
    assert isinstance(dict(listed.first_stage)["tree"], GaussianNB)
    with pytest.raises(ValueError, match="Invalid parameter 'forest'"):
        listed.set_params(forest__C=1)


def clone_list():
    return [(name, clone(member)) for name, member in LIST]


def test_the_second_stage_as_it_is_is_fitted_again():
    X, y = blobs()
    model = FusionM4NetClassifier(LIST, LogisticRegression(), cv=2, random_state=0).fit(X, y)
    first = model.second_stage_[0]
    again = model.set_params(second_stage__C=1e-3).refit_second_stage()
    assert again is model and model.second_stage_[0].C == 1e-3
    assert abs(first.coef_).max() > abs(model.second_stage_[0].coef_).max()


@pytest.mark.parametrize(
    ("stage", "said", "name"),
    [
        ("svm", "'svm', a name that", "SVC"),
        (None, "None, which stands for 'svm' and", "SVC"),
        ("mlp", "'mlp', a name that", "MLPClassifier"),
    ],
)
def test_a_name_has_no_parameters_to_set(stage, said, name):
    model = FusionM4NetClassifier(LIST, stage)
    with pytest.raises(ValueError, match=rf"is {said} has no parameters; .* {name}\(\), first"):
        model.set_params(second_stage__C=10)
    assert model.set_params(second_stage=SVC(), second_stage__C=10).second_stage.C == 10


def test_prefit_networks_stay_as_they_are():
    X, y = two_tasks()
    net = TwoBranches().fit(X[:60], y[:60])
    model = FusionM4NetClassifier(net, LINEAR, cv="prefit", random_state=0).fit(X[60:], y[60:])
    assert model.first_stage_ is net
    fitted = [model.predict_stages(X)["fusion"], net.predict_proba(X)]
    for ours, theirs in zip(*fitted):
        assert_allclose(ours, theirs)


def test_groups_of_prefit_networks_serve_the_second_stage():
    X, y, groups = twins(80)
    train = groups < 30
    net = GaussianNB().fit(X[train], y[train])
    model = FusionM4NetClassifier(net, KNeighborsClassifier(1), cv="prefit", random_state=0)
    model.fit(X[~train], y[~train], groups=groups[~train])
    assert model.stage_scores_["P2"] < 0.7
    model.fit(X[~train], y[~train])
    assert model.stage_scores_["P2"] > 0.75


def test_a_first_stage_in_a_pipeline_and_raw_metadata():
    lesions = make_lesions(60, image_size=16, images_per_lesion=2, random_state=0)
    first = make_pipeline(make_lesion_transformer(), TwoBranches())
    model = FusionM4NetClassifier(first, LINEAR, cv=2, random_state=0)
    model.fit(lesions.data, lesions.target, groups=lesions.groups)
    names = model.get_feature_names_out().tolist()
    assert names[:4] == ["P1_A", "P1_B", "P1_C", "age"]
    assert "sex=female" in names and "image" not in names
    shuffled = lesions.data[list(lesions.data.columns[::-1])]
    assert_allclose(model.predict_proba(shuffled), model.predict_proba(lesions.data))
    with pytest.raises(ValueError, match="X lacks the columns \\['age'\\]"):
        model.predict(lesions.data.drop(columns="age"))


def test_group_column_and_groups_are_the_same_and_never_features():
    X, y, groups = twins()
    table = pd.DataFrame(X, columns=list("abcdef")).assign(lesion=groups)
    first = [("nearest", KNeighborsClassifier(1))]
    by_column = FusionM4NetClassifier(first, LINEAR, group_column="lesion", random_state=0)
    by_column.fit(table, y)
    given = FusionM4NetClassifier(first, LINEAR, random_state=0)
    given.fit(table.drop(columns="lesion"), y, groups=groups)
    new = table.drop(columns="lesion")
    assert_allclose(by_column.predict_proba(new), given.predict_proba(new))
    assert "lesion" not in by_column.get_feature_names_out()


def test_passthrough_features():
    X, y = blobs()
    model = FusionM4NetClassifier(LIST, LINEAR, passthrough_features=[2], random_state=0)
    assert model.fit(X, y).get_feature_names_out().tolist()[3:] == ["x2"]
    model.set_params(passthrough_features=None).fit(X, y)
    assert model.second_stage_[0].n_features_in_ == 3
    with pytest.raises(ValueError, match="`passthrough_features` must be positions"):
        model.set_params(passthrough_features=["age"]).fit(X, y)


def test_metadata_routing():
    X, y = blobs()
    groups, weight = np.arange(len(y)) // 2, np.linspace(0.5, 1, len(y))
    with config_context(enable_metadata_routing=True):
        net = TwoBranches().set_fit_request(sample_weight=True, groups=True)
        second = LogisticRegression().set_fit_request(sample_weight=True)
        model = FusionM4NetClassifier(net, second, cv=2, random_state=0)
        model.set_fit_request(groups=True, sample_weight=True)
        model.set_score_request(sample_weight=True)
        model.fit(X, y, sample_weight=weight, groups=groups)
        assert_array_equal(model.first_stage_.groups_, groups)
        result = cross_validate(
            model,
            X,
            y,
            cv=StratifiedGroupKFold(2),
            params={"groups": groups, "sample_weight": weight},
            error_score="raise",
            return_estimator=True,
            return_indices=True,
        )
    for fitted, rows in zip(result["estimator"], result["indices"]["train"]):
        assert_array_equal(fitted.first_stage_.groups_, groups[rows])
        assert_array_equal(fitted.first_stage_.weight_, weight[rows])


def test_sample_weights_reach_both_stages():
    X, y = blobs()
    kept = np.arange(len(y)) % 2 == 0
    # Of the rows with weight 0 the labels are wrong; they must not matter.
    y = np.where(kept, y, "A")
    model = FusionM4NetClassifier(TwoBranches(), LINEAR, cv=3, random_state=0)
    weighted = clone(model).fit(X, y, sample_weight=kept.astype(float))
    whole = clone(model).fit(X, y)
    assert weighted.score(X[kept], y[kept]) > whole.score(X[kept], y[kept])


def fused(seed, grouped):
    """Return P3's accuracy on the cross-fitted rows and on new rows, for noise labels."""
    X, y, groups = twins(80, seed)
    train = groups < 50
    first = [("nearest", KNeighborsClassifier(1)), ("bayes", GaussianNB())]
    model = FusionM4NetClassifier(first, KNeighborsClassifier(1), cv=5, random_state=seed)
    model.fit(X[train], y[train], groups=groups[train] if grouped else None)
    return model.stage_scores_["P2"], model.score(X[~train], y[~train])


def test_noise_labels_gain_nothing_unless_it_leaks():
    seeds = range(12)
    second, third = np.transpose([fused(seed, True) for seed in seeds])
    standard_error = third.std(ddof=1) / np.sqrt(len(seeds))
    assert abs(third.mean() - 0.5) < max(3 * standard_error, 0.03)
    assert abs(second.mean() - 0.5) < 0.06
    # Twins on both sides of the folds: the second stage seems to know the labels.
    leaky = np.array([fused(seed, False)[0] for seed in seeds])
    assert leaky.mean() > 0.75


def test_processes_give_the_same_as_none():
    X, y = two_tasks()
    model = FusionM4NetClassifier(TwoBranches(), LINEAR, cv="half", random_state=0)
    alone = clone(model).fit(X, y).predict_proba(X)
    shared = clone(model).set_params(n_jobs=2).fit(X, y).predict_proba(X)
    for one, other in zip(alone, shared):
        assert_allclose(one, other)


def test_html_shows_both_stages():
    html = FusionM4NetClassifier(LIST, SVC())._repr_html_()
    assert all(name in html for name in ("linear", "tree", "second_stage", "SVC"))
    assert "FusionNetClassifier" in FusionM4NetClassifier()._repr_html_()


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"second_stage": "forest"}, "second_stage"),
        ({"first_stage": []}, "`first_stage` must be"),
        ({"first_stage": [("a__b", GaussianNB())]}, "must not contain __"),
        ({"cv": "thirds"}, "Expected `cv` as"),
        *[({"first_stage": [(p, GaussianNB())]}, "must not be named") for p in ("P1", "P2", "P3")],
    ],
)
def test_wrong_parameters_are_named(settings, message):
    X, y = blobs()
    with pytest.raises(ValueError, match=message):
        FusionM4NetClassifier(**{"first_stage": LIST, "second_stage": LINEAR} | settings).fit(X, y)


def test_a_joint_second_stage_keeps_numbers_beside_texts_apart():
    X, first = blobs()
    y = np.column_stack([first.astype(object), (X[:, 2] > 0).astype(int).astype(object)])
    joint = MultiOutputClassifier(LogisticRegression())
    model = FusionM4NetClassifier(LIST, joint, cv=2, random_state=0).fit(X, y)
    for table in model.predict_stages(X)["P2"]:
        assert_allclose(table.sum(axis=1), 1)


class Coded(LogisticRegression):
    """Takes the labels 0, 1, … alone, as boosted trees of other libraries do."""

    def fit(self, X, y, sample_weight=None):
        if not np.array_equal(np.unique(y), np.arange(len(np.unique(y)))):
            raise ValueError(f"Invalid classes: {np.unique(y)}")
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("n_tasks", [1, 2])
def test_a_second_stage_that_needs_codes_gets_them(n_tasks):
    X, y = blobs()
    y = np.column_stack([y, np.where(X[:, 2] > 0, "present", "absent")])[:, :n_tasks].squeeze()
    members = [("linear", LINEAR), ("other", LogisticRegression(C=0.01))]
    stages = [
        FusionM4NetClassifier(members, second, cv=2, random_state=0).fit(X, y).predict_stages(X)
        for second in (LogisticRegression(), Coded())
    ]
    for plain, coded in zip(*(stage["P2"] for stage in stages)):
        assert_allclose(coded, plain)


def test_an_error_of_a_second_stage_is_its_own():
    class Broken(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            raise ValueError(f"broken for {y[0]}")

    X, y = blobs()
    with pytest.raises(ValueError, match=f"broken for ({'|'.join(np.unique(y))})"):
        FusionM4NetClassifier(LIST, Broken(), cv=2, random_state=0).fit(X, y)


def test_a_chain_of_classifiers_is_a_second_stage_for_two_classes_a_task():
    X, first = blobs()
    two = np.where(first == first[0], "yes", "no")
    y = np.column_stack([two, np.where(X[:, 2] > 0, "present", "absent")])
    chain = ClassifierChain(LogisticRegression())
    model = FusionM4NetClassifier(LIST, chain, cv=2, random_state=0).fit(X, y)
    for table, task in zip(model.predict_stages(X)["P2"], y.T):
        assert_allclose(table.sum(axis=1), 1)
        assert (np.unique(task)[table.argmax(axis=1)] == task).mean() > 0.8
    with pytest.raises(ValueError, match="ClassifierChain gives one probability per task"):
        FusionM4NetClassifier(LIST, chain, cv=2).fit(X, np.column_stack([first, y[:, 1]]))


@pytest.mark.parametrize("as_frame", [True, False])
def test_gaps_of_numbers_are_filled_for_the_second_stage(as_frame):
    X, y = blobs()
    X[::5, 2] = np.nan
    X = pd.DataFrame(X, columns=list("abcd")) if as_frame else X
    boosting = HistGradientBoostingClassifier(max_iter=3)
    model = FusionM4NetClassifier([("boosting", boosting)], LINEAR, cv=2, random_state=0)
    assert np.isfinite(model.fit(X, y).predict_proba(X)).all()
    whole = X.dropna() if as_frame else X[~np.isnan(X).any(axis=1)]
    known = y[np.arange(len(y)) % 5 > 0]
    assert np.isfinite(model.fit(whole, known).predict_proba(X)).all()
    with pytest.raises(ValueError, match="NaN"):
        FusionM4NetClassifier(LIST, LINEAR).fit(X, y)


def test_rows_that_are_held_out_twice_do_not_leak():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 4)), np.arange(80) % 2
    cv = RepeatedStratifiedKFold(n_splits=2, n_repeats=3, random_state=0)
    second = KNeighborsClassifier(1)
    model = FusionM4NetClassifier([("linear", LINEAR)], second, cv=cv, random_state=0).fit(X, y)
    assert model.stage_scores_["P2"] < 0.75


def test_with_validation_rows_all_weights_are_searched_on_them():
    X, y = two_tasks(160)
    train, valid = slice(120), slice(120, None)
    model = FusionM4NetClassifier(TwoBranches(), LINEAR, cv="half", random_state=0)
    model.fit(X[train], y[train], X_val=X[valid], y_val=y[valid])
    # The first stage is fitted on all training rows, and validates on the given ones.
    assert_allclose(model.first_stage_.valid_[0], X[valid])
    stages = model.predict_stages(X[valid])
    truth = np.where(y[valid] == None, np.nan, y[valid])  # noqa: E711
    branches = [stages[name] for name in model.branch_weights_]
    weights = search_simplex_weights(branches, truth).weights
    assert_allclose(list(model.branch_weights_.values()), weights)
    weights, score, _ = search_simplex_weights([stages["P1"], stages["P2"]], truth)
    assert_allclose(list(model.stage_weights_.values()), weights)
    assert model.stage_scores_["P3"] == pytest.approx(score)
    # The second stage learns from the held-out half alone.
    assert len(model._stage_data.codes) == 60


def test_another_second_stage_is_weighed_on_the_same_validation_rows():
    X, y = two_tasks(160)
    parts = {"X_val": X[120:], "y_val": y[120:]}
    model = FusionM4NetClassifier(TwoBranches(), "svm", random_state=0).fit(
        X[:120], y[:120], **parts
    )
    again = model.refit_second_stage(LINEAR).predict_proba(X)
    fresh = FusionM4NetClassifier(TwoBranches(), LINEAR, random_state=0)
    fresh = fresh.fit(X[:120], y[:120], **parts).predict_proba(X)
    assert_allclose(again[0], fresh[0])
    assert_allclose(again[1], fresh[1])
