"""What the ensembles make of rows, labels, groups, weights and parameters that are not plain."""

import numpy as np
import pandas as pd
import pytest
from ensemble_fakes import TwoBranches, blobs, two_tasks
from numpy.testing import assert_allclose
from scipy.sparse import coo_array, csr_array
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from sklearn_skin.ensemble import (
    FusionM4NetClassifier,
    WeightedFusionClassifier,
    _meta,
    _second_stage,
)
from sklearn_skin.ensemble._branches import member_tables
from sklearn_skin.ensemble._second_stage import (
    StageData,
    _calibration_folds,
    cross_fit_second_stage,
    fit_second_stage,
)
from sklearn_skin.utils import LabelCodec, label_groups

LINEAR = LogisticRegression(max_iter=300)
PAIR = [("linear", LINEAR), ("bayes", GaussianNB())]
SPARSE_PAIR = [("linear", LINEAR), ("neighbours", KNeighborsClassifier())]


class Prior(ClassifierMixin, BaseEstimator):
    """Says how frequent the classes are, whatever X is."""

    def __init__(self, group_column=None):
        self.group_column = group_column

    def fit(self, X, y):
        self.seen_ = type(X)
        self.classes_, counts = np.unique(y, return_counts=True)
        self.proba_ = counts / counts.sum()
        return self

    def predict_proba(self, X):
        return np.tile(self.proba_, (len(X), 1))


class Coded(ClassifierMixin, BaseEstimator):
    """Takes the labels 0, 1, … alone, as boosted trees of other libraries do."""

    def __init__(self, depth=6):
        self.depth = depth

    def fit(self, X, y, sample_weight=None):
        if np.asarray(y).dtype.kind != "i":
            raise ValueError("labels must be 0, 1, ...")
        if self.depth < 1:
            raise ValueError(f"depth must be at least 1; got {self.depth}.")
        self.classes_ = np.unique(y)
        self.proba_ = np.bincount(y, sample_weight) / np.bincount(y, sample_weight).sum()
        return self

    def predict_proba(self, X):
        return np.tile(self.proba_, (len(X), 1))


class Named(TwoBranches):
    """Is told all labels, where some are absent from its rows."""

    def __init__(self, base=None, *, log=None, weight=0.5, classes=None):
        super().__init__(base, log=log, weight=weight)
        self.classes = classes


def weighted(members=PAIR, **options):
    return WeightedFusionClassifier(members, cv=2, random_state=0, **options)


def two_stages(members=PAIR, second_stage=LINEAR, **options):
    return FusionM4NetClassifier(members, second_stage, **({"cv": 2, "random_state": 0} | options))


BOTH = pytest.mark.parametrize("make", [weighted, two_stages])


@pytest.mark.parametrize("model", [WeightedFusionClassifier(PAIR), FusionM4NetClassifier(PAIR)])
def test_every_parameter_is_kept(model):
    values = {name: object() for name in model.get_params(deep=False)}
    made = type(model)(**values)
    assert {name: getattr(made, name) for name in values} == values


@pytest.mark.parametrize("members", [PAIR, LINEAR])
def test_parameters_of_parts_are_listed_when_asked_for(members):
    model = two_stages(members)
    inner = "linear__C" if members is PAIR else "first_stage__C"
    assert {inner, "second_stage__C"} <= set(model.get_params())
    assert not {inner, "second_stage__C"} & set(model.get_params(deep=False))


@BOTH
def test_classes_that_no_row_has(make):
    X, y = blobs(60)
    with pytest.warns(UserWarning, match="no row has the class .'D'"):
        model = make(classes=["A", "B", "C", "D"]).fit(X, y)
    assert model.classes_.tolist() == ["A", "B", "C", "D"]
    assert_allclose(model.predict_proba(X)[:, 3], 0, atol=1e-3)


def test_gaps_are_allowed_where_every_member_allows_them():
    trees = HistGradientBoostingClassifier(max_iter=2)
    for members, allowed in [
        ([("a", trees), ("b", trees)], True),
        ([("a", trees), ("b", LINEAR)], False),
        (trees, True),
        (None, False),
    ]:
        assert two_stages(members).__sklearn_tags__().input_tags.allow_nan is allowed


def test_without_images_the_default_first_stage_is_a_regression():
    X, y = blobs(60)
    default, named = two_stages(None).fit(X, y), two_stages(LogisticRegression(max_iter=1000))
    assert isinstance(default.first_stage_, LogisticRegression)
    assert_allclose(default.predict_proba(X), named.fit(X, y).predict_proba(X))


def test_the_seed_decides_the_folds_of_a_single_network():
    X, y = blobs(90, spread=2.0)
    models = [
        two_stages(TwoBranches(), cv=3, random_state=seed).fit(X, y) for seed in (0, 0, 1, 2, 3)
    ]
    proba = [model.predict_proba(X) for model in models]
    assert_allclose(proba[0], proba[1])
    assert abs(proba[0] - proba[2]).max() > 1e-4
    # What the network says of rows that it has not seen depends on the folds alone.
    assert len({model.stage_scores_["clinical"] for model in models}) > 1


def test_the_seed_decides_the_folds_of_calibration(monkeypatch):
    X, y = blobs(60, spread=2.0)
    seeds, fit = [], _second_stage.fit_second_stage

    def spy(classifier, data, classes, params, seed, rows):
        seeds.append(seed)
        return fit(classifier, data, classes, params, seed, rows)

    monkeypatch.setattr(_second_stage, "fit_second_stage", spy)
    classes, codes = np.unique(y, return_inverse=True)
    data = StageData(X, codes[:, None], None, None, [])
    tables = [
        cross_fit_second_stage(LinearSVC(), data, [classes], {}, seed, None)[0]
        for seed in (0, 0, 1)
    ]
    assert_allclose(tables[0], tables[1])
    assert abs(tables[0] - tables[2]).max() > 1e-3
    assert seeds == [0] * 6 + [1] * 3


def test_the_searches_have_the_published_grids_and_the_rows_weights(monkeypatch):
    X, y = blobs(60)
    weight, seen = np.linspace(0.1, 1, len(y)), []
    search = _meta.search_simplex_weights

    def spy(tables, labels, **options):
        seen.append((len(tables), options["search"], options["n_grid"], options["sample_weight"]))
        return search(tables, labels, **options)

    monkeypatch.setattr(_meta, "search_simplex_weights", spy)
    two_stages(TwoBranches(), search="grid").fit(X, y, sample_weight=weight)
    assert [case[:3] for case in seen] == [(3, "grid", 50), (2, "grid", 100)]
    for *_, used in seen:
        assert_allclose(np.sort(used), weight)


def test_scores_of_the_second_stage_count_the_rows_that_weigh():
    X, y = blobs(60, spread=2.0)
    weight = np.full(len(y), 1e-9)
    weight[0] = 1.0
    scores = two_stages().fit(X, y, sample_weight=weight).stage_scores_
    assert_allclose([scores[stage] * (1 - scores[stage]) for stage in ("P2", "P3")], 0, atol=1e-6)


def test_tasks_have_the_names_of_their_columns():
    X, y = two_tasks()
    y = pd.DataFrame(y, columns=["diagnosis", "streaks"])
    names = two_stages().fit(X, y).get_feature_names_out()
    assert {"P1_diagnosis_A", "P1_streaks_present"} <= set(names)


@pytest.mark.parametrize("weights", [None, "search"])
def test_lengths_are_checked_before_anything_is_fitted(weights):
    X, y = blobs(60)
    model = weighted([("prior", Prior()), ("too", Prior())], weights=weights)
    for args, params in [((X, y[:-1]), {}), ((X, y), {"groups": np.arange(59)})]:
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            model.fit(*args, **params)


@BOTH
def test_negative_weights_of_rows_are_refused(make):
    X, y = blobs(60)
    dummies = [("one", DummyClassifier()), ("two", DummyClassifier())]
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        make(dummies).fit(X, y, sample_weight=np.full(60, -1.0))


@BOTH
def test_an_array_has_no_group_column(make):
    X, y = blobs(60)
    with pytest.raises(ValueError, match="`group_column` 'patient' is not a column of X"):
        make(group_column="patient").fit(X, y)


def test_plain_numbers_are_read_as_scikit_learn_reads_them():
    X, y = blobs(60)
    model = weighted([("one", Prior()), ("two", Prior())]).fit(X.tolist(), y)
    assert model.n_features_in_ == 4
    assert {member.seen_ for member in model.estimators_} == {np.ndarray}
    with pytest.raises(ValueError, match="X has 3 features, but WeightedFusion.* is expecting 4"):
        model.predict_proba(X[:, :3])
    with pytest.raises(TypeError, match="[Ss]parse data was passed"):
        model.fit(csr_array(X), y)


@pytest.mark.parametrize("layout", [csr_array, coo_array])
def test_sparse_rows_are_rows(layout):
    X, y = blobs(60)
    X = np.maximum(X, 0)
    dense, sparse = (weighted(SPARSE_PAIR).fit(rows, y) for rows in (X, layout(X)))
    assert_allclose(sparse.predict_proba(layout(X)), dense.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("n_tasks", [1, 2])
def test_missing_labels_are_no_class_and_take_none_away(n_tasks):
    X, y = two_tasks()
    y = y if n_tasks == 2 else y[:, 0]
    model = weighted([("bayes", GaussianNB()), ("own", TwoBranches())]).fit(X, y)
    expected = [["A", "B", "C"], ["absent", "present"]][:n_tasks]
    for member in model.estimators_:
        classes = member.classes_ if n_tasks == 2 else [member.classes_]
        assert [labels.tolist() for labels in classes] == expected


def test_gaps_are_gaps_to_members():
    _, y = two_tasks()
    for labels in (y, y[:, 0]):
        codec = LabelCodec().fit(labels)
        assert (_meta._plain_labels(codec, codec.transform(labels)) == labels).all()


def test_labels_that_a_member_takes_as_codes_keep_their_weights():
    X, y = blobs(60)
    weight = np.where(y == "A", 3.0, 1.0)
    model = weighted([("coded", Coded()), ("linear", LINEAR)], weights=[1, 0])
    proba = model.fit(X, y, sample_weight=weight).predict_proba(X)[0]
    expected = [weight[y == label].sum() for label in "ABC"]
    assert_allclose(proba, np.divide(expected, weight.sum()))


@BOTH
def test_what_a_classifier_of_codes_says_of_its_parameters_is_heard(make):
    X, y = blobs(60)
    with pytest.raises(ValueError, match="depth must be at least 1; got 0"):
        make([("coded", Coded(depth=0)), ("linear", LINEAR)]).fit(X, y)


def test_what_a_second_stage_of_codes_says_of_its_parameters_is_heard():
    X, y = blobs(60)
    with pytest.raises(ValueError, match="depth must be at least 1; got 0"):
        two_stages(second_stage=Coded(depth=0)).fit(X, y)


def test_an_error_about_codes_also_says_what_the_labels_gave():
    class Fussy(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            raise ValueError("no texts" if y.dtype.kind in "UO" else "no numbers")

    X, y = blobs(60)
    with pytest.raises(ValueError, match="no numbers") as caught:
        weighted([("linear", Fussy())]).fit(X, y)
    assert "of the labels: no texts" in "".join(caught.value.__notes__)


def test_a_member_is_told_of_labels_that_its_fold_lacks():
    X, y = two_tasks()
    halves = [(np.arange(60), np.arange(60, 120)), (np.arange(60, 120), np.arange(60))]
    y[:60][y[:60, 0] == "C", 0] = "A"
    model = FusionM4NetClassifier([("named", Named())], LINEAR, cv=halves, random_state=0).fit(X, y)
    assert model.predict_stages(X)["named"][0].shape == (120, 3)
    member = WeightedFusionClassifier(
        [("named", Named())], classes=[list("ABCZ"), ["absent", "present"]]
    )
    seen = member.fit(X, y).estimators_[0].classes
    assert [list(labels) for labels in seen][0] == list("ABCZ")


def test_a_member_gives_one_array_per_task():
    X, y = two_tasks()
    codec = LabelCodec().fit(y)
    member = TwoBranches().fit(X, y)
    for wrong in (lambda X: [np.ones((2, 3))], lambda X: np.ones((2, 2, 3))):
        member.predict_proba = wrong
        with pytest.raises(ValueError, match="TwoBranches must give a list of probabilities"):
            member_tables(member, X[:2], codec)


@pytest.mark.parametrize("members", [[], ["ab"], [("one", LINEAR, 2)], [["one", LINEAR]]], ids=str)
def test_a_first_stage_is_a_list_of_pairs(members):
    X, y = blobs(60)
    with pytest.raises(ValueError, match=r"`first_stage` must be a classifier or a non-empty list"):
        two_stages(members).fit(X, y)


def test_a_class_with_two_rows_leaves_two_folds():
    y = np.array([0] * 10 + [1] * 10 + [2] * 2)
    features = np.random.default_rng(0).normal(size=(22, 3))
    data = StageData(features, y[:, None], None, None, [])
    stage = fit_second_stage(LinearSVC(), data, [np.arange(3)], {}, 0)
    assert len(stage.estimators[0].cv) == 2


def test_calibration_splits_rows_where_groups_leave_one_class():
    codes = np.repeat([0, 1], 8)
    folds = _calibration_folds(4, codes, codes, 3)
    assert all(set(codes[train]) == {0, 1} for train, _ in folds)
    rows = StratifiedKFold(2, shuffle=True, random_state=3).split(codes, codes)
    assert [test.tolist() for _, test in folds] == [test.tolist() for _, test in rows]


def test_infinity_in_the_second_stage_s_metadata_is_found():
    X, y = blobs(60)
    table = pd.DataFrame(X[:, :2], columns=["a", "b"]).assign(site="arm")
    model = two_stages([("prior", Prior())], passthrough_features=["a"]).fit(table, y)
    table.loc[7, "a"] = np.inf
    with pytest.raises(ValueError, match=r"infinity: row 7, column 'a'"):
        model.predict_proba(table)


def test_a_member_s_group_column_is_no_metadata():
    X, y = blobs(60)
    pairs = np.arange(60) // 2
    table = pd.DataFrame(X[:, :2], columns=["a", "b"]).assign(patient=pairs, doctor=pairs % 3)
    members = [("one", Prior("patient")), ("two", Prior("doctor"))]
    model = two_stages(members, group_column="patient").fit(table, y)
    assert model.get_feature_names_out().tolist() == ["P1_A", "P1_B", "P1_C", "a", "b"]


def test_pictures_as_an_array_are_refused_with_the_way_out():
    X, y = blobs(60)
    pictures = np.zeros((60, 4, 4, 3), np.uint8)
    with pytest.raises(TypeError, match="as_images"):
        WeightedFusionClassifier(PAIR, cv=2).fit(pictures, y)
    with pytest.raises(TypeError, match="as_images"):
        WeightedFusionClassifier(PAIR, cv=2).fit(X, y).predict(pictures)


class NearestMean(BaseEstimator):
    """A second stage by its methods alone, as a class from another library is."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.means_ = np.array([X[y == label].mean(axis=0) for label in self.classes_])
        return self

    def predict_proba(self, X):
        distance = np.linalg.norm(np.asarray(X)[:, None] - self.means_, axis=2)
        return np.exp(-distance) / np.exp(-distance).sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def test_a_second_stage_need_not_call_itself_a_classifier():
    X, y = blobs(90)
    model = FusionM4NetClassifier(PAIR, NearestMean(), cv=2, random_state=0).fit(X, y)
    assert isinstance(model.second_stage_[0], NearestMean)
    assert_allclose(model.predict_proba(X).sum(axis=1), 1)


@BOTH
def test_groups_that_nobody_is_told_of_are_no_feature(make):
    X, y = blobs(60)
    table = pd.DataFrame({"a": X[:, 0], "patient": np.arange(60) // 2})
    table["patient"] = label_groups(table["patient"])
    with pytest.raises(ValueError, match=f"in `group_column` of {type(make()).__name__}, too"):
        make([("prior", Prior())]).fit(table, y)
    # A member that names the column knows what it is.
    model = make([("prior", Prior("patient"))]).fit(table, y)
    assert_allclose(model.predict_proba(table).sum(axis=1), 1)


@BOTH
def test_a_member_without_probabilities_is_named_before_anything_is_fitted(make):
    X, y = blobs(40)
    with pytest.raises(TypeError, match=r"member 's' \(LinearSVC\) has no predict_proba: wrap it"):
        make([("unfit", Unfittable()), ("s", LinearSVC())]).fit(X, y)


class Unfittable(LogisticRegression):
    def fit(self, X, y, sample_weight=None):
        raise AssertionError("fitted")


@BOTH
def test_what_a_parameter_says_of_labels_is_said_in_labels(make):
    X, y = blobs(40)
    weighed = LogisticRegression(class_weight={"A": 1, "B": 1, "typo": 2})
    with pytest.raises(ValueError, match=r"classes, \['C'\], are not in class_weight") as info:
        make([("linear", weighed)]).fit(X, y)
    assert not hasattr(info.value, "__notes__")
    with pytest.raises(ValueError, match="'C' parameter of LogisticRegression") as info:
        make([("linear", LogisticRegression(C=-1))]).fit(X, y)
    assert not hasattr(info.value, "__notes__")


def test_a_second_stage_that_only_votes_is_refused_before_anything_is_fitted():
    X, y = blobs(40)
    voting = VotingClassifier([("linear", LogisticRegression())])
    with pytest.raises(TypeError, match="VotingClassifier has neither .* voting='soft'"):
        FusionM4NetClassifier([("unfit", Unfittable())], voting, cv=2).fit(X, y)
    stacking = StackingClassifier([("linear", LogisticRegression())])
    FusionM4NetClassifier(PAIR, stacking, cv=2).fit(X, y)
