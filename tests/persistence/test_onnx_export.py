"""Exported networks predict what the networks predict."""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_skin.datasets import make_lesions
from sklearn_skin.ensemble import WeightedFusionClassifier
from sklearn_skin.modules import Backbone, JointFusionNet, LesionNetwork
from sklearn_skin.modules._attention import ATTENTIONS
from sklearn_skin.modules.fusion import FUSIONS
from sklearn_skin.neural_network import (
    AsymmetricFusionClassifier,
    FusionNetClassifier,
    ImageClassifier,
    JointFusionClassifier,
    JointIndividualFusionClassifier,
    LesionNetClassifier,
    MetadataClassifier,
    SharedFusionClassifier,
    SuperResolutionFusionClassifier,
)
from sklearn_skin.persistence import OnnxClassifier, _onnx_export, export_onnx
from sklearn_skin.persistence._onnx_file import read_model
from sklearn_skin.persistence._onnx_graph import FromPixels, make_graph
from sklearn_skin.persistence._onnx_int8 import count_products
from sklearn_skin.preprocessing import make_lesion_transformer
from sklearn_skin.utils import weights_digest

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

ONE, TWO = ("image",), ("clinical", "dermoscopy")
SHARED = {"attention": "none", "share_heads": True, "allow_missing_images": True}
# Between them every class, several images and tasks, missing images, views and branch weights.
CASES = {
    "image": (ImageClassifier, ONE, {"tta": 6}, 2),
    "metadata": (MetadataClassifier, ONE, {}, 2),
    "joint": (JointFusionClassifier, TWO, {"allow_missing_images": True, "tta": 4}, 1),
    "frozen": (JointFusionClassifier, ONE, {"freeze": "backbone", "fusion": "metablock"}, 1),
    "joint-individual": (JointIndividualFusionClassifier, ONE, {"branch_weights": [3, 1, 1]}, 2),
    "lesionnet": (LesionNetClassifier, TWO, {"allow_missing_images": True}, 1),
    "super-resolution": (SuperResolutionFusionClassifier, ONE, {"on_error": "raise"}, 1),
    "fusionnet": (FusionNetClassifier, TWO, {"branch_weights": "fusion"}, 2),
    "asymmetric": (AsymmetricFusionClassifier, TWO, {"attention": "none"}, 1),
    "shared": (SharedFusionClassifier, TWO, SHARED, 2),
}


def tiny(cls=JointFusionClassifier, **parameters):
    settings = {"weights": None, "backbone": "test_resnet", "image_size": 32, "max_epochs": 1}
    settings |= {"batch_size": 16, "cache_dir": None, "random_state": 0, "device": "cpu"}
    settings = {name: value for name, value in settings.items() if name in cls().get_params()}
    if cls is LesionNetClassifier:
        # Its own CNN is all that it has.
        del settings["backbone"]
    return cls(**settings | parameters)


def lesions(columns=ONE, n_tasks=1):
    found = make_lesions(24, image_columns=columns, n_tasks=n_tasks, image_size=32, random_state=0)
    return found.data, found.target


def as_lists(tasks):
    return tasks if isinstance(tasks, list) else [tasks]


def assert_same_predictions(exported, model, X):
    branches = exported.predict_branches(X)
    expected = model[-1].predict_branches(model[:-1].transform(X))
    assert list(branches) == list(expected)
    pairs = [*zip(branches.values(), expected.values())]
    for found, wanted in [*pairs, (exported.predict_proba(X), model.predict_proba(X))]:
        for a, b in zip(as_lists(found), as_lists(wanted), strict=True):
            assert_allclose(a, b, atol=1e-5)
            assert_allclose(a.sum(axis=1), 1.0)
    assert_array_equal(exported.predict(X), model.predict(X))


@pytest.mark.parametrize("case", CASES)
def test_probabilities_are_the_network_s_for_any_number_of_rows(case, tmp_path):
    cls, columns, parameters, n_tasks = CASES[case]
    X, y = lesions(columns, n_tasks)
    if parameters.get("allow_missing_images"):
        X.loc[X.index[::3], columns[0]] = None
    model = make_pipeline(make_lesion_transformer(), tiny(cls, **parameters)).fit(X, y)
    exported = export_onnx(model, X[:5], tmp_path / "model.zip")
    assert exported.export_info_["max_difference"] < 1e-5
    again = OnnxClassifier(tmp_path / "model.zip", batch_size=7)
    for rows in (X, X[:1], X[1:4]):
        assert_same_predictions(again, model, rows)
    for a, b in zip(as_lists(again.classes_), as_lists(model.classes_), strict=True):
        assert_array_equal(a, b)
        assert a.dtype == b.dtype
    assert again.branch_weights_ == pytest.approx(model[-1].branch_weights_)
    assert_array_equal(again.feature_names_in_, model.feature_names_in_)


class SmallBody(nn.Sequential):
    def pool(self, maps):
        return maps.mean(dim=(2, 3))

    def drop_vector(self):
        """Do without nothing: `pool` has no weights."""


def small_backbone():
    body = SmallBody(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 12, 3, 2, 1))
    names = [[name for name, _ in body.named_parameters()]]
    return Backbone(body, 12, 12, ((0.5,) * 3, (0.25,) * 3), names)


def assert_same_logits(net, outputs, n_images, **inputs):
    """Compare a network with its graph, for other numbers of rows than it was made with."""
    inputs["images"] = torch.randint(0, 256, (2, n_images, 16, 16, 3), dtype=torch.uint8)
    session = onnxruntime.InferenceSession(make_graph(net.eval(), inputs, outputs))
    for rows in (1, 3):
        given = {name: torch.cat([value[:1]] * rows) for name, value in inputs.items()}
        found = session.run(outputs, {name: value.numpy() for name, value in given.items()})
        with torch.no_grad():
            expected = FromPixels(net)(**given)
        for a, b in zip(found, expected, strict=True):
            assert_allclose(a, b.numpy(), atol=1e-4)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_operators_as_graphs(fusion):
    torch.manual_seed(0)
    groups = [[0, 1, 2], [3], [4, 5]]
    net = JointFusionNet([small_backbone()], 6, [3], fusion=fusion, metadata_groups=groups)
    assert_same_logits(net, ["logits"], 1, metadata=torch.randn(2, 6))


class PairNet(LesionNetwork):
    """Shows what an attention block makes of two images."""

    branches = ("clinical", "dermoscopy")

    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward_features(self, features, metadata=None, present=None):
        maps = self.block(*features, present)
        return {name: [found.flatten(1)] for name, found in zip(self.branches, maps)}


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_attention_between_images_as_graphs(attention):
    torch.manual_seed(0)
    net = PairNet(ATTENTIONS[attention](3, 3))
    present = torch.tensor([[False, True], [True, True]])
    assert_same_logits(net, list(net.branches), 2, present=present)


class ChunkNet(LesionNetwork):
    branches = ("metadata",)

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward_features(self, features, metadata=None, present=None):
        return {"metadata": [self.layer(torch.cat([metadata, metadata])).chunk(2)[0]]}


def test_a_graph_for_one_number_of_rows_is_refused():
    with pytest.raises(ValueError, match="ChunkNet can only be exported for one number of rows"):
        make_graph(ChunkNet(), {"metadata": torch.zeros(2, 3)}, ["logits"])


@pytest.fixture(scope="module")
def numbers():
    """A fitted perceptron over an array, and its rows."""
    X = np.random.default_rng(0).normal(size=(40, 4)) * [1, 10, 100, 1] + 5
    y = np.where(X[:, 0] > 5, "high", "low")
    return make_pipeline(StandardScaler(), tiny(MetadataClassifier)).fit(X, y), X


def test_the_network_stays_as_it_was(numbers, tmp_path):
    model, X = numbers
    net = model[-1]
    net.module_.train()
    before = weights_digest(net.module_), str(net.get_params()), copy.copy(vars(net))
    export_onnx(model, X, tmp_path / "model.zip")
    assert (weights_digest(net.module_), str(net.get_params())) == before[:2]
    assert all(vars(net)[name] is value for name, value in before[2].items())
    assert net.module_.training


def test_precision_of_the_export_is_single(tmp_path):
    X, y = lesions()
    X = make_lesion_transformer().fit_transform(X)
    net = tiny(ImageClassifier, precision="bf16").fit(X, y)
    exported = export_onnx(net, X, tmp_path / "model.zip")
    assert exported.export_info_["max_difference"] < 1e-5
    assert net.precision_ == "bf16" and net.to_cpu().precision_ == "fp32"
    assert_allclose(exported.predict_proba(X), net.to_cpu().predict_proba(X), atol=1e-5)


def test_a_graph_that_differs_is_not_written(numbers, tmp_path, monkeypatch):
    model, X = numbers
    graph = _onnx_export.make_graph

    def of_another(module, *args):
        other = copy.deepcopy(module)
        with torch.no_grad():
            next(other.parameters()).mul_(1.1)
        return graph(other, *args)

    monkeypatch.setattr(_onnx_export, "make_graph", of_another)
    with pytest.raises(ValueError, match=r"differ from the network's by up to 0.0\d+ on `X_s"):
        export_onnx(model, X, tmp_path / "model.zip")
    assert list(tmp_path.iterdir()) == []
    export_onnx(model, X, tmp_path / "model.zip", tolerance=0.5)
    with pytest.raises(FileExistsError, match="overwrite=True replaces it"):
        export_onnx(model, X, tmp_path / "model.zip", tolerance=0.5)


def test_convolutions_are_not_quantised(tmp_path):
    X, y = lesions()
    X = make_lesion_transformer().fit_transform(X)
    net = tiny(ImageClassifier).fit(X, y)
    with pytest.raises(ValueError, match="`quantize=True` would make this network slower"):
        export_onnx(net, X, tmp_path / "model.zip", quantize=True)
    exported = export_onnx(net, X, tmp_path / "model.zip", quantize="auto")
    assert exported.export_info_["quantized"] is False


def test_matrices_as_int8(tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 4))
    net = tiny(MetadataClassifier, hidden=(1024, 1024)).fit(X, X[:, 0] > 0)
    export_onnx(net, X, tmp_path / "fp32.zip")
    with pytest.warns(UserWarning, match="in int8 probabilities differ from the network's by"):
        exported = export_onnx(net, X, tmp_path / "int8.zip", quantize="auto")
    difference = np.abs(exported.predict_proba(X) - net.predict_proba(X)).max()
    assert difference == pytest.approx(exported.export_info_["max_difference"], rel=1e-3)
    assert 1e-6 < difference < 0.05
    sizes = [(tmp_path / f"{name}.zip").stat().st_size for name in ("fp32", "int8")]
    assert sizes[1] < 0.4 * sizes[0]


def test_products_are_counted_per_row():
    net = JointFusionNet([small_backbone()], 6, [3], metadata_hidden=(5, 4)).eval()
    inputs = {"images": torch.zeros(2, 1, 16, 16, 3, dtype=torch.uint8)}
    inputs["metadata"] = torch.zeros(2, 6)
    dense = 6 * 5 + 5 * 4 + (12 + 4) * 3
    assert count_products(net, inputs) == (dense, 27 * 8 * 64 + 72 * 12 * 16)


def test_turned_views_of_rectangles_are_refused(tmp_path):
    X, y = lesions()
    X = make_lesion_transformer().fit_transform(X)
    net = tiny(ImageClassifier, image_size=(32, 40), tta=6).fit(X, y)
    with pytest.raises(ValueError, match=r"tta=6 turns images of 32 by 40 pixels"):
        export_onnx(net, X, tmp_path / "model.zip")


def test_what_is_no_network_is_named(numbers, tmp_path):
    model, X = numbers
    ensemble = WeightedFusionClassifier([("net", model)], cv="prefit").fit(X, model.predict(X))
    for other in (ensemble, StandardScaler()):
        with pytest.raises(TypeError, match=f"must be a network .* got a {type(other).__name__}"):
            export_onnx(other, X, tmp_path / "model.zip")


def test_a_network_that_is_not_fitted(tmp_path):
    with pytest.raises(NotFittedError):
        export_onnx(MetadataClassifier(), np.zeros((2, 2)), tmp_path / "model.zip")


def test_equal_models_are_equal_graphs(numbers, tmp_path):
    model, X = numbers
    for name in "ab":
        export_onnx(model, X, tmp_path / name)
    first, second = (read_model(tmp_path / name) for name in "ab")
    assert (first.about, first.network) == (second.about, second.network)
    export_onnx(model, X, tmp_path / "a", overwrite=True)
