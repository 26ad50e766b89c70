"""The timm import, the metadata encoder and the heads."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from sklearn_skin.modules import Head, LinearHeads, MetadataEncoder


def test_importing_modules_does_not_import_torch():
    code = "import sys, sklearn_skin.modules; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_timm_imports_in_a_fresh_process():
    code = """
from sklearn_skin.modules._timm import import_timm, prepare_torchvision
prepare_torchvision(); prepare_torchvision()
import_timm()
import torchvision.transforms, torch
torch.export.export(torch.nn.Linear(2, 2), (torch.ones(1, 2),))
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
    head = Head(576, [5, 2, 3, 3, 2, 3, 3, 3])
    assert sum(p.numel() for p in head.parameters()) == 365_464
    assert [t.shape[1] for t in head(torch.randn(2, 576))] == [5, 2, 3, 3, 2, 3, 3, 3]


def test_linear_heads_are_linear():
    heads = LinearHeads(4, [3]).double()
    x, y = torch.randn(2, 4, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    torch.testing.assert_close(heads(x)[0] + heads(y)[0], heads(x + y)[0] + heads(0 * x)[0])
