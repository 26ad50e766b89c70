"""Properties of every fusion operator, and reference values from the formulas in NumPy."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import expit, softmax
from torch import nn

from sklearn_skin.modules import JointIndividualNet, make_backbone
from sklearn_skin.modules import fusion as fusion_package
from sklearn_skin.modules.fusion import FUSIONS, make_fusion
from sklearn_skin.modules.fusion._registry import load_operators
from sklearn_skin.modules.fusion._tokens import MetadataTokens

ONE_GROUP = {"metadata_groups": [list(range(7))]}
CASES = [(name, {}) for name in FUSIONS] + [
    ("self_attention", {"tokens": "vector"}),
    ("cross_attention", {"tokens": "vector"}),
    ("mutual_attention", {"tokens": "vector"}),
    ("metablock", {"layout": "pooled"}),
    ("mmfa", {"heads": "split"}),
    ("mmfa", {"heads": "split", "n_heads": 1}),
    ("mmfa", {"tokens": "modality"}),
    ("mmfa", {"product": "elementwise"}),
    ("mmfa", {"product": "elementwise", "heads": "split"}),
    ("bilinear", {"out_features": 5}),
    ("cross_attention", {"metadata_groups": [[0, 2], [1], [3, 4, 5, 6]]}),
    ("cross_attention", ONE_GROUP),
    ("self_attention", {"metadata_groups": [[0, 2], [1], [3, 4, 5, 6]]}),
    ("mutual_attention", {"metadata_groups": [[0, 2], [1], [3, 4, 5, 6]]}),
]
IDS = ["-".join([name, *map(str, options.values())]) for name, options in CASES]
every_case = pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)


def make_case(name, options, rows=4, image_dim=32, metadata_dim=7, side=(3, 2), seed=0):
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fusion = make_fusion(name, image_dim, metadata_dim, **options).double()
    for module in fusion.modules():  # BatchNorm and LayerNorm that do something
        if isinstance(module, (nn.BatchNorm1d, nn.LayerNorm)):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
        if isinstance(module, nn.BatchNorm1d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    shape = (rows, image_dim) if fusion.takes == "vector" else (rows, image_dim, *side)
    image = torch.randn(shape, dtype=torch.float64)
    return fusion, image, torch.randn(rows, metadata_dim, dtype=torch.float64)


def arrays(fusion):
    return {name: value.detach().numpy() for name, value in fusion.state_dict().items()}


def linear(p, name, x):
    out = x @ p[f"{name}.weight"].T
    return out + p[f"{name}.bias"] if f"{name}.bias" in p else out


def batch_norm(p, name, x):
    scale = p[f"{name}.weight"] / np.sqrt(p[f"{name}.running_var"] + 1e-5)
    return (x - p[f"{name}.running_mean"]) * scale + p[f"{name}.bias"]


def layer_norm(p, name, x):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return scaled * p[f"{name}.weight"] + p[f"{name}.bias"]


def attend(query, key, value):
    scores = np.einsum("...qa,...ka->...qk", query, key) / np.sqrt(query.shape[-1])
    return np.einsum("...qk,...kd->...qd", softmax(scores, axis=-1), value)


def positions(image):
    return image.reshape(*image.shape[:2], -1).transpose(0, 2, 1)


def token_per_group(p, m, groups):
    """t_g = b_g + sum over j in g of m_j w_j, one group at a time."""
    groups = groups or [[j] for j in range(m.shape[1])]
    weight, bias = p["tokenise.weight"], p["tokenise.bias"]
    return np.stack([m[:, g] @ weight[g] + bias[i] for i, g in enumerate(groups)], axis=1)


def reference_self_attention(p, x, m, tokens="spatial", metadata_groups=None):
    def attention(name, t):
        return attend(*(linear(p, f"{name}.{part}", t) for part in ("query", "key", "value")))

    if tokens == "vector":
        return np.concatenate(
            [x @ p["image_attention.value.weight"].T, m @ p["metadata_attention.value.weight"].T], 1
        )
    x, y = positions(x), token_per_group(p, m, metadata_groups)
    x, y = x + attention("image_attention", x), y + attention("metadata_attention", y)
    return np.concatenate([x.mean(1), y.mean(1)], axis=1)


def reference_cross_attention(p, x, m, tokens="spatial", metadata_groups=None):
    if tokens == "vector":
        return m @ p["value.weight"].T
    x, y = positions(x), token_per_group(p, m, metadata_groups)
    attended = attend(linear(p, "query", x), linear(p, "key", y), linear(p, "value", y))
    return np.concatenate([(x + attended).mean(1), y.mean(1)], axis=1)


def reference_layer(p, name, x, context, n_heads=8):
    dim = x.shape[-1]
    weights = p[f"{name}.attention.in_proj_weight"].reshape(3, dim, dim)
    biases = p[f"{name}.attention.in_proj_bias"].reshape(3, dim)

    def heads(t, i):
        out = t @ weights[i].T + biases[i]
        return out.reshape(*out.shape[:2], n_heads, -1).transpose(0, 2, 1, 3)

    attended = attend(heads(x, 0), heads(context, 1), heads(context, 2))
    attended = attended.transpose(0, 2, 1, 3).reshape(x.shape)
    x = layer_norm(p, f"{name}.norms.0", x + linear(p, f"{name}.attention.out_proj", attended))
    fed = linear(p, f"{name}.feed_forward.0", x).clip(0)
    return layer_norm(p, f"{name}.norms.1", x + linear(p, f"{name}.feed_forward.3", fed))


def reference_mutual_attention(p, x, m, tokens="spatial", metadata_groups=None):
    if tokens == "vector":
        x, y = x[:, None], linear(p, "tokenise", m)[:, None]
    else:
        x, y = positions(x), token_per_group(p, m, metadata_groups)
    x = linear(p, "project", x)
    x, y = reference_layer(p, "image_self", x, x), reference_layer(p, "metadata_self", y, y)
    x, y = reference_layer(p, "image_guided", x, y), reference_layer(p, "metadata_guided", y, x)
    return np.concatenate([x.mean(1), y.mean(1)], axis=1)


def reference_metablock(p, x, m, layout="map"):
    scale, shift = (batch_norm(p, f"{n}.1", linear(p, f"{n}.0", m)) for n in ("scale", "shift"))
    if layout == "pooled":
        scale, shift = (np.repeat(t, 32, axis=1) for t in (scale, shift))
        return expit(np.tanh(x * scale) + shift)
    return expit(np.tanh(x * scale[..., None, None]) + shift[..., None, None]).mean((2, 3))


def reference_metanet(p, x, m):
    weights = expit(linear(p, "weigh.2", linear(p, "weigh.0", m).clip(0)))
    return (x * weights[..., None, None]).mean((2, 3))


def reference_mmfa(p, x, m, heads="mixed", tokens="features", product="outer", dim=256, n_heads=8):
    of_x, of_m = (
        np.split(batch_norm(p, f"{n}_qkv.1", linear(p, f"{n}_qkv.0", t)), 3, axis=1)
        for n, t in (("image", x), ("metadata", m))
    )
    h, s = n_heads, dim // n_heads
    found = []
    if tokens == "modality":
        q, k, v = (np.stack([b, a], 1) for a, b in zip(of_x, of_m, strict=True))
        parts = [attend(*(t[..., i * s : (i + 1) * s] for t in (q, k, v))) for i in range(h)]
        found = [np.concatenate(parts, axis=2).reshape(len(x), -1)]
    else:
        for i in range(h):
            if heads == "mixed":
                cut = np.r_[i * s : (i + 1) * s, dim + i * s : dim + (i + 1) * s]
            else:
                cut = np.arange(2 * i * s, 2 * (i + 1) * s)
            q, k, v = (np.concatenate([b, a], 1)[:, cut] for a, b in zip(of_x, of_m, strict=True))
            if product == "elementwise":
                found.append(softmax(k * q, axis=-1) / np.sqrt(2 * s) * v)
            else:
                weights = softmax(np.einsum("na,nb->nab", k, q) / np.sqrt(2 * s), axis=-1)
                found.append(np.einsum("nab,nb->na", weights, v))
    mixed = batch_norm(p, "project.1", linear(p, "project.0", np.concatenate(found, axis=1)))
    return mixed + np.concatenate([x, m], axis=1)


def reference_gated(p, x, m):
    projected = linear(p, "project", x)
    gate = expit(linear(p, "image_gate", projected) + linear(p, "metadata_gate", m))
    return gate * projected + (1 - gate) * m


REFERENCES = {
    "concat": lambda p, x, m: np.concatenate([x, m], axis=1),
    "weighted_concat": lambda p, x, m: np.concatenate(
        [p["weights"][0] * x, p["weights"][1] * m], axis=1
    ),
    "hadamard": lambda p, x, m: linear(p, "project", x) * m,
    "tensor": lambda p, x, m: np.einsum("nd,np->ndp", x, m).reshape(len(x), -1),
    "bilinear": lambda p, x, m, **_: np.einsum("nd,odp,np->no", x, p["weight"], m),
    "gated": reference_gated,
    "self_attention": reference_self_attention,
    "cross_attention": reference_cross_attention,
    "metablock": reference_metablock,
    "metanet": reference_metanet,
    "mutual_attention": reference_mutual_attention,
    "mmfa": reference_mmfa,
}


@every_case
def test_value_is_the_formula(name, options):
    fusion, image, metadata = make_case(name, options)
    fusion.eval()
    if name == "weighted_concat":
        nn.init.normal_(fusion.weights)
    expected = REFERENCES[name](arrays(fusion), image.numpy(), metadata.numpy(), **options)
    assert_allclose(fusion(image, metadata).detach().numpy(), expected, rtol=1e-9, atol=1e-11)


# Weights and biases of the formulas, for d image features, p metadata features and a width k of
# tokens; h is MetaNet's, a LAYER one of mutual attention.
LAYER = 4 * (256 * 256 + 256) + (256 * 1024 + 1024) + (1024 * 256 + 256) + 4 * 256
WEIGHTS = {
    "concat": lambda d, p: 0,
    "weighted_concat": lambda d, p: 2,
    "hadamard": lambda d, p: p * d + p,
    "tensor": lambda d, p: 0,
    "bilinear": lambda d, p: p * d * p,
    "gated": lambda d, p: (p * d + p) + (p * p + p) + p * p,
    "self_attention": lambda d, p, k=256: 2 * p * k + 3 * d * d + 3 * k * k,
    "cross_attention": lambda d, p, k=256: 2 * p * k + k * d + k * k + d * k,
    "metablock": lambda d, p: 2 * (d * p + d + 2 * d),
    "metanet": lambda d, p, h=64: (h * p + h) + (d * h + d),
    "mutual_attention": lambda d, p, k=256: 2 * p * k + (k * d + k) + 4 * LAYER,
    "mmfa": lambda d, p, k=256: 3 * k * (d + p + 6) + (d + p) * (2 * k + 1) + 2 * (d + p),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_an_operator_has_the_weights_of_its_formula_and_no_others(name):
    fusion, _, _ = make_case(name, {})
    assert sum(weight.numel() for weight in fusion.parameters()) == WEIGHTS[name](32, 7)


def test_bilinear_starts_with_outputs_of_unit_variance():
    # d p products of unit variance, each by a weight of variance 1 / (d p).
    fusion, _, _ = make_case("bilinear", {"out_features": 64})
    weight = fusion.weight.detach().numpy()
    assert weight.std() == pytest.approx(1 / np.sqrt(32 * 7), rel=0.05)
    assert abs(weight).max() <= np.sqrt(3 / (32 * 7)) + 1e-6
    assert weight.mean() == pytest.approx(0, abs=0.05 * weight.std())


def test_tokens_start_with_the_variance_of_a_linear_layer():
    # As nn.Linear: uniform within one over the root of what is added up in a token.
    groups, width = [[0], [1, 2, 3, 4]], 4000
    tokens = MetadataTokens(5, width, groups)
    weight, bias = tokens.weight.detach(), tokens.bias.detach()
    for rows, bound in ((weight[:1], 1.0), (weight[1:], 0.5), (bias, 1 / np.sqrt(width))):
        assert bound * 0.99 < rows.abs().max() <= bound
        assert abs(rows.mean()) < 0.03 * bound
        assert rows.std() == pytest.approx(bound / np.sqrt(3), rel=0.03)
    assert abs(torch.corrcoef(torch.cat([weight, bias])) - torch.eye(7)).max() < 0.1
    assert "members" not in tokens.state_dict()


def test_bilinear_fusion_takes_features_of_lower_precision():
    fusion, image, metadata = make_case("bilinear", {})
    fusion, image, metadata = fusion.float(), image.float(), metadata.float()
    low = fusion(image.bfloat16(), metadata.bfloat16())
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, fusion(image, metadata), rtol=0.05, atol=0.05)


@every_case
def test_rows_do_not_see_their_batch_mates(name, options):
    fusion, image, metadata = make_case(name, options)
    fusion.eval()
    alone = torch.cat([fusion(image[i : i + 1], metadata[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(fusion(image, metadata), alone)


def reached(tensor):
    # Rounding leaves 1e-17 where the derivative is zero, on some processors.
    return tensor.grad is not None and tensor.grad.abs().max().item() > 1e-9


@every_case
def test_gradients_reach_both_inputs_and_every_weight(name, options):
    fusion, image, metadata = make_case(name, options)
    fusion.eval()  # in training, BatchNorm takes the biases before it away
    image.requires_grad_()
    metadata.requires_grad_()
    fused = fusion(image, metadata)
    (fused * torch.randn_like(fused)).sum().backward()
    ignores_image = name == "cross_attention" and options.get("tokens") == "vector"
    assert reached(image) is not ignores_image
    assert reached(metadata)
    one_token = options.get("tokens") == "vector" or options == ONE_GROUP
    if not one_token:  # there queries and keys have no say
        assert [key for key, weight in fusion.named_parameters() if not reached(weight)] == []


@every_case
@pytest.mark.parametrize("width", [(64, 1, (1, 1)), (96, 9, (5, 4))])
def test_any_width_and_any_map_size(name, options, width):
    image_dim, metadata_dim, side = width
    options = {k: v for k, v in options.items() if k != "metadata_groups"}
    fusion, image, metadata = make_case(name, options, 2, image_dim, metadata_dim, side)
    fused = fusion(image, metadata)
    assert fused.shape == (2, fusion.out_features)
    assert torch.isfinite(fused).all()


@pytest.mark.parametrize("name", [n for n in FUSIONS if FUSIONS[n].takes != "vector"])
def test_a_map_repeated_beside_itself_says_the_same(name):
    fusion, image, metadata = make_case(name, {})
    fusion.eval()
    wide = torch.cat([image, image], dim=3)
    torch.testing.assert_close(fusion(wide, metadata), fusion(image, metadata))


@every_case
def test_additive_operators_and_no_others_have_no_second_difference(name, options):
    fusion, image, metadata = make_case(name, options)
    fusion.eval()
    other, another = image.flip(0), metadata.flip(0)
    fused = fusion(image, metadata)
    alone = fused - fusion(image, another) - fusion(other, metadata) + fusion(other, another)
    relative = (alone.abs().max() / fused.abs().max()).item()
    # Rounding leaves 4e-16; the least of the others is 6e-4.
    assert (relative < 1e-12) is fusion.additive
    assert (relative > 1e-5) is not fusion.additive


@every_case
def test_inputs_are_told_before_it_is_made(name, options):
    fusion, _, _ = make_case(name, options)
    assert FUSIONS[name].inputs(**options) == (fusion.takes, fusion.metadata)


@every_case
def test_state_dict_carries_everything(name, options):
    fusion, image, metadata = make_case(name, options)
    other, _, _ = make_case(name, options, seed=1)
    other.load_state_dict(fusion.state_dict())
    torch.testing.assert_close(other.eval()(image, metadata), fusion.eval()(image, metadata))


def test_bilinear_gradients_by_finite_differences():
    fusion, image, metadata = make_case("bilinear", {}, 3, 5, 4)
    inputs = (image.requires_grad_(), metadata.requires_grad_())
    assert torch.autograd.gradcheck(fusion, inputs)
    (ours,) = torch.autograd.grad(fusion(*inputs).square().sum(), fusion.weight)
    plain = torch.einsum("nd,odp,np->no", image, fusion.weight, metadata)
    (expected,) = torch.autograd.grad(plain.square().sum(), fusion.weight)
    torch.testing.assert_close(ours, expected)


def peak_memory(function):
    """Peak bytes that torch allocates while the function runs."""
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profiler:
        function()
    current = peak = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            current += event.nbytes()
            peak = max(peak, current)
    return peak


def test_bilinear_forms_no_product_of_rows_and_weights():
    fusion = make_fusion("bilinear", 64, 64, out_features=8)
    image, metadata = torch.randn(1024, 64), torch.randn(1024, 64)
    inputs = image.requires_grad_(), metadata.requires_grad_()

    def both_passes():
        fusion(*inputs).sum().backward()

    both_passes()
    n_d_p = 1024 * 64 * 64 * 4
    assert peak_memory(both_passes) < n_d_p / 8


@pytest.mark.parametrize("name", ["self_attention", "cross_attention", "mutual_attention"])
def test_literal_attention_warns(name):
    with pytest.warns(UserWarning, match="softmax over one key is always 1"):
        make_fusion(name, 16, 8, tokens="vector")


def test_tensor_fusion_warns_about_its_width():
    with pytest.warns(UserWarning, match="131072 elements"):
        make_fusion("tensor", 512, 256)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_fusion("tensor", 255, 257)
    with pytest.warns(UserWarning, match="65536 elements"):
        make_fusion("tensor", 256, 256)


def test_a_group_of_tokens_is_one_token():
    torch.manual_seed(0)
    tokens = MetadataTokens(4, 3, [[0], [1, 2, 3]])
    metadata = torch.randn(2, 4)
    changed = metadata.clone()
    changed[:, 2] += 1
    same = torch.isclose(tokens(metadata), tokens(changed)).all(dim=(0, 2))
    assert same.tolist() == [True, False]


@pytest.mark.parametrize("groups", [[[0], [1]], [[0, 1], [1, 2]], [[0, 1, 2], [3]]])
def test_groups_must_be_a_partition(groups):
    with pytest.raises(ValueError, match="each of the 3 metadata columns exactly once"):
        make_fusion("cross_attention", 8, 3, metadata_groups=groups)


@pytest.mark.parametrize("dropout", [0.1, 0.4])
def test_mutual_attention_drops_in_attention_and_after_it(dropout):
    fusion, _, _ = make_case("mutual_attention", {} if dropout == 0.1 else {"dropout": dropout})
    rates = [m.p for m in fusion.modules() if isinstance(m, nn.Dropout)]
    rates += [m.dropout for m in fusion.modules() if isinstance(m, nn.MultiheadAttention)]
    assert set(rates) == {dropout}


def test_metanet_with_several_hidden_layers():
    fusion, _, _ = make_case("metanet", {"hidden": (9, 4)})
    assert [m.out_features for m in fusion.modules() if isinstance(m, nn.Linear)] == [9, 4, 32]


def test_metanet_of_zero_weights_halves_the_pool():
    fusion, image, metadata = make_case("metanet", {})
    for parameter in fusion.parameters():
        nn.init.zeros_(parameter)
    torch.testing.assert_close(fusion(image, metadata), image.mean(dim=(2, 3)) / 2)


@pytest.mark.parametrize(("heads", "sees_image"), [("split", False), ("mixed", True)])
def test_a_head_of_split_mmfa_sees_one_modality_and_a_mixed_one_both(heads, sees_image):
    fusion, image, metadata = make_case("mmfa", {"heads": heads})
    fusion.eval()
    found = []
    fusion.project.register_forward_pre_hook(lambda _, args: found.append(args[0]))
    fusion(image, metadata)
    fusion(image + 1, metadata)
    first_head = slice(0, 2 * 256 // 8)
    same = torch.allclose(found[0][:, first_head], found[1][:, first_head])
    assert same is not sees_image


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("metablock", {"layout": "flat"}, r"`layout` must be one of \['map', 'pooled'\]"),
        ("metablock", {"layout": "pooled"}, "multiple of 32; got 33"),
        ("mmfa", {"heads": "one"}, "`heads` must be one of"),
        ("mmfa", {"tokens": "vector"}, "`tokens` must be one of"),
        ("mmfa", {"product": "dot"}, r"`product` must be one of \['elementwise', 'outer'\]"),
        (
            "mmfa",
            {"product": "elementwise", "tokens": "modality"},
            "`heads` and `product` are of tokens='features' alone; got .* 'elementwise'",
        ),
        ("mmfa", {"heads": "split", "tokens": "modality"}, "`heads` and `product` are of tokens"),
        ("mmfa", {"nheads": 4}, r"'mmfa' has no option 'nheads', only \['dim', .*mean 'n_heads'"),
        ("concat", {"dim": 4}, r"'concat' has no option 'dim', only \[\]\."),
        ("mmfa", {"dim": 12}, "`dim` must be a multiple of `n_heads`; got 12 and 8"),
        ("mmfa", {"n_heads": 0}, "`dim` must be a multiple of `n_heads`; got 256 and 0"),
        ("mutual_attention", {"dim": 12}, "`dim` must be a multiple of `n_heads`; got 12 and 8"),
        ("self_attention", {"tokens": "words"}, r"`tokens` must be one of \['spatial', 'vector'\]"),
    ],
)
def test_bad_options(name, options, message):
    with pytest.raises(ValueError, match=message):
        make_fusion(name, 33, 5, **options)


def test_mmfa_of_the_least_width():
    fusion = make_fusion("mmfa", 8, 4, dim=1, n_heads=1).eval()
    assert fusion(torch.ones(2, 8), torch.ones(2, 4)).shape == (2, 12)


def test_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match="got 'mfa'; did you mean 'mmfa'"):
        make_fusion("mfa", 8, 4)
    with pytest.raises(ValueError, match=r"`fusion` must be one of \['concat', .*got 'nonsense'"):
        make_fusion("nonsense", 2, 2)


def test_importing_the_package_does_not_import_torch():
    code = "import sys, sklearn_skin.modules.fusion; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


RECIPE = """
from torch import nn
from sklearn_skin.modules.fusion import FusionOperator


class {name}(FusionOperator):
    takes = "{takes}"
    additive = True

    def __init__(self, image_dim, metadata_dim):
        super().__init__()
        self.project = nn.Linear(image_dim, metadata_dim)
        self.out_features = metadata_dim

    def forward(self, image, metadata):
        return self.project(image.flatten(2).mean(2) if image.ndim > 2 else image) + metadata
"""


@pytest.mark.parametrize("takes", ["vector", "map"])
def test_an_operator_of_the_documented_recipe_works_in_a_network(tmp_path, monkeypatch, takes):
    # Step 1, a file of the package, without writing into the checkout.
    (tmp_path / f"_toy_{takes}.py").write_text(RECIPE.format(name="ToyFusion", takes=takes))
    monkeypatch.setattr(fusion_package, "__path__", [*fusion_package.__path__, str(tmp_path)])
    # Step 2, a line of the table.
    line = {"toy": (f"_toy_{takes}", "ToyFusion")}
    monkeypatch.setitem(FUSIONS, "toy", load_operators(line)["toy"])

    net = JointIndividualNet([make_backbone("test_resnet")], 5, [3], fusion="toy").eval()
    image, metadata = torch.rand(2, 3, 32, 32), torch.randn(2, 5)
    vectors = net.encode(net.features([image]), metadata)
    expected = net.fusion.project(vectors["image"]) + vectors["metadata"]
    torch.testing.assert_close(vectors["fusion"], expected)
    torch.testing.assert_close(
        net([image], metadata)["fusion"], net.classifiers["fusion"](expected)
    )
