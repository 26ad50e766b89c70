"""The timm import, the metadata encoder and the heads."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from sklearn_skin.modules import MetadataEncoder, MetadataNet, TaskHeads
from sklearn_skin.modules.heads import fusion_head


def test_importing_modules_does_not_import_torch():
    code = "import sys, sklearn_skin.modules; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_timm_imports_in_a_fresh_process():
    code = """
from sklearn_skin.modules._timm import import_timm, prepare_torchvision
prepare_torchvision(); prepare_torchvision()
import_timm()
import torchvision.transforms
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_encoder_is_the_formula():
    torch.manual_seed(0)
    encoder = MetadataEncoder(3, (5, 4)).double().train()
    m = torch.randn(6, 3, dtype=torch.float64)
    p = {key: value.detach().numpy() for key, value in encoder.state_dict().items()}
    x = m.numpy()
    for layer in (0, 3):
        x = x @ p[f"{layer}.weight"].T + p[f"{layer}.bias"]
        x = ((x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)).clip(0)
    assert_allclose(encoder(m).detach().numpy(), x, rtol=1e-10, atol=1e-12)
    assert encoder.out_features == 4


def test_clinical_perceptron_of_the_fusion_study():
    encoder = MetadataEncoder(3, batch_norm=False, last_activation=False)
    assert [type(m) for m in encoder] == [nn.Linear, nn.ReLU, nn.Linear]


@pytest.mark.parametrize(
    ("arguments", "message"), [((0,), "at least 1; got 0"), ((3, ()), "at least one layer")]
)
def test_encoder_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        MetadataEncoder(*arguments)


def test_head_has_the_published_size():
    # SPC: 8 tasks, 24 classes; 2.91 - 2.54 million for MobileNetV3-Small's 576 features
    head = fusion_head(576, [5, 2, 3, 3, 2, 3, 3, 3])
    assert sum(p.numel() for p in head.parameters()) == 365_464
    assert [t.shape[1] for t in head(torch.randn(2, 576))] == [5, 2, 3, 3, 2, 3, 3, 3]


@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_heads_are_the_formula(activation):
    torch.manual_seed(0)
    heads = TaskHeads(3, [2], hidden=(5,), activation=activation, batch_norm=True).double().eval()
    features = torch.randn(4, 3, dtype=torch.float64)
    p = {key: value.numpy() for key, value in heads.state_dict().items()}
    dense = features.numpy() @ p["layers.0.weight"].T + p["layers.0.bias"]
    x = dense / np.sqrt(1 + 1e-5)  # statistics of a BatchNorm that has seen nothing
    x = x.clip(0) if activation == "relu" else x / (1 + np.exp(-x))
    expected = x @ p["tasks.0.weight"].T + p["tasks.0.bias"]
    assert_allclose(heads(features)[0].detach().numpy(), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("option", ["dropout", "input_dropout"])
def test_dropout_of_heads_acts_where_it_says_and_in_training_only(option):
    torch.manual_seed(0)
    heads = TaskHeads(64, [2], hidden=(64,), **{option: 0.5})
    into = {}
    heads.layers.register_forward_pre_hook(lambda _, args: into.update(features=args[0]))
    for layer in (*heads.layers, heads.tasks[0]):
        if isinstance(layer, nn.Linear):
            layer.register_forward_pre_hook(lambda m, args: into.update({m: args[0]}))
    first, last = (m for m in (*heads.layers, heads.tasks[0]) if isinstance(m, nn.Linear))
    heads.train()(torch.ones(8, 64))
    dropped = {
        "input_dropout": torch.isclose(into[first], torch.tensor(0.0)).float().mean() > 0.3,
        "dropout": not torch.allclose(into[last], first(into[first]).relu()),
    }
    assert {name for name, found in dropped.items() if found} == {option}
    heads.eval()(torch.ones(8, 64))
    torch.testing.assert_close(into[first], torch.ones(8, 64))
    torch.testing.assert_close(into[last], first(into[first]).relu())


def test_a_metadata_network_has_the_layers_and_the_dropout_asked_for():
    def layers(kind, **options):
        return [m for m in MetadataNet(1, [3], **options).modules() if isinstance(m, kind)]

    assert [m.out_features for m in layers(nn.Linear)] == [128, 256, 3]
    assert [m.out_features for m in layers(nn.Linear, hidden=(7,))] == [7, 3]
    assert {m.p for m in layers(nn.Dropout)} <= {0.0}
    assert {m.p for m in layers(nn.Dropout, dropout=0.4)} == {0.4}


def test_unknown_activation_is_named():
    with pytest.raises(ValueError, match=r"`activation` must be one of \['relu', 'silu'\]"):
        TaskHeads(2, [2], activation="tanh")


def test_heads_without_layers_are_linear():
    heads = TaskHeads(4, [3]).double()
    x, y = torch.randn(2, 4, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    torch.testing.assert_close(heads(x)[0] + heads(y)[0], heads(x + y)[0] + heads(0 * x)[0])
