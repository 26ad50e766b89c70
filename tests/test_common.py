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
from sklearn.utils.estimator_checks import estimator_checks_generator
from skorch.callbacks import Callback

from sklearn_skin.datasets import make_lesions
from sklearn_skin.neural_network import BaseImageNetwork, BaseNetwork
from sklearn_skin.preprocessing import make_lesion_transformer
from sklearn_skin.utils import all_estimators

NETWORKS = {name: cls for name, cls in all_estimators("classifier") if issubclass(cls, BaseNetwork)}
TWO_IMAGES = {name for name, cls in NETWORKS.items() if "clinical_column" in cls().get_params()}
# A weight of 2 and a repeated row give the same loss per epoch, which a test of ours checks;
# they cannot give the same batches, so the trained weights differ.
WEIGHTS_ARE_NOT_REPETITIONS = {
    "check_sample_weight_equivalence_on_dense_data": "batches differ when rows are repeated"
}
# On arrays a network that needs images is a perceptron over what the base has read, which
# MetadataClassifier shows in full, and JointFusionClassifier shows for those that need none; what
# differs between classes is checked without a fit.
FULLY_CHECKED = {"MetadataClassifier", "JointFusionClassifier"}
WITHOUT_A_FIT = re.compile(
    "cloneable|tags|constructible|no_attributes_set_in_init|get_params|set_params|repr|"
    "param_validation|mixin"
)


def expected_failures(estimator):
    if isinstance(estimator, BaseNetwork):
        return WEIGHTS_ARE_NOT_REPETITIONS
    return getattr(estimator, "_expected_failed_checks", {})


def default_instances(kind):
    found = [cls() for _, cls in all_estimators(kind) if not _needs_arguments(cls)]
    # As scikit-learn does for its own perceptron: the checks are about contracts, not about skill.
    return [net.set_params(max_epochs=15) if isinstance(net, BaseNetwork) else net for net in found]


def _needs_arguments(cls):
    parameters = list(inspect.signature(cls).parameters.values())
    return any(p.default is p.empty and p.kind is not p.VAR_KEYWORD for p in parameters)


def scikit_learn_checks():
    for estimator in [*default_instances("classifier"), *default_instances("transformer")]:
        expected = expected_failures(estimator)
        for part, check in estimator_checks_generator(estimator):
            name = getattr(check, "func", check).__name__
            full = type(estimator).__name__ in FULLY_CHECKED
            network = isinstance(estimator, BaseNetwork)
            if network and not full and not WITHOUT_A_FIT.search(name):
                continue
            # Its variants train the same network on other kinds of arrays.
            if isinstance(estimator, BaseImageNetwork) and name == "check_classifiers_train":
                continue
            marks = pytest.mark.xfail(reason=expected[name]) if name in expected else ()
            yield pytest.param(part, check, id=f"{type(estimator).__name__}-{name}", marks=marks)


@pytest.mark.parametrize(("estimator", "check"), scikit_learn_checks())
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
    settings = {"weights": None, "backbone": "test_resnet", "image_size": 32, "max_epochs": 1}
    settings |= {"batch_size": 16, "cache_dir": None, "random_state": 0, "device": "cpu"}
    known = NETWORKS[name]().get_params()
    settings = {key: value for key, value in settings.items() if key in known}
    if name == "LesionNetClassifier":
        # Its own CNN is all that it has.
        del settings["backbone"]
    return NETWORKS[name](**(settings | parameters))


def case(name, lesions):
    data = lesions[2 if name in TWO_IMAGES else 1]
    return data.data, data.target, data.groups


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_networks_share_their_parameters(name):
    cls = NETWORKS[name]
    base = BaseImageNetwork if issubclass(cls, BaseImageNetwork) else BaseNetwork
    common = inspect.signature(base).parameters
    parameters = inspect.signature(cls).parameters
    anew = {n for n in common if parameters[n] != common[n]}
    # Its own CNN is the only backbone of LesionNet.
    assert anew == ({"backbone", "weights"} if name == "LesionNetClassifier" else set())
    order = [n for n in parameters if n in common and n not in anew]
    assert order == [n for n in common if n not in anew]


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


class Splits(Callback):
    """Remember which rows were trained on and which were held out, fit by fit."""

    seen = []

    def on_train_end(self, net, X=None, **kwargs):
        self.seen.append((X.table.row_names, net.valid_names))

    def on_epoch_end(self, net, dataset_valid=None, **kwargs):
        net.valid_names = dataset_valid.table.row_names


def test_groups_reach_the_inner_split_through_metadata_routing(lesions):
    X, y, groups = case("JointFusionClassifier", lesions)
    Splits.seen.clear()
    with config_context(enable_metadata_routing=True):
        net = tiny("JointFusionClassifier", early_stopping=True, validation_fraction=0.25)
        net.set_params(callbacks=[Splits()])
        pipe = make_pipeline(make_lesion_transformer(), net)
        cross_val_score(
            pipe, X, y, params={"groups": groups}, cv=StratifiedGroupKFold(2), error_score="raise"
        )
    group_of = dict(zip(X.index, groups))
    assert len(Splits.seen) == 2
    for train, valid in Splits.seen:
        assert len(valid) and not {group_of[n] for n in train} & {group_of[n] for n in valid}


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
