"""Joint and joint-individual fusion networks."""

import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import expit

from sklearn_skin.modules import (
    Backbone,
    DermiResNet,
    JointFusionNet,
    JointIndividualNet,
    make_backbone,
)
from sklearn_skin.modules.fusion import FUSIONS

GROUPS = [[0], [1, 2, 3], [4, 5]]


def make_net(
    kind=JointFusionNet,
    n_images=1,
    n_metadata=6,
    n_classes=(3, 2),
    backbone="test_resnet",
    **options,
):
    torch.manual_seed(0)
    n_backbones = min(1, n_images) if options.get("share_backbone") else n_images
    freeze = options.pop("freeze", None)
    backbones = [make_backbone(backbone, freeze=freeze) for _ in range(n_backbones)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kind(
            backbones,
            n_metadata,
            n_classes,
            n_images=n_images,
            metadata_hidden=(16, 8),
            metadata_groups=GROUPS if n_metadata else None,
            **options,
        )


def make_rows(n=4, n_images=1, n_metadata=6, size=32):
    torch.manual_seed(1)
    images = [torch.rand(n, 3, size, size) for _ in range(n_images)]
    return images, torch.randn(n, n_metadata) if n_metadata else None


@pytest.mark.parametrize("kind", [JointFusionNet, JointIndividualNet])
@pytest.mark.parametrize("backbone", ["test_resnet", "test_convnext", "test_vit3", "dermiresnet"])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_operator_and_gradients_everywhere(kind, backbone, fusion):
    net = make_net(kind, fusion=fusion, backbone=backbone)
    side = 160 if backbone.startswith("test_vit") else 32
    images, metadata = make_rows(size=side)
    logits = net(images, metadata.requires_grad_())
    branches = ("image", "metadata", "fusion") if kind is JointIndividualNet else ("fusion",)
    assert tuple(logits) == net.branches == branches
    assert [t.shape for t in logits["fusion"]] == [(4, 3), (4, 2)]
    # by rows, since BatchNorm takes the mean of a batch away
    sum(t[0].square().sum() for tasks in logits.values() for t in tasks).backward()
    for key, parameter in net.named_parameters():
        assert parameter.grad is not None, key
    assert metadata.grad.abs().max() > 1e-6


@pytest.mark.parametrize("kind", [JointFusionNet, JointIndividualNet])
def test_rows_do_not_see_their_batch_mates(kind):
    net = make_net(kind, n_images=2, fusion="mmfa").eval()
    images, metadata = make_rows(n_images=2)
    together = net(images, metadata)
    for i in range(4):
        alone = net([image[i : i + 1] for image in images], metadata[i : i + 1])
        for branch in net.branches:
            torch.testing.assert_close(
                alone[branch][0][0], together[branch][0][i], rtol=1e-4, atol=1e-5
            )


def find_maps(net, images):
    # A shared backbone is that of every column.
    backbones = list(net.images.backbones) * len(images)
    return [backbone(image) for backbone, image in zip(backbones, images)]


def test_columns_have_their_own_backbone_unless_shared():
    images, metadata = make_rows(n_images=2)
    images[1] = images[0]
    own, shared = make_net(n_images=2).eval(), make_net(n_images=2, share_backbone=True).eval()
    assert not torch.allclose(*find_maps(own, images))
    torch.testing.assert_close(*find_maps(shared, images))
    weights = [sum(p.numel() for p in net.images.parameters()) for net in (own, shared)]
    assert weights[0] == 2 * weights[1]
    assert own(images, metadata)["fusion"][0].shape == shared(images, metadata)["fusion"][0].shape


def test_maps_of_different_sizes_are_joined():
    backbones = [make_backbone("resnet10t"), make_backbone("dermiresnet")]
    net = JointFusionNet(backbones, 6, [3], fusion="metablock").eval()
    images, metadata = make_rows(n_images=2)
    assert net.images.join(find_maps(net, images)).shape == (4, 1024, 1, 1)
    assert net(images, metadata)["fusion"][0].shape == (4, 3)


def test_maps_are_joined_on_the_smallest_height_and_width():
    columns = make_net(n_images=2).images
    tall, wide = torch.rand(1, 3, 4, 2), torch.rand(1, 5, 3, 6)
    joined = columns.join([tall, wide])
    assert joined.shape == (1, 8, 3, 2)
    # Whichever is small already stays as it is.
    torch.testing.assert_close(columns.join([tall, torch.rand(1, 5, 6, 6)])[:, :3], tall)


def test_a_backbone_s_vector_or_its_map_is_fused():
    images, metadata = make_rows()
    for fusion, width in {"concat": 24 + 8, "metablock": 16}.items():
        body = DermiResNet(channels=(4, 8, 8, 16), vector_features=24)
        backbone = Backbone(body, 16, 24, ((0.5,) * 3, (0.5,) * 3), [])
        net = JointFusionNet([backbone], 6, [3], fusion=fusion, metadata_hidden=(8,)).eval()
        assert net.fusion.out_features == width
        assert net(images, metadata)["fusion"][0].shape == (4, 3)


@pytest.mark.parametrize("kind", [JointFusionNet, JointIndividualNet])
def test_columns_of_one_group_are_hidden_together(kind):
    net = make_net(kind, modality_dropout=0.5)
    torch.nn.init.constant_(net.missing.metadata_token, -5.0)
    maps = [torch.zeros(400, net.images.map_features, 2, 2)]
    _, changed = net.train().missing(maps, torch.zeros(400, 6), None)
    hidden = {tuple(row) for row in (changed == -5).int().tolist()}
    assert len(hidden) == 2 ** len(GROUPS)
    assert all(len({row[column] for column in group}) == 1 for row in hidden for group in GROUPS)


@pytest.mark.parametrize("kind", [JointFusionNet, JointIndividualNet])
def test_one_modality_alone(kind):
    images, _ = make_rows()
    _, metadata = make_rows()
    only_images = make_net(kind, n_metadata=0)
    assert list(only_images(images)) == ["image"] == list(only_images.branches)
    only_metadata = make_net(kind, n_images=0)
    assert list(only_metadata([], metadata)) == ["metadata"] == list(only_metadata.branches)
    with pytest.raises(ValueError, match="needs image columns or metadata features"):
        make_net(kind, n_images=0, n_metadata=0)


@pytest.mark.parametrize("fusion", ["concat", "metablock", "cross_attention"])
def test_missing_pixels_do_not_matter_but_missing_does(fusion):
    net = make_net(n_images=2, fusion=fusion, allow_missing_images=True).eval()
    for token in net.missing.image_tokens:
        torch.nn.init.normal_(token)
    images, metadata = make_rows(n_images=2)
    present = torch.tensor([[True, True], [False, True], [True, False], [False, False]])
    found = net(images, metadata, present)["fusion"][0]
    others = [torch.rand_like(image) for image in images]
    swapped = [torch.where(present[:, j, None, None, None], images[j], others[j]) for j in range(2)]
    torch.testing.assert_close(net(swapped, metadata, present)["fusion"][0], found)
    complete = net(images, metadata)["fusion"][0]
    torch.testing.assert_close(complete[0], found[0])
    assert not torch.allclose(complete[1], found[1])


def test_missing_images_are_an_error_unless_allowed():
    images, metadata = make_rows()
    with pytest.raises(ValueError, match="allow_missing_images=True"):
        make_net()(images, metadata, torch.tensor([[True]] * 3 + [[False]]))


@pytest.mark.parametrize("kind", [JointFusionNet, JointIndividualNet])
@pytest.mark.parametrize("fusion", ["gated", "metanet", "self_attention"])
def test_modality_dropout_trains_every_token(kind, fusion):
    net = make_net(kind, n_images=2, fusion=fusion, modality_dropout=0.5).train()
    images, metadata = make_rows(16, n_images=2)
    logits = net(images, metadata)
    sum(t[:5].square().sum() for tasks in logits.values() for t in tasks).backward()
    for parameter in net.missing.parameters():
        assert parameter.grad.abs().max() > 1e-6


def test_raw_operators_read_the_metadata_themselves():
    for fusion in FUSIONS:
        net = make_net(fusion=fusion)
        assert (net.encoder is None) == (FUSIONS[fusion].metadata == "raw")
        assert make_net(JointIndividualNet, fusion=fusion).encoder is not None


@pytest.mark.parametrize("reads", ["auto", "raw", "encoded"])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_the_fused_feature_s_loss_reaches_the_encoder_where_it_is_encoded(fusion, reads):
    net = make_net(JointIndividualNet, fusion=fusion, fusion_metadata=reads)
    net(*make_rows())["fusion"][0][0].square().sum().backward()
    encoded = (FUSIONS[fusion].metadata if reads == "auto" else reads) == "encoded"
    for weight in net.encoder.parameters():
        assert (weight.grad is not None) == encoded
    # Alone, an encoder that nothing reads is not made.
    alone = make_net(fusion=fusion, fusion_metadata=reads)
    assert (alone.encoder is not None) == encoded


def test_an_operator_of_raw_metadata_reads_the_encoded():
    """z = pool(V) * s(W2 relu(W1 f + b1) + b2), f = relu(BN(.)) twice, in NumPy."""
    net = make_net(fusion="metanet", fusion_metadata="encoded").double().eval()
    for module in net.encoder:
        if isinstance(module, torch.nn.BatchNorm1d):
            torch.nn.init.normal_(module.running_mean)
    images, metadata = (part.double() for part in (make_rows()[0][0], make_rows()[1]))
    p = {name: value.numpy() for name, value in net.state_dict().items()}

    def linear(name, x):
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    feature = metadata.numpy()
    for i in (0, 3):
        feature = linear(f"encoder.{i}", feature) - p[f"encoder.{i + 1}.running_mean"]
        feature = feature / np.sqrt(p[f"encoder.{i + 1}.running_var"] + 1e-5)
        feature = np.maximum(feature * p[f"encoder.{i + 1}.weight"] + p[f"encoder.{i + 1}.bias"], 0)
    gate = expit(linear("fusion.weigh.2", np.maximum(linear("fusion.weigh.0", feature), 0)))
    maps = find_maps(net, [images])
    found = net.encode(net.features([images]), metadata)["fusion"].detach()
    assert_allclose(found, maps[0].detach().numpy().mean(axis=(2, 3)) * gate, atol=1e-10)


@pytest.mark.parametrize("fusion", ["self_attention", "cross_attention", "mutual_attention"])
def test_encoded_metadata_are_a_token_per_element(fusion):
    net = make_net(JointIndividualNet, fusion=fusion, fusion_metadata="encoded").eval()
    assert net.fusion.tokenise.n_tokens == net.encoder.out_features == 8
    images, metadata = make_rows()
    expected = net.fusion(find_maps(net, images)[0], net.encoder(metadata))
    torch.testing.assert_close(net.encode(net.features(images), metadata)["fusion"], expected)


def test_an_operator_of_encoded_metadata_reads_the_raw():
    net = make_net(fusion="concat", fusion_metadata="raw").eval()
    images, metadata = make_rows()
    fused = net.encode(net.features(images), metadata)["fusion"]
    torch.testing.assert_close(fused[:, -6:], metadata)
    with pytest.raises(ValueError, match=r"`fusion_metadata` must be one of .*; got 'vector'"):
        make_net(fusion_metadata="vector")


def test_groups_become_tokens():
    net = make_net(fusion="cross_attention")
    assert net.fusion.tokenise.n_tokens == len(GROUPS)
    options = {"metadata_groups": [[0, 1, 2, 3, 4, 5]]}
    assert make_net(fusion="cross_attention", fusion_options=options).fusion.tokenise.n_tokens == 1


def test_literal_attention_gets_vectors():
    net = make_net(fusion="cross_attention", fusion_options={"tokens": "vector"}).eval()
    images, metadata = make_rows()
    other = [torch.rand_like(images[0])]
    torch.testing.assert_close(
        net(images, metadata)["fusion"][0], net(other, metadata)["fusion"][0]
    )


def test_dense_layers_and_dropout_of_the_frozen_baseline():
    net = make_net(classifier_hidden=(16, 8), dropout=0.5, image_dropout=0.5).eval()
    images, metadata = make_rows()
    expected = net(images, metadata)["fusion"][0]
    torch.testing.assert_close(net(images, metadata)["fusion"][0], expected)
    for part in (net.image_dropout, net.classifiers):
        part.train()
        assert not torch.allclose(net(images, metadata)["fusion"][0], expected)
        part.eval()
    dense = [m for m in net.classifiers["fusion"].layers if isinstance(m, torch.nn.Linear)]
    assert [layer.out_features for layer in dense] == [16, 8]


def test_wrong_inputs_are_named():
    net = make_net(n_images=2)
    images, metadata = make_rows(n_images=2)
    with pytest.raises(ValueError, match="Expected 2 image columns; got 1"):
        net(images[:1], metadata)
    with pytest.raises(ValueError, match="Expected 6 metadata features; got none"):
        net(images)
    with pytest.raises(ValueError, match="2 image columns need 1 backbones with share_backbone"):
        JointFusionNet([make_backbone("resnet10t")] * 2, 6, [3], share_backbone=True)


def test_individual_classifiers_see_one_modality():
    net = make_net(JointIndividualNet).eval()
    images, metadata = make_rows()
    found = net(images, metadata)
    other_metadata, other_image = net(images, metadata + 1), net([images[0] / 2], metadata)
    torch.testing.assert_close(found["image"], other_metadata["image"])
    torch.testing.assert_close(found["metadata"], other_image["metadata"])
    assert not torch.allclose(found["fusion"][0], other_metadata["fusion"][0])
    assert not torch.allclose(found["fusion"][0], other_image["fusion"][0])
