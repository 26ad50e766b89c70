"""What happens between epochs: scores, schedules, averaged weights, progress."""

import warnings

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import check_scoring, get_scorer_names
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

LOSSES = {"cross_entropy": {"gamma": 0.0}, "focal": {"gamma": 2.0}}
OPTIMIZERS = {
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
    "sgd": (torch.optim.SGD, {"momentum": 0.9}),
}
LR_SCHEDULES = {
    "cosine": (lr_scheduler.CosineAnnealingLR, {}),
    "step": (lr_scheduler.StepLR, {"step_size": 15, "gamma": 0.1}),
    # torch acts after one epoch more than its patience.
    "plateau": (lr_scheduler.ReduceLROnPlateau, {"patience": 4, "factor": 0.1}),
}


def named_options(value, table, parameter):
    """Return (entry of `table`, options) for a name or a dict ``{"name": …, option: …}``."""
    options = dict(value) if isinstance(value, dict) else {"name": value}
    name = options.pop("name", None)
    if name not in table:
        raise ValueError(f"`{parameter}` must be one of {sorted(table)}; got {name!r}.")
    return table[name], options


def loss_options(value):
    """Return the focusing exponent of a loss given by name or dict."""
    defaults, options = named_options(value, LOSSES, "loss")
    unknown = sorted(set(options) - ({"gamma"} if defaults["gamma"] else set()))
    gamma = options.get("gamma", defaults["gamma"])
    if unknown or isinstance(gamma, str) or not gamma >= 0:
        raise ValueError(
            "`loss` takes one option, a \"gamma\" of at least 0 with the name 'focal'; "
            f"got {value!r}."
        )
    return {"gamma": float(gamma)}


def make_schedule(value, max_epochs, monitor, lower_is_better):
    """Return the callback of a learning-rate schedule."""
    (policy, defaults), options = named_options(value, LR_SCHEDULES, "lr_schedule")
    options = defaults | options
    if policy is lr_scheduler.CosineAnnealingLR:
        options.setdefault("T_max", max_epochs)
    if policy is lr_scheduler.ReduceLROnPlateau:
        options.setdefault("mode", "min" if lower_is_better else "max")
        options.setdefault("monitor", monitor)
    return LRScheduler(policy, **options)


def make_early_stopping(monitor, patience, lower_is_better):
    """Return the callback that stops, and that brings the best epoch's weights back."""
    return EarlyStopping(
        monitor,
        patience=patience,
        lower_is_better=lower_is_better,
        load_best=True,
        threshold=0.0,
        threshold_mode="abs",
    )


def resolve_scorer(monitor):
    """Return a scorer for the name or callable in `monitor`."""
    if callable(monitor):
        return monitor
    from sklearn_skin.metrics import SCORERS

    if monitor in SCORERS:
        return SCORERS[monitor]
    if monitor not in get_scorer_names():
        raise ValueError(
            f"`monitor` must be 'valid_loss', 'train_loss', a scorer's name such as "
            f"'balanced_accuracy' or {sorted(SCORERS)}, or a callable; got {monitor!r}."
        )
    return check_scoring(_KnownPredictions(None, None, None), scoring=monitor)


class _KnownPredictions(ClassifierMixin, BaseEstimator):
    """Predictions at hand, in the form that scikit-learn's scorers ask for."""

    def __init__(self, classes, labels, probabilities):
        self.classes = classes
        self.labels = labels
        self.probabilities = probabilities

    @property
    def classes_(self):
        return self.classes

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y):
        return self

    def predict(self, X):
        return self.labels

    def predict_proba(self, X):
        return self.probabilities


class ValidationScore(Callback):
    """Record a scorer's value on the validation rows after every epoch.

    Parameters
    ----------
    name : str
        Column of the history.
    scorer : callable
        ``scorer(estimator, X, y)``.
    y : array-like
        Labels of the validation rows.
    predict : callable
        Turns branch probabilities into (classes, labels, probabilities).
    """

    def __init__(self, name, scorer, y, predict):
        self.name = name
        self.scorer = scorer
        self.y = y
        self.predict = predict

    def on_epoch_end(self, net, dataset_valid=None, **kwargs):
        """Score the network as it is now."""
        known = _KnownPredictions(*self.predict(net.branch_probabilities(dataset_valid)))
        score = float(self.scorer(known, np.zeros((len(dataset_valid), 1)), self.y))
        best = [row[self.name] for row in net.history[:-1]]
        net.history.record(self.name, score)
        net.history.record(f"{self.name}_best", not best or score > max(best))

    def __getstate__(self):
        return {"name": self.name, "scorer": None, "y": None, "predict": None}


class WeightAveraging(Callback):
    """Average the weights over the last epochs (SWA) or over all steps (EMA).

    At the end the network takes the average, and its BatchNorm statistics are measured
    afresh on the training rows.

    Parameters
    ----------
    swa_epochs : int
        Number of last epochs to average; 0 for none.
    ema_decay : float or None
        Decay per step of the exponential average.
    max_epochs : int
        Epochs of the fit.
    """

    def __init__(self, swa_epochs, ema_decay, max_epochs):
        self.swa_epochs = swa_epochs
        self.ema_decay = ema_decay
        self.max_epochs = max_epochs

    def on_train_begin(self, net, **kwargs):
        """Start with no average."""
        self.average_ = None
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
        if training and self.ema_decay is not None:
            self._update(net)

    def on_epoch_end(self, net, **kwargs):
        """Add this epoch to the plain average where it is one of the last."""
        self.epoch_ += 1
        if self.ema_decay is None and self.epoch_ > self.max_epochs - self.swa_epochs:
            self._update(net)

    def _start(self, net):
        ema = None if self.ema_decay is None else get_ema_multi_avg_fn(self.ema_decay)
        self.average_ = AveragedModel(net.module_, multi_avg_fn=ema)

    def _update(self, net):
        if self.average_ is None:
            self._start(net)
        self.average_.update_parameters(net.module_)

    def on_train_end(self, net, X=None, **kwargs):
        """Put the average into the network."""
        average, self.average_ = self.average_, None
        if average is None:
            warnings.warn(
                "early stopping ended training before the last `swa_epochs` epochs; "
                "no weights were averaged.",
                UserWarning,
                stacklevel=2,
            )
        else:
            net.module_.load_state_dict(average.module.state_dict())
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
