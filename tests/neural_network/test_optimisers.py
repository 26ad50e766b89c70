"""Optimisers by name."""

import pytest
import torch

from sklearn_skin.neural_network._optimisers import OPTIMIZERS, find_optimizer


def train(optimizer, options):
    torch.manual_seed(0)
    layer, inputs = torch.nn.Linear(5, 3).double(), torch.randn(7, 5, dtype=torch.float64)
    steps = optimizer(layer.parameters(), lr=0.01, weight_decay=0.1, **options)
    for _ in range(3):
        steps.zero_grad()
        layer(inputs).square().sum().backward()
        steps.step()
    return layer.weight


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fused_updates_are_the_updates_of_the_optimiser(name):
    optimizer, options = find_optimizer(name)
    assert options["fused"]
    plain = train(optimizer, options | {"fused": False})
    torch.testing.assert_close(train(optimizer, options), plain)


def test_users_may_choose_another_way_of_updating():
    assert find_optimizer({"name": "adam", "fused": False})[1]["fused"] is False
    for other in ("foreach", "differentiable"):
        optimizer, options = find_optimizer({"name": "sgd", other: True})
        assert "fused" not in options
        train(optimizer, options | {"differentiable": False})
