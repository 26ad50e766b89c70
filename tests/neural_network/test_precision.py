"""Precision "auto": told from the device's flags and the network's structure."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_skin.datasets import make_lesions
from sklearn_skin.modules import MetadataEncoder, RoundedTwin, TaskHeads, make_backbone
from sklearn_skin.neural_network import ImageClassifier, ImageEmbedder, MetadataClassifier
from sklearn_skin.neural_network._precision import choose_precision

AMX = {"avx512_bf16": True, "avx512_fp16": True, "amx_bf16": True}
AMX_HIDDEN = {"avx512_bf16": True, "avx512_fp16": True, "amx_bf16": False}
ZEN_4 = {"avx512_bf16": True, "avx512_fp16": False, "amx_bf16": False}
OLD = {"avx2": True}


def network(backbone):
    return nn.Sequential(make_backbone(backbone), nn.Linear(4, 3))


@pytest.fixture
def processor(monkeypatch):
    def pretend(flags, capability="AVX512"):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags, raising=False)
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)

    return pretend


def choose(module, precision="auto", size=(64, 64), device="cpu"):
    return choose_precision(precision, module, size, device)


@pytest.mark.parametrize(
    ("flags", "expected"), [(AMX, "bf16"), (ZEN_4, "bf16"), (AMX_HIDDEN, "fp32"), (OLD, "fp32")]
)
def test_processors(processor, flags, expected):
    processor(flags)
    assert choose(network("resnet10t")) == expected
    for asked in ("fp32", "bf16"):
        assert choose(network("resnet10t"), asked) == asked


@pytest.mark.parametrize(
    ("backbone", "expected"),
    [
        ("resnet18", "bf16"),
        ("resnext50_32x4d", "bf16"),
        ("swin_tiny_patch4_window7_224", "bf16"),
        ("vit_tiny_patch16_224", "bf16"),
        ("dermiresnet", "bf16"),
        ("mobilenetv3_small_050", "fp32"),
        ("efficientnet_b0", "fp32"),
        ("convnext_atto", "fp32"),
    ],
)
def test_a_processor_keeps_depthwise_networks_in_fp32(processor, backbone, expected):
    processor(AMX)
    assert choose(network(backbone), size=(224, 224)) == expected


def test_what_torch_was_told_to_do_without_does_not_count(processor):
    for capability in ("AVX2", "DEFAULT"):
        processor(AMX, capability)
        assert choose(network("resnet10t")) == "fp32"


def test_depthwise_layers_that_are_not_trained_do_not_count(processor):
    processor(AMX)
    frozen = make_backbone("efficientnet_b0", freeze="backbone")
    assert choose(nn.Sequential(frozen, nn.Linear(4, 3))) == "bf16"


def test_small_images_and_tables_are_in_fp32(processor):
    processor(AMX)
    assert choose(network("resnet10t"), size=(63, 224)) == "fp32"
    assert choose(nn.Linear(2, 2), size=None) == "fp32"


def test_a_gpu_with_bf16_takes_it_for_every_structure(monkeypatch):
    for has in (True, False):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda has=has, **options: has)
        chosen = choose(network("mobilenetv3_small_050"), device="cuda:0")
        assert chosen == ("bf16" if has else "fp32")
    assert choose(network("resnet10t"), device="mps") == "fp32"


@pytest.mark.parametrize("part", [TaskHeads(4, [3], hidden=(5,)), MetadataEncoder(4, (5,))])
def test_metadata_and_classifiers_stay_in_single_precision(part):
    part = part.eval()
    features = torch.rand(6, 4, generator=torch.Generator().manual_seed(0))
    exact = part(features)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = part(features.bfloat16())
        same = part(features)
    exact, rounded, same = (x[0] if isinstance(x, list) else x for x in (exact, rounded, same))
    assert same.dtype == rounded.dtype == torch.float32
    torch.testing.assert_close(same, exact)
    torch.testing.assert_close(rounded, exact, atol=0.05, rtol=0.05)


def test_the_choice_is_an_attribute_and_goes_on_to_clones_as_auto(processor):
    lesions = make_lesions(12, image_size=64, random_state=0)
    X, y = lesions.data[["image"]], lesions.target
    small = {"backbone": "resnet10t", "weights": None, "image_size": 64, "max_epochs": 1}
    net = ImageClassifier(**small, device="cpu", random_state=0)
    processor(OLD)
    exact = clone(net).fit(X, y)
    processor(ZEN_4)
    half = clone(net).fit(X, y)
    assert (exact.precision_, half.precision_) == ("fp32", "bf16")
    assert clone(half).precision == "auto"
    # The weights themselves are in fp32, and what they predict is near.
    assert {p.dtype for p in half.module_.parameters()} == {torch.float32}
    assert not np.array_equal(half.predict_proba(X), exact.predict_proba(X))
    np.testing.assert_allclose(half.predict_proba(X), exact.predict_proba(X), atol=0.1)
    # A fitted network keeps its arithmetic, so that it predicts the same on another processor.
    before = half.predict_proba(X)
    processor(OLD)
    np.testing.assert_allclose(half.predict_proba(X), before, atol=1e-6)


def test_a_network_without_images_is_in_fp32(processor):
    processor(AMX)
    X = np.random.default_rng(0).normal(size=(20, 3))
    assert MetadataClassifier(max_epochs=1).fit(X, np.arange(20) % 2).precision_ == "fp32"


def test_embedded_features_in_half_precision_are_near(processor):
    images = make_lesions(6, image_size=64, random_state=0).data[["image"]]
    options = {"backbone": "resnet10t", "weights": None, "image_size": 64, "cache_dir": None}
    tables = {}
    for name, flags in {"fp32": OLD, "bf16": AMX}.items():
        processor(flags)
        embedder = ImageEmbedder(**options, device="cpu", random_state=0).fit(images)
        assert embedder.precision_ == name
        tables[name] = embedder.transform(images).to_numpy()
    assert not np.array_equal(tables["fp32"], tables["bf16"])
    scale = np.abs(tables["fp32"]).max()
    np.testing.assert_allclose(tables["bf16"], tables["fp32"], atol=0.05 * scale)


class CopiesOf(TorchDispatchMode):
    """Count the copies of tensors of a shape in another dtype."""

    copies = (torch.ops.aten._to_copy.default, torch.ops.aten.to.dtype)

    def __init__(self, shape):
        super().__init__()
        self.shape, self.n_copies = shape, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function in self.copies and args[0].shape == self.shape:
            self.n_copies += 1
        return function(*args, **(kwargs or {}))


def test_prediction_rounds_the_weights_once():
    lesions = make_lesions(12, image_size=32, random_state=0)
    X, y = lesions.data[["image"]], lesions.target
    small = {"backbone": "resnet10t", "weights": None, "image_size": 32, "max_epochs": 1}
    net = ImageClassifier(**small, precision="bf16", batch_size=4, device="cpu").fit(X, y)
    layers = [part for part in net.module_.modules() if type(part) is nn.Conv2d]
    widest = max((part.weight for part in layers), key=torch.Tensor.numel)
    same = sum(part.weight.shape == widest.shape for part in layers)
    with CopiesOf(widest.shape) as copies:
        first = net.predict_proba(X)
        again = net.predict_proba(X)
    assert copies.n_copies == same
    np.testing.assert_allclose(again, first, atol=1e-6)


def test_what_predicts_in_half_precision_follows_the_weights_and_is_not_pickled():
    lesions = make_lesions(12, image_size=32, random_state=0)
    X, y = lesions.data[["image"]], lesions.target
    small = {"backbone": "resnet10t", "weights": None, "image_size": 32, "max_epochs": 1}
    net = ImageClassifier(**small, precision="bf16", device="cpu", random_state=0).fit(X, y)
    before = len(pickle.dumps(net))
    first = net.predict_proba(X)
    assert len(pickle.dumps(net)) == before
    with torch.no_grad():
        for weight in net.module_.parameters():
            weight.mul_(1.5)
    changed = net.predict_proba(X)
    assert np.abs(changed - first).max() > 1e-3
    copied = pickle.loads(pickle.dumps(net))
    np.testing.assert_allclose(copied.predict_proba(X), changed, atol=1e-6)


def test_rounded_weights_give_what_autocast_gives():
    backbone = make_backbone("resnet10t").eval()
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        exact, twin = backbone(images), RoundedTwin().of(backbone)
        torch.testing.assert_close(twin(images), exact)
