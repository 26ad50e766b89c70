"""How much each branch counts in a network's prediction."""

from collections.abc import Mapping

import numpy as np

from sklearn_skin.utils import average_branches, missing_as_nan, search_simplex_weights

Branches = Mapping[str, list[np.ndarray]]


def combine_branches(branches, weights):
    """Return the average of the branches' probabilities per task, weighed by name."""
    return average_branches([branches[name] for name in weights], list(weights.values()))


def weigh_branches(branches, recipe, codes=None, sample_weight=None):
    """Return the branches' weights, which sum to 1.

    Parameters
    ----------
    branches : mapping of str to list of ndarray
        Probabilities of validation rows per branch and task; only a search reads more than the
        names.
    recipe : Recipe
        Settings of the fit, with `branch_weights`.
    codes : ndarray of shape (n, T), default=None
        Class codes of these rows, -1 where missing.
    sample_weight : ndarray of shape (n,), default=None
        Weights of these rows.
    """
    names, choice = list(branches), recipe.branch_weights
    if not isinstance(choice, str):
        return _given_weights(choice, names)
    if choice == "mean" or len(names) == 1:
        return dict.fromkeys(names, 1.0 / len(names))
    if choice == "fusion":
        return {name: float(name == names[-1]) for name in names}
    assert codes is not None
    return _searched_weights(branches, codes, sample_weight)


def _given_weights(given, names):
    if isinstance(given, dict):
        unknown = sorted(set(given) - set(names))
        if unknown:
            raise ValueError(f"`branch_weights` has unknown branches {unknown}; known are {names}.")
        values = np.array([given.get(name, 0.0) for name in names], dtype=float)
    else:
        values = np.asarray(given, dtype=float)
    fits = values.shape == (len(names),) and np.isfinite(values).all()
    if not fits or (values < 0).any() or values.sum() <= 0:
        raise ValueError(
            f"`branch_weights` must give a finite weight of at least 0 for each of {names}; "
            f"got {given!r}."
        )
    return dict(zip(names, (values / values.sum()).tolist()))


def _searched_weights(branches, codes, sample_weight):
    # All classes of a task, also those that no validation row has.
    classes = [np.arange(task.shape[1]) for task in next(iter(branches.values()))]
    found = search_simplex_weights(
        list(branches.values()), missing_as_nan(codes), classes=classes, sample_weight=sample_weight
    )
    return dict(zip(branches, found.weights.tolist()))
