"""A fit's settings, decided once: parameters in, everything that training reads out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sklearn_skin.neural_network._optimisers import (
    LR_SCHEDULES,
    Averaging,
    find_averaging,
    find_gamma,
    find_optimizer,
    find_schedule,
)
from sklearn_skin.neural_network._scorers import find_scorer


@dataclass(frozen=True)
class Recipe:
    """What `make_module`, `make_loss` and training read.

    Every parameter of the estimator is an attribute, a subclass's own ones included. The fields
    below stand for parameters that leave something to decide.

    Parameters
    ----------
    parameters : mapping of str to object
        The estimator's parameters.
    estimator : str
        Name of its class, for messages.
    image_size : tuple of (int, int) or None
        Height and width in pixels; None for a network without images.
    device : str
        torch device.
    optimizer : tuple of (type, dict)
        Class and options.
    lr_schedule : tuple of (type, dict) or None
        Class and options.
    gamma : float
        Focusing exponent of the loss.
    averaging : Averaging or None
        Weights to average.
    monitor : str
        Column of the history that early stopping watches.
    scorer : callable or None
        What fills that column; None where it is a loss.
    holds_out : bool
        Whether the fit needs validation rows.
    seed : int
        Seed of weights, order, augmentation, dropout and the inner split.
    """

    parameters: Mapping[str, Any]
    estimator: str
    image_size: tuple[int, int] | None
    device: str
    optimizer: tuple[type, dict[str, Any]]
    lr_schedule: tuple[type, dict[str, Any]] | None
    gamma: float
    averaging: Averaging | None
    monitor: str
    scorer: Callable[..., float] | None
    holds_out: bool
    seed: int

    def __getattr__(self, name):
        # Called for names that are no fields; `parameters` itself is missing while unpickling.
        parameters = self.__dict__.get("parameters", {})
        if name not in parameters:
            raise AttributeError(f"{self.__dict__.get('estimator')} has no parameter {name!r}.")
        return parameters[name]


# What a network without images does: nothing is cached, shown in views or missing.
_NO_IMAGES = {
    "allow_missing_images": False,
    "augment": None,
    "backbone": None,
    "branch_weights": "mean",
    "cache_dir": None,
    "image_size": None,
    "tta": 1,
}


def as_pair(size):
    """Return height and width of a size given as one number or two."""
    return (size, size) if np.isscalar(size) else tuple(size)


LOSS_COLUMNS = ("valid_loss", "train_loss")


def resolve(parameters, estimator, seed=0):
    """Return the recipe of an estimator's parameters; contradictions are errors."""
    # So that training reads one recipe, whether a network has images or not.
    p = _NO_IMAGES | dict(parameters)
    _check_contradictions(p)
    size = p["image_size"]
    scorer = None if p["monitor"] in LOSS_COLUMNS else find_scorer(p["monitor"])
    schedule = find_schedule(p["lr_schedule"], p["max_epochs"])
    searches = isinstance(p["branch_weights"], str) and p["branch_weights"] == "search"
    return Recipe(
        parameters=p,
        estimator=estimator,
        image_size=size if size is None else as_pair(size),
        device=find_device(p["device"]),
        optimizer=find_optimizer(p["optimizer"]),
        lr_schedule=schedule,
        gamma=find_gamma(p["loss"]),
        averaging=find_averaging(p["averaging"], p["max_epochs"]),
        # A callable has no name for a column.
        monitor=p["monitor"] if isinstance(p["monitor"], str) else "valid_score",
        scorer=scorer,
        holds_out=bool(p["early_stopping"]) or searches or _watches(schedule),
        seed=seed,
    )


def _check_contradictions(p):
    if p["warm_start"] and p["checkpoint_dir"] is not None:
        raise ValueError(
            "`warm_start` and `checkpoint_dir` both say where training goes on from; use one."
        )
    if p["sampler"] == "balanced" and p["class_weight"] is not None:
        raise ValueError(
            "`sampler` and `class_weight` both correct the class imbalance; set one to None."
        )


def _watches(schedule):
    """Whether a schedule acts on a score of validation rows."""
    return schedule is not None and schedule[0] is LR_SCHEDULES["plateau"][0]


def find_device(device):
    """Return a torch device name; "auto" takes the GPU where there is one."""
    if device != "auto":
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise ValueError(
                f"`device` must be 'auto' or a torch device that is there; got {device!r}: {error}"
            ) from error
        return str(torch.device(device))
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
