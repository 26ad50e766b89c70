"""What every whole network declares."""

import pytest
import torch
from torch.testing import assert_close

from sklearn_skin.modules import (
    AsymmetricFusionNet,
    FusionNet,
    JointFusionNet,
    JointIndividualNet,
    LesionNet,
    LesionNetwork,
    MetadataNet,
    SharedFusionNet,
    SingleImageNet,
    StagedEncoder,
    SuperResolutionNet,
    make_backbone,
)

N_CLASSES, SIZE = [3, 2], 32


def backbone():
    return make_backbone("test_resnet")


def encoder(name="test_resnet"):
    return StagedEncoder(name)


# Network and how many images it takes; all take 5 metadata features, even if to ignore them.
NETWORKS = {
    "joint": (lambda: JointFusionNet([backbone()], 5, N_CLASSES), 1),
    "joint-individual": (lambda: JointIndividualNet([backbone()] * 2, 5, N_CLASSES), 2),
    "joint, metadata": (lambda: JointFusionNet([], 5, N_CLASSES), 0),
    "lesionnet": (lambda: LesionNet((SIZE, SIZE), 5, N_CLASSES), 2),
    "asymmetric": (lambda: AsymmetricFusionNet(encoder(), encoder(), N_CLASSES), 2),
    "shared": (lambda: SharedFusionNet([encoder("test_convnext")], N_CLASSES), 2),
    "fusionnet": (lambda: FusionNet(encoder(), encoder(), N_CLASSES), 2),
    "single image": (lambda: SingleImageNet(encoder(), N_CLASSES), 1),
    "super-resolution": (lambda: SuperResolutionNet(backbone(), 5, N_CLASSES), 1),
    "metadata": (lambda: MetadataNet(5, N_CLASSES), 0),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


def make_case(name, rows=4):
    torch.manual_seed(0)
    make, n_images = NETWORKS[name]
    images = [torch.rand(rows, 3, SIZE, SIZE) for _ in range(n_images)]
    return make(), images, torch.randn(rows, 5)


def is_training(part):
    return any(parameter.requires_grad for parameter in part.parameters())


@every_network
def test_forward_gives_the_declared_branches_and_a_tensor_per_task(name):
    net, images, metadata = make_case(name)
    assert isinstance(net, LesionNetwork)
    logits = net.eval()(images, metadata, None)
    assert tuple(logits) == net.branches
    assert all([task.shape for task in tasks] == [(4, 3), (4, 2)] for tasks in logits.values())


@every_network
def test_features_can_be_computed_apart(name):
    net, images, metadata = make_case(name)
    features = net.eval().features(images)
    assert_close(net.forward_features(features, metadata), net(images, metadata))


@every_network
def test_frozen_networks_give_the_same_features_in_training(name):
    net, images, metadata = make_case(name)
    assert not net.frozen or not images
    net.freeze("backbone")
    if not net.frozen:
        return
    before = [feature.clone() for feature in net.train().features(images)]
    net(images, metadata)
    assert_close(net.features(images), before)


@pytest.mark.parametrize("name", [name for name, (_, n_images) in NETWORKS.items() if n_images])
def test_freeze_reaches_what_sees_the_images_and_nothing_else(name):
    net, images, _ = make_case(name)
    seen = net.convolutions if name == "lesionnet" else [net.get_submodule(p) for p in paths(net)]
    others = {id(p) for p in net.parameters()} - {id(p) for part in seen for p in part.parameters()}
    net.freeze("backbone")
    assert not any(map(is_training, seen))
    assert all(p.requires_grad for p in net.parameters() if id(p) in others)
    net.freeze(1)
    assert all(map(is_training, seen))
    assert not all(p.requires_grad for part in seen for p in part.parameters())
    net.freeze(None)
    assert all(p.requires_grad for p in net.parameters())


def paths(net):
    return [path for path, part in net.named_modules() if path.endswith(".body") or path == "body"]


@every_network
def test_lacking_metadata_are_named(name):
    net, images, metadata = make_case(name)
    reads = not torch.allclose(*(flat(net.eval()(images, m)) for m in (metadata, metadata + 1)))
    if reads:
        with pytest.raises(ValueError, match="Expected 5 metadata features; got none"):
            net(images)
    else:
        assert_close(flat(net(images)), flat(net(images, metadata)))


def flat(logits):
    return torch.cat([task for tasks in logits.values() for task in tasks], dim=1)


def test_a_network_must_say_how_it_classifies():
    class Silent(LesionNetwork):
        branches = ("image",)

    with pytest.raises(TypeError, match="forward_features"):
        Silent()
