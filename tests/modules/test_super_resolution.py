"""Super-resolution as a second task, and its decoder."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.ndimage import zoom
from torch.nn.functional import mse_loss

from sklearn_skin.modules import SuperResolutionNet, make_backbone
from sklearn_skin.modules._decoder import Decoder


def make(seed=0, n_metadata=5, **options):
    torch.manual_seed(seed)
    return SuperResolutionNet(make_backbone("test_resnet"), n_metadata, [3], **options)


def make_rows(n=3, size=(32, 32)):
    torch.manual_seed(1)
    return [torch.rand(n, 3, *size)], torch.randn(n, 5)


@pytest.mark.parametrize("size", [(32, 32), (64, 32), (45, 50)])
def test_reconstruction_is_twice_the_input(size):
    net, (images, metadata) = make(), make_rows(size=size)
    out = net(images, metadata)
    expected = (3, 3, 2 * size[0], 2 * size[1])
    assert out["reconstruction"].shape == out["target"].shape == expected
    assert out["fusion"][0].shape == (3, 3)


def test_the_second_task_trains_the_backbone():
    net, (images, metadata) = make(), make_rows()
    out = net(images, metadata)
    mse_loss(out["reconstruction"], out["target"]).backward()
    assert all(p.grad.abs().max() > 1e-6 for p in net.decoder.parameters())
    assert net.backbone.body.network.conv1[0].weight.grad.abs().max() > 1e-6
    assert net.classifier.tasks[0].weight.grad is None


@pytest.mark.parametrize("backbone", ["test_resnet", "test_convnext", "dermiresnet"])
def test_every_weight_is_trained(backbone):
    images, metadata = make_rows()
    net = SuperResolutionNet(make_backbone(backbone), 5, [3])
    out = net(images, metadata)
    (out["reconstruction"].mean() + out["fusion"][0][0].sum()).backward()
    assert [name for name, weight in net.named_parameters() if weight.grad is None] == []


def test_feature_is_the_product():
    net, (images, metadata) = make(), make_rows()
    net.eval()
    found = []
    net.classifier.register_forward_pre_hook(lambda _, args: found.append(args[0]))
    net(images, metadata)
    image = net.project(net.features(images)[0]).mean(dim=(2, 3))
    torch.testing.assert_close(found[0], image * net.encoder(metadata))


def test_metadata_perceptron_has_four_layers_and_a_linear_end():
    layers = list(make().encoder)
    widths = [m.out_features for m in layers if isinstance(m, torch.nn.Linear)]
    assert widths == [64, 128, 256, 512]
    assert isinstance(layers[-1], torch.nn.Linear)
    assert sum(isinstance(m, torch.nn.ReLU) for m in layers) == 3
    assert len(layers) == 7, "nothing beside linear layers and their ReLU"


def test_the_classifier_has_two_layers_and_no_dropout_unless_asked():
    classifier = make().classifier
    widths = [m.out_features for m in classifier.modules() if isinstance(m, torch.nn.Linear)]
    assert widths == [256, 3]
    rates = {m.p for m in classifier.modules() if isinstance(m, torch.nn.Dropout)}
    assert rates <= {0.0}
    asked = make(dropout=0.4, classifier_hidden=(8, 4)).classifier
    assert {m.p for m in asked.modules() if isinstance(m, torch.nn.Dropout)} == {0.4}
    widths = [m.out_features for m in asked.modules() if isinstance(m, torch.nn.Linear)]
    assert widths == [8, 4, 3]


def test_pixels_are_enlarged_about_their_centres():
    edge = torch.tensor([0.0, 1.0]).expand(1, 3, 2, 2)
    row = make(upsampling="bilinear").enlarge(edge)[0, 0, 0]
    torch.testing.assert_close(row, torch.tensor([0.0, 0.25, 0.75, 1.0]))


@pytest.mark.parametrize("upsampling", ["bilinear", "bicubic"])
def test_target_is_the_input_enlarged(upsampling):
    net = make(upsampling=upsampling)
    constant = torch.full((1, 3, 8, 8), 0.25)
    torch.testing.assert_close(net.enlarge(constant), torch.full((1, 3, 16, 16), 0.25))
    edge = torch.zeros(1, 3, 8, 8)
    edge[..., 4:] = 1
    enlarged = net.enlarge(edge)
    assert enlarged.min() >= 0 and enlarged.max() <= 1
    torch.testing.assert_close(enlarged[..., [0, -1]], edge[..., [0, -1]].repeat(1, 1, 2, 1))
    assert not make(upsampling="bilinear").enlarge(edge).requires_grad


class Teacher(torch.nn.Module):
    """A network that enlarges, and is another one in training."""

    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 12, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(12)
        self.dropout = torch.nn.Dropout(0.5)

    def forward(self, images):
        maps = self.dropout(self.norm(self.convolution(images))).sigmoid()
        return torch.nn.functional.pixel_shuffle(maps, 2)


def test_a_network_makes_the_target_and_is_not_trained():
    teacher, (images, metadata) = Teacher(), make_rows()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    expected = copy.deepcopy(teacher).eval()(images[0])
    net = make(upsampling=teacher)
    plain = make()
    assert [*net.state_dict()] == [*plain.state_dict()]
    for module in (net, pickle.loads(pickle.dumps(net))):
        out = module.train()(images, metadata)
        torch.testing.assert_close(out["target"], expected.detach())
        assert not out["target"].requires_grad
        mse_loss(out["reconstruction"], out["target"]).backward()
    assert all(module.training for module in teacher.modules())
    assert all(weight.grad is None for weight in teacher.parameters())
    torch.testing.assert_close(dict(teacher.state_dict()), before)
    torch.testing.assert_close(net.upsampling.upsample.norm.running_mean, torch.zeros(12))


def test_any_callable_makes_the_target_within_the_range_of_pixels():
    (images, metadata) = make_rows()
    net = make(upsampling=lambda x: 3 * x.repeat_interleave(2, 2).repeat_interleave(2, 3) - 1)
    target = net(images, metadata)["target"]
    torch.testing.assert_close(target[..., ::2, 1::2], (3 * images[0] - 1).clamp(0, 1))
    with pytest.raises(ValueError, match=r"\(3, 3, 32, 32\) into \(3, 3, 64, 64\); got \(3, 3, 32"):
        make(upsampling=torch.nn.Identity())(images, metadata)


def test_given_targets_are_averaged_to_the_input():
    (images, metadata), net = make_rows(size=(64, 48)), make(upsampling=None)
    seen = []
    net.backbone.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    out = net.train()(images, metadata)
    torch.testing.assert_close(out["target"], images[0])
    assert out["reconstruction"].shape == (3, 3, 64, 48)
    blocks = images[0].unflatten(3, (-1, 2)).unflatten(2, (-1, 2))
    torch.testing.assert_close(seen[0], blocks.mean(dim=(3, 5)))
    # Outside of training images come as they are.
    net.eval()(images, metadata)
    torch.testing.assert_close(seen[1], images[0])


def test_reconstruction_and_target_in_training_only():
    net, (images, metadata) = make(), make_rows()
    assert set(net.train()(images, metadata)) == {"fusion", "reconstruction", "target"}
    assert set(net.eval()(images, metadata)) == {"fusion"}


def test_reconstruct_draws_what_training_compares_with_the_target():
    net, (images, metadata) = make(), make_rows()
    torch.testing.assert_close(net.reconstruct(images), net(images, metadata)["reconstruction"])


def test_missing_images_add_no_error():
    net, (images, metadata) = make(allow_missing_images=True), make_rows()
    present = torch.tensor([[True], [False], [True]])
    out = net(images, metadata, present)
    error = (out["reconstruction"] - out["target"]).abs().amax(dim=(1, 2, 3))
    assert (error > 1e-6).tolist() == [True, False, True]


def keep_statistics(net):
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.eval()


@pytest.mark.parametrize("training", [False, True])
def test_a_missing_image_s_pixels_do_not_count(training):
    net, (images, metadata) = make(allow_missing_images=True), make_rows()
    net.train(training)
    keep_statistics(net)  # batch-mates would tell of the pixels in training
    present = torch.tensor([[True], [False], [True]])
    others = [images[0] + torch.tensor([0.0, 0.5, 0.0])[:, None, None, None]]
    one, two = (net(pixels, metadata, present)["fusion"][0] for pixels in (images, others))
    torch.testing.assert_close(one, two)
    seen = net(others, metadata)["fusion"][0]
    assert not torch.allclose(seen[1], two[1])


def test_modality_dropout_hides_images_in_training():
    net, (images, metadata) = make(allow_missing_images=True, modality_dropout=0.9), make_rows(40)
    metadata = torch.zeros(40, 5)  # as its stand-in at first
    same = [images[0][:1].expand(40, -1, -1, -1)]
    keep_statistics(net.train())
    rows = net(same, metadata)["fusion"][0]
    assert len(torch.unique((rows * 1e4).round(), dim=0)) == 2


def test_rows_do_not_see_their_batch_mates():
    net, (images, metadata) = make(), make_rows()
    net.eval()
    one = [images[0][1:2]]
    together, alone = net(images, metadata), net(one, metadata[1:2])
    torch.testing.assert_close(alone["fusion"][0][0], together["fusion"][0][1])
    torch.testing.assert_close(
        net.reconstruct(one)[0], net.reconstruct(images)[1], rtol=1e-4, atol=1e-5
    )


def test_without_metadata_and_without_decoder():
    net, (images, _) = make(n_metadata=0), make_rows()
    net.eval()
    maps = net.features(images)
    torch.testing.assert_close(net.forward_features(maps, None)["fusion"], net(images)["fusion"])


@pytest.mark.parametrize(("side", "goal", "doublings"), [(7, 448, 6), (14, 448, 5), (2, 64, 5)])
def test_decoder_doubles_as_often_as_needed(side, goal, doublings):
    decoder = Decoder(4, (2, 2, 2, 2, 2))
    sizes = []
    for convolution in decoder.convolutions:
        convolution.register_forward_hook(lambda _, __, out: sizes.append(out.shape[-1]))
    with torch.no_grad():
        assert decoder(torch.zeros(1, 4, side, side), (goal, goal)).shape == (1, 3, goal, goal)
    assert sizes == [side << max(0, i + 1 - (6 - doublings)) for i in range(6)]


@pytest.mark.parametrize(
    ("side", "goal", "doublings"),
    [((2, 2), (64, 64), 5), ((8, 8), (8, 8), 0), ((3, 2), (45, 50), 3), ((3, 2), (24, 50), 3)],
)
def test_decoder_is_convolutions_with_relu_between(side, goal, doublings):
    torch.manual_seed(0)
    decoder = Decoder(4, (5, 4, 3, 4, 5)).double()
    maps = torch.randn(2, 4, *side, dtype=torch.float64)
    expected = maps.numpy()
    for i, convolution in enumerate(decoder.convolutions):
        if i >= 6 - doublings:
            expected = expected.repeat(2, axis=2).repeat(2, axis=3)
        padded = np.pad(expected, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        weight, bias = (p.detach().numpy() for p in convolution.parameters())
        expected = np.einsum("nchwij,ocij->nohw", windows, weight) + bias[:, None, None]
        expected = np.maximum(expected, 0) if i < 5 else expected
    if expected.shape[2:] != goal:
        # Between pixel centres, constant beyond the outermost.
        scale = 1, 1, goal[0] / expected.shape[2], goal[1] / expected.shape[3]
        expected = zoom(expected, scale, order=1, mode="nearest", grid_mode=True)
    assert_allclose(decoder(maps, goal).detach(), expected, rtol=1e-9, atol=1e-12)


def test_columns_of_one_group_are_hidden_together():
    net = make(metadata_groups=[[0, 1], [2, 3, 4]], modality_dropout=0.5)
    torch.nn.init.constant_(net.missing.metadata_token, -5.0)
    _, changed = net.train().missing(
        [torch.zeros(400, net.backbone.out_features, 2, 2)], torch.zeros(400, 5), None
    )
    hidden = (changed == -5).int().tolist()
    assert {tuple(row) for row in hidden} == {
        (0, 0, 0, 0, 0),
        (1, 1, 0, 0, 0),
        (0, 0, 1, 1, 1),
        (1, 1, 1, 1, 1),
    }


def test_errors():
    with pytest.raises(ValueError, match=r"`upsampling` must be one of \['bicubic', 'bilinear'\]"):
        make(upsampling="nearest")
    images, metadata = make_rows()
    with pytest.raises(ValueError, match="Expected 1 image column; got 2"):
        make()(images * 2, metadata)
    with pytest.raises(ValueError, match="Expected 5 metadata features; got none"):
        make()(images)
