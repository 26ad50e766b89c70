"""DermiResNet: shape of the network, weighted shortcuts."""

import torch
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


def test_stages_halve_the_map_and_widen_it():
    network = DermiResNet().eval()
    x, shapes = network.stem(torch.rand(1, 3, 64, 64)), []
    for stage in network.stages:
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]


def test_dropout_in_the_later_two_stages_only():
    rates = [
        module.p
        for unit in units(DermiResNet(dropout=0.2))
        for module in unit.modules()
        if isinstance(module, nn.Dropout2d)
    ]
    assert rates == [0.0, 0.0, 0.2, 0.2]


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
