import copy

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression
from torch import nn

from sklearn_skin.datasets import make_lesions
from sklearn_skin.inspection import GradCAMDisplay, grad_cam
from sklearn_skin.modules import (
    AsymmetricFusionNet,
    FusionNet,
    LesionNetwork,
    SharedFusionNet,
    StagedEncoder,
    TaskHeads,
)
from sklearn_skin.neural_network import ImageClassifier, LesionNetClassifier, MetadataClassifier


@pytest.fixture(scope="module")
def two_images():
    names = ["clinical", "dermoscopy"]
    bunch = make_lesions(12, image_columns=names, image_size=64, random_state=0)
    return bunch.data[names], bunch.target


def randomised(net, seed):
    """Return a copy of a network with fresh weights."""
    other = copy.deepcopy(net)
    torch.manual_seed(seed)
    for module in other.module_.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return other


def test_a_corner_that_makes_the_class_lights_up(corner_net, corner):
    X, y = corner
    assert corner_net.score(X, y) == 1
    found = grad_cam(corner_net, X[y == "corner"], target="corner")
    inside = found.heatmaps[:, :12, :12].sum((1, 2)) / found.heatmaps.sum((1, 2))
    # The corner is 14 % of the picture.
    assert np.median(inside) > 0.6
    highest = found.heatmaps.reshape(len(inside), -1).argmax(axis=1)
    rows, columns = np.unravel_index(highest, (32, 32))
    assert np.mean((rows < 12) & (columns < 12)) > 0.9


def test_random_weights_give_another_map(corner_net, corner):
    X, y = corner
    X = X[y == "corner"]
    trained = grad_cam(corner_net, X, target="corner").heatmaps
    alike, inside = [], []
    for seed in range(8):
        random = grad_cam(randomised(corner_net, seed), X, target="corner").heatmaps
        rows = [(a.ravel(), b.ravel()) for a, b in zip(trained, random) if b.any()]
        alike += [np.corrcoef(a, b)[0, 1] for a, b in rows]
        inside.append(random[:, :12, :12].sum() / max(random.sum(), 1))
    assert np.median(alike) < 0.3
    assert trained[:, :12, :12].sum() / trained.sum() > 2 * np.mean(inside)


def test_with_pooling_and_a_linear_classifier_it_is_the_class_activation_map(lesions, tiny):
    net = ImageClassifier(**tiny).fit(lesions.data, lesions.target)
    found = grad_cam(net, lesions.data[:6], target=net.classes_[1])
    images = torch.from_numpy(found.pixels).permute(0, 3, 1, 2) / 255
    module = net.module_.eval()
    with torch.no_grad():
        maps = module.images.backbones[0](images)
        (head,) = (part for part in module.modules() if isinstance(part, TaskHeads))
        weights = head.tasks[0].weight[1]
        expected = torch.einsum("d,ndhw->nhw", weights, maps).relu()[:, None]
        expected = nn.functional.interpolate(expected, (64, 64), mode="bilinear")[:, 0]
    highest = expected.amax((1, 2), keepdim=True)
    expected = torch.where(highest > 0, expected / highest, 0)
    assert found.map_size == tuple(maps.shape[2:])
    assert_allclose(found.heatmaps, expected, atol=1e-4)


def test_rows_do_not_see_their_batch_mates(pipeline, lesions):
    X = lesions.data[:5]
    together = grad_cam(pipeline, X, target=lesions.target.iloc[0]).heatmaps
    alone = [grad_cam(pipeline, X[i : i + 1], target=lesions.target.iloc[0]) for i in range(5)]
    assert_allclose(together, np.concatenate([found.heatmaps for found in alone]), atol=1e-4)


def test_nothing_of_the_network_changes(pipeline, lesions, state_of, assert_same_state):
    module = pipeline[-1].module_
    module.train()
    before = state_of(module)
    proba = pipeline.predict_proba(lesions.data[:3])
    module.train()
    grad_cam(pipeline, lesions.data[:3])
    assert_same_state(before, state_of(module))
    assert_allclose(pipeline.predict_proba(lesions.data[:3]), proba)


def test_augmentation_and_test_time_views_are_off(pipeline, lesions):
    X, expected = lesions.data[:3], grad_cam(pipeline, lesions.data[:3]).heatmaps
    varied = copy.deepcopy(pipeline)
    varied[-1].set_params(tta=4, augment="full")
    assert_allclose(grad_cam(varied, X).heatmaps, expected)


def test_a_frozen_backbone_gives_the_same_map_as_a_free_one(lesions, tiny):
    settings = tiny | {"backbone": "resnet10t", "freeze": "backbone"}
    net = ImageClassifier(**settings).fit(lesions.data, lesions.target)
    frozen = grad_cam(net, lesions.data[:4], target=net.classes_[0])
    assert frozen.heatmaps.max() == 1
    free = copy.deepcopy(net)
    free.module_.requires_grad_(True)
    again = grad_cam(free, lesions.data[:4], target=net.classes_[0])
    assert_allclose(frozen.heatmaps, again.heatmaps, atol=1e-4)


@pytest.mark.parametrize("column", ["clinical", "dermoscopy"])
@pytest.mark.parametrize("share", [False, True])
def test_each_image_column_has_its_own_map(two_images, tiny, column, share):
    X, y = two_images
    settings = tiny | {"backbone": "resnet10t", "share_backbone": share}
    net = ImageClassifier(**settings).fit(X, y)
    # Not every class finds evidence everywhere after two epochs.
    maps = [grad_cam(net, X[:3], image_column=column, target=label) for label in net.classes_]
    found = max(maps, key=lambda result: result.heatmaps.sum())
    options = {"image_column": column, "target": found.target}
    changed = X[:3].copy()
    other = "clinical" if column == "dermoscopy" else "dermoscopy"
    changed[other] = X[other][3:6].array
    # A linear classifier's map depends on the other image not at all.
    assert_allclose(grad_cam(net, changed, **options).heatmaps, found.heatmaps, atol=1e-4)
    assert_allclose(found.pixels[0], X[column].iloc[0].pixels)
    changed[column] = X[column][3:6].array
    assert abs(grad_cam(net, changed, **options).heatmaps - found.heatmaps).max() > 0.1


def fusion_net(shapes):
    return FusionNet(StagedEncoder("test_resnet"), StagedEncoder("test_resnet"), shapes.n_classes)


def asymmetric_net(shapes):
    encoders = StagedEncoder("test_efficientnet"), StagedEncoder("test_resnet")
    return AsymmetricFusionNet(*encoders, shapes.n_classes)


def shared_net(shapes):
    return SharedFusionNet([StagedEncoder("test_convnext")], shapes.n_classes)


class PlainNet(LesionNetwork):
    """Two CNNs that are no `Backbone`."""

    branches = ("fusion",)

    def __init__(self, shapes):
        super().__init__()
        self.first, self.second = (
            nn.Sequential(nn.Conv2d(3, 4, 3, 4), nn.ReLU(inplace=True)) for _ in range(2)
        )
        self.head = nn.Linear(8, shapes.n_classes[0])

    def forward_features(self, images, metadata=None, present=None):
        maps = [self.first(images[0]), self.second(images[1])]
        return {"fusion": [self.head(torch.cat([m.mean((2, 3)) for m in maps], 1))]}


@pytest.mark.parametrize("make", [fusion_net, shared_net, PlainNet])
def test_networks_of_every_build_show_their_map(
    own_net, two_images, make, state_of, assert_same_state
):
    net = own_net(make, *two_images, max_epochs=1)
    X, y = two_images
    before = state_of(net.module_)
    for column in X.columns:
        found = grad_cam(net, X[:3], image_column=column, target=net.classes_[0])
        assert found.heatmaps.shape == (3, 64, 64)
        assert found.heatmaps.any()
        shuffled = grad_cam(net, X.iloc[[2, 0, 1]], image_column=column, target=net.classes_[0])
        assert_allclose(shuffled.heatmaps[[1, 2, 0]], found.heatmaps, atol=1e-3)
    assert_same_state(before, state_of(net.module_))


def test_a_network_with_its_own_layers_shows_its_map(two_images, tiny):
    X, y = two_images
    net = LesionNetClassifier(**tiny | {"max_epochs": 1, "image_size": 32, "backbone": "lesionnet"})
    net = net.fit(X, y)
    for name in X.columns:
        # A class may find no evidence at all in a network that is hardly trained.
        found = [grad_cam(net, X[:2], image_column=name, target=label) for label in net.classes_]
        assert found[0].map_size == (8, 8)
        assert any(result.heatmaps.any() for result in found)


@pytest.mark.parametrize(
    ("make", "branch", "column"),
    # The asymmetric fusion sees the clinical image through attention, not through its last map.
    [(fusion_net, "clinical", "dermoscopy"), (asymmetric_net, "fusion", "clinical")],
)
def test_a_branch_that_does_not_see_the_last_map_is_an_error(
    own_net, two_images, make, branch, column
):
    net = own_net(make, *two_images, max_epochs=1)
    message = f"'{branch}' does not depend on the last map of image column '{column}'"
    with pytest.raises(ValueError, match=message):
        grad_cam(net, two_images[0][:3], image_column=column, branch=branch)
    assert grad_cam(net, two_images[0][:3], image_column="clinical", branch="clinical")


def test_every_task_has_its_map(tiny):
    bunch = make_lesions(16, n_tasks=2, image_size=64, random_state=0)
    net = ImageClassifier(**tiny).fit(bunch.data, bunch.target)
    one, two = (grad_cam(net, bunch.data[:3], task=task) for task in (0, 1))
    assert set(two.target) <= set(net.classes_[1])
    assert abs(one.heatmaps - two.heatmaps).max() > 0


def test_the_predicted_class_is_explained_by_default(pipeline, lesions):
    X = lesions.data[:5]
    found = grad_cam(pipeline, X)
    assert found.target.tolist() == pipeline.predict(X).tolist()
    assert_allclose(found.probability, pipeline.predict_proba(X).max(axis=1), atol=1e-5)
    assert found.row_names.tolist() == X.index.tolist()
    again = grad_cam(pipeline, X, target=found.target)
    assert_allclose(again.heatmaps, found.heatmaps)


def test_a_missing_image_is_blank(pipeline, lesions):
    X = lesions.data[:3].copy()
    X.loc[X.index[1], "image"] = None
    found = grad_cam(pipeline, X)
    assert found.present.tolist() == [True, False, True]
    assert not found.heatmaps[1].any()
    texts = GradCAMDisplay.from_estimator(pipeline, X).axes_[0, 2].texts
    assert [text.get_text() for text in texts] == ["no image"]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"image_column": "photo"}, r"`image_column` must be one of \['image'\]; got 'photo'"),
        ({"task": 1}, "`task` must be one of"),
        ({"branch": "image"}, r"`branch` must be one of \['fusion'\]"),
        ({"target": "wart"}, r"`target` has unknown classes \['wart'\]"),
        ({"target": ["melanoma"]}, "one per row"),
    ],
)
def test_wrong_options_are_named(pipeline, lesions, options, message):
    with pytest.raises(ValueError, match=message):
        grad_cam(pipeline, lesions.data[:2], **options)


def test_models_without_images_are_refused(lesions, pipeline, tiny_table):
    with pytest.raises(TypeError, match="must be a network .* got LogisticRegression"):
        grad_cam(LogisticRegression(), lesions.data)
    X = pd.DataFrame(np.random.RandomState(0).rand(20, 3))
    net = MetadataClassifier(**tiny_table).fit(X, np.arange(20) % 2)
    with pytest.raises(ValueError, match="fitted without image columns"):
        grad_cam(net, X)


def test_the_display_draws_a_grid_and_masks(pipeline, lesions):
    X = lesions.data[:5]
    display = GradCAMDisplay.from_estimator(pipeline, X, n_columns=2)
    assert display.axes_.shape == (3, 4)
    assert len(display.axes_[0, 1].images) == 2
    assert display.axes_[0, 0].get_title(loc="left").startswith(str(X.index[0]))
    _, axes = plt.subplots(1, 2)
    mask = np.zeros((150, 200))
    mask[50:100, 50:150] = 255
    display.plot(axes[0], masks=[mask] * 5)
    assert display.axes_[0, 1].collections
    assert display.figure_ is axes[0].figure
    with pytest.raises(ValueError, match="must have the shape"):
        GradCAMDisplay(display.pixels, display.heatmaps[:, :2])
