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
# Without images, or with targets that are made of them.
NEVER_KEPT = {"joint, metadata", "metadata", "super-resolution"}
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
@pytest.mark.parametrize("freeze", [None, 1, 2, "backbone"])
def test_features_can_be_computed_apart_however_much_is_frozen(name, freeze):
    net, images, metadata = make_case(name)
    expected = net.eval()(images, metadata)
    net.freeze(freeze)
    features = net.features(images)
    assert_close(net.forward_features(features, metadata), expected)
    # What is trained does not come before what is kept.
    assert not net.feature_sources or not any(feature.requires_grad for feature in features)


@every_network
@pytest.mark.parametrize("freeze", [1, 2, "backbone"])
def test_frozen_features_are_the_same_whatever_is_trained(name, freeze):
    net, images, metadata = make_case(name)
    assert not net.feature_sources
    net.freeze(freeze)
    # A stem alone is not worth it.
    if name in NEVER_KEPT or freeze == 1:
        assert not net.feature_sources
        return
    assert len(net.feature_sources) == len(images)
    before = [feature.clone() for feature in net.train().features(images)]
    train_one_step(net, images, metadata)
    after = net.features(images)
    assert all(torch.equal(a, b) for a, b in zip(after, before))
    assert all(kept.shape != image.shape for image, kept in zip(images, after))


def train_one_step(net, images, metadata):
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    flat(net(images, metadata)).square().sum().backward()
    optimizer.step()


def test_attention_between_stages_is_trained_and_nothing_after_it_is_kept():
    net, images, _ = make_case("asymmetric")
    net.freeze("backbone")
    assert [what for _, what in net.feature_sources] == ["2 parts", "2 parts"]
    net, images, _ = make_case("fusionnet")
    net.freeze("backbone")
    assert [feature.shape for feature in net.features(images)] == [(4, 96)] * 2


@pytest.mark.parametrize(("fusion", "what"), [("concat", "vector"), ("metablock", "map")])
def test_vectors_are_kept_where_nothing_reads_maps(fusion, what):
    for network in (JointFusionNet, JointIndividualNet):
        net = network([make_backbone("test_resnet", freeze="backbone")], 5, [3], fusion=fusion)
        (feature,) = net.eval().features([torch.rand(4, 3, SIZE, SIZE)])
        assert net.feature_sources == [(net.images.backbones[0], what)]
        assert feature.ndim == (2 if what == "vector" else 4)


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
