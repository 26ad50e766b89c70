"""Averages are those of the weights that the steps and epochs left, with BatchNorm of their own."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from skorch.callbacks import Callback
from torch.nn.modules.batchnorm import _BatchNorm

from sklearn_skin.neural_network import ImageClassifier, MetadataClassifier


class Weights(Callback):
    """Remember all weights after every step and every epoch."""

    def on_train_begin(self, net, **kwargs):
        self.steps, self.epochs = [], []

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.steps.append(weights_of(net.module_))

    def on_epoch_end(self, net, **kwargs):
        self.epochs.append(weights_of(net.module_))
        self.statistics = statistics_of(net.module_)


def weights_of(module):
    return {name: p.detach().double().numpy().copy() for name, p in module.named_parameters()}


def statistics_of(module):
    """Running means and variances of every BatchNorm."""
    return {
        name: layer.double().numpy().copy()
        for name, layer in module.named_buffers()
        if "running" in name
    }


def make_rows(n_rows=48):
    rng = np.random.default_rng(0)
    X = rng.normal(1.0, 2.0, size=(n_rows, 5)).astype(np.float32)
    return X, (X[:, 0] > X[:, 1]).astype(int)


def fit(averaging, X, y, **settings):
    seen = Weights()
    settings = {"max_epochs": 8, "lr": 0.01, "batch_size": 16, "random_state": 0} | settings
    net = MetadataClassifier(averaging=averaging, callbacks=[seen], **settings)
    # Rows to validate on are no rows to measure on.
    return net.fit(X, y, X_val=X[:8] + 100, y_val=y[:8]), seen


def assert_weights(net, expected):
    found = weights_of(net.module_)
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert_allclose(value, expected[name], rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("averaging", "n_last"),
    [("swa", 2), ({"name": "swa", "epochs": 3}, 3), ({"name": "swa", "epochs": 1}, 1)],
    ids=str,
)
def test_swa_is_the_mean_of_the_weights_after_the_last_epochs(averaging, n_last):
    net, seen = fit(averaging, *make_rows())
    assert len(seen.epochs) == 8
    last = seen.epochs[-n_last:]
    assert_weights(net, {name: np.mean([w[name] for w in last], axis=0) for name in last[0]})
    # One epoch more or fewer would show.
    name = "encoder.0.weight"
    for n_others in (n_last - 1, n_last + 1):
        others = np.mean([w[name] for w in seen.epochs[-n_others:]], axis=0)
        assert np.abs(others - weights_of(net.module_)[name]).max() > 1e-4


@pytest.mark.parametrize(
    ("averaging", "decay"), [("ema", 0.99), ({"name": "ema", "decay": 0.8}, 0.8)]
)
def test_ema_is_the_recursion_over_all_steps(averaging, decay):
    net, seen = fit(averaging, *make_rows(), max_epochs=4)
    assert len(seen.steps) == 4 * 3
    average = seen.steps[0]
    for weights in seen.steps[1:]:
        average = {k: decay * average[k] + (1 - decay) * weights[k] for k in average}
    assert_weights(net, average)


def measured(module, X):
    """Mean and unbiased variance, over rows X in one batch, of what each BatchNorm is given."""
    found, hooks = {}, []
    for name, layer in module.named_modules():
        if isinstance(layer, _BatchNorm):

            def keep(layer, inputs, name=name):
                values = inputs[0].detach().double().numpy()
                found[f"{name}.running_mean"] = values.mean(axis=0)
                found[f"{name}.running_var"] = values.var(axis=0, ddof=1)

            hooks.append(layer.register_forward_pre_hook(keep))
    kept = {name: value.clone() for name, value in module.state_dict().items()}
    module.train()
    with torch.no_grad():
        module([], torch.from_numpy(X), None)
    module.load_state_dict(kept)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("averaging", ["swa", {"name": "ema", "decay": 0.8}], ids=str)
def test_batch_norm_is_measured_again_with_the_averaged_weights(averaging):
    X, y = make_rows()
    net, seen = fit(averaging, X, y, batch_size=48)
    found, expected = statistics_of(net.module_), measured(net.module_, X)
    assert found.keys() == expected.keys() and len(found) >= 2
    for name, value in found.items():
        assert_allclose(value, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)
        # Those of training belong to other weights, and forget the first batches.
        assert np.abs(seen.statistics[name] - expected[name]).max() > 1e-2


def test_batch_norm_is_measured_in_one_pass_over_all_batches():
    X, y = make_rows()
    net, _ = fit("swa", X, y, batch_size=16)
    found, means = statistics_of(net.module_), measured(net.module_, X)
    # With batches of one size, the mean over batches of their means is that of all rows.
    name = "encoder.1.running_mean"
    assert_allclose(found[name], means[name], rtol=1e-4, atol=1e-5)
    counts = [b for n, b in net.module_.named_buffers() if n.endswith("num_batches_tracked")]
    assert [count.item() for count in counts] == [3] * len(counts)


def test_frozen_batch_norm_keeps_its_statistics(X, y, make_net):
    net = make_net(ImageClassifier, averaging={"name": "swa", "epochs": 1}, max_epochs=1)
    net.fit(X, y)
    before = statistics_of(net.module_)
    net.fine_tune(X, y, freeze="backbone")
    after = statistics_of(net.module_)
    assert before.keys() == after.keys() and len(before) > 0
    for name in before:
        assert_allclose(after[name], before[name], err_msg=name)


def test_without_an_epoch_to_average_there_is_a_warning():
    with pytest.warns(UserWarning, match="no weights were averaged"):
        net, _ = fit("swa", *make_rows(), max_epochs=40, early_stopping=True, patience=1, lr=0.5)
    assert len(net.history_) < 30
