"""Optimisers, schedules, losses and averages by name."""

from typing import Any, NamedTuple

import torch
from torch.optim import lr_scheduler

LOSSES: dict[str, dict[str, Any]] = {"cross_entropy": {}, "focal": {"gamma": 2.0}}
# All parameters at once, so that weights and moments are read once per step.
_FUSED = {"fused": True}
# torch refuses these beside it.
_NOT_FUSED = {"foreach", "differentiable"}
OPTIMIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
    "sgd": (torch.optim.SGD, {"momentum": 0.9}),
}
LR_SCHEDULES: dict[str, tuple[Any, dict[str, Any]]] = {
    "cosine": (lr_scheduler.CosineAnnealingLR, {}),
    "step": (lr_scheduler.StepLR, {"step_size": 15, "gamma": 0.1}),
    # torch acts after one epoch more than its patience.
    "plateau": (lr_scheduler.ReduceLROnPlateau, {"patience": 4, "factor": 0.1}),
}
AVERAGES: dict[str, dict[str, Any]] = {"swa": {"epochs": None}, "ema": {"decay": 0.99}}


class Averaging(NamedTuple):
    """Weights to average: those after the last `epochs`, or of all steps with a `decay`."""

    epochs: int | None = None
    decay: float | None = None


def find_optimizer(value):
    """Return the class and the options of an optimiser given by name or dict."""
    name, options = _split(value, OPTIMIZERS, "optimizer")
    optimizer, defaults = OPTIMIZERS[name]
    fused = {} if _NOT_FUSED & set(options) else _FUSED
    return optimizer, fused | defaults | options


def find_schedule(value, max_epochs):
    """Return the class and the options of a learning-rate schedule given by name or dict."""
    if value is None:
        return None
    name, options = _split(value, LR_SCHEDULES, "lr_schedule")
    policy, defaults = LR_SCHEDULES[name]
    defaults = defaults | {"T_max": max_epochs} if name == "cosine" else defaults
    return policy, defaults | options


def find_gamma(value):
    """Return the focusing exponent of a loss given by name or dict; 0 is the cross-entropy."""
    name, options = _split(value, LOSSES, "loss")
    unknown = set(options) - set(LOSSES[name])
    gamma = (LOSSES[name] | options).get("gamma", 0.0)
    if unknown or not isinstance(gamma, int | float) or not gamma >= 0:
        raise ValueError(
            "`loss` takes one option, a \"gamma\" of at least 0 with the name 'focal'; "
            f"got {value!r}."
        )
    return float(gamma)


def find_averaging(value, max_epochs):
    """Return what to average, given by None, name or dict."""
    if value is None:
        return None
    name, options = _split(value, AVERAGES, "averaging")
    unknown = sorted(set(options) - set(AVERAGES[name]))
    if unknown:
        raise ValueError(
            f"`averaging` takes {sorted(AVERAGES[name])} with the name {name!r}; got {unknown}."
        )
    chosen = AVERAGES[name] | options
    if name == "ema":
        if not isinstance(chosen["decay"], float) or not 0 < chosen["decay"] < 1:
            raise ValueError(f"`averaging` needs a decay in (0, 1); got {chosen['decay']!r}.")
        return Averaging(decay=chosen["decay"])
    epochs = max(max_epochs // 4, 1) if chosen["epochs"] is None else chosen["epochs"]
    if not isinstance(epochs, int) or epochs < 1:
        raise ValueError(f"`averaging` needs at least 1 of the last epochs; got {epochs!r}.")
    return Averaging(epochs=epochs)


def _split(value, table, parameter):
    """Return the name and the options of a name or a dict ``{"name": …, option: …}``."""
    options = dict(value) if isinstance(value, dict) else {"name": value}
    name = options.pop("name", None)
    if not isinstance(name, str) or name not in table:
        raise ValueError(f"`{parameter}` must be one of {sorted(table)}; got {name!r}.")
    return name, options
