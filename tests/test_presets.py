import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import log_softmax
from sklearn import config_context
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold, cross_validate

from sklearn_skin.datasets import make_lesions
from sklearn_skin.ensemble import FusionM4NetClassifier
from sklearn_skin.ensemble._second_stage import make_second_stage
from sklearn_skin.modules import make_augmentation
from sklearn_skin.preprocessing import NeuralImputer
from sklearn_skin.presets import PRESETS, make_preset

# Widths that attention between stages needs, or the smallest network otherwise.
BACKBONES = {"ammfm": "convnext_atto", "pemm": "convnext_atto"}
TWO_IMAGES = ("clinical", "dermoscopy", "fusion")
BRANCHES = {
    "jif-mmfa": ("image", "metadata", "fusion"),
    **dict.fromkeys(("ammfm", "pemm", "fusionm4net"), TWO_IMAGES),
}
SMALL = {"max_epochs": 1, "image_size": 32, "batch_size": 12, "random_state": 0, "cache_dir": None}


def load_recipes():
    path = Path(__file__).with_name("published_recipes.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PUBLISHED = load_recipes()
SETTINGS = [(name, key) for name, recipe in PUBLISHED.RECIPES.items() for key in recipe]


@pytest.fixture(scope="module")
def lesions():
    columns = {False: ("image",), True: ("clinical", "dermoscopy")}
    return {
        two: make_lesions(24, image_columns=names, image_size=32, random_state=0)
        for two, names in columns.items()
    }


def test_every_system_has_a_preset():
    assert sorted(preset.system for preset in PRESETS.values()) == [f"S{i}" for i in range(8)]


def network_of(model):
    return model["net"] if "net" in model.named_steps else model["model"].first_stage


def what_is_set(name):
    """Return everything that a preset sets, with the names of the published recipes."""
    preset = PRESETS[name]
    steps = {"transformer": preset.transformer, "sampler": preset.sampler or {}}
    set_there = {f"{step}.{key}": value for step in steps for key, value in steps[step].items()}
    return preset.parameters | set_there


def look_up(name, key):
    """Return a preset's setting, made comparable: classes by name, augmentation by its options."""
    model = make_preset(name)
    network = network_of(model)
    if key == "steps":
        return [type(step).__name__ for _, step in model.steps]
    if key == "first_stage":
        return type(network).__name__
    if "." in key:
        value = what_is_set(name)[key]
    else:
        value = (model if "__" in key else network).get_params()[key]
    if key == "augment":
        options = {} if value is None else make_augmentation(value).options
        return {option: strength for option, strength in options.items() if strength}
    return type(value).__name__ if hasattr(value, "get_params") else value


@pytest.mark.parametrize(("name", "key"), SETTINGS)
def test_a_setting_is_what_its_source_states(name, key):
    assert look_up(name, key) == PUBLISHED.RECIPES[name][key].value


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_nothing_is_set_that_was_not_looked_up_in_the_source(name):
    recipe = PUBLISHED.RECIPES[name]
    assert set(what_is_set(name)) <= set(recipe)
    unstated = {key: setting.open for key, setting in recipe.items() if setting.open}
    assert PRESETS[name].unstated == unstated


def cross_entropies(outputs, codes):
    """Return by branch the sum over tasks of the mean cross-entropy, in float64."""
    rows = np.arange(len(codes))
    return {
        branch: sum(
            -log_softmax(logits.double().numpy(), axis=1)[rows, codes[:, task]].mean()
            for task, logits in enumerate(tasks)
        )
        for branch, tasks in outputs.items()
    }


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_the_loss_is_that_of_the_source(name):
    torch.manual_seed(0)
    net = network_of(make_preset(name))
    branches = BRANCHES.get(name, ("fusion",))
    tasks = [3, 2] if branches == TWO_IMAGES else [3]
    outputs = {branch: [torch.randn(4, n) for n in tasks] for branch in branches}
    codes = np.array([[0, 1], [2, 0], [1, 1], [0, 0]])[:, : len(tasks)]
    expected = cross_entropies(outputs, codes)
    if name == "sr-fusion":
        outputs |= {"reconstruction": torch.rand(4, 3, 2, 2), "target": torch.rand(4, 3, 2, 2)}
        error = (outputs["reconstruction"] - outputs["target"]).double().numpy()
        expected["squared error"] = (error**2).mean()
    loss = net.make_loss(SimpleNamespace(image_columns=["image"], n_metadata=1), net)
    found = loss(outputs, torch.from_numpy(codes)).item()
    assert found == pytest.approx(PUBLISHED.LOSSES[name](expected), rel=1e-5)


def test_the_second_stage_of_fusionm4net_is_a_support_vector_machine():
    # 6.3.3: scikit-learn's defaults, and the kernel that is one of them.
    machine = make_second_stage(make_preset("fusionm4net")["model"].second_stage, 0)
    assert (type(machine).__name__, machine.kernel, machine.C) == ("SVC", "rbf", 1.0)


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
    with pytest.raises(ValueError, match="got 'fusion4net'; did you mean 'fusionm4net'"):
        make_preset("fusion4net")
    with pytest.raises(ValueError, match="no part of 'jif-mmfa' has a parameter 'foo'"):
        make_preset("jif-mmfa", foo=1)
    with pytest.raises(ValueError, match="'max_epoch'; did you mean 'max_epochs'"):
        make_preset("jif-mmfa", max_epoch=1)
    with pytest.raises(ValueError, match="no part of 'fusionm4net' has a parameter 'first_stage'"):
        make_preset("fusionm4net", first_stage=None)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("first_stage__lr", "model__first_stage__lr"),
        ("model__first_stage__lrr", "model__first_stage__lr"),
        ("prep__imag__lift", "prep__image__lift"),
        ("zzz__zzz", None),
    ],
)
def test_a_nested_parameter_that_there_is_not(key, meant):
    hint = "" if meant is None else f"; did you mean '{meant}'"
    with pytest.raises(ValueError, match=f"^no part of 'S6' has a parameter '{key}'{hint}") as info:
        make_preset("S6", **{key: 0.1})
    assert len(str(info.value)) < 150


def test_errors_of_the_parts_about_nested_parameters_are_their_own():
    with pytest.raises(ValueError, match="stands for 'svm' and has no parameters"):
        make_preset("fusionm4net", model__second_stage__C=2)


def test_a_preset_has_a_name():
    with pytest.raises(TypeError, match="`name` must be a name, one of .*; got 3"):
        make_preset(3)


@pytest.mark.parametrize("name", ["S3", "s3", "JIF-MMFA", "jif_mmfa", "JIF MMFA"])
def test_a_preset_is_known_by_its_system_and_however_it_is_written(name):
    assert make_preset(name)["net"].fusion == "mmfa"


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_overrides_reach_every_part_that_has_them(name):
    settings = {"group_column": "patient", "random_state": 7, "image_columns": ["path"]}
    model = make_preset(name, **settings, image_root="images", drop=("doctor",))
    network = network_of(model)
    parts = [network, *model.named_steps.values()]
    for key, value in settings.items():
        for part in parts:
            if key in part.get_params(deep=False):
                assert getattr(part, key) == value
    prep = model["prep"]
    assert prep.get_params()["image__lift__root"] == "images"
    assert ["patient"] in [columns for name, _, columns in prep.transformers if name == "group"]
    lesions = make_lesions(30, image_size=32, missing_rate=0, random_state=0)
    X = lesions.data[["age", "sex"]].assign(path=None, patient="A", doctor="B")
    made = list(prep.fit_transform(X))
    assert "age" in made and "patient" in made and "path" in made
    assert not any(feature.startswith(("patient=", "doctor")) for feature in made)


def test_a_meta_estimator_takes_its_own_parameters():
    model = make_preset("fusionm4net", second_stage="logistic_regression", cv=2, lr=0.1)["model"]
    assert (model.second_stage, model.cv, model.first_stage.lr) == ("logistic_regression", 2, 0.1)


def test_an_imputer_is_seeded_with_the_rest():
    prep = make_preset("sr-fusion", random_state=3)["prep"]
    assert prep.get_params()["metadata__impute__random_state"] == 3
    # One that says its own seed keeps it.
    imputer = NeuralImputer(random_state=5)
    prep = make_preset("sr-fusion", random_state=3, imputation=imputer)["prep"]
    assert prep.get_params()["metadata__impute__random_state"] == 5


def test_a_group_column_is_no_feature_of_a_preset():
    lesions = make_lesions(40, image_size=32, images_per_lesion=2, random_state=0)
    X = lesions.data.assign(patient=lesions.groups)
    small = SMALL | {"backbone": "test_resnet", "weights": None}
    model = make_preset("jif-mmfa", group_column="patient", **small).fit(X, lesions.target)
    assert not any("patient" in name for name in model["net"].metadata_names_)
    assert model.predict(lesions.data).shape == (len(X),)


@pytest.mark.parametrize("name", ["jif-mmfa", "fusionm4net"])
def test_sample_weights_are_routed_to_the_network_alone(name, lesions):
    data = lesions[name == "fusionm4net"]
    weight = np.linspace(0, 1, len(data.target))
    backbone = {"backbone": "test_resnet", "weights": None, "early_stopping": False}
    proba = []
    with config_context(enable_metadata_routing=True):
        for sample_weight in (weight, 1 - weight):
            model = make_preset(name, **SMALL, **backbone, lr=0.01)
            model.fit(data.data, data.target, sample_weight=sample_weight)
            proba.append(model.predict_proba(data.data))
    assert abs(proba[0] - proba[1]).max() > 1e-4


@pytest.mark.parametrize("name", sorted(name for name in PRESETS if PRESETS[name].sampler))
@pytest.mark.parametrize("given", ["sample_weight", "groups"])
def test_weights_and_groups_are_not_routed_past_a_sampler(name, given, lesions):
    # It changes the rows, and imbalanced-learn's Pipeline would hand these on as they were.
    data, model = lesions[False], make_preset(name, **SMALL, n_per_class="auto")
    with config_context(enable_metadata_routing=True):
        with pytest.raises(TypeError, match=rf"unexpected argument\(s\) {{'{given}'}}"):
            model.fit(data.data, data.target, **{given: np.arange(24)})


def test_groups_of_a_splitter_do_not_reach_a_network_behind_a_sampler(lesions):
    data = lesions[False]
    model = make_preset("dermiresnet-fusion", **SMALL, n_per_class="auto")
    with config_context(enable_metadata_routing=True):
        params = {"groups": np.arange(24) // 2}
        found = cross_validate(model, data.data, data.target, cv=GroupKFold(2), params=params)
    assert np.isfinite(found["test_score"]).all()
