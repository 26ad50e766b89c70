"""What is saved predicts the same when it is loaded, bit for bit, here and in a new process."""

import copy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.torch import save_file
from saved_models import (
    METADATA,
    MODELS,
    TINY,
    fitted,
    fitted_model,
    lesions,
    make_estimator,
    make_table,
    predict_all,
)
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from skorch.callbacks import ProgressBar
from user_types import WideClassifier, twice

from sklearn_skin.datasets import make_lesions
from sklearn_skin.ensemble import WeightedFusionClassifier
from sklearn_skin.exceptions import ModelFileError
from sklearn_skin.modules import make_backbone
from sklearn_skin.neural_network import (
    ImageClassifier,
    ImageEmbedder,
    JointFusionClassifier,
    MetadataClassifier,
    SuperResolutionFusionClassifier,
)
from sklearn_skin.persistence import load_model, save_model
from sklearn_skin.preprocessing import make_lesion_transformer
from sklearn_skin.utils import all_estimators

LOAD_AND_PREDICT = """
import sys
from pathlib import Path
import numpy as np
from sklearn_skin.persistence import load_model
folder = Path(sys.argv[1])
models = {path.stem: load_model(path) for path in folder.glob("*.skin")}
sys.path.insert(0, sys.argv[2])
# Only now, since it imports whatever the models are made of.
from saved_models import make_table, predict_all
found = {}
for name, model in models.items():
    for key, value in predict_all(model, make_table(name)).items():
        found[f"{name}/{key}"] = value
np.savez(folder / "found.npz", **found)
"""


def save_and_load(model, folder, **options):
    save_model(model, folder / "model.skin", overwrite=True)
    return load_model(folder / "model.skin", **options)


@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_model_predicts_the_same(name, tmp_path):
    model = fitted_model(name)
    expected = predict_all(model, make_table(name))
    found = predict_all(save_and_load(model, tmp_path), make_table(name))
    assert expected.keys() == found.keys()
    for key, value in expected.items():
        assert_array_equal(found[key], value)


def test_a_new_process_predicts_the_same(tmp_path):
    names = [
        "calibrated",
        "embedder",
        "fusionm4net",
        "hist-boosting",
        "multi-task",
        "neural-imputer",
    ]
    for name in names:
        save_model(fitted_model(name), tmp_path / f"{name}.skin")
    command = [sys.executable, "-W", "ignore", "-c", LOAD_AND_PREDICT, tmp_path]
    done = subprocess.run(
        [*command, Path(__file__).parent], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "found.npz")
    for name in names:
        for key, value in predict_all(fitted_model(name), make_table(name)).items():
            assert_array_equal(found[f"{name}/{key}"], value)


@pytest.mark.parametrize(("name", "cls"), all_estimators())
def test_every_estimator_can_be_saved(name, cls, tmp_path):
    model = make_estimator(name, cls)
    loaded = save_and_load(model, tmp_path)
    assert type(loaded) is cls
    assert vars(loaded).keys() == vars(model).keys()
    assert repr(loaded) == repr(model)


def test_unfitted_models_are_not_saved(tmp_path):
    with pytest.raises(NotFittedError):
        save_model(MetadataClassifier(), tmp_path / "model.skin")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("freeze", [None, 2, "backbone"])
def test_a_loaded_network_trains_on_as_the_saved_one(freeze, tmp_path):
    model, data = fitted_model("shared-backbone"), lesions(2)
    loaded = save_and_load(model, tmp_path)
    X = model[0].transform(data.data)
    # Networks are copied first: the models of this module are shared by its tests.
    nets = [copy.deepcopy(model[-1]), loaded[-1]]
    for net in nets:
        net.fine_tune(X, data.target, freeze=freeze)
    assert_array_equal(nets[1].predict_proba(X), nets[0].predict_proba(X))
    trained = [{n for n, w in net.module_.named_parameters() if w.requires_grad} for net in nets]
    assert trained[0] == trained[1]


def test_a_fine_tuned_network_keeps_what_is_frozen(tmp_path):
    model = fitted_model("fine-tuned")
    nets = [model[-1], save_and_load(model, tmp_path)[-1]]
    trained = [{n for n, w in net.module_.named_parameters() if w.requires_grad} for net in nets]
    assert trained[0] == trained[1] != set(dict(nets[0].module_.named_parameters()))


def test_a_warm_start_goes_on_from_the_loaded_weights(tmp_path):
    X, y = make_table("array"), np.arange(20) % 3
    net = MetadataClassifier(**METADATA, warm_start=True).fit(X, y)
    loaded = save_and_load(net, tmp_path)
    assert_array_equal(loaded.fit(X, y).predict_proba(X), net.fit(X, y).predict_proba(X))


def test_a_loaded_model_can_be_fitted_anew(tmp_path):
    model, data = fitted_model("frozen"), lesions()
    loaded = clone(save_and_load(model, tmp_path)).fit(data.data, data.target)
    assert_array_equal(loaded.predict_proba(data.data), model.predict_proba(data.data))


def test_a_second_stage_is_fitted_on_the_saved_stage_data(tmp_path):
    model, X = fitted_model("fusionm4net"), make_table("fusionm4net")
    fusions = [copy.deepcopy(model[-1]), save_and_load(model, tmp_path)[-1]]
    table = model[0].transform(X)
    found = [f.refit_second_stage("logistic_regression").predict_proba(table) for f in fusions]
    assert_array_equal(found[1], found[0])


def test_adapters_come_back(tmp_path):
    pytest.importorskip("peft")
    settings = TINY | {"backbone": "test_vit", "image_size": 160, "adapt": {"name": "lora", "r": 2}}
    data = make_lesions(20, image_size=32, random_state=0)
    model = make_pipeline(make_lesion_transformer(), ImageClassifier(**settings))
    model.fit(data.data, data.target)
    loaded = save_and_load(model, tmp_path)
    assert_array_equal(loaded.predict_proba(data.data), model.predict_proba(data.data))


def test_loading_and_saving_draw_no_random_numbers(tmp_path):
    before = torch.random.get_rng_state()
    save_and_load(fitted_model("frozen"), tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_pretrained_weights_are_not_asked_for(tmp_path):
    # A file that is gone by then, as a download would be without a network.
    weights = tmp_path / "weights.safetensors"
    save_file(make_backbone("test_resnet").body.state_dict(), weights)
    model = fitted(JointFusionClassifier(**TINY | {"weights": str(weights)}))
    weights.unlink()
    loaded = save_and_load(model, tmp_path)
    X = lesions().data
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded[-1].weights == str(weights)


def test_an_embedder_keeps_the_backbone_that_it_was_fitted_with(tmp_path):
    settings = {key: TINY[key] for key in ("backbone", "weights", "image_size", "cache_dir")}
    X = lesions().data[["image"]]
    embedder = ImageEmbedder(**settings).fit(X)
    expected = embedder.transform(X)
    loaded = save_and_load(embedder.set_params(backbone="resnet18"), tmp_path)
    pd.testing.assert_frame_equal(loaded.transform(X), expected)


def test_one_network_in_two_places_is_one(tmp_path):
    net = MetadataClassifier(**METADATA).fit(make_table("array"), np.arange(20) % 3)
    both = VotingClassifier([("a", net)], voting="soft")
    both.estimators_, both.classes_ = [net, net], net.classes_
    loaded = save_and_load(both, tmp_path)
    assert loaded.estimators_[0] is loaded.estimators_[1] is loaded.estimators[0][1]


def test_folders_of_the_machine_stay_there(tmp_path):
    X, y = make_table("array"), np.arange(20) % 3
    net = MetadataClassifier(**METADATA, checkpoint_dir=tmp_path / "secret-place").fit(X, y)
    model = WeightedFusionClassifier([("net", net)], cv="prefit", memory=str(tmp_path / "secret"))
    loaded = save_and_load(model.fit(X, y), tmp_path)
    assert loaded.memory is None and loaded.estimators[0][1].checkpoint_dir is None
    assert b"secret" not in (tmp_path / "model.skin").read_bytes()
    assert model.memory is not None and net.checkpoint_dir is not None


def test_a_device_that_is_not_here_is_told_of(tmp_path):
    X, y = make_table("array"), np.arange(20) % 3
    net = MetadataClassifier(**METADATA).fit(X, y)
    expected = net.predict_proba(X)
    # As on a machine that has one.
    net.device = "cuda:7"
    with pytest.warns(UserWarning, match="device 'cuda:7', which is not here"):
        loaded = save_and_load(net, tmp_path)
    assert loaded.device == "auto"
    assert_allclose(loaded.predict_proba(X), expected, rtol=1e-5, atol=1e-6)


def test_classes_of_the_user_are_trusted_by_name(tmp_path):
    X, y = make_table("array"), np.arange(20) % 3
    net = WideClassifier(**METADATA).fit(X, y)
    with pytest.raises(ModelFileError, match=r"trusted=\['user_types.WideClassifier'\]"):
        save_and_load(net, tmp_path)
    loaded = save_and_load(net, tmp_path, trusted=[WideClassifier])
    assert_array_equal(loaded.predict_proba(X), net.predict_proba(X))


def test_functions_that_can_be_imported_are_saved_by_name(tmp_path):
    data = lesions()
    net = SuperResolutionFusionClassifier(**TINY, upsampling=twice)
    model = make_pipeline(make_lesion_transformer(), net).fit(data.data, data.target)
    with pytest.raises(ModelFileError, match="not trusted: .'user_types.twice'"):
        save_and_load(model, tmp_path)
    loaded = save_and_load(model, tmp_path, trusted=["user_types.twice"])
    assert loaded[-1].upsampling is twice
    assert_array_equal(loaded.predict_proba(data.data), model.predict_proba(data.data))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("monitor", lambda estimator, X, y: 0.0),
        ("callbacks", [ProgressBar()]),
        ("net_params", {"iterator_train__collate_fn": lambda rows: rows}),
    ],
)
def test_callables_that_no_file_can_hold_are_named(name, value, tmp_path):
    net = MetadataClassifier(**METADATA).fit(make_table("array"), np.arange(20) % 3)
    with pytest.raises(TypeError, match=f"{name}"):
        save_model(net.set_params(**{name: value}), tmp_path / "model.skin")
    assert list(tmp_path.iterdir()) == []


def test_callbacks_can_be_taken_out_after_the_fit(tmp_path):
    X, y = make_table("array"), np.arange(20) % 3
    net = MetadataClassifier(**METADATA, callbacks=[ProgressBar()]).fit(X, y)
    loaded = save_and_load(net.set_params(callbacks=None), tmp_path)
    assert_array_equal(loaded.predict_proba(X), net.predict_proba(X))


def test_a_file_is_replaced_only_where_that_is_asked_for(tmp_path):
    path, net = tmp_path / "model.skin", fitted_model("array")
    save_model(net, path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        save_model(net, path)
    assert path.read_bytes() == before
    save_model(net, path, overwrite=True)
    assert [found.name for found in tmp_path.iterdir()] == ["model.skin"]


def test_a_saved_model_stays_as_it_was(tmp_path):
    model = fitted_model("calibrated")
    before = {name: id(value) for name, value in vars(model).items()}
    net = model.calibrated_classifiers_[0].estimator[-1]
    module = net.module_
    save_model(model, tmp_path / "model.skin")
    assert {name: id(value) for name, value in vars(model).items()} == before
    assert net.module_ is module and net.net_.module_ is module


def test_the_history_comes_back(tmp_path):
    model = fitted_model("swa")
    assert save_and_load(model, tmp_path)[-1].history_ == model[-1].history_
