"""Choices and ranges of a study's space, and what stands for them in its file."""

import re
from collections.abc import Mapping
from hashlib import blake2b
from inspect import signature

import numpy as np

from sklearn_skin.utils import did_you_mean

_MAX_LABEL = 100
_BRACKETS = {list: "[{}]", tuple: "({})", set: "{{{}}}", frozenset: "{{{}}}", dict: "{{{}}}"}


def read_space(space, estimator):
    """Return a space whose choices are lists; what no trial could take is an error."""
    if not isinstance(space, Mapping):
        raise TypeError(
            "`space` must be a dict of parameter to choices, or a function of a trial that returns "
            f"the parameters' values; got {type(space).__name__}. Of a list of dicts give the one, "
            "or a function that chooses between them."
        )
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
    if (choices := choices_of(values)) is not None:
        label = trial.suggest_categorical(name, found.choices)
        # NaN is not equal to itself, which the distribution knows and a list does not.
        return choices[found.to_internal_repr(label)]
    choose = trial.suggest_float if isinstance(found, FloatDistribution) else trial.suggest_int
    return choose(name, found.low, found.high, step=found.step, log=found.log)


def distribution_of(values):
    """Return the distribution that a study's file holds for a list or a distribution."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if (choices := choices_of(values)) is not None:
        return CategoricalDistribution(_labels(choices))
    # Optuna's older classes are kept as these two.
    kind = FloatDistribution if isinstance(values, FloatDistribution) else IntDistribution
    return kind(values.low, values.high, log=values.log, step=values.step)


def check_earlier(study, space):
    """Raise an error where trials of the study were drawn from another space."""
    from optuna.distributions import check_distribution_compatibility

    earlier = {}
    for trial in study.get_trials(deepcopy=False):
        earlier |= trial.distributions
    for name in filter(earlier.__contains__, space):
        found = distribution_of(space[name])
        try:
            check_distribution_compatibility(earlier[name], found)
        except ValueError as error:
            raise ValueError(
                f"`space` has {found} for {name!r}, and earlier trials of the study "
                f"{study.study_name!r} had {earlier[name]}. A study keeps its choices, their order "
                "and the kind of a range; give another name to make_study."
            ) from error


def check_chosen(chosen, space):
    """Raise an error where a trial has chosen what the space has no longer."""
    for name, value in chosen.items():
        if name not in space:
            raise ValueError(f"the trial has {value!r} for {name!r}, which is not in the space.")
        found = distribution_of(space[name])
        try:
            found.to_internal_repr(value)
        except ValueError as error:
            raise ValueError(
                f"the trial has {value!r} for {name!r}, which the space has no longer; it has "
                f"{list(getattr(found, 'choices', [found]))}."
            ) from error


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


def choices_of(values):
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
    if isinstance(value, str | int | float | None):
        return value
    text = _text(value)
    if len(text) <= _MAX_LABEL:
        return text
    return f"{text[: _MAX_LABEL - 12]}... {blake2b(text.encode(), digest_size=4).hexdigest()}"


def _text(value):
    """Return a value on one line, the same in every process."""
    if hasattr(value, "get_params") and not isinstance(value, type):
        return _estimator_text(value)
    value = value.item() if isinstance(value, np.generic) else value
    # NumPy's repr cuts long arrays.
    if isinstance(value, np.ndarray):
        return f"array({_text(value.tolist())})"
    if type(value) in _BRACKETS:
        parts = [_text(part) for part in value]
        if isinstance(value, dict):
            parts = [f"{name}: {_text(part)}" for name, part in zip(parts, value.values())]
        # The order of a set of texts differs between processes.
        parts = sorted(parts) if isinstance(value, set | frozenset) else parts
        end = "," if isinstance(value, tuple) and len(value) == 1 else ""
        return _BRACKETS[type(value)].format(", ".join(parts) + end)
    # An object's address is another in every process.
    text = re.sub(" at 0x[0-9a-fA-F]+", "", repr(value))
    return " ".join(map(str.strip, text.splitlines()))


def _estimator_text(estimator):
    """Return an estimator's class and changed parameters, whatever the configured display."""
    signed = signature(type(estimator)).parameters
    defaults = {name: _text(parameter.default) for name, parameter in signed.items()}
    given = {name: _text(value) for name, value in estimator.get_params(deep=False).items()}
    # Parameters behind **kwargs that were not given are None.
    changed = [f"{k}={text}" for k, text in given.items() if text != defaults.get(k, "None")]
    return f"{type(estimator).__name__}({', '.join(changed)})"
