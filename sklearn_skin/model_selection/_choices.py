"""Choices and ranges of a study's space, and what stands for them in its file."""

import numpy as np

from sklearn_skin.utils import did_you_mean


def read_space(space, estimator):
    """Return a space whose choices are lists; what no trial could take is an error."""
    known = estimator.get_params()
    for name in space:
        if name not in known:
            raise ValueError(
                f"`space` has {name!r}, which is no parameter of the estimator"
                f"{did_you_mean(name, known)}"
            )
    return {name: _read_range(name, values) for name, values in space.items()}


def suggest(trial, name, values):
    """Let the trial choose a value of a list or a distribution."""
    from optuna.distributions import FloatDistribution

    found = distribution_of(values)
    if (choices := _choices(values)) is not None:
        label = trial.suggest_categorical(name, found.choices)
        # NaN is not equal to itself, which the distribution knows and a list does not.
        return choices[found.to_internal_repr(label)]
    choose = trial.suggest_float if isinstance(found, FloatDistribution) else trial.suggest_int
    return choose(name, found.low, found.high, step=found.step, log=found.log)


def distribution_of(values):
    """Return the distribution that a study's file holds for a list or a distribution."""
    from optuna.distributions import CategoricalDistribution

    choices = _choices(values)
    return values if choices is None else CategoricalDistribution(_labels(choices))


def _read_range(name, values):
    from optuna.distributions import BaseDistribution

    if isinstance(values, BaseDistribution):
        return values
    is_row = isinstance(values, np.ndarray) and values.ndim == 1
    if not (is_row or isinstance(values, list | range)):
        unclear = ", which could mean the ends of a range" if isinstance(values, tuple) else ""
        raise TypeError(
            f"the range of {name!r} must be a list of choices or an Optuna distribution; "
            f"got {type(values).__name__}{unclear}."
        )
    if len(values) == 0:
        raise ValueError(f"the list of choices for {name!r} is empty.")
    return list(values)


def _choices(values):
    """Return the choices of a list or a distribution as Python's own values, or None."""
    choices = getattr(values, "choices", values)
    if not isinstance(choices, list | tuple):
        return None
    return [value.item() if isinstance(value, np.generic) else value for value in choices]


def _labels(choices):
    """Return what stands for the choices in a study's file, which holds numbers and texts only."""
    names = [_name(value) for value in choices]
    earlier = [names[:i].count(name) for i, name in enumerate(names)]
    return [f"{name} {n + 1}" if n else name for name, n in zip(names, earlier)]


def _name(value):
    if hasattr(value, "get_params"):
        return type(value).__name__
    return value if isinstance(value, str | int | float | None) else repr(value)
