"""Low-rank adapters beside the linear layers of a transformer backbone."""

import copy
import io

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sklearn_skin.modules import StagedEncoder, make_backbone

SIZE = 32


def adapted(name="test_vit", **options):
    torch.manual_seed(0)
    adapt = {"name": "lora"} | options
    return make_backbone(name, adapt=adapt, image_size=SIZE)


def trained(module):
    return {name for name, weight in module.named_parameters() if weight.requires_grad}


@pytest.mark.parametrize("layers", ["attention", "all"])
def test_a_layer_is_what_the_equation_says(layers):
    backbone = adapted(r=3, alpha=7, layers=layers).double().eval()
    block = backbone.body.network.blocks[0]
    layer = block.mlp.fc1 if layers == "all" else block.attn.qkv
    for weight in (layer.lora_A.default.weight, layer.lora_B.default.weight):
        torch.nn.init.normal_(weight)
    state = {name: value.numpy() for name, value in layer.state_dict().items()}
    x = np.random.default_rng(0).normal(size=(5, state["base_layer.weight"].shape[1]))
    low_rank = state["lora_B.default.weight"] @ state["lora_A.default.weight"]
    expected = x @ (state["base_layer.weight"] + 7 / 3 * low_rank).T + state["base_layer.bias"]
    with torch.no_grad():
        assert_allclose(layer(torch.from_numpy(x)).numpy(), expected, rtol=1e-10)


def test_at_first_the_backbone_is_what_it_was():
    torch.manual_seed(0)
    plain = make_backbone("test_vit", image_size=SIZE).eval()
    images = torch.rand(2, 3, SIZE, SIZE)
    with torch.no_grad():
        torch.testing.assert_close(adapted().eval()(images), plain(images))


@pytest.mark.parametrize("name", ["test_vit", "swin_tiny_patch4_window7_224"])
def test_only_adapters_are_trained_and_all_of_them_are(name):
    backbone = adapted(name, r=2).train()
    names = trained(backbone)
    assert names and all(".lora_" in name for name in names)
    before = copy.deepcopy(backbone.state_dict())
    optimizer = torch.optim.SGD([p for p in backbone.parameters() if p.requires_grad], lr=1.0)
    for _ in range(2):  # B is 0 at first, and A has no gradient then
        backbone.pool(backbone(torch.rand(2, 3, SIZE, SIZE))).square().sum().backward()
        optimizer.step()
    after = backbone.state_dict()
    assert {key for key in before if not torch.equal(before[key], after[key])} == names


def test_the_number_of_weights_is_that_of_two_thin_matrices():
    plain = make_backbone("test_vit", image_size=SIZE)
    sizes = [b.attn.qkv.weight.shape for b in plain.body.network.blocks]
    sizes += [b.attn.proj.weight.shape for b in plain.body.network.blocks]
    backbone = adapted(r=2)
    counts = [p.numel() for p in backbone.parameters() if p.requires_grad]
    assert sum(counts) == sum(2 * (d_in + d_out) for d_out, d_in in sizes)


def test_layers_that_the_network_reads_without_calling_have_none():
    names = trained(adapted("swinv2_tiny_window8_256"))
    assert any("proj" in name for name in names) and not any("qkv" in name for name in names)


def test_freezing_counts_stages_and_never_thaws_what_is_adapted():
    backbone = adapted()
    everything = trained(backbone)
    backbone.freeze(3)
    some = trained(backbone)
    assert some < everything and not any("blocks.0." in name for name in some)
    backbone.freeze("backbone")
    assert backbone.frozen
    backbone.freeze(None)
    assert trained(backbone) == everything


def test_copies_and_files_give_the_same():
    backbone = adapted(dropout=0.5).eval()
    images = torch.rand(2, 3, SIZE, SIZE)
    file = io.BytesIO()
    torch.save(backbone.state_dict(), file)
    file.seek(0)
    other = adapted(dropout=0.5).eval()
    other.load_state_dict(torch.load(file, weights_only=True))
    with torch.no_grad():
        for twin in (copy.deepcopy(backbone), other):
            torch.testing.assert_close(twin(images), backbone(images))


def test_encoders_in_stages_have_them_too():
    encoder = StagedEncoder("swin_tiny_patch4_window7_224", adapt="lora", image_size=SIZE)
    assert all(".lora_" in name for name in trained(encoder))
    assert encoder(torch.rand(1, 3, SIZE, SIZE)).shape == (1, 768)


@pytest.mark.parametrize(
    ("name", "adapt", "message"),
    [
        ("resnet18", "lora", "attention blocks, .*clinical_backbone.*'resnet18' has none"),
        ("dermiresnet", "lora", "attention blocks; got 'dermiresnet'"),
        ("test_vit", "dora", "`adapt` must be 'lora', or a dict .* got 'dora'"),
        ("test_vit", {"r": 4}, "`adapt` must be 'lora', or a dict"),
        ("test_vit", {"name": "lora", "rank": 4}, r"options \['r', .*; got 'rank'"),
        ("test_vit", {"name": "lora", "r": 0}, "got r=0"),
        ("test_vit", {"name": "lora", "alpha": -1}, "got alpha=-1"),
        ("test_vit", {"name": "lora", "dropout": 1.0}, "got dropout=1.0"),
        ("test_vit", {"name": "lora", "layers": "some"}, "got layers='some'"),
    ],
)
def test_what_cannot_be_adapted_is_an_error(name, adapt, message):
    with pytest.raises(ValueError, match=message):
        make_backbone(name, adapt=adapt)
