"""LesionNet: late fusion of two image types."""

import pytest
import torch

from sklearn_skin.modules import LesionNet

COLUMNS = [[0, 1, 2], [2, 3, 4]]


def make(seed=0, **options):
    torch.manual_seed(seed)
    options = {"metadata_columns": COLUMNS} | options
    return LesionNet((33, 26), 5, [4, 2], **options)


def make_rows(n=4):
    torch.manual_seed(1)
    return [torch.rand(n, 3, 33, 26) for _ in range(2)], torch.randn(n, 5)


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
