"""Convolutions of small maps are the convolutions that they stand for."""

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from sklearn_skin.modules import make_backbone
from sklearn_skin.modules._small_maps import SmallMapConv2d, multiply_small_maps

CASES = {
    "2 x 2": (dict(kernel_size=3, padding=1), (2, 2)),
    "stride, 4 x 4 to 2 x 2": (dict(kernel_size=3, padding=1, stride=2), (4, 4)),
    "odd sides": (dict(kernel_size=3, padding=1, stride=2), (3, 4)),
    "one position": (dict(kernel_size=(2, 3), padding=(0, 1), stride=(1, 2)), (2, 2)),
    "no bias": (dict(kernel_size=3, padding=1, bias=False), (2, 1)),
    "large map": (dict(kernel_size=3, padding=1), (9, 8)),
}


def make_pair(options, channels=256, kind=torch.float64):
    torch.manual_seed(0)
    plain = nn.Conv2d(channels, 128, **options, dtype=kind)
    fast = copy.deepcopy(plain)
    multiply_small_maps(fast)
    assert type(fast) is SmallMapConv2d
    return plain, fast


def results(layer, maps):
    maps = maps.clone().requires_grad_()
    result = layer(maps)
    result.square().sum().backward()
    grads = [weight.grad for weight in layer.parameters()]
    for weight in layer.parameters():
        weight.grad = None
    return [result, maps.grad, *grads]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("case", CASES)
def test_results_and_gradients_are_those_of_the_convolution(case, layout):
    options, sides = CASES[case]
    plain, fast = make_pair(options)
    fast.to(memory_format=layout)
    maps = torch.randn(3, 256, *sides, dtype=torch.float64).contiguous(memory_format=layout)
    assert_close(results(fast, maps), results(plain, maps))


def test_in_half_precision_it_is_as_near_as_the_convolution():
    plain, fast = make_pair(dict(kernel_size=3, padding=1), kind=torch.float32)
    maps = torch.randn(4, 256, 4, 4)
    exact = plain(maps)
    with torch.autocast("cpu", torch.bfloat16):
        rounded, product = plain(maps), fast(maps)
    assert product.dtype == rounded.dtype == torch.bfloat16
    assert_close(product.float(), exact, atol=0.02, rtol=0.02)


def count_products(module, maps, monkeypatch):
    seen = []
    patches = SmallMapConv2d._patches

    def counted(self, *args):
        seen.append(self)
        return patches(self, *args)

    monkeypatch.setattr(SmallMapConv2d, "_patches", counted)
    module(maps)
    return len(seen)


@pytest.mark.parametrize(("kind", "most"), [(torch.float32, 2), (torch.bfloat16, 4)])
def test_only_small_maps_are_products(kind, most, monkeypatch):
    _, fast = make_pair(dict(kernel_size=3, padding=1), kind=kind)
    for side, expected in ((most, 1), (most + 1, 0)):
        maps = torch.zeros(1, 256, side, side, dtype=kind)
        assert count_products(fast, maps, monkeypatch) == expected


def test_a_backbone_has_them_where_they_pay(monkeypatch):
    backbone = make_backbone("resnet18").eval()
    chosen = [part for part in backbone.modules() if isinstance(part, SmallMapConv2d)]
    assert {part.out_channels for part in chosen} == {128, 256, 512}
    with torch.inference_mode():
        # The last stage of images of 64 pixels has maps of 2 x 2.
        assert count_products(backbone, torch.rand(1, 3, 64, 64), monkeypatch) == 4
        assert count_products(backbone, torch.rand(1, 3, 224, 224), monkeypatch) == 0


@pytest.mark.parametrize(
    "options",
    [
        dict(kernel_size=1),
        dict(kernel_size=3, groups=2),
        dict(kernel_size=3, dilation=2),
        dict(kernel_size=3, padding=1, padding_mode="reflect"),
        dict(kernel_size=3, padding="same"),
    ],
)
def test_other_convolutions_stay_what_they_are(options):
    layer = nn.Conv2d(512, 512, **options)
    multiply_small_maps(layer)
    assert type(layer) is nn.Conv2d


def test_weights_keep_their_names_and_values():
    plain, fast = make_pair(dict(kernel_size=3, padding=1))
    assert_close(fast.state_dict(), plain.state_dict())


def test_a_compiled_or_exported_network_has_plain_convolutions():
    _, fast = make_pair(dict(kernel_size=3, padding=1), kind=torch.float32)
    program = torch.export.export(fast, (torch.zeros(2, 256, 2, 2),))
    called = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert any("conv2d" in name for name in called)
    assert not any("cat" in name for name in called)
