"""Over an epoch, a row of weight 2 pulls as a row that stands twice."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from skorch.callbacks import Callback
from torch.utils.data import SequentialSampler

from sklearn_skin.modules import BranchLoss, LesionNetwork
from sklearn_skin.neural_network import MetadataClassifier
from sklearn_skin.neural_network._class_weights import (
    balanced_row_weights,
    scale_sample_weights,
)


class Linear(LesionNetwork):
    """Two linear tasks without BatchNorm, which would see the repeated rows."""

    branches = ("metadata",)

    def __init__(self, shapes):
        super().__init__()
        self.heads = torch.nn.ModuleList(
            torch.nn.Linear(shapes.n_metadata, n_classes) for n_classes in shapes.n_classes
        )

    def forward_features(self, features, metadata=None, present=None):
        return {"metadata": [head(metadata) for head in self.heads]}


class LinearClassifier(MetadataClassifier):
    def make_module(self, shapes, recipe):
        return Linear(shapes)

    def make_loss(self, shapes, recipe):
        return BranchLoss(task_reduction="sum")


class BinaryClassifier(LinearClassifier):
    def make_loss(self, shapes, recipe):
        return BranchLoss(task_reduction="sum", cross_entropy="binary")


class Gradients(Callback):
    """Add up the gradients of all batches."""

    def on_grad_computed(self, net, named_parameters, training=False, **kwargs):
        grads = np.concatenate([p.grad.flatten().double().numpy() for _, p in named_parameters])
        self.__dict__.setdefault("seen", []).append(grads)


def make_rows():
    """Return 24 rows of two tasks with gaps, and weights of 1, 2 and 0; the sum of them is 36."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(24, 3)).astype(np.float32)
    y = np.column_stack([np.r_[0:3, rng.integers(3, size=21)], np.arange(24) % 2]).astype(object)
    y[4:9, 1] = None
    # The weights of the rows with a label of the second task have another mean.
    weight = np.r_[np.full(14, 2), np.ones(8), np.zeros(2)].astype(int)
    return X, y, weight


def mean_gradient(X, y, sample_weight=None, epochs=1, network=LinearClassifier, **settings):
    """The mean over epochs of the sum over batches of the gradients, at weights that stay."""
    seen = Gradients()
    net = network(
        lr=1e-30, optimizer="sgd", max_epochs=epochs, callbacks=[seen], random_state=0, **settings
    )
    net.fit(X, y, sample_weight=sample_weight)
    return sum(seen.seen) / epochs


def assert_same_direction(first, second, tolerance):
    assert first @ second / np.linalg.norm(first) / np.linalg.norm(second) > 1 - tolerance**2
    ratio = np.linalg.norm(second) / np.linalg.norm(first)
    assert_allclose(first * ratio, second, atol=tolerance * np.abs(second).max())


def test_over_batches_of_one_size_the_gradients_are_those_of_repeated_rows():
    X, y, weight = make_rows()
    y[:, 1] = np.arange(24) % 2
    rows = np.repeat(np.arange(24), weight)
    weighted = mean_gradient(X, y, weight, batch_size=4)
    repeated = mean_gradient(X[rows], y[rows], batch_size=4)
    assert_same_direction(weighted, repeated, 1e-5)
    # The mean over batches is the same too.
    assert_allclose(weighted / 6, repeated / 9, rtol=1e-4, atol=1e-6)
    plain = mean_gradient(X, y, batch_size=4)
    assert np.abs(weighted - plain).max() > 0.1 * np.abs(plain).max()


@pytest.mark.parametrize(
    "settings", [{}, {"class_weight": "balanced"}, {"sampler": "balanced"}], ids=str
)
def test_in_expectation_gaps_and_class_weights_change_nothing(settings):
    X, y, weight = make_rows()
    rows = np.repeat(np.arange(24), weight)
    settings |= {"batch_size": 12, "epochs": 300}
    weighted = mean_gradient(X, y, weight, **settings)
    repeated = mean_gradient(X[rows], y[rows], **settings)
    assert_same_direction(weighted, repeated, 0.05)


@pytest.mark.parametrize("network", [LinearClassifier, BinaryClassifier])
@pytest.mark.parametrize("class_weight", [None, "balanced", [{1: 5.0}, {1: 0.5}]], ids=str)
def test_a_whole_batch_weighs_its_tasks_as_with_repeated_rows(class_weight, network):
    X, y, _ = make_rows()
    # Weights that go with a class of one task alone.
    weight = np.where(y[:, 0] == 1, 9, 1)
    rows = np.repeat(np.arange(24), weight)
    settings = {"class_weight": class_weight, "batch_size": 1000, "network": network}
    weighted = mean_gradient(X, y, weight, **settings)
    repeated = mean_gradient(X[rows], y[rows], **settings)
    assert_allclose(weighted, repeated, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("light", [0.0, 1.0, 3.0])
def test_held_out_rows_count_by_their_weight_in_the_validation_loss(light):
    # Without features every row of a class has one loss, so that weights alone decide the mean.
    X, y = np.zeros((60, 2), np.float32), np.arange(60) % 3 // 2
    settings = {"lr": 1e-30, "max_epochs": 1, "early_stopping": True, "validation_fraction": 0.5}
    net = LinearClassifier(random_state=0, **settings)
    net.fit(X, y, sample_weight=np.where(y == 1, 1.0, light))
    losses = -np.log(net.predict_proba(X[:1])[0])
    n_rows = np.array([20, 10])  # of 30 held-out rows, stratified
    expected = np.average(losses, weights=n_rows * [light, 1.0])
    assert net.history_[0]["valid_loss"] == pytest.approx(expected, rel=1e-4)


def test_weights_of_one_scale_are_no_weights():
    X, y, _ = make_rows()
    plain = mean_gradient(X, y, batch_size=8)
    assert_allclose(mean_gradient(X, y, np.full(24, 7.0), batch_size=8), plain, rtol=1e-5)


def test_a_batch_of_weight_two_pulls_twice_as_hard_as_another(monkeypatch):
    monkeypatch.setattr(
        "sklearn_skin.neural_network._batches.RandomSampler",
        lambda dataset, generator: SequentialSampler(dataset),
    )
    X, y, _ = make_rows()
    seen = Gradients()
    settings = {"lr": 1e-30, "optimizer": "sgd", "max_epochs": 1, "batch_size": 4}
    net = LinearClassifier(callbacks=[seen], random_state=0, **settings)
    net.fit(np.tile(X[:4], (2, 1)), np.tile(y[:4], (2, 1)), sample_weight=np.repeat([2, 1], 4))
    first, second = seen.seen
    assert_allclose(first, 2 * second, rtol=1e-5)


def test_scaled_weights_have_a_mean_of_one_over_each_task_s_labels():
    codes = np.array([[0, 1], [1, -1], [0, 0], [-1, -1]])
    scaled = scale_sample_weights(np.array([1.0, 2.0, 3.0, 9.0]), codes)
    assert_allclose(scaled, np.column_stack([np.array([1, 2, 3, 9]) / mean for mean in (2, 2)]))
    scaled = scale_sample_weights(np.array([1.0, 4.0, 3.0, 9.0]), codes)
    assert_allclose(scaled[[0, 1, 2], 0].mean(), 1, rtol=1e-6)
    assert_allclose(scaled[[0, 2], 1].mean(), 1, rtol=1e-6)
    # A task without weight has no part in the loss, and is no NaN.
    assert_allclose(scale_sample_weights(np.zeros(4), codes), 0)


def test_the_sampler_draws_rows_as_often_as_they_weigh():
    codes = np.array([[0, 1], [0, 0], [1, 0], [1, -1], [2, 1]])
    weight = np.array([1, 3, 0, 2, 1])
    rows = np.repeat(np.arange(5), weight)
    repeated = pd.Series(balanced_row_weights(codes[rows])).groupby(rows).sum()
    expected = repeated.reindex(range(5), fill_value=0.0)
    assert_allclose(balanced_row_weights(codes, weight), expected)


@pytest.mark.filterwarnings("error")
def test_a_class_without_weight_is_never_drawn():
    codes, weight = np.array([[0], [0], [1]]), np.array([1.0, 1.0, 0.0])
    assert_allclose(balanced_row_weights(codes, weight), [0.5, 0.5, 0.0])
