import copy

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from sklearn_skin.inspection import (
    FeatureRelevanceDisplay,
    ModalityRelevanceDisplay,
    integrated_gradients,
)
from sklearn_skin.modules import LesionNetwork
from sklearn_skin.neural_network import ImageClassifier, MetadataClassifier


class LinearNet(LesionNetwork):
    branches = ("metadata",)

    def __init__(self, shapes):
        super().__init__()
        self.linear = nn.Linear(shapes.n_metadata, shapes.n_classes[0])

    def forward_features(self, features, metadata=None, present=None):
        return {"metadata": [self.linear(metadata)]}


@pytest.fixture(scope="module")
def table():
    rng = np.random.RandomState(0)
    X = pd.DataFrame(rng.randn(60, 4), columns=["age", "width", "height", "depth"])
    return X, np.where(X["age"] + X["width"] > 0, "yes", "no")


@pytest.mark.parametrize("baseline", ["zero", "mean", [1.0, -1.0, 0.5, 2.0]])
def test_a_linear_network_gives_the_exact_answer(own_net, table, baseline):
    net = own_net(LinearNet, *table)
    X = table[0][:10]
    result = integrated_gradients(net, X, target="yes", baseline=baseline)
    weights = net.module_.linear.weight[1].detach().numpy()
    start = {"zero": 0, "mean": X.mean().to_numpy()}.get(str(baseline), baseline)
    assert_allclose(result.attributions, (X - start) * weights, atol=1e-5)
    assert result.completeness_error < 1e-5
    assert_allclose(result.delta, 0, atol=1e-5)


def test_attributions_are_complete_and_sum_over_raw_columns(pipeline, lesions):
    result = integrated_gradients(pipeline, lesions.data[:20])
    assert result.completeness_error < 0.01
    assert_allclose(result.attributions.sum(axis=1), result.change + result.delta)
    assert_allclose(result.raw_attributions.sum(axis=1), result.attributions.sum(axis=1))
    assert set(result.raw_attributions) == {"age", "sex", "site", "diameter"}
    sites = [name for name in result.attributions if name.startswith("site=")]
    assert_allclose(result.raw_attributions["site"], result.attributions[sites].sum(axis=1))
    assert result.attributions.index.tolist() == lesions.data.index[:20].tolist()


def test_relevance_lies_between_0_and_1_and_reaches_1(pipeline, lesions):
    result = integrated_gradients(pipeline, lesions.data)
    for name in ("relevance", "raw_relevance", "class_relevance", "raw_class_relevance"):
        assert (result[name] >= 0).all(axis=None)
        assert_allclose(result[name].max(axis=1), 1)
    assert set(result.class_relevance.index) == set(result.target)
    first = result.class_relevance.index[0]
    expected = result.attributions[result.target == first].abs().mean()
    assert_allclose(result.class_relevance.loc[first], expected / expected.max())


def test_a_feature_without_weight_has_no_relevance(table, tiny_table):
    net = MetadataClassifier(**tiny_table).fit(*table)
    with torch.no_grad():
        net.module_.encoder[0].weight[:, 2] = 0
    result = integrated_gradients(net, table[0])
    assert not result.attributions["height"].any()
    assert result.attributions["age"].any()
    assert result.completeness_error < 0.01


def test_the_truth_is_found(table, tiny_table):
    net = MetadataClassifier(**tiny_table | {"max_epochs": 30, "lr": 0.01}).fit(*table)
    relevance = integrated_gradients(net, table[0], target="yes").class_relevance.loc["yes"]
    assert set(relevance.nlargest(2).index) == {"age", "width"}
    assert relevance["height"] < 0.5


def test_the_images_of_a_row_matter_but_not_its_neighbours(pipeline, lesions):
    X, options = lesions.data[:4], {"target": "A", "tolerance": None}
    together = integrated_gradients(pipeline, X, **options).attributions
    alone = [integrated_gradients(pipeline, X[i : i + 1], **options) for i in range(4)]
    assert_allclose(together, pd.concat([result.attributions for result in alone]), atol=1e-5)


def test_relevance_leaves_the_network_alone(pipeline, lesions, state_of, assert_same_state):
    module = pipeline[-1].module_
    module.train()
    before = state_of(module)
    integrated_gradients(pipeline, lesions.data[:3])
    ModalityRelevanceDisplay.from_estimator(pipeline, lesions.data[:3])
    assert_same_state(before, state_of(module))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"baseline": "median"}, "`baseline` must be 'zero', 'mean' or an array; got 'median'"),
        ({"baseline": [1.0]}, "one value per metadata feature"),
        ({"n_steps": 0}, "`n_steps` must be at least 1"),
    ],
)
def test_wrong_options_are_named(pipeline, lesions, options, message):
    with pytest.raises(ValueError, match=message):
        integrated_gradients(pipeline, lesions.data[:2], **options)


def test_a_network_without_metadata_is_refused(lesions, tiny):
    net = ImageClassifier(**tiny | {"max_epochs": 1}).fit(lesions.data, lesions.target)
    with pytest.raises(ValueError, match="without metadata"):
        integrated_gradients(net, lesions.data)
    display = ModalityRelevanceDisplay.from_estimator(net, lesions.data[:4])
    assert display.replaced_by == {"image": "mean colour"}


def test_too_few_steps_are_reported(own_net, table):
    class Steep(LinearNet):
        def forward_features(self, features, metadata=None, present=None):
            return {"metadata": [torch.tanh(30 * self.linear(metadata))]}

    net = own_net(Steep, *table)
    with pytest.warns(UserWarning, match="a larger `n_steps`"):
        result = integrated_gradients(net, table[0], n_steps=2, tolerance=None)
    assert result.completeness_error > 0.05 and result.n_steps == 2
    refined = integrated_gradients(net, table[0], n_steps=5)
    assert refined.completeness_error < 0.01 and refined.n_steps > 5


@pytest.mark.parametrize("level", ["class", "instance"])
@pytest.mark.parametrize("features", ["raw", "encoded"])
def test_the_display_draws_each_level(pipeline, lesions, level, features):
    _, ax = plt.subplots()
    display = FeatureRelevanceDisplay.from_estimator(
        pipeline, lesions.data[:6], level=level, features=features, max_features=3, ax=ax
    )
    assert display.ax_ is ax
    names = ax.get_xticklabels() if len(display.table(level=level)) > 1 else ax.patches
    assert len(names) == 3
    table = display.table(level=level, features=features)
    assert table.shape[1] == (4 if features == "raw" else display.attributions.shape[1])
    assert "Completeness error" in ax.get_title()


def test_one_row_is_drawn_as_bars(pipeline, lesions):
    display = FeatureRelevanceDisplay.from_estimator(pipeline, lesions.data[:1], level="instance")
    assert len(display.ax_.patches) == 4
    with pytest.raises(ValueError, match="`level` must be one of"):
        display.plot(level="patient")


def test_taking_an_image_away_is_a_row_without_it(pipeline, lesions):
    X = lesions.data[:6]
    display = ModalityRelevanceDisplay.from_estimator(pipeline, X)
    assert display.replaced_by == {"image": "learned token", "metadata": "learned token"}
    without = X.copy()
    without["image"] = [None] * 6
    without["image"] = without["image"].astype("image")
    before, after = pipeline.predict_proba(X), pipeline.predict_proba(without)
    assert_allclose(display.change["image"], abs(before - after).sum(axis=1) / 2, atol=1e-5)
    best = before.argmax(axis=1)
    drop = (before - after)[range(6), best]
    assert_allclose(display.drop["image"], drop, atol=1e-5)


def test_a_modality_without_weight_moves_nothing(pipeline, lesions):
    model = copy.deepcopy(pipeline)
    encoder = model[-1].module_.encoder
    with torch.no_grad():
        encoder[0].weight.zero_()
    display = ModalityRelevanceDisplay.from_estimator(model, lesions.data[:6])
    assert_allclose(display.change["metadata"], 0, atol=1e-6)
    assert (display.change["image"] > 1e-4).any()
    assert ((display.change >= 0) & (display.change <= 1)).all(axis=None)
