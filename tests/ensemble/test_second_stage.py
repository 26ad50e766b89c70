"""The second stage is the source's by default: an SVM (rbf, C = 1) with probabilities."""

import warnings

import numpy as np
import pytest
from ensemble_fakes import blobs
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.utils import check_random_state

from sklearn_skin.ensemble import FusionM4NetClassifier, WeightedFusionClassifier
from sklearn_skin.utils import grouped_folds


@pytest.fixture(scope="module")
def held_out():
    """Return fitted members, and rows that they have not seen."""
    X, y = blobs(160)
    members = [("linear", LogisticRegression(max_iter=300)), ("bayes", GaussianNB())]
    return [(name, member.fit(X[:60], y[:60])) for name, member in members], X[60:], y[60:]


def fit_on(held_out, *second_stage):
    """Return the fitted model, the second stage's features and its seed."""
    members, X, y = held_out
    model = FusionM4NetClassifier(members, *second_stage, cv="prefit", random_state=3).fit(X, y)
    seed = check_random_state(3).randint(2**31 - 1)
    # Members that are fitted before predict these rows now as in fit.
    return model, np.hstack([model.predict_stages(X)["P1"], X]), seed


def calibrated(svm, features, y, seed):
    folds = grouped_folds(np.unique(y, return_inverse=True)[1], None, 5, seed)
    return CalibratedClassifierCV(svm, cv=folds, ensemble=False).fit(features, y)


@pytest.mark.parametrize("second_stage", [(), (None,), ("svm",)], ids=str)
def test_by_default_it_is_a_calibrated_svm_with_rbf_and_c_of_one(held_out, second_stage):
    _, X, y = held_out
    model, features, seed = fit_on(held_out, *second_stage)
    found = model.predict_stages(X)["P2"]
    expected = calibrated(SVC(C=1.0, kernel="rbf"), features, y, seed).predict_proba(features)
    assert_allclose(found, expected)
    for other in (SVC(kernel="linear"), SVC(C=1000.0)):
        proba = calibrated(other, features, y, seed).predict_proba(features)
        assert np.abs(found - proba).max() > 0.01
    (svm,) = [classifier.estimator for classifier in model.second_stage_]
    assert svm.get_params() == SVC(C=1.0, kernel="rbf").get_params()


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("logistic_regression", lambda seed: LogisticRegression(C=1.0, max_iter=1000)),
        ("mlp", lambda seed: MLPClassifier((100,), max_iter=500, random_state=seed)),
        (
            "hist_gradient_boosting",
            lambda seed: HistGradientBoostingClassifier(random_state=seed),
        ),
    ],
)
def test_a_name_is_scikit_learn_s_classifier(held_out, name, make):
    _, X, y = held_out
    model, features, seed = fit_on(held_out, name)
    expected = make(seed).fit(features, y).predict_proba(features)
    assert_allclose(model.predict_stages(X)["P2"], expected)
    (classifier,) = model.second_stage_
    assert classifier.get_params() == make(seed).get_params()


def test_by_default_probabilities_are_averaged_not_logits(held_out):
    members, X, y = held_out
    tables = np.stack([member.predict_proba(X) for _, member in members])
    both = WeightedFusionClassifier(members, cv="prefit").fit(X, y)
    expected = np.tensordot(both.weights_, tables, 1)
    assert_allclose(both.predict_proba(X), expected)
    model = fit_on(held_out)[0]
    weights = np.array(list(model.branch_weights_.values()))
    averaged = np.tensordot(weights, tables, 1)
    assert_allclose(model.predict_stages(X)["P1"], averaged)
    logits = np.exp(np.tensordot(weights, np.log(tables), 1))
    assert np.abs(averaged - logits / logits.sum(axis=1, keepdims=True)).max() > 0.01
    # P3 averages probabilities in any space, so its weights are searched on them, too.
    stages = model.predict_stages(X)
    last = sum(weight * stages[name] for name, weight in model.stage_weights_.items())
    assert_allclose(stages["P3"], last)


STACK = StackingClassifier([("bayes", GaussianNB()), ("linear", LogisticRegression())], cv=2)


@pytest.mark.parametrize(
    "stage",
    [STACK, make_pipeline(StandardScaler(), STACK), GridSearchCV(STACK, {"passthrough": [True]})],
    ids=["stack", "pipeline", "search"],
)
def test_a_classifier_that_hides_its_methods_until_it_is_fitted(held_out, stage):
    # It has probabilities then, so nothing is calibrated.
    _, X, y = held_out
    model, features, _ = fit_on(held_out, stage)
    expected = clone(stage).fit(features, y).predict_proba(features)
    assert_allclose(model.predict_stages(X)["P2"], expected)
    assert isinstance(model.second_stage_[0], type(stage))


def test_classifiers_that_hide_their_methods_are_members():
    X, y = blobs()
    members = [("stack", STACK), ("bayes", GaussianNB())]
    for model in (WeightedFusionClassifier(members, cv=2), FusionM4NetClassifier(members, cv=2)):
        assert_allclose(model.fit(X, y).predict_proba(X).sum(axis=1), 1)


def test_a_second_stage_that_does_not_predict_is_refused_before_anything_is_fitted(held_out):
    _, X, y = held_out
    with pytest.raises(TypeError, match="must be a classifier; StandardScaler has no predict"):
        FusionM4NetClassifier([("none", None)], StandardScaler()).fit(X, y)
    model = fit_on(held_out)[0]
    with pytest.raises(TypeError, match="StandardScaler has no predict"):
        model.refit_second_stage(StandardScaler())


def test_a_search_says_once_that_the_second_stage_is_calibrated(held_out):
    members, X, y = held_out
    model = FusionM4NetClassifier(members, LinearSVC(), cv=2, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        GridSearchCV(model, {"second_stage__C": [0.1, 1.0]}, cv=2).fit(X, y)
        model.set_params(second_stage=RidgeClassifier()).fit(X, y)
    texts = [str(w.message) for w in caught]
    assert [text.split()[0] for text in texts] == ["LinearSVC", "RidgeClassifier"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("stage", "name", "kind"),
    [
        (LinearRegression(), "LinearRegression", "regressor"),
        (make_pipeline(StandardScaler(), SVR()), "SVR", "regressor"),
        (MultiOutputRegressor(LinearRegression()), "MultiOutputRegressor", "regressor"),
        (KMeans(2), "KMeans", "clusterer"),
    ],
    ids=["plain", "pipeline", "tasks", "clusters"],
)
def test_a_second_stage_of_another_kind_is_refused(held_out, stage, name, kind):
    members, X, y = held_out
    with pytest.raises(TypeError, match=f"`second_stage` must be .*; {name} calls itself '{kind}'"):
        FusionM4NetClassifier(members, stage, cv="prefit").fit(X, y)
    with pytest.raises(TypeError, match=name):
        fit_on(held_out, LogisticRegression())[0].refit_second_stage(stage)


class FailsOnParts(LogisticRegression):
    """Is fitted on all rows, and fails in the folds that come after."""

    def fit(self, X, y, sample_weight=None):
        if len(X) < 100:
            raise RuntimeError("too few rows")
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize(
    "second_stage",
    ["unknown", 3, StandardScaler(), LogisticRegression(C=-1.0), FailsOnParts()],
    ids=str,
)
def test_a_refit_that_fails_changes_nothing(held_out, second_stage):
    _, X, _ = held_out
    model = fit_on(held_out, LogisticRegression())[0]
    before, proba = dict(vars(model)), model.predict_proba(X)
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        model.refit_second_stage(second_stage)
    assert vars(model) == before
    assert_allclose(model.predict_proba(X), proba)
    assert model.refit_second_stage() is model


@pytest.mark.parametrize("wrap", [ClassifierChain, MultiOutputClassifier])
def test_a_classifier_of_several_tasks_takes_one(wrap):
    X, y = blobs(n_classes=2)
    members = [("linear", LogisticRegression()), ("bayes", GaussianNB())]
    inner = LogisticRegression(max_iter=500)
    weight = np.linspace(0.1, 1, len(y)) if wrap is MultiOutputClassifier else None
    alone, joint = (
        FusionM4NetClassifier(members, stage, cv=2, random_state=0)
        .fit(X, y, sample_weight=weight)
        .predict_stages(X)["P2"]
        for stage in (inner, wrap(inner))
    )
    assert_allclose(joint, alone, rtol=1e-5)


def test_a_chain_of_one_task_with_three_classes():
    X, y = blobs()
    members = [("linear", LogisticRegression()), ("bayes", GaussianNB())]
    model = FusionM4NetClassifier(members, ClassifierChain(LogisticRegression()), cv=2)
    with pytest.raises(ValueError, match="a task has more than two classes; take Multi.* inside"):
        model.fit(X, y)


@pytest.mark.parametrize("wrap", [ClassifierChain, MultiOutputClassifier])
def test_a_member_of_several_tasks_is_refused_for_one(wrap):
    X, y = blobs()
    members = [("joint", wrap(LogisticRegression())), ("bayes", GaussianNB())]
    for model in (WeightedFusionClassifier(members, cv=2), FusionM4NetClassifier(members, cv=2)):
        with pytest.raises(ValueError, match=f"{wrap.__name__} is made for several tasks, and y"):
            model.fit(X, y)
