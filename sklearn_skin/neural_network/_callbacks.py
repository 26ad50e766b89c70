"""What happens between epochs: scores, schedules, averaged weights, progress."""

from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from sklearn_skin.neural_network._branch_weights import combine_branches, weigh_branches
from sklearn_skin.neural_network._scorers import KnownPredictions, takes_weights
from sklearn_skin.neural_network._shared_batches import SharedHistory
from sklearn_skin.utils import warn_user


def make_callbacks(recipe, data, ranks=None):
    """Return the callbacks of a fit, in the order in which skorch must call them."""
    callbacks: list[Callback] = []
    if recipe.monitor_scorer is not None and data.valid is not None:
        # First: those that follow act on the score of this epoch.
        valid = data.valid
        callbacks.append(
            ValidationScore(recipe, data.codec, valid.codes, data.valid_y, valid.weight)
        )
    if ranks is not None:
        callbacks.append(SharedHistory())
    if recipe.lr_schedule is not None:
        callbacks.append(make_schedule(recipe))
    if recipe.early_stopping:
        callbacks.append(make_early_stopping(recipe))
    if recipe.averaging is not None:
        callbacks.append(WeightAveraging(recipe.averaging, recipe.max_epochs))
    if recipe.verbose and (ranks is None or ranks.rank == 0):
        shown = dict.fromkeys(["train_loss", "valid_loss", recipe.monitor])
        callbacks.append(ProgressBar(recipe.max_epochs, recipe.estimator_name, list(shown)))
    given = list(recipe.callbacks or [])
    return callbacks + (given if ranks is None else ranks.callbacks(given))


def make_schedule(recipe):
    """Return the callback of the learning-rate schedule."""
    assert recipe.lr_schedule is not None
    policy, options = recipe.lr_schedule
    if policy is lr_scheduler.ReduceLROnPlateau:
        mode = "min" if recipe.monitor_scorer is None else "max"
        options = {"mode": mode, "monitor": recipe.monitor} | options
    return LRScheduler(policy, **options)


def make_early_stopping(recipe):
    """Return the callback that stops, and that brings the best epoch's weights back."""
    return EarlyStopping(
        recipe.monitor,
        patience=recipe.patience,
        lower_is_better=recipe.monitor_scorer is None,
        load_best=True,
        # skorch asks for a relative gain of 1e-4 by default, which a score near 1 cannot make.
        threshold=0.0,
        threshold_mode="abs",
    )


class ValidationScore(Callback):
    """Record a scorer's value of what `predict` would return, on the validation rows.

    Branches are weighed, views averaged and rows weighed as in prediction, so that early
    stopping watches the model that the user gets.

    Parameters
    ----------
    recipe : Recipe
        Settings of the fit.
    codec : LabelCodec
        What encoded the labels.
    codes : ndarray of shape (n, T)
        Class codes of the validation rows.
    y : array-like of shape (n,) or (n, T)
        Their labels.
    sample_weight : ndarray of shape (n,) or None
        Their weights.
    """

    def __init__(self, recipe, codec, codes, y, sample_weight=None):
        self.recipe = recipe
        self.codec = codec
        self.codes = codes
        self.y = y
        self.sample_weight = sample_weight

    def on_epoch_end(self, net, dataset_valid=None, **kwargs):
        """Score the network as it is now."""
        name = self.recipe.monitor
        known = self._predictions(net.branch_probabilities(dataset_valid, int(self.recipe.tta)))
        score = self._score(known, np.zeros((len(dataset_valid), 1)))
        best = [row[name] for row in net.history[:-1]]
        net.history.record(name, score)
        net.history.record(f"{name}_best", not best or score > max(best))

    def _predictions(self, branches):
        codec = self.codec
        weights = weigh_branches(branches, self.recipe, self.codes, self.sample_weight)
        proba = combine_branches(branches, weights)
        return KnownPredictions(
            codec.public(codec.classes_), codec.most_probable(proba), codec.public(proba)
        )

    def _score(self, known, X):
        scorer, options = self.recipe.monitor_scorer, {}
        if self.sample_weight is not None and takes_weights(scorer):
            options["sample_weight"] = self.sample_weight
        return float(scorer(known, X, self.y, **options))

    def __getstate__(self):
        # A fitted net is pickled, and must not take the validation rows along.
        return dict.fromkeys(vars(self))


class WeightAveraging(Callback):
    """Average the weights over the last epochs (SWA) or over all steps (EMA).

    At the end the network takes the average, and its BatchNorm statistics are measured
    afresh on the training rows.

    Parameters
    ----------
    averaging : Averaging
        What to average.
    max_epochs : int
        Epochs of the fit.
    """

    def __init__(self, averaging, max_epochs):
        self.averaging = averaging
        self.max_epochs = max_epochs

    def on_train_begin(self, net, **kwargs):
        """Start with no average."""
        self.average_: Any = None
        self.epoch_ = 0

    def state_dict(self):
        """Return what a resumed fit needs: the epochs seen and the average so far."""
        average = None if self.average_ is None else self.average_.state_dict()
        return {"epoch": self.epoch_, "average": average}

    def load_state_dict(self, net, state):
        """Go on from what `state_dict` returned."""
        self.epoch_ = state["epoch"]
        if state["average"] is not None:
            self._start(net)
            self.average_.load_state_dict(state["average"])

    def on_batch_end(self, net, training=False, **kwargs):
        """Move the exponential average by one step."""
        if training and self.averaging.decay is not None:
            self._update(net)

    def on_epoch_end(self, net, **kwargs):
        """Add this epoch to the plain average where it is one of the last."""
        self.epoch_ += 1
        last = self.averaging.epochs
        if last is not None and self.epoch_ > self.max_epochs - last:
            self._update(net)

    def _start(self, net):
        decay = self.averaging.decay
        ema = None if decay is None else get_ema_multi_avg_fn(decay)
        self.average_ = AveragedModel(net.module_, multi_avg_fn=ema)

    def _update(self, net):
        if self.average_ is None:
            self._start(net)
        self.average_.update_parameters(net.module_)

    def on_train_end(self, net, X=None, **kwargs):
        """Put the average into the network."""
        average, self.average_ = self.average_, None
        if average is None:
            warn_user(
                "early stopping ended training before the epochs that `averaging` takes; "
                "no weights were averaged.",
                once="no average",
            )
        else:
            net.module_.load_state_dict(average.module.state_dict())
            # BatchNorm's statistics belong to the last weights, not to their average.
            self._measure_batch_norm(net, X)

    def _measure_batch_norm(self, net, dataset):
        net.module_.train()
        # update_bn resets every BatchNorm, but frozen ones must keep what they were given.
        frozen = [
            module
            for module in net.module_.modules()
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and not module.training
        ]
        kept = [{k: v.clone() for k, v in module.state_dict().items()} for module in frozen]
        batches = (inputs for inputs, _ in net.get_iterator(dataset, training=True))
        update_bn(batches, _Infer(net))
        for module, state in zip(frozen, kept):
            module.load_state_dict(state)


class _Infer(torch.nn.Module):
    """A batch of inputs to outputs, for `update_bn`."""

    def __init__(self, net):
        super().__init__()
        self.module = net.module_
        self.infer = net.infer

    def forward(self, inputs):
        return self.infer(inputs)


class ProgressBar(Callback):
    """One tqdm bar over the epochs, with the newest losses and score."""

    def __init__(self, total, description, columns):
        self.total = total
        self.description = description
        self.columns = columns

    def on_train_begin(self, net, **kwargs):
        """Open the bar."""
        from tqdm.auto import tqdm

        self.bar_ = tqdm(total=self.total, desc=self.description, unit="epoch")

    def on_epoch_end(self, net, **kwargs):
        """Move the bar by one epoch."""
        row = net.history[-1]
        self.bar_.set_postfix({name: f"{row[name]:.4g}" for name in self.columns if name in row})
        self.bar_.update()

    def on_train_end(self, net, **kwargs):
        """Close the bar."""
        self.bar_.close()
        del self.bar_
