import numpy as np
import optuna
import pytest
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, ParameterGrid, ParameterSampler
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_skin.ensemble import FusionM4NetClassifier
from sklearn_skin.model_selection import search_space
from sklearn_skin.modules.fusion import FUSIONS
from sklearn_skin.neural_network import (
    AsymmetricFusionClassifier,
    ImageClassifier,
    JointFusionClassifier,
    JointIndividualFusionClassifier,
    MetadataClassifier,
    SharedFusionClassifier,
    SuperResolutionFusionClassifier,
)
from sklearn_skin.preprocessing import make_lesion_transformer
from sklearn_skin.utils import Choice, Range, all_estimators

NET = JointFusionClassifier(backbone="resnet10t", weights=None)
PIPE = make_pipeline(make_lesion_transformer(image_steps=["shades_of_gray"]), NET)


def test_names_are_parameters_with_their_prefixes():
    space = search_space(PIPE)
    assert set(space) <= set(PIPE.get_params())
    assert set(space["jointfusionclassifier__fusion"].choices) == set(FUSIONS)
    assert "resnet18" in space["jointfusionclassifier__backbone"].choices
    assert any(name.endswith("shadesofgray__power") for name in space)
    assert any(name.endswith("strategy") for name in space)


class Toy(BaseEstimator):
    def __init__(self, width=3, narrow=False):
        self.width = width
        self.narrow = narrow

    def search_ranges(self):
        return {"width": Choice((1, 2)) if self.narrow else Range(1, 100, log=True)}


def test_an_estimator_declares_its_own_ranges():
    pipe = Pipeline([("wide", Toy()), ("narrow", Toy(narrow=True)), ("svc", SVC(kernel="linear"))])
    space = search_space(pipe, "grid")
    assert sorted(space) == ["narrow__width", "svc__C", "wide__width"]
    assert_allclose(space["wide__width"], [1, 10, 100])
    assert space["narrow__width"] == [1, 2]


def test_ranges_of_networks_and_their_own():
    own = {
        JointIndividualFusionClassifier: {"beta"},
        SuperResolutionFusionClassifier: {"alpha", "sr_weight"},
        SharedFusionClassifier: {"attention", "clinical_weight"},
        AsymmetricFusionClassifier: {"attention"},
    }
    common = set(search_space(ImageClassifier()))
    assert {"lr", "batch_size", "lr_schedule", "loss", "dropout", "class_weight"} < common
    for cls, names in own.items():
        assert names <= set(cls().search_ranges()) - common
    assert "class_weight" not in search_space(ImageClassifier(sampler="balanced"))
    assert "augment" not in search_space(ImageClassifier(freeze="backbone"))


def test_every_flavor_has_the_same_names_and_legal_values():
    spaces = {flavor: search_space(PIPE, flavor) for flavor in ("optuna", "grid", "random")}
    assert len({tuple(space) for space in spaces.values()}) == 1
    for params in ParameterSampler(spaces["random"], 5, random_state=0):
        PIPE.set_params(**params)
        PIPE[-1]._validate_params()
    trial = optuna.create_study().ask(spaces["optuna"])
    PIPE.set_params(**trial.params)
    PIPE[-1]._validate_params()
    one_each = {name: values[-1:] for name, values in spaces["grid"].items()}
    PIPE.set_params(**next(iter(ParameterGrid(one_each))))
    PIPE[-1]._validate_params()


@pytest.mark.parametrize("name, cls", all_estimators("classifier"))
def test_every_classifier_has_a_legal_space(name, cls):
    try:
        estimator = cls()
    except TypeError:
        pytest.skip("needs arguments")
    space = search_space(estimator, "grid")
    assert space
    for parameter, values in space.items():
        for value in values:
            estimator.set_params(**{parameter: value})
            estimator._validate_params()


def test_a_network_without_images_has_no_backbone():
    space = search_space(MetadataClassifier())
    assert "backbone" not in space and "augment" not in space
    assert "lr" in space


def test_weights_in_a_file_keep_their_backbone():
    assert "backbone" not in search_space(JointFusionClassifier(weights="net.safetensors"))


def test_both_stages_of_fusion_m4net():
    named = search_space(FusionM4NetClassifier(JointIndividualFusionClassifier()), "grid")
    assert "svm" in named["second_stage"]
    assert "first_stage__beta" in named
    given = search_space(FusionM4NetClassifier([("linear", LogisticRegression())], SVC()))
    assert {"second_stage__C", "linear__C"} <= set(given)
    assert "second_stage" not in given


def test_a_grid_search_takes_it():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), np.arange(40) % 2
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    search = GridSearchCV(pipe, search_space(pipe, "grid"), cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 3


def test_unknown_flavor():
    with pytest.raises(ValueError, match="`flavor` must be one of"):
        search_space(PIPE, "hyperopt")
