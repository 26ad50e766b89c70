import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import balanced_accuracy_score

from sklearn_skin.datasets import make_lesions
from sklearn_skin.ensemble import FusionM4NetClassifier
from sklearn_skin.presets import PRESETS, make_preset

# Widths that attention between stages needs, or the smallest network otherwise.
BACKBONES = {"ammfm": "convnext_atto", "pemm": "convnext_atto"}
SMALL = {"max_epochs": 1, "image_size": 32, "batch_size": 12, "random_state": 0, "cache_dir": None}


@pytest.fixture(scope="module")
def lesions():
    columns = {False: ("image",), True: ("clinical", "dermoscopy")}
    return {
        two: make_lesions(24, image_columns=names, image_size=32, random_state=0)
        for two, names in columns.items()
    }


def test_every_system_has_a_preset():
    assert sorted(preset.system for preset in PRESETS.values()) == [f"S{i}" for i in range(8)]


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_fit(name, lesions):
    two_images = {"lesionnet", "ammfm", "pemm", "fusionm4net"}
    small = dict(SMALL)
    if PRESETS[name].parameters.get("backbone", "dermiresnet") != "dermiresnet":
        small |= {"backbone": BACKBONES.get(name, "test_resnet"), "weights": None}
    if "averaging" in PRESETS[name].parameters:
        small["averaging"] = {"name": "swa", "epochs": 1}
    model = make_preset(name, **small)
    if "sample" in model.named_steps:
        model.set_params(sample__n_per_class=10)
    data = lesions[name in two_images]
    proba = model.fit(data.data, data.target).predict_proba(data.data)
    assert_allclose(proba.sum(axis=1), 1.0)


def test_the_recipe_of_a_source_is_there():
    net = make_preset("jif-mmfa")["net"]
    assert (net.optimizer, net.lr, net.max_epochs, net.patience) == ("sgd", 0.005, 150, 30)
    # Flips and turns.
    assert [
        PRESETS[name].parameters["tta"] for name in ("jif-mmfa", "ammfm", "pemm", "fusionm4net")
    ] == [6] * 4
    augment = make_preset("pemm")["net"].augment
    assert set(augment) == {"flip", "rotate", "shift", "brightness", "contrast"}
    net = make_preset("dermiresnet-fusion")["net"]
    assert len(net.classifier_hidden) == 1 and set(net.augment) == {
        "flip",
        "rotate",
        "scale",
        "noise",
    }
    assert make_preset("dermiresnet-fusion")["sample"].n_per_class == 6000
    steps = make_preset("sr-fusion")["prep"].get_params()
    assert "image__shadesofgray__power" in steps and "image__clahe__clip_limit" in steps


@pytest.mark.parametrize("n_tasks", [1, 2])
def test_jif_mmfa_watches_the_balanced_accuracy_of_its_tasks(n_tasks):
    lesions = make_lesions(48, n_tasks=n_tasks, image_size=32, random_state=0)
    model = make_preset("jif-mmfa", backbone="test_resnet", weights=None, **SMALL)
    X, y = model["prep"].fit_transform(lesions.data), lesions.target
    net = model["net"].fit(X[:32], y[:32], X_val=X[32:], y_val=y[32:])
    known, predicted = np.asarray(y[32:]), net.predict(X[32:])
    columns = zip(known.reshape(16, -1).T, predicted.reshape(16, -1).T, strict=True)
    score = np.mean([balanced_accuracy_score(*task) for task in columns])
    assert net.history_[-1][net.monitor] == pytest.approx(score)


def test_a_preset_names_what_its_network_is_a_part_of():
    model = make_preset("fusionm4net", lr=0.5)
    assert list(model.named_steps) == ["prep", "model"]
    assert isinstance(model["model"], FusionM4NetClassifier)
    assert model["model"].first_stage.lr == 0.5
    assert [name for name, preset in PRESETS.items() if preset.wrapper] == ["fusionm4net"]


def test_nested_parameters_and_bad_names():
    model = make_preset("sr-fusion", prep__image__shadesofgray__power=3.0)
    assert model["prep"].get_params()["image__shadesofgray__power"] == 3.0
    with pytest.raises(ValueError, match="`name` must be one of"):
        make_preset("resnet")
    with pytest.raises(ValueError, match="Invalid parameter 'foo'"):
        make_preset("jif-mmfa", foo=1)
