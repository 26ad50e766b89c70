"""LesionNet: late fusion of two image types."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.signal import correlate
from torch import nn

from sklearn_skin.modules import LesionNet

COLUMNS = [[0, 1, 2], [2, 3, 4]]


def make(seed=0, **options):
    torch.manual_seed(seed)
    options = {"metadata_columns": COLUMNS} | options
    return LesionNet((33, 26), 5, [4, 2], **options)


def make_rows(n=4):
    torch.manual_seed(1)
    return [torch.rand(n, 3, 33, 26) for _ in range(2)], torch.randn(n, 5)


def relu(x):
    return np.maximum(x, 0)


def conv(p, name, x):
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    maps = [correlate(padded, kernel, "valid")[0] for kernel in p[f"{name}.weight"]]
    return np.array(maps) + p[f"{name}.bias"][:, None, None]


def max_pool(x):
    d, h, w = x.shape
    return x[:, : h // 2 * 2, : w // 2 * 2].reshape(d, h // 2, 2, w // 2, 2).max(axis=(2, 4))


def linear(p, name, x):
    return p[f"{name}.weight"] @ x + p[f"{name}.bias"]


def reference_logits(p, images, metadata, columns):
    """The class docstring's formula for one row, in NumPy."""
    logits = []
    for u, (x, own) in enumerate(zip(images, columns)):
        for block in range(2):
            for i in (0, 2):
                x = relu(conv(p, f"convolutions.{u}.{block}.{i}", x))
            x = max_pool(x)
        hidden = metadata[own]
        for i in (0, 2):
            hidden = relu(linear(p, f"perceptrons.{u}.{i}", hidden))
        features = np.concatenate([x.ravel(), p["boosts"][u] * hidden])
        logits.append(linear(p, f"modality_logits.{u}", features))
    dense = relu(linear(p, "classifier.layers.0", np.concatenate(logits)))
    return [linear(p, f"classifier.tasks.{task}", dense) for task in range(2)]


@pytest.mark.parametrize("columns", [COLUMNS, None])
def test_value_is_the_formula(columns):
    net, (images, metadata) = make(metadata_columns=columns).double().eval(), make_rows(2)
    images, metadata = [image.double() for image in images], metadata.double()
    nn.init.uniform_(net.boosts, 0.5, 2.0)
    p = {name: value.detach().numpy() for name, value in net.state_dict().items()}
    found = net(images, metadata)["fusion"]
    for i in range(2):
        row = [image[i].numpy() for image in images]
        own = columns or [list(range(5))] * 2
        expected = reference_logits(p, row, metadata[i].numpy(), own)
        for task in range(2):
            assert_allclose(found[task][i].detach(), expected[task], rtol=1e-9)


def test_default_sizes_are_the_source_s():
    net = make()
    assert [block[0].out_channels for block in net.convolutions[0]] == [10, 10]
    assert net.classifier.layers[0].out_features == 64


@pytest.mark.parametrize(("columns", "changes"), [(COLUMNS, 3), (None, 1)])
def test_columns_of_an_image_type_are_hidden_together(columns, changes):
    # Without columns of their own the types share one group.
    net, (_, metadata) = make(metadata_columns=columns, modality_dropout=0.5), make_rows(400)
    nn.init.constant_(net.missing.metadata_token, -5.0)
    maps = [torch.zeros(400, 10, 8, 6)] * 2
    _, changed = net.train().missing(maps, metadata, None)
    hidden = (changed == -5).int()
    patterns = {tuple(row) for row in hidden.tolist()} - {(0, 0, 0, 0, 0)}
    assert len(patterns) == changes


def test_rows_do_not_see_their_batch_mates_and_gradients_reach_everything():
    net, (images, metadata) = make(), make_rows()
    logits = net(images, metadata)["fusion"]
    assert [t.shape for t in logits] == [(4, 4), (4, 2)]
    for i in range(4):
        alone = net([image[i : i + 1] for image in images], metadata[i : i + 1])["fusion"]
        torch.testing.assert_close(alone[0][0], logits[0][i])
    sum(t.square().sum() for t in logits).backward()
    for key, parameter in net.named_parameters():
        assert parameter.grad.abs().max() > 1e-6, key


def test_boosts_start_at_one_and_zero_ignores_the_metadata():
    net, (images, metadata) = make(), make_rows()
    assert net.boosts.tolist() == [1.0, 1.0]
    with torch.no_grad():
        net.boosts[0] = 0
        before = net(images, metadata)["fusion"][0]
        changed = metadata.clone()
        changed[:, :2] += 1  # columns of the first image type only
        torch.testing.assert_close(net(images, changed)["fusion"][0], before)
        changed[:, 3] += 1
        assert not torch.allclose(net(images, changed)["fusion"][0], before)


def test_layers_of_the_metadata_perceptrons():
    def linear_layers(net):
        return sum(isinstance(m, torch.nn.Linear) for m in net.perceptrons[0].modules())

    assert linear_layers(make()) == 2
    assert linear_layers(make(metadata_hidden=[32] * 10)) == 10
    # The last width is that of the dense layers' input.
    unequal = make(metadata_hidden=[8, 6, 4])
    widths = [m.out_features for m in unequal.perceptrons[0].modules() if hasattr(m, "weight")]
    assert widths == [8, 6, 4]
    assert unequal(*make_rows())["fusion"][0].shape == (4, 4)


def test_without_metadata_and_with_one_image_type():
    torch.manual_seed(0)
    net = LesionNet((16, 16), 0, [3], n_images=1)
    logits = net([torch.rand(2, 3, 16, 16)])["fusion"][0]
    assert not torch.allclose(logits[0], logits[1])  # it sees the image


def test_missing_image_and_modality_dropout():
    net, (images, metadata) = make(allow_missing_images=True, modality_dropout=0.5), make_rows()
    present = torch.tensor([[True, True], [False, True], [True, False], [True, True]])
    net.eval()
    found = net(images, metadata, present)["fusion"][0]
    other = [images[0].clone(), images[1]]
    other[0][1] = 0.5
    torch.testing.assert_close(net(other, metadata, present)["fusion"][0], found)
    assert net.train()(images, metadata, present)["fusion"][0].shape == (4, 4)


@pytest.mark.parametrize("n_blocks", [0, 1, 2])
def test_freezing_early_blocks(n_blocks):
    net = make()
    net.freeze(n_blocks)
    for blocks in net.convolutions:
        frozen = [not any(p.requires_grad for p in block.parameters()) for block in blocks]
        assert frozen == [i < n_blocks for i in range(2)]


def test_errors():
    with pytest.raises(ValueError, match="one list for each of the 2 image types; got 1"):
        make(metadata_columns=[[0]])
    with pytest.raises(ValueError, match="`freeze` must be None, 'backbone', 0, 1 or 2; got 3"):
        make().freeze(3)
    images, metadata = make_rows()
    with pytest.raises(ValueError, match="Expected 2 image columns; got 1"):
        make()(images[:1], metadata)
    with pytest.raises(ValueError, match="Expected 5 metadata features; got none"):
        make()(images)


def test_turned_images_are_refused():
    net, (images, metadata) = make(), make_rows()
    with pytest.raises(ValueError, match=r"made for images of \(33, 26\) pixels; got \(26, 33\)"):
        net([image.mT for image in images], metadata)
