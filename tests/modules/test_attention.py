import numpy as np
import pytest
import torch
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_skin.modules import AsymmetricFusionNet, StagedEncoder
from sklearn_skin.modules._attend import attend
from sklearn_skin.modules._attention import (
    ATTENTIONS,
    AsymmetricAttention,
    BidirectionalAttention,
    SharedAttention,
)


class LargestTensor(TorchDispatchMode):
    """Record how many elements the largest tensor of any operation has."""

    def __init__(self):
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        for part in output if isinstance(output, (tuple, list)) else (output,):
            if isinstance(part, torch.Tensor):
                self.numel = max(self.numel, part.numel())
        return output


def make_case(name="bab", widths=(16, 16), size=(5, 4), rows=3, **options):
    torch.manual_seed(0)
    block = ATTENTIONS[name](*widths, **options)
    return block, *(torch.randn(rows, width, *size) for width in widths)


def project(conv, map_):
    weight, bias = (p.detach().double().numpy() for p in (conv.weight, conv.bias))
    tokens = map_.detach().double().numpy().reshape(*map_.shape[:2], -1)
    return np.einsum("oc,ncj->noj", weight[:, :, 0, 0], tokens) + bias[:, None]


def reference_update(query, key, value, weights_from, value_from, scale):
    """The formula, in float64, with the N x N map written out."""
    q, k = project(query, weights_from), project(key, weights_from)
    v = project(value, value_from)
    scores = scale * np.einsum("ndi,ndj->nij", q, k)
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights /= weights.sum(axis=2, keepdims=True)
    return np.einsum("ncj,nij->nci", v, weights).reshape(value_from.shape)


def as_double(map_):
    return map_.detach().double().numpy()


@pytest.mark.parametrize(("scaled", "scale"), [(False, 1.0), (True, 3**-0.5)])
@pytest.mark.parametrize("widths", [(24, 24), (24, 8), (24, 2)])
def test_aab_equals_its_formula(widths, scaled, scale):
    block, clinical, dermoscopy = make_case("aab", widths, scaled=scaled)
    weights = block.clinical
    update = reference_update(weights.query, weights.key, block.value, clinical, dermoscopy, scale)
    got = as_double(block(clinical, dermoscopy)[1])
    np.testing.assert_allclose(got, as_double(dermoscopy) + update, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("widths", [(4, 4), (4, 9), (9, 4)])
def test_scores_are_divided_by_the_root_of_the_width_of_queries(widths):
    torch.manual_seed(0)
    own, length = widths
    q, k, v = torch.randn(2, 5, own), torch.randn(2, 6, own), torch.randn(2, 6, length)
    scores = np.einsum("ntd,nud->ntu", as_double(q), as_double(k)) / np.sqrt(own)
    weights = np.exp(scores)
    weights /= weights.sum(axis=2, keepdims=True)
    expected = np.einsum("ntu,nue->nte", weights, as_double(v))
    np.testing.assert_allclose(as_double(attend(q, k, v)), expected, rtol=1e-4, atol=1e-5)


def parts_of(block):
    """Return the projections of both modalities: queries and keys, then values."""
    if isinstance(block, SharedAttention):
        return (block.weights,) * 2, (block.value,) * 2
    return (block.clinical, block.dermoscopy), (block.clinical_value, block.dermoscopy_value)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("own_maps", [False, True])
@pytest.mark.parametrize(("name", "widths"), [("cross", (16, 24)), ("shared", (16, 16))])
def test_cross_attention_equals_its_formula(name, widths, own_maps, scaled):
    block, *maps = make_case(name, widths, own_maps=own_maps, scaled=scaled)
    weights, values = parts_of(block)
    for k, got in enumerate(block(*maps)):
        source = k if own_maps else 1 - k
        query, key = weights[source].query, weights[source].key
        # An eighth of the channels are compared.
        scale = (widths[source] // 8) ** -0.5 if scaled else 1
        update = reference_update(query, key, values[k], maps[source], maps[k], scale)
        np.testing.assert_allclose(
            as_double(got), as_double(maps[k]) + update, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("name", ["cross", "shared"])
def test_own_maps_keep_the_images_apart(name):
    block, clinical, dermoscopy = make_case(name, own_maps=True)
    before = block(clinical, dermoscopy)
    after = block(clinical, torch.randn_like(dermoscopy))
    assert_close(after[0], before[0])
    # So a missing partner changes nothing, and the map is refined as ever.
    present = torch.tensor([[True, True], [False, True], [True, False]])
    assert_close(block(clinical, dermoscopy, present), before)


def test_shared_attention_is_bab_with_equal_weights():
    shared, clinical, dermoscopy = make_case("shared")
    bab = BidirectionalAttention(16, 16)
    for part in (bab.clinical, bab.dermoscopy):
        part.load_state_dict(shared.weights.state_dict())
    for part in (bab.clinical_value, bab.dermoscopy_value):
        part.load_state_dict(shared.value.state_dict())
    assert_close(shared(clinical, dermoscopy), bab(clinical, dermoscopy))


def test_aab_leaves_the_clinical_map_untouched():
    block, clinical, dermoscopy = make_case("aab")
    before = clinical.clone()
    assert_close(block(clinical, dermoscopy)[0], before)


def test_bab_with_swapped_inputs_and_roles_gives_swapped_outputs():
    block, clinical, dermoscopy = make_case("bab", (16, 24))
    swapped = BidirectionalAttention(24, 16)
    swapped.clinical.load_state_dict(block.dermoscopy.state_dict())
    swapped.dermoscopy.load_state_dict(block.clinical.state_dict())
    swapped.clinical_value.load_state_dict(block.dermoscopy_value.state_dict())
    swapped.dermoscopy_value.load_state_dict(block.clinical_value.state_dict())
    left, right = block(clinical, dermoscopy)
    assert_close(swapped(dermoscopy, clinical), (right, left))


def test_shared_attention_does_not_know_which_image_is_which():
    block, clinical, dermoscopy = make_case("shared")
    left, right = block(clinical, dermoscopy)
    assert_close(block(dermoscopy, clinical), (right, left))


@pytest.mark.parametrize("width", [16, 96, 768])
def test_shared_attention_has_half_the_weights(width):
    def count(block):
        return sum(parameter.numel() for parameter in block.parameters())

    with torch.device("meta"):
        shared, bab = SharedAttention(width, width), BidirectionalAttention(width, width)
        asymmetric = AsymmetricAttention(width, width)
    assert 2 * count(shared) == count(bab)
    assert count(asymmetric) == count(shared)


@pytest.mark.parametrize("name", sorted(ATTENTIONS))
def test_rows_do_not_see_their_batch_mates(name):
    block, clinical, dermoscopy = make_case(name)
    together = block(clinical, dermoscopy)
    alone = [block(clinical[i : i + 1], dermoscopy[i : i + 1]) for i in range(3)]
    assert_close(together, tuple(torch.cat(parts) for parts in zip(*alone)))


@pytest.mark.parametrize("name", sorted(ATTENTIONS))
def test_shuffled_positions_give_shuffled_maps(name):
    block, clinical, dermoscopy = make_case(name)
    order = torch.randperm(20)

    def shuffle(map_):
        return map_.flatten(2)[:, :, order].unflatten(2, (5, 4))

    expected = tuple(shuffle(part) for part in block(clinical, dermoscopy))
    assert_close(block(shuffle(clinical), shuffle(dermoscopy)), expected)


@pytest.mark.parametrize("name", sorted(ATTENTIONS))
def test_a_missing_partner_changes_nothing(name):
    block, clinical, dermoscopy = make_case(name)
    present = torch.tensor([[True, True], [False, True], [True, False]])
    full = block(clinical, dermoscopy)
    got = block(clinical, dermoscopy, present)
    assert_close(got[1][1], dermoscopy[1])
    assert_close(got[0][2], clinical[2])
    assert_close([part[0] for part in got], [part[0] for part in full])


@pytest.mark.parametrize("name", sorted(ATTENTIONS))
def test_gradients_reach_every_weight(name):
    block, clinical, dermoscopy = make_case(name)
    sum(part.square().sum() for part in block(clinical, dermoscopy)).backward()
    gradients = {key: p.grad.abs().max() for key, p in block.named_parameters()}
    # The same number added to all scores of a position does not change their softmax.
    idle = {key for key in gradients if key.endswith("key.bias")}
    assert idle == {key for key, largest in gradients.items() if largest < 1e-4}


def test_gradients_are_those_of_the_formula():
    torch.manual_seed(0)
    sizes = (4, 2), (3, 2), (3, 5)  # queries, keys and values: tokens and their length
    tokens = [torch.randn(1, *size, dtype=torch.float64, requires_grad=True) for size in sizes]
    assert torch.autograd.gradcheck(attend, tokens)


@pytest.mark.parametrize("name", ["aab", "bab"])
def test_maps_of_different_size_keep_their_size(name):
    block = ATTENTIONS[name](16, 24)
    left, right = block(torch.randn(2, 16, 4, 4), torch.randn(2, 24, 3, 3))
    assert left.shape == (2, 16, 4, 4)
    assert right.shape == (2, 24, 3, 3)


def test_weights_move_to_another_size_between_the_centres_of_pixels():
    # Of 1 x 2 positions to 1 x 4: constant beyond the outer centres.
    block = AsymmetricAttention(4, 4)
    projections = block.clinical
    seen = []
    projections.register_forward_pre_hook(lambda _, args: seen.append(args))
    block(torch.randn(1, 4, 1, 2), torch.randn(1, 4, 1, 4))
    (source, value) = seen[0]
    between = torch.tensor([[1, 0.75, 0.25, 0], [0, 0.25, 0.75, 1]])
    query = projections.query(source)[:, :, 0] @ between
    key = projections.key(source)[:, :, 0] @ between
    weights = (query.mT @ key).softmax(dim=2)
    expected = torch.einsum("ncj,nij->nci", value[:, :, 0], weights)
    assert_close(projections(source, value)[:, :, 0], expected)


def test_narrow_maps_have_one_query_channel():
    block = AsymmetricAttention(4, 4)
    assert block.clinical.query.out_channels == block.clinical.key.out_channels == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["aab", "bab", "shared"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_no_tensor_of_all_pairs_of_positions(name, dtype, layout):
    n_positions = 28 * 28
    block, *maps = make_case(name, (16, 16), (28, 28), rows=1)
    maps = [part.to(dtype=dtype, memory_format=layout) for part in maps]
    block.to(dtype)
    with LargestTensor() as largest:
        sum(part.sum() for part in block(*maps)).backward()
    assert 0 < largest.numel <= 16 * n_positions


def test_no_tensor_of_all_pairs_of_positions_in_a_whole_network():
    torch.manual_seed(0)
    encoders = [StagedEncoder("test_resnet") for _ in range(2)]
    net = AsymmetricFusionNet(*encoders, [3], attention="bab")
    with LargestTensor() as largest:
        logits = net([torch.rand(2, 3, 128, 128)] * 2)
        sum(tasks[0].sum() for tasks in logits.values()).backward()
    assert 0 < largest.numel < (32 * 32) ** 2  # the first stage's map has 32 x 32 positions


def test_shared_attention_rejects_maps_of_different_width():
    with pytest.raises(ValueError, match="equal width; got 16 and 24 channels"):
        SharedAttention(16, 24)
