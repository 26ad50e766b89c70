"""Backbones: maps and vectors of any timm network, freezing, local weights, errors."""

import socket

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from sklearn_skin.modules import make_backbone
from sklearn_skin.modules._timm import import_timm

SMALL_CNNS = ["resnet10t", "efficientnet_b0", "mobilenetv3_small_050", "dermiresnet", "vgg11"]
TRANSFORMERS = ["swin_tiny_patch4_window7_224", "vit_tiny_patch16_224", "test_vit2"]


@pytest.mark.parametrize("name", SMALL_CNNS)
def test_small_images_give_small_maps(name):
    backbone = make_backbone(name).eval()
    for size in (32, 64):
        with torch.no_grad():
            maps = backbone(torch.rand(2, 3, size, size))
            vectors = backbone.pool(maps)
        stride = 16 if name == "dermiresnet" else 32
        side = size // stride
        assert maps.shape == (2, backbone.out_features, side, side)
        assert vectors.shape == (2, backbone.vector_features)
        assert torch.isfinite(vectors).all()


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "vit_tiny_patch16_224"])
def test_image_size_reaches_transformers(name):
    backbone = make_backbone(name, image_size=(64, 96)).eval()
    with torch.no_grad():
        maps = backbone(torch.rand(1, 3, 64, 96))
    stride = 16 if name.startswith("vit") else 32
    assert maps.shape == (1, backbone.out_features, 64 // stride, 96 // stride)


def test_one_number_is_a_square():
    assert make_backbone("test_vit2", image_size=32).body.fixed_size == (32, 32)


def test_wrong_image_size_is_named():
    backbone = make_backbone("vit_tiny_patch16_224", image_size=64)
    with pytest.raises(ValueError, match=r"made for images of \(64, 64\) pixels; got \(32, 32\)"):
        backbone(torch.rand(1, 3, 32, 32))


def test_tokens_keep_their_places():
    backbone = make_backbone("vit_tiny_patch16_224", image_size=(32, 64)).eval()
    with torch.no_grad():
        images = torch.rand(1, 3, 32, 64)
        tokens = backbone.body.network.forward_features(backbone.normalise(images))
        maps = backbone(images)
    torch.testing.assert_close(maps[0, :, 1, 2], tokens[0, 1 + 4 + 2])


@pytest.mark.parametrize(
    "name", ["resnet10t", "convnext_atto", "swin_tiny_patch4_window7_224", "densenet121"]
)
def test_map_and_pool_are_timms_own_features(name):
    torch.manual_seed(0)
    backbone = make_backbone(name, image_size=64).eval()
    images = torch.rand(2, 3, 64, 64)
    network = backbone.body.network
    with torch.no_grad():
        normalised = backbone.normalise(images)
        expected = network.forward_head(network.forward_features(normalised), pre_logits=True)
        torch.testing.assert_close(backbone.pool(backbone(images)), expected)


def test_pixels_are_normalised_as_the_network_was_trained():
    backbone = make_backbone("resnet10t")
    mean, std = backbone.normalisation
    pixels = torch.tensor(mean)[None, :, None, None] + torch.tensor(std)[None, :, None, None]
    torch.testing.assert_close(backbone.normalise(pixels), torch.ones(1, 3, 1, 1))
    assert make_backbone("dermiresnet").normalisation == ((0.0,) * 3, (1.0,) * 3)


@pytest.mark.parametrize("name", ["resnet10t", "dermiresnet"])
def test_other_numbers_of_channels(name):
    backbone = make_backbone(name, in_chans=1).eval()
    assert backbone(torch.rand(1, 1, 32, 32)).shape[1] == backbone.out_features


def snapshot(module):
    return {key: value.clone() for key, value in module.state_dict().items()}


def train_one_step(backbone):
    backbone.train()
    optimizer = torch.optim.SGD([p for p in backbone.parameters() if p.requires_grad], lr=0.1)
    backbone.pool(backbone(torch.rand(4, 3, 64, 64))).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize(
    ("name", "frozen", "free"),
    [
        ("resnet10t", ("conv1.", "bn1.", "layer1."), ("layer2.", "layer4.")),
        ("dermiresnet", ("stem.", "stages.0."), ("stages.1.", "projection.")),
        ("mobilenetv3_small_050", ("conv_stem.", "blocks.0."), ("blocks.1.", "blocks.5.")),
    ],
)
def test_frozen_stages_do_not_change_and_the_others_do(name, frozen, free):
    torch.manual_seed(0)
    backbone = make_backbone(name, freeze=2)
    before = snapshot(backbone)
    train_one_step(backbone)
    after = backbone.state_dict()
    changed = {
        key.removeprefix("body.").removeprefix("network.")
        for key in before
        if not torch.equal(before[key], after[key])
    }
    assert not [key for key in changed if key.startswith(frozen)]
    for stage in free:
        assert any(key.startswith(stage) for key in changed), stage


def test_every_stage_of_dermiresnet_freezes_in_turn():
    stages = ["stem.", "stages.0.", "stages.1.", "stages.2.", "stages.3.", "projection."]
    for freeze in range(len(stages) + 1):
        backbone = make_backbone("dermiresnet", freeze=freeze)
        trained = [
            n.removeprefix("body.") for n, p in backbone.named_parameters() if p.requires_grad
        ]
        for number, stage in enumerate(stages):
            assert any(name.startswith(stage) for name in trained) is (number >= freeze)


def test_a_name_may_say_which_weights():
    backbone = make_backbone("resnet18.a1_in1k")
    assert backbone.out_features == 512
    with pytest.raises(ValueError, match="got 'resnet81.a1_in1k'"):
        make_backbone("resnet81.a1_in1k")


def test_frozen_batch_norm_stays_in_evaluation_mode():
    backbone = make_backbone("resnet10t", freeze="backbone").train()
    assert backbone.frozen
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms and not any(m.training for m in norms)
    before = snapshot(backbone)
    backbone(torch.rand(4, 3, 32, 32))
    assert all(torch.equal(before[k], v) for k, v in backbone.state_dict().items())
    partly = make_backbone("resnet10t", freeze=1).train().body.network
    assert not partly.conv1[1].training and partly.layer1[0].bn1.training


@pytest.mark.parametrize("freeze", [-1, 6, "stem", 1.5])
def test_freeze_out_of_range(freeze):
    with pytest.raises(ValueError, match="`freeze` must be None, 'backbone' or an int from 0 to 5"):
        make_backbone("resnet10t", freeze=freeze)


def test_every_stage_frozen_is_the_backbone_frozen():
    backbone = make_backbone("resnet10t", freeze=5)
    assert backbone.frozen
    assert not make_backbone("resnet10t", freeze=4).frozen


@pytest.mark.parametrize("name", ["resnet51", "efficientnetb0", "dermi_resnet"])
def test_unknown_name_gets_close_matches(name):
    with pytest.raises(ValueError, match=f"got '{name}'. Did you mean one of") as error:
        make_backbone(name)
    assert {"resnet51": "resnet50", "efficientnetb0": "efficientnet_b0"}.get(
        name, "dermiresnet"
    ) in str(error.value)


def test_names_of_the_sources_work_without_a_warning(recwarn):
    with torch.device("meta"):
        assert make_backbone("xception").out_features == 2048
    assert not [w for w in recwarn if "Mapping deprecated" in str(w.message)]


def saved(tmp_path, state, name):
    path = tmp_path / name
    if name.endswith(".safetensors"):
        safetensors.torch.save_file(state, path)
    else:
        torch.save(state, path)
    return path


@pytest.mark.parametrize("keep_head", [False, True])
@pytest.mark.parametrize("n_classes", [0, 7, 1000])
@pytest.mark.parametrize(
    ("name", "ending"), [("test_resnet", "w.pth"), ("mobilenetv3_small_050", "w.safetensors")]
)
def test_local_file_with_any_head(tmp_path, ending, n_classes, name, keep_head):
    torch.manual_seed(1)
    source = import_timm().create_model(name, num_classes=n_classes).eval()
    path = saved(tmp_path, source.state_dict(), ending)
    backbone = make_backbone(name, weights=path, keep_head=keep_head).eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected = source.forward_features(backbone.normalise(images))
        torch.testing.assert_close(backbone(images), expected)


@pytest.mark.parametrize("saves_head", [False, True])
@pytest.mark.parametrize("keep_head", [False, True])
@pytest.mark.parametrize("name", ["test_resnet", "dermiresnet", "mobilenetv3_small_050"])
def test_local_file_of_our_own_backbone(tmp_path, name, saves_head, keep_head):
    source = make_backbone(name, keep_head=saves_head).state_dict()
    path = saved(tmp_path, source, "w.safetensors")
    loaded = make_backbone(name, weights=str(path), keep_head=keep_head).state_dict()
    common = source.keys() & loaded.keys()
    torch.testing.assert_close({k: loaded[k] for k in common}, {k: source[k] for k in common})
    heads = ("fc.", "classifier.", "conv_head.")
    apart = source.keys() ^ loaded.keys()
    assert all(key.removeprefix("body.network.").startswith(heads) for key in apart)


@pytest.mark.parametrize("name", ["dermiresnet", "convnext_atto"])
def test_without_the_vector_the_map_stays_and_its_file_loads(tmp_path, name):
    torch.manual_seed(0)
    backbone = make_backbone(name).eval()
    images = torch.rand(2, 3, 32, 32)
    maps, whole = backbone(images), set(backbone.state_dict())
    backbone.drop_vector()
    assert set(backbone.state_dict()) < whole
    torch.testing.assert_close(backbone(images), maps)
    torch.testing.assert_close(backbone.pool(maps), maps.mean(dim=(2, 3)))
    assert backbone.vector_features == backbone.out_features
    path = saved(tmp_path, backbone.state_dict(), "w.pth")
    again = make_backbone(name, weights=path).eval()
    torch.testing.assert_close(again(images), maps)
    assert set(again.state_dict()) == whole


def test_wrapped_checkpoint(tmp_path):
    source = import_timm().create_model("resnet10t")
    state = {f"module.{key}": value for key, value in source.state_dict().items()}
    path = saved(tmp_path, {"state_dict": state, "epoch": 3}, "w.pth")
    loaded = make_backbone("resnet10t", weights=path)
    assert torch.equal(loaded.body.network.layer1[0].conv1.weight, source.layer1[0].conv1.weight)


def test_local_file_for_another_image_size(tmp_path):
    source = import_timm().create_model("vit_tiny_patch16_224", img_size=64)
    path = saved(tmp_path, source.state_dict(), "w.safetensors")
    backbone = make_backbone("vit_tiny_patch16_224", weights=path, image_size=32)
    assert backbone(torch.rand(1, 3, 32, 32)).shape == (1, 192, 2, 2)


def test_local_file_for_another_number_of_channels(tmp_path):
    source = import_timm().create_model("resnet18")
    path = saved(tmp_path, source.state_dict(), "w.safetensors")
    backbone = make_backbone("resnet18", weights=path, in_chans=1)
    expected = source.conv1.weight.sum(dim=1, keepdim=True)
    torch.testing.assert_close(backbone.body.network.conv1.weight, expected)


def test_wrong_architecture_names_the_first_differing_keys(tmp_path):
    path = saved(tmp_path, import_timm().create_model("resnet10t").state_dict(), "w.safetensors")
    # Into the last two timm itself loads nothing, and says so in the log only.
    first_keys = {
        "resnet18": "conv1.weight",
        "efficientnet_b0": "conv_stem.weight",
        "dermiresnet": "stem.0.weight",
        "test_vit2": "pos_embed",
        "densenet121": "features.conv0.weight",
    }
    for name, key in first_keys.items():
        message = f"{path.name}' does not fit backbone '{name}'. First differing keys: .*\"{key}"
        with pytest.raises(ValueError, match=message):
            make_backbone(name, weights=path)


class Malicious:
    def __reduce__(self):
        return (print, ("code ran",))


def test_files_that_are_no_weights(tmp_path, capsys):
    junk = tmp_path / "w.safetensors"
    junk.write_bytes(b"<html>not found</html>")
    code = tmp_path / "code.pth"
    torch.save({"state_dict": Malicious()}, code)
    cut = saved(tmp_path, {"a": torch.ones(1000)}, "cut.safetensors")
    cut.write_bytes(cut.read_bytes()[:-100])
    for path in (junk, code, cut):
        with pytest.raises(ValueError, match="is not a readable safetensors file or torch state"):
            make_backbone("resnet10t", weights=path)
    assert "code ran" not in capsys.readouterr().out
    with pytest.raises(ValueError, match="holds no tensors by name"):
        make_backbone("resnet10t", weights=saved(tmp_path, {"a": 1}, "w.pth"))
    with pytest.raises(ValueError, match="got 'nowhere.pth', which does not exist"):
        make_backbone("resnet10t", weights="nowhere.pth")


def test_no_network_says_how_to_give_a_local_file(monkeypatch, tmp_path):
    def unreachable(*args, **kwargs):
        raise socket.gaierror("no network")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(OSError, match="Pass a local file instead: weights='path/to/weights"):
        make_backbone("resnet34", weights="imagenet")


def test_imagenet_asks_timm_for_pretrained_weights(monkeypatch):
    from sklearn_skin.modules import _timm_body, _weights

    asked = []
    create = _timm_body._create_network

    def record(name, pretrained, options, in_chans):
        asked.append(pretrained)
        return create(name, False, options, in_chans)

    monkeypatch.setattr(_timm_body, "_create_network", record)
    monkeypatch.setattr(_weights, "_hub_is_out_of_reach", lambda config: False)
    make_backbone("resnet18", weights="imagenet")
    make_backbone("resnet18")
    assert asked == [True, False]


@pytest.mark.parametrize("name", ["dermiresnet", "resnet8"])
def test_no_pretrained_weights_exist(name):
    if name == "resnet8":
        name = next(
            n
            for n in import_timm().list_models("vgg*") + import_timm().list_models("vit_*")
            if not import_timm().is_model_pretrained(n)
        )
    with pytest.raises(ValueError, match="has no pretrained weights"):
        make_backbone(name, weights="imagenet")


def test_keep_head_gives_the_published_counts():
    def millions(name):
        with torch.device("meta"):
            backbone = make_backbone(name, keep_head=True)
        return round(sum(p.numel() for p in backbone.parameters()) / 1e6, 2)

    assert millions("mobilenetv3_small_100") == 2.54
    assert millions("resnet50") == 25.56


def test_unused_heads_are_dropped():
    with torch.device("meta"):
        weights = sum(p.numel() for p in make_backbone("vgg11").parameters())
    assert weights < 10e6  # its two wide layers alone have 119 million


def test_numpy_seed_is_not_touched():
    before = np.random.get_state()[1].copy()
    make_backbone("resnet10t")
    np.testing.assert_array_equal(before, np.random.get_state()[1])


def test_networks_without_one_feature_map_are_refused():
    with pytest.raises(ValueError, match="CoaT gives no single feature map"):
        make_backbone("coat_tiny")(torch.rand(1, 3, 224, 224))


def test_freeze_takes_the_integers_of_a_parameter_grid():
    frozen = make_backbone("test_resnet", freeze=np.int64(2))
    expected = make_backbone("test_resnet", freeze=2)
    assert [p.requires_grad for p in frozen.parameters()] == [
        p.requires_grad for p in expected.parameters()
    ]


def test_swin_fuses_its_attention_in_evaluation_alone():
    backbone = make_backbone("swin_tiny_patch4_window7_224", image_size=56)
    images = torch.rand(2, 3, 56, 56)
    attentions = [part for part in backbone.modules() if hasattr(part, "fused_attn")]
    fused = backbone.eval()(images)
    assert attentions and all(part.fused_attn for part in attentions)
    backbone.train()
    for part in backbone.modules():
        # Nothing random, so that both ways can be compared.
        part.training = part in attentions
    torch.testing.assert_close(backbone(images), fused, atol=1e-4, rtol=1e-4)
    assert not any(part.fused_attn for part in attentions)
