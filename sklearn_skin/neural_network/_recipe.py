"""A fit's settings, decided once: parameters in, everything that training reads out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import validate_parameter_constraints

from sklearn_skin.neural_network._optimisers import (
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
    below stand for parameters that leave something to decide, and for what follows from several.

    Parameters
    ----------
    parameters : mapping of str to object
        The estimator's parameters.
    estimator_name : str
        Name of its class, for messages.
    image_size : tuple of (int, int) or None
        Height and width in pixels; None for a network without images.
    device : str
        torch device.
    optimizer : tuple of (type, dict)
        Class and options.
    lr_schedule : tuple of (type, dict) or None
        Class and options.
    focal_gamma : float
        Focusing exponent of the loss.
    averaging : Averaging or None
        Weights to average.
    monitor : str
        Column of the history that early stopping watches.
    monitor_scorer : callable or None
        What fills that column; None where it is a loss.
    needs_validation : bool
        Whether the fit holds rows out.
    fit_seed : int
        Seed of weights, order, augmentation, dropout and the inner split.
    """

    parameters: Mapping[str, Any]
    estimator_name: str
    image_size: tuple[int, int] | None
    device: str
    optimizer: tuple[type, dict[str, Any]]
    lr_schedule: tuple[type, dict[str, Any]] | None
    focal_gamma: float
    averaging: Averaging | None
    monitor: str
    monitor_scorer: Callable[..., float] | None
    needs_validation: bool
    fit_seed: int

    def __getattr__(self, name):
        # Called for names that are no fields; `parameters` itself is missing while unpickling.
        parameters = self.__dict__.get("parameters", {})
        if name not in parameters:
            owner = self.__dict__.get("estimator_name", "the recipe")
            raise AttributeError(f"{owner} has no parameter {name!r}.")
        return parameters[name]

    def for_prediction(self, estimator):
        """Return the recipe of a fit with what its estimator may change after it."""
        given = estimator.get_params(deep=False)
        changes = {name: given[name] for name in _AT_PREDICTION if name in given}
        constraints = {name: type(estimator)._parameter_constraints[name] for name in changes}
        validate_parameter_constraints(constraints, changes, self.estimator_name)
        return replace(self, parameters={**self.parameters, **changes})


# What a network without images does: nothing is frozen, cached, shown in views or missing.
_NO_IMAGES = {
    "adapt": None,
    "allow_missing_images": False,
    "augment": None,
    "backbone": None,
    "branch_weights": "mean",
    "cache_dir": None,
    "freeze": None,
    "frozen_views": None,
    "image_size": None,
    "modality_dropout": 0.0,
    "on_error": "raise",
    "tta": 1,
    "weights": None,
}


# What a fitted network takes anew; all other parameters are in its weights.
_AT_PREDICTION = ("cache_dir", "on_error", "tta")
# Settings that change how, not what, a fit computes.
INDIFFERENT = {"verbose", "checkpoint_dir", "cache_dir", "num_workers", "callbacks", "device"}
LOSS_COLUMNS = ("valid_loss", "train_loss")


def as_pair(size):
    """Return height and width of a size given as one number or two."""
    pair = (size, size) if np.isscalar(size) else tuple(size)
    if len(pair) != 2 or not all(isinstance(side, int | np.integer) and side >= 1 for side in pair):
        raise ValueError(f"`image_size` must be one or two integers of at least 1; got {size!r}.")
    return pair


def resolve(parameters, estimator_name, fit_seed=0):
    """Return the recipe of an estimator's parameters; contradictions are errors."""
    # So that training reads one recipe, whether a network has images or not.
    given = _NO_IMAGES | dict(parameters)
    _check_contradictions(given)
    size, monitor, max_epochs = given["image_size"], given["monitor"], given["max_epochs"]
    return Recipe(
        parameters=given,
        estimator_name=estimator_name,
        image_size=size if size is None else as_pair(size),
        device=find_device(given["device"]),
        optimizer=find_optimizer(given["optimizer"]),
        lr_schedule=find_schedule(given["lr_schedule"], max_epochs),
        focal_gamma=find_gamma(given["loss"]),
        averaging=find_averaging(given["averaging"], max_epochs),
        # A callable has no name for a column.
        monitor=monitor if isinstance(monitor, str) else "valid_score",
        monitor_scorer=None if monitor in LOSS_COLUMNS else find_scorer(monitor),
        needs_validation=needs_validation(given),
        fit_seed=fit_seed,
    )


def _check_contradictions(given):
    if given["warm_start"] and given["checkpoint_dir"] is not None:
        raise ValueError(
            "`warm_start` and `checkpoint_dir` both say where training goes on from; use one."
        )
    if given["sampler"] == "balanced" and given["class_weight"] is not None:
        raise ValueError(
            "`sampler` and `class_weight` both correct the class imbalance; set one to None."
        )
    if given["adapt"] is not None and given["freeze"] == "backbone":
        raise ValueError("`freeze='backbone'` leaves nothing to `adapt`; set one to None.")
    check_tolerance(given["on_error"], given["allow_missing_images"])


def check_tolerance(on_error, allow_missing_images):
    """Raise an error where unreadable images are to be missing, which they may not be."""
    if on_error == "missing" and not allow_missing_images:
        raise ValueError("on_error='missing' needs allow_missing_images=True.")


def needs_validation(parameters):
    """Whether a fit with these parameters holds rows out where it is given none."""
    schedule, weights = parameters["lr_schedule"], parameters.get("branch_weights")
    name = schedule.get("name") if isinstance(schedule, dict) else schedule
    searches = isinstance(weights, str) and weights == "search"
    return bool(parameters["early_stopping"]) or searches or name == "plateau"


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
