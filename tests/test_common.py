"""Every public estimator: scikit-learn's checks and ours (samplers: tests/sampling)."""

import inspect
import pickle
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_skin.datasets import make_lesions
from sklearn_skin.neural_network import BaseLesionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer
from sklearn_skin.utils import all_estimators

NETWORKS = {
    name: cls for name, cls in all_estimators("classifier") if issubclass(cls, BaseLesionClassifier)
}
TWO_IMAGES = {
    "AsymmetricFusionClassifier",
    "FusionNetClassifier",
    "LesionNetClassifier",
    "SharedFusionClassifier",
}
# A weight of 2 and a repeated row give the same loss per epoch, which a test of ours checks;
# they cannot give the same batches, so the trained weights differ.
WEIGHTS_ARE_NOT_REPETITIONS = {
    "check_sample_weight_equivalence_on_dense_data": "batches differ when rows are repeated"
}


def expected_failures(estimator):
    if isinstance(estimator, BaseLesionClassifier):
        return WEIGHTS_ARE_NOT_REPETITIONS
    return getattr(estimator, "_expected_failed_checks", {})


def default_instances(kind):
    return [cls() for _, cls in all_estimators(kind) if not _needs_arguments(cls)]


def _needs_arguments(cls):
    parameters = list(inspect.signature(cls).parameters.values())
    return any(p.default is p.empty and p.kind is not p.VAR_KEYWORD for p in parameters)


@parametrize_with_checks(
    [*default_instances("classifier"), *default_instances("transformer")],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def lesions():
    return {
        1: make_lesions(40, image_size=32, images_per_lesion=2, random_state=0),
        2: make_lesions(
            40,
            image_columns=("clinical", "dermoscopy"),
            image_size=32,
            images_per_lesion=2,
            random_state=0,
        ),
    }


def tiny(name, **parameters):
    settings = {"weights": None, "backbone": "resnet10t", "image_size": 32, "max_epochs": 1}
    settings |= {"batch_size": 16, "cache_dir": None, "random_state": 0, "device": "cpu"}
    return NETWORKS[name](**(settings | parameters))


def case(name, lesions):
    data = lesions[2 if name in TWO_IMAGES else 1]
    return data.data, data.target, data.groups


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_networks_share_their_parameters(name):
    common = inspect.signature(BaseLesionClassifier).parameters
    parameters = inspect.signature(NETWORKS[name]).parameters
    shared = [p for p in parameters.values() if p.name in common]
    assert shared == list(common.values())
    described = re.findall(r"^    (\w+(?:, \w+)*) :", NETWORKS[name].__doc__, flags=re.MULTILINE)
    assert set(parameters) <= {parameter for line in described for parameter in line.split(", ")}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_network_in_a_pipeline(name, lesions):
    X, y, groups = case(name, lesions)
    pipe = make_pipeline(make_lesion_transformer(), tiny(name))
    before = str(pipe.get_params())
    pipe.fit(X, y)
    assert str(pipe.get_params()) == before
    proba = pipe.predict_proba(X)
    assert_allclose(proba.sum(axis=1), 1.0)
    assert proba.shape == (len(X), len(pipe.classes_))
    shuffled = X[list(X.columns[::-1])].assign(extra="ignored")
    assert_allclose(pipe.predict_proba(shuffled), proba, rtol=1e-5, atol=1e-6)
    again = clone(pipe).fit(X, y)
    assert_array_equal(again.predict_proba(X), proba)
    restored = pickle.loads(pickle.dumps(pipe))
    assert_array_equal(restored.predict_proba(X), proba)


@pytest.mark.parametrize("name", ["JointFusionClassifier"])
def test_groups_reach_the_network_through_metadata_routing(name, lesions):
    X, y, groups = case(name, lesions)
    with config_context(enable_metadata_routing=True):
        net = tiny(name, early_stopping=True, validation_fraction=0.25)
        pipe = make_pipeline(make_lesion_transformer(), net.set_fit_request(groups=True))
        scores = cross_val_score(
            pipe, X, y, params={"groups": groups}, cv=StratifiedGroupKFold(2), error_score="raise"
        )
    assert scores.shape == (2,)


def test_grid_search_over_network_and_preparation(lesions):
    X, y, _ = case("JointFusionClassifier", lesions)
    pipe = make_pipeline(make_lesion_transformer(), tiny("JointFusionClassifier"))
    grid = {
        "jointfusionclassifier__fusion": ["concat", "hadamard"],
        "lesioncolumntransformer__numeric__impute__strategy": ["mean", "median"],
    }
    search = GridSearchCV(pipe, grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
