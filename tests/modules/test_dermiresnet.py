"""DermiResNet: shape of the network, weighted shortcuts."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.signal import correlate
from torch import nn

from sklearn_skin.modules import DermiResNet, make_backbone
from sklearn_skin.modules._dermiresnet import ResidualUnit


def units(network):
    return [module for module in network.modules() if isinstance(module, ResidualUnit)]


def test_alpha_starts_at_one_and_moves():
    torch.manual_seed(0)
    network = DermiResNet(channels=(4, 8, 8, 16))
    alphas = [unit.alpha for unit in units(network)]
    assert [alpha.item() for alpha in alphas] == [1.0] * 4
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    network.pool(network(torch.rand(4, 3, 32, 32))).square().sum().backward()
    optimizer.step()
    assert all(alpha.item() != 1.0 for alpha in alphas)


def test_unit_is_residual_plus_alpha_times_input():
    torch.manual_seed(0)
    unit = ResidualUnit(3).eval()
    x = torch.randn(2, 3, 5, 5)
    with torch.no_grad():
        residual = unit(x) - x
        unit.alpha.fill_(-2.5)
        torch.testing.assert_close(unit(x), residual - 2.5 * x)


def reference_unit(p, x, norm):
    """The docstring's formulas in NumPy; without dropout, as in evaluation."""

    def conv(x, i):
        bias = p.get(f"residual.{i}.bias", np.zeros(x.shape[1]))
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        maps = [[correlate(row, kernel, "valid")[0] for kernel in p[f"residual.{i}.weight"]]
                for row in padded]  # fmt: skip
        return np.array(maps) + bias[:, None, None]

    def batch_norm(x, i):
        mean, var, scale, shift = (
            p[f"residual.{i}.{name}"][:, None, None]
            for name in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / np.sqrt(var + 1e-5) * scale + shift

    def leaky(x):
        return np.where(x > 0, x, 0.01 * x)

    if norm == "conv":
        inner = leaky(batch_norm(conv(x, 0), 1))
        return leaky(batch_norm(conv(inner, 4), 5)) + p["alpha"] * x
    return batch_norm(conv(leaky(conv(x, 0)), 3), 4) + p["alpha"] * x


@pytest.mark.parametrize("norm", ["block", "conv"])
def test_unit_follows_its_formula(norm):
    torch.manual_seed(0)
    unit = ResidualUnit(3, dropout=0.5, norm=norm).double().eval()
    for module in unit.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.normal_(module.bias)
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    weights = {name: value.numpy() for name, value in unit.state_dict().items()}
    assert_allclose(unit(x).detach(), reference_unit(weights, x.numpy(), norm), atol=1e-10)


def test_backbone_s_name_chooses_the_norm_of_its_units():
    for name, norms in (("dermiresnet", 1), ("dermiresnet_bn", 2)):
        for unit in units(make_backbone(name)):
            assert sum(isinstance(m, nn.BatchNorm2d) for m in unit.modules()) == norms
    with pytest.raises(ValueError, match=r"`norm` must be one of \['block', 'conv'\]; got 'batch'"):
        DermiResNet(norm="batch")


def test_stages_halve_the_map_and_widen_it():
    network = DermiResNet().eval()
    x, shapes = network.stem(torch.rand(1, 3, 64, 64)), []
    for stage in network.stages:
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]


@pytest.mark.parametrize(("norm", "biases"), [("block", [True, False]), ("conv", [False, False])])
def test_no_bias_before_batch_norm(norm, biases):
    convolutions = [m for m in ResidualUnit(4, norm=norm).modules() if isinstance(m, nn.Conv2d)]
    assert [layer.bias is not None for layer in convolutions] == biases


def test_layers_of_stem_blocks_and_projection():
    def layers(part):
        return [type(layer).__name__ for layer in part]

    network = DermiResNet()
    assert layers(network.stem) == ["Conv2d", "LeakyReLU"]
    stem = network.stem[0]
    assert (stem.out_channels, stem.kernel_size, stem.stride) == (32, (3, 3), (1, 1))
    for stage in network.stages:
        block = stage[0]
        assert layers(block) == ["Conv2d", "LeakyReLU", "Conv2d", "BatchNorm2d"]
        convolutions = [layer for layer in block if isinstance(layer, nn.Conv2d)]
        assert [layer.kernel_size for layer in convolutions] == [(3, 3), (3, 3)]
        assert [layer.stride for layer in convolutions] == [(2, 2), (1, 1)]
        # A bias before BatchNorm would do nothing.
        assert [layer.bias is None for layer in convolutions] == [False, True]
    assert layers(network.projection) == ["Linear", "LeakyReLU", "Linear"]


@pytest.mark.parametrize(
    ("channels", "expected"),
    [((8, 8, 8, 8), [0.0, 0.0, 0.2, 0.2]), ((8, 8, 8), [0.0, 0.2, 0.2])],
)
def test_dropout_in_the_later_half_of_the_stages_only(channels, expected):
    rates = [
        module.p
        for unit in units(DermiResNet(channels=channels, dropout=0.2))
        for module in unit.modules()
        if isinstance(module, nn.Dropout2d)
    ]
    assert rates == expected


def test_vector_is_no_probability():
    backbone = make_backbone("dermiresnet").eval()
    vectors = backbone.pool(backbone(torch.rand(2, 3, 32, 32)))
    assert vectors.shape == (2, 512)
    assert not torch.allclose(vectors.sum(dim=1), torch.ones(2), atol=1e-3)


def test_rows_do_not_see_their_batch_mates():
    backbone = make_backbone("dermiresnet").eval()
    images = torch.rand(3, 3, 32, 32)
    alone = torch.cat([backbone(images[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(backbone(images), alone, rtol=1e-4, atol=1e-5)
