"""What is particular to each system's estimator."""

import pickle
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from sklearn_skin.datasets import make_lesions
from sklearn_skin.image import as_images
from sklearn_skin.neural_network import (
    AsymmetricFusionClassifier,
    FusionNetClassifier,
    ImageEmbedder,
    JointFusionClassifier,
    JointIndividualFusionClassifier,
    LesionNetClassifier,
    SharedFusionClassifier,
    SuperResolutionFusionClassifier,
)
from sklearn_skin.preprocessing import make_lesion_transformer

TWO = [
    AsymmetricFusionClassifier,
    FusionNetClassifier,
    LesionNetClassifier,
    SharedFusionClassifier,
]


@pytest.fixture(scope="module")
def pairs():
    lesions = make_lesions(
        24, image_columns=("clinical", "dermoscopy"), image_size=32, random_state=0
    )
    return make_lesion_transformer().fit_transform(lesions.data), lesions.target


@pytest.mark.parametrize("cls", TWO)
def test_the_two_images_are_told_by_name_not_by_place(cls, pairs, make_net):
    X, y = pairs
    net = make_net(cls, max_epochs=1, backbone="convnext_atto")
    first = net.fit(X, y).predict_proba(X)
    turned = X[["dermoscopy", *[c for c in X.columns if c != "dermoscopy"]]]
    assert_allclose(net.fit(turned, y).predict_proba(turned), first, atol=1e-6)
    assert net.image_columns_ == ["clinical", "dermoscopy"]
    renamed = X.rename(columns={"clinical": "a", "dermoscopy": "b"})
    with pytest.raises(ValueError, match=r"columns \['a', 'b'\]. Name them in `clinical_column`"):
        net.fit(renamed, y)
    net.set_params(clinical_column="a").fit(renamed, y)
    assert net.image_columns_ == ["a", "b"]
    with pytest.raises(ValueError, match="`clinical_column` must be an image column"):
        net.set_params(clinical_column="c").fit(renamed, y)


@pytest.mark.parametrize("cls", [AsymmetricFusionClassifier, SharedFusionClassifier])
def test_branches_searched_on_held_out_rows(cls, pairs, make_net):
    X, y = pairs
    net = make_net(cls, backbone="convnext_atto", max_epochs=1, branch_weights="search")
    net.set_params(validation_fraction=0.3).fit(X, y)
    assert list(net.branch_weights_) == ["clinical", "dermoscopy", "fusion"]
    assert sum(net.branch_weights_.values()) == pytest.approx(1.0)
    branches = net.predict_branches(X)
    expected = sum(w * branches[name] for name, w in net.branch_weights_.items())
    assert_allclose(net.predict_proba(X), expected, atol=1e-12)


def test_given_branch_weights(X, y, make_net):
    net = make_net(JointIndividualFusionClassifier, max_epochs=1, branch_weights=[2, 1, 1])
    net.fit(X, y)
    expected = {"image": 0.5, "metadata": 0.25, "fusion": 0.25}
    assert net.branch_weights_ == pytest.approx(expected)
    net.set_params(branch_weights="fusion").fit(X, y)
    assert_allclose(net.predict_proba(X), net.predict_branches(X)["fusion"])


def test_loss_of_joint_individual_fusion_at_beta():
    shapes = SimpleNamespace(image_columns=["image"], n_metadata=2)
    loss = JointIndividualFusionClassifier().make_loss(shapes, SimpleNamespace(beta=0.3))
    logits = {name: [torch.randn(6, 3)] for name in ("image", "metadata", "fusion")}
    target = torch.tensor([[0], [1], [2], [0], [1], [2]])
    parts = {
        name: torch.nn.functional.cross_entropy(z[0], target[:, 0]) for name, z in logits.items()
    }
    expected = 0.3 * parts["image"] + 0.7 * parts["metadata"] + parts["fusion"]
    assert loss(logits, target).item() == pytest.approx(expected.item())


@pytest.mark.parametrize("cls", [JointFusionClassifier, JointIndividualFusionClassifier])
def test_the_operator_s_metadata_are_a_parameter(cls, X, y, make_net):
    net = make_net(cls, max_epochs=1, fusion="metablock", metadata_hidden=(8, 4))
    n_metadata = net.fit(X, y).module_.n_metadata
    assert net.module_.fusion.scale[0].in_features == n_metadata
    net.set_params(fusion_metadata="encoded").fit(X, y)
    assert net.module_.fusion.scale[0].in_features == 4
    with pytest.raises(ValueError, match="'fusion_metadata' parameter"):
        net.set_params(fusion_metadata="both").fit(X, y)


@pytest.mark.parametrize(
    ("net", "weights", "over_tasks"),
    [
        (AsymmetricFusionClassifier(), (1, 1, 1), np.sum),
        (SharedFusionClassifier(), (0.1, 0.4, 0.5), np.sum),
        (SharedFusionClassifier(clinical_weight=0.3), (0.3, 0.2, 0.5), np.sum),
        (SharedFusionClassifier(branch_loss_weights="equal"), (1 / 3, 1 / 3, 1 / 3), np.sum),
        (FusionNetClassifier(), (1, 1, 1), np.mean),
        (FusionNetClassifier(task_reduction="sum"), (1, 1, 1), np.sum),
    ],
)
def test_loss_of_the_networks_of_two_images(net, weights, over_tasks):
    rng = np.random.RandomState(0)
    target = np.array([[0, 1], [3, 0], [4, -1], [1, 1]])
    logits = {
        branch: [rng.randn(4, c) for c in (5, 2)] for branch in ("clinical", "dermoscopy", "fusion")
    }

    def cross_entropy(z, codes):
        z, codes = z[codes >= 0], codes[codes >= 0]
        return (np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), codes]).mean()

    losses = [
        over_tasks([cross_entropy(z, target[:, t]) for t, z in enumerate(tasks)])
        for tasks in logits.values()
    ]
    outputs = {branch: [torch.tensor(z) for z in tasks] for branch, tasks in logits.items()}
    loss = net.make_loss(None, SimpleNamespace(**net.get_params()))
    assert_allclose(loss(outputs, torch.tensor(target)), np.dot(weights, losses), rtol=1e-5)


def reference_head(head, x):
    """Compute a head's logits in float64 from its weights."""
    for layer in head.layers:
        p = {name: value.double().numpy() for name, value in layer.state_dict().items()}
        if isinstance(layer, nn.Linear):
            x = x @ p["weight"].T + p["bias"]
        elif isinstance(layer, nn.BatchNorm1d):
            x = (x - p["running_mean"]) / np.sqrt(p["running_var"] + 1e-5)
            x = x * p["weight"] + p["bias"]
        elif isinstance(layer, nn.SiLU):
            x = x / (1 + np.exp(-x))
    tasks = [[part.detach().double().numpy() for part in task.parameters()] for task in head.tasks]
    return [x @ weight.T + bias for weight, bias in tasks]


@torch.no_grad()
@pytest.mark.parametrize("head_hidden", [(512, 128), (), (7,)])
@pytest.mark.parametrize("columns", [["image"], ["clinical", "dermoscopy"]])
def test_fusionnet_s_heads_are_their_formula(head_hidden, columns):
    torch.manual_seed(0)
    net = FusionNetClassifier(backbone="test_resnet", weights=None, head_hidden=head_hidden)
    shapes = SimpleNamespace(image_columns=columns, n_classes=[5, 2], image_size=32)
    module = net.make_module(shapes, SimpleNamespace(**net.get_params()))
    images = [torch.rand(6, 3, 32, 32) for _ in columns]
    # BatchNorm has then seen something.
    module.train()(images)
    logits = module.eval()(images)
    if len(columns) == 1:
        heads, vectors = {"image": module.head}, [module.encoder(images[0])]
    else:
        clinical, dermoscopy = module.pair(images)
        heads, vectors = module.heads, [clinical, dermoscopy, clinical + dermoscopy]
    for (branch, tasks), vector in zip(logits.items(), vectors):
        layers = [nn.Linear, nn.BatchNorm1d, nn.SiLU, nn.Dropout] * len(head_hidden)
        assert [type(layer) for layer in heads[branch].layers] == layers
        widths = [layer.out_features for layer in heads[branch].layers[::4]]
        assert widths == list(head_hidden)
        for got, expected in zip(tasks, reference_head(heads[branch], vector.double().numpy())):
            assert_allclose(got, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("cls", "image_alone", "metadata_alone"),
    [
        (JointFusionClassifier, ["image"], ["metadata"]),
        (JointIndividualFusionClassifier, ["image"], ["metadata"]),
        (SuperResolutionFusionClassifier, ["fusion"], ["metadata"]),
    ],
)
def test_ablations_leave_columns_out(cls, image_alone, metadata_alone, X, y, make_net):
    net = make_net(cls, max_epochs=1)
    alone = net.fit(X[["image"]], y)
    assert list(alone.branch_weights_) == image_alone
    # What is left out has no influence.
    assert_allclose(alone.predict_proba(X), alone.predict_proba(X.assign(age=9.0)), atol=1e-6)
    metadata = X.drop(columns="image")
    with pytest.raises(ValueError, match=f"{cls.__name__} finds no image in X, whose columns"):
        net.fit(metadata, y)  # FAILURES 42
    for unnamed in (metadata.to_numpy(), metadata.set_axis(range(metadata.shape[1]), axis=1)):
        with pytest.warns(UserWarning, match=f"{cls.__name__} was given an array, which holds no"):
            net.fit(unnamed, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.set_params(image_columns=[]).fit(metadata.to_numpy(), y)
    alone = net.set_params(image_columns=[]).fit(metadata, y)
    assert list(alone.branch_weights_) == metadata_alone and not alone.image_columns_
    assert_allclose(alone.predict_proba(metadata).sum(axis=1), 1.0)


def test_boosts_are_learnt(pairs, make_net):
    X, y = pairs
    net = make_net(LesionNetClassifier, lr=0.01, max_epochs=3).fit(X, y)
    assert set(net.boosts_) == {"clinical", "dermoscopy"}
    assert all(abs(boost - 1.0) > 1e-3 for boost in net.boosts_.values())


def test_metadata_named_after_an_image_belong_to_it(pairs, make_net):
    X, y = pairs
    X = X.assign(clinical_hair=0.5, dermoscopy_hair=0.25)
    net = make_net(LesionNetClassifier, max_epochs=1).fit(X, y)
    names = net.metadata_names_
    own = [{names[i] for i in columns} for columns in net.module_.metadata_columns]
    assert "clinical_hair" in own[0] - own[1] and "dermoscopy_hair" in own[1] - own[0]
    assert own[0] & own[1]


def test_reconstructions_come_closer_to_the_image(X, y, make_net):
    net = make_net(SuperResolutionFusionClassifier, max_epochs=1, lr=3e-3)
    pictures = np.stack([cell.pixels for cell in X["image"]]).astype(float)
    pictures = pictures.repeat(2, axis=1).repeat(2, axis=2)

    def error(epochs):
        drawn = net.set_params(max_epochs=epochs).fit(X, y).transform_images(X)
        assert drawn.shape == (len(X), 64, 64, 3) and drawn.dtype == np.uint8
        return ((drawn - pictures) ** 2).mean()

    assert error(8) < 0.6 * error(1)


def test_two_images_are_too_many_for_super_resolution(pairs, make_net):
    with pytest.raises(ValueError, match="takes one image column"):
        make_net(SuperResolutionFusionClassifier).fit(*pairs)


def test_missing_images_of_one_kind(pairs, make_net):
    X, y = pairs
    broken = X.assign(clinical=as_images([None, None, *list(X["clinical"].iloc[2:])]))
    for cls in TWO:
        net = make_net(cls, max_epochs=1, backbone="convnext_atto", modality_dropout=0.2)
        with pytest.raises(ValueError, match="2 rows lack an image"):
            net.fit(broken, y)
        net.set_params(allow_missing_images=True).fit(broken, y)
        assert np.isfinite(net.predict_proba(broken)).all()


def test_embedder_gives_the_backbone_s_pooled_features(bunch):
    frame = bunch.data[["age", "image"]]
    embedder = ImageEmbedder(backbone="resnet10t", weights=None, image_size=32, random_state=0)
    embedder.set_params(device="cpu", cache_dir=None)
    features = embedder.fit_transform(frame)
    assert list(features.columns[-1:]) == ["age"] and list(features.index) == list(frame.index)
    pixels = np.stack([cell.pixels for cell in frame["image"][:3]])
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        expected = embedder.module_.pool(embedder.module_(images))
    assert_allclose(features.iloc[:3, :512], expected, atol=1e-5)
    pd.testing.assert_frame_equal(embedder.transform(frame.iloc[::-1]), features.iloc[::-1])


def test_a_lesionnet_has_at_least_one_metadata_layer(pairs, make_net):
    X, y = pairs
    with pytest.raises(ValueError, match="must name at least one layer"):
        make_net(LesionNetClassifier, metadata_hidden=()).fit(X, y)


@pytest.mark.parametrize("cls", [JointFusionClassifier, FusionNetClassifier])
def test_adapters_train_a_small_part_of_a_transformer(cls, X, y, pairs, make_net):
    joint = cls is JointFusionClassifier
    backbone = "test_vit" if joint else "swin_tiny_patch4_window7_224"
    rows = (X, y) if joint else pairs
    net = make_net(cls, backbone=backbone, adapt="lora", max_epochs=1, image_size=32).fit(*rows)
    weights = [(name, p) for name, p in net.module_.named_parameters() if ".body." in name]
    assert {p.requires_grad for name, p in weights if ".lora_" in name} == {True}
    assert {p.requires_grad for name, p in weights if ".lora_" not in name} == {False}
    moved = [p for name, p in weights if ".lora_B" in name]
    assert all(p.abs().max() > 0 for p in moved)
    twin = pickle.loads(pickle.dumps(net))
    assert_allclose(twin.predict_proba(rows[0]), net.predict_proba(rows[0]), atol=1e-6)
    net.fine_tune(*rows, freeze=2, max_epochs=1)
    with pytest.raises(ValueError, match="leaves nothing to `adapt`"):
        net.set_params(freeze="backbone").fit(*rows)
