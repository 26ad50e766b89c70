import copy

import pytest
import torch
from safetensors.torch import save_file
from torch.testing import assert_close

from sklearn_skin.modules import (
    AsymmetricFusionNet,
    FusionNet,
    SharedFusionNet,
    SingleImageNet,
    StagedEncoder,
)
from sklearn_skin.modules._attention import (
    AsymmetricAttention,
    BidirectionalAttention,
    SharedAttention,
)
from sklearn_skin.modules._timm import import_timm

N_CLASSES = [3, 2]
SIZE = 64


def encoder(name="test_resnet", **options):
    return StagedEncoder(name, image_size=SIZE, **options)


def asymmetric(attention="aab", **options):
    encoders = encoder("test_efficientnet"), encoder("test_resnet")
    return AsymmetricFusionNet(*encoders, N_CLASSES, attention=attention, **options)


def shared(**options):
    return SharedFusionNet([encoder("test_convnext")], N_CLASSES, **options)


NETS = {
    "fusionnet": lambda **options: FusionNet(encoder(), encoder(), N_CLASSES, **options),
    "aab": asymmetric,
    "aab, concat": lambda **options: asymmetric(fusion="concat", **options),
    "bab": lambda **options: asymmetric("bab", **options),
    "concatenation": lambda **options: asymmetric("none", **options),
    "shared": shared,
    "cross": lambda **options: shared(attention="cross", **options),
    "own maps": lambda **options: shared(attention_maps="own", **options),
    "shared heads": lambda **options: shared(share_heads=True, **options),
    "two encoders": lambda **options: SharedFusionNet(
        [encoder("test_convnext"), encoder("test_convnext")], N_CLASSES, **options
    ),
}


def make_case(name, rows=3, **options):
    torch.manual_seed(0)
    net = NETS[name](**options).eval()
    return net, [torch.rand(rows, 3, SIZE, SIZE) for _ in range(2)]


def flat(logits):
    return torch.cat([task for tasks in logits.values() for task in tasks], dim=1)


@pytest.mark.parametrize("name", NETS)
def test_rows_do_not_see_their_batch_mates(name):
    net, images = make_case(name)
    alone = torch.cat([flat(net([part[i : i + 1] for part in images])) for i in range(3)])
    assert_close(flat(net(images)), alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETS)
def test_gradients_reach_everything_but_the_unused_classifier(name):
    net, images = make_case(name)
    images = [part.requires_grad_() for part in images]
    flat(net.train()(images)).square().sum().backward()
    assert all(part.grad.abs().sum() > 1e-6 for part in images)
    without = {name for name, p in net.named_parameters() if p.grad is None}
    unused = ("network.fc.", "network.head.fc.", "network.classifier.")
    assert without == {n for n, _ in net.named_parameters() if any(part in n for part in unused)}


@pytest.mark.parametrize("name", NETS)
def test_metadata_are_ignored(name):
    net, images = make_case(name)
    assert_close(flat(net(images, torch.rand(3, 7))), flat(net(images)))


@pytest.mark.parametrize("name", NETS)
def test_pixels_of_a_missing_image_have_no_influence(name):
    net, images = make_case(name, allow_missing_images=True)
    present = torch.tensor([[False, True], [True, False], [True, True]])
    other = [part.clone() for part in images]
    other[0][0], other[1][1] = torch.rand(2, 3, SIZE, SIZE)
    first, second = (flat(net(case, present=present)) for case in (images, other))
    assert_close(first, second)
    assert_close(first[2], flat(net(images))[2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETS)
def test_missing_images_are_refused_unless_allowed(name):
    net, images = make_case(name)
    everything = torch.ones(3, 2, dtype=torch.bool)
    assert_close(flat(net(images, present=everything)), flat(net(images)))
    with pytest.raises(ValueError, match="allow_missing_images=True"):
        net(images, present=torch.tensor([[True, True], [True, True], [False, True]]))


@pytest.mark.parametrize("name", ["fusionnet", "bab", "shared"])
def test_modality_dropout_hides_in_training_only(name):
    net, images = make_case(name, rows=8, modality_dropout=0.5)
    assert_close(flat(net(images)), flat(net(images)))
    flat(net.train()(images)).sum().backward()
    assert any(token.grad.abs().sum() > 1e-6 for token in net.pair.missing.image_tokens)


def test_aab_keeps_the_clinical_branch_free_of_dermoscopy():
    net, images = make_case("aab")
    changed = [images[0], torch.rand_like(images[1])]
    before, after = net(images), net(changed)
    assert_close(before["clinical"], after["clinical"])
    assert not torch.allclose(before["dermoscopy"][0], after["dermoscopy"][0])


@pytest.mark.parametrize(
    ("attention", "fusion", "reads"),
    [
        ("aab", "auto", "dermoscopy"),
        ("bab", "auto", "concat"),
        ("none", "auto", "concat"),
        ("aab", "concat", "concat"),
        ("bab", "dermoscopy", "dermoscopy"),
    ],
)
def test_what_the_asymmetric_fusion_reads(attention, fusion, reads):
    torch.manual_seed(0)
    net = asymmetric(attention, fusion=fusion).eval()
    images = [torch.rand(3, 3, SIZE, SIZE) for _ in range(2)]
    clinical, dermoscopy = net.pair(images)
    read = {"dermoscopy": dermoscopy, "concat": torch.cat([clinical, dermoscopy], dim=1)}[reads]
    assert_close(net(images)["fusion"], net.heads["fusion"](read))


@pytest.mark.parametrize("attention", ["shared", "cross"])
def test_with_own_maps_the_images_meet_in_the_fusion_only(attention):
    torch.manual_seed(0)
    images = [torch.rand(3, 3, SIZE, SIZE) for _ in range(2)]
    net = shared(attention=attention, attention_maps="own", allow_missing_images=True).eval()
    full = net(images)
    changed = net([images[0], torch.rand_like(images[1])])
    missing = net(images, present=torch.tensor([[True, False]] * 3))
    for other in (changed, missing):
        assert_close(other["clinical"], full["clinical"], rtol=1e-4, atol=1e-5)
        assert (other["fusion"][0] - full["fusion"][0]).abs().max() > 1e-4


def test_aab_s_fusion_where_an_image_is_missing():
    net, images = make_case("aab", allow_missing_images=True)
    stand_in = net.pair.missing.image_tokens[1]
    torch.nn.init.normal_(stand_in)
    present = torch.tensor([[True, False], [True, False], [False, True]])
    logits, head = net(images, present=present), net.heads["fusion"]
    without_dermoscopy = [task[:2] for task in logits["fusion"]]
    assert_close(without_dermoscopy, head(stand_in.expand(2, -1)))
    # The clinical images of these rows are left to their own branch.
    one, other = logits["clinical"][0][:2]
    assert (one - other).abs().max() > 1e-4
    unrefined = net.pair.encoders[1](images[1][2:])
    assert_close([task[2:] for task in logits["fusion"]], head(unrefined))


@pytest.mark.parametrize("name", ["shared", "shared heads"])
def test_one_encoder_treats_both_images_alike(name):
    net, images = make_case(name)
    vectors = net.pair(images)
    assert_close(net.pair(images[::-1]), vectors[::-1], rtol=1e-4, atol=1e-5)


def test_shared_heads_treat_both_images_alike():
    net, images = make_case("shared heads")
    logits, swapped = net(images), net(images[::-1])
    assert_close(swapped["clinical"], logits["dermoscopy"], rtol=1e-4, atol=1e-5)


def test_dropout_hides_one_image_of_a_row_at_most():
    net = NETS["fusionnet"](modality_dropout=0.6).train()
    present = net.pair._hide(None, torch.zeros(500, 3, 8, 8))
    assert present.shape == (500, 2)
    # Both are hidden in 0.36 of the rows, which then keep both.
    assert present.any(dim=1).all()
    assert abs(present.float().mean() - (0.4 + 0.36)) < 0.06
    given = torch.tensor([[True, False]]).repeat(500, 1)
    net = NETS["fusionnet"](modality_dropout=0.6, allow_missing_images=True).train()
    assert torch.equal(net.pair._hide(given, torch.zeros(500, 3, 8, 8)), given)


@pytest.mark.parametrize("name", NETS)
def test_by_default_nothing_is_hidden(name):
    net = NETS[name]().train()
    assert net.pair.modality_dropout == 0 and not net.pair.allow_missing_images
    assert net.pair._hide(None, torch.zeros(500, 3, 8, 8)) is None
    assert not list(net.pair.missing.parameters())


def test_a_single_image_that_is_missing_gets_a_stand_in():
    images = [torch.rand(3, 3, SIZE, SIZE)]
    present = torch.tensor([[True], [False], [True]])
    net = SingleImageNet(encoder(), N_CLASSES, allow_missing_images=True).eval()
    found = net(images, present=present)["image"][0]
    other = [images[0].clone()]
    other[0][1] = 0.5
    assert_close(net(other, present=present)["image"][0], found)
    with pytest.raises(ValueError, match="allow_missing_images=True"):
        SingleImageNet(encoder(), N_CLASSES)(images, present=present)


def test_by_default_heads_are_apart_and_scores_unscaled():
    net = shared()
    assert net.heads["clinical"] is not net.heads["dermoscopy"]
    for make in (AsymmetricAttention, BidirectionalAttention, SharedAttention):
        scales = {m.scale for m in make(16, 16).modules() if hasattr(m, "scale")}
        assert scales == {1.0}


@pytest.mark.parametrize("make", [asymmetric, shared])
@pytest.mark.parametrize("dropout", [0.3, 0.1])
def test_dropout_of_the_heads_is_what_was_asked_for(make, dropout):
    net = make() if dropout == 0.3 else make(dropout=dropout)
    rates = {m.p for head in net.heads.values() for m in head.modules() if hasattr(m, "p")}
    assert rates == {dropout}


@pytest.mark.parametrize("net", [FusionNet, SingleImageNet])
def test_heads_of_the_sizes_and_the_dropout_asked_for(net):
    n_encoders, n_heads = (2, 3) if net is FusionNet else (1, 1)

    def layers(kind, **options):
        encoders = [encoder(keep_classifier=False) for _ in range(n_encoders)]
        return [m for m in net(*encoders, [3], **options).modules() if isinstance(m, kind)]

    for options, widths, rate in [
        ({}, (512, 128, 3), 0.3),
        ({"head_hidden": (7, 6, 5), "dropout": 0.1}, (7, 6, 5, 3), 0.1),
    ]:
        linear = layers(torch.nn.Linear, **options)
        assert [m.out_features for m in linear] == list(widths) * n_heads
        assert {m.p for m in layers(torch.nn.Dropout, **options)} == {rate}
        assert len(layers(torch.nn.SiLU, **options)) == n_heads * (len(widths) - 1)


@pytest.mark.parametrize("make", [asymmetric, shared])
def test_scores_of_attention_are_scaled_where_that_is_asked_for(make):
    logits = []
    for options in ({}, {"scaled_attention": False}, {"scaled_attention": True}):
        torch.manual_seed(0)
        net = make(**options).eval()
        logits.append(flat(net([torch.rand(3, 3, SIZE, SIZE)] * 2)))
    assert_close(logits[0], logits[1])
    assert not torch.allclose(logits[0], logits[2], atol=1e-5)


def test_weights_of_an_encoder_come_from_a_file(tmp_path):
    other, path = encoder(), tmp_path / "weights.safetensors"
    whole = import_timm().create_model("test_resnet")
    save_file(whole.state_dict(), path)
    images = torch.rand(2, 3, SIZE, SIZE)
    loaded = [encoder(weights=path).eval()(images) for _ in range(2)]
    assert_close(*loaded)
    assert not torch.allclose(loaded[0], other.eval()(images), atol=1e-4)


def test_fusionnet_adds_features():
    net, images = make_case("fusionnet")
    clinical, dermoscopy = net.pair(images)
    assert_close(net(images)["fusion"], net.heads["fusion"](clinical + dermoscopy))


@pytest.mark.parametrize(
    "name",
    [
        "swin_tiny_patch4_window7_224",
        "convnext_atto",
        "densenet121",
        "efficientnet_b0",
        "mobilenetv3_small_100",
        "regnety_002",
        "resnet18",
        "swinv2_tiny_window8_256",
    ],
)
def test_parts_in_a_row_are_the_whole_backbone(name):
    torch.manual_seed(0)
    staged = StagedEncoder(name, image_size=SIZE).eval()
    images = torch.rand(1, 3, SIZE, SIZE)
    with torch.no_grad():
        whole = staged.backbone.pool(staged.backbone(images))
        map_ = staged.step(0, images)
        maps = [map_ := staged.step(k, map_) for k in range(1, 5)]
    assert [part.shape[1] for part in maps] == staged.channels
    assert [part.shape[2] for part in maps] == [16, 8, 4, 2]
    assert_close(staged(map_, 5), whole)
    assert staged.out_features == whole.shape[1]


def test_a_staged_encoder_has_timms_parameters_once():
    plain = import_timm().create_model("test_convnext")
    names = [
        name.removeprefix("backbone.body.network.")
        for name in encoder("test_convnext").state_dict()
    ]
    assert names == list(plain.state_dict())


@pytest.mark.parametrize("name", ["aab", "shared heads"])
def test_copies_and_exports_give_the_same(name):
    net, images = make_case(name)
    expected = flat(net(images))
    twin = copy.deepcopy(net)
    assert_close(flat(twin(images)), expected)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert_close(flat(net(images)), expected)
    exported = torch.export.export(net, (images,)).module()
    assert_close(flat(exported(images)), expected, rtol=1e-4, atol=1e-5)


def test_a_frozen_encoder_stays_as_it_is():
    net = FusionNet(encoder(freeze="backbone"), encoder(freeze=2), N_CLASSES).train()
    first, second = net.pair.encoders
    assert first.backbone.frozen and not second.backbone.frozen
    before = copy.deepcopy(first.state_dict())
    flat(net([torch.rand(4, 3, SIZE, SIZE)] * 2)).sum().backward()
    assert all(p.grad is None for p in first.parameters())
    assert_close(first.state_dict(), before)


@pytest.mark.parametrize("name", ["vgg13", "vit_tiny_patch16_224"])
def test_backbones_without_four_stages_are_refused(name):
    with torch.device("meta"), pytest.raises(ValueError, match=f"four stages.*got '{name}'"):
        StagedEncoder(name)


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"made for images of \(64, 64\) pixels; got \(32, 32\)"):
        encoder("swin_tiny_patch4_window7_224")(torch.rand(1, 3, 32, 32))


def test_unknown_options_are_refused():
    with pytest.raises(ValueError, match=r"`attention` must be one of \['aab', 'bab', 'none'\]"):
        asymmetric("shared")
    with pytest.raises(
        ValueError, match=r"`fusion` must be one of \['auto', 'dermoscopy', 'concat'\]; got 'sum'"
    ):
        asymmetric(fusion="sum")
    with pytest.raises(
        ValueError, match=r"`attention` must be one of \['shared', 'cross', 'none'\]"
    ):
        shared(attention="aab")
    with pytest.raises(
        ValueError, match=r"`attention_maps` must be one of \['exchanged', 'own'\]; got 'both'"
    ):
        shared(attention_maps="both")


def test_two_images_are_needed():
    net, images = make_case("fusionnet")
    with pytest.raises(ValueError, match="two images per row, clinical then dermoscopic; got 1"):
        net(images[:1])
    with pytest.raises(ValueError, match="one or two encoders; got 3"):
        SharedFusionNet([encoder("test_convnext")] * 3, N_CLASSES)


def test_encoders_must_fit_the_fusion():
    with pytest.raises(ValueError, match="equal length; got 256 and 96 features"):
        FusionNet(encoder("test_efficientnet"), encoder(), N_CLASSES)
    with pytest.raises(ValueError, match="equal length; got 256 and 96 features"):
        SharedFusionNet(
            [encoder("test_efficientnet"), encoder()],
            N_CLASSES,
            attention="none",
            share_heads=True,
        )


def test_sharing_a_resnet_warns(recwarn):
    SharedFusionNet([encoder(), encoder()], N_CLASSES)
    SharedFusionNet([encoder("test_convnext")], N_CLASSES)
    assert not [w for w in recwarn if "Sharing a" in str(w.message)]
    with pytest.warns(UserWarning, match="Sharing a ResNet"):
        SharedFusionNet([encoder()], N_CLASSES)
