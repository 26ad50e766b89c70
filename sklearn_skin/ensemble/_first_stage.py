"""The first stage of FusionM4Net: its default, and lists of classifiers as a parameter."""

import pandas as pd
from sklearn.linear_model import LogisticRegression

from sklearn_skin.image import ImageDtype

FIRST = "first_stage"


def default_first_stage(X, group_column, seed):
    """Return a network for the images of X.

    FusionNet for two, joint-individual fusion for another number. Without images no network is
    needed to learn from a table.
    """
    n_images = 0
    if isinstance(X, pd.DataFrame):
        n_images = sum(isinstance(dtype, ImageDtype) for dtype in X.dtypes)
    if n_images == 0:
        return LogisticRegression(max_iter=1000)
    from sklearn_skin import neural_network

    name = "FusionNetClassifier" if n_images == 2 else "JointIndividualFusionClassifier"
    return getattr(neural_network, name)(group_column=group_column, random_state=seed)


def check_members(members):
    """Check a list of (name, classifier); the names become branches."""
    pairs = isinstance(members, list) and len(members) > 0
    if not pairs or not all(isinstance(m, tuple) and len(m) == 2 for m in members):
        raise ValueError(
            "`first_stage` must be a classifier or a non-empty list of (str, classifier) tuples; "
            f"got {members!r}."
        )
    names = [name for name, _ in members]
    wrong = [n for n in names if not isinstance(n, str) or "__" in n or names.count(n) > 1]
    if wrong:
        raise ValueError(f"names in `first_stage` must be unique, without '__'; got {names}.")


def deep_params(first_stage):
    """Return the nested parameters of a list of (name, classifier); `fit` checks the list."""
    params = {}
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in first_stage):
        return params
    for name, member in first_stage:
        params[f"{FIRST}__{name}"] = member
        for key, value in member.get_params().items():
            params[f"{FIRST}__{name}__{key}"] = value
    return params


def set_member_params(first_stage, params):
    """Return the list with ``first_stage__…`` parameters set, and the other parameters."""
    members, others = dict(first_stage), {}
    for key in sorted(params, key=len):
        part, _, rest = key.partition("__")
        name, _, nested = rest.partition("__")
        if part != FIRST or not rest:
            others[key] = params[key]
        elif name not in members:
            raise ValueError(f"`first_stage` has no classifier {name!r}; it has {list(members)}.")
        elif nested:
            members[name].set_params(**{nested: params[key]})
        else:
            members[name] = params[key]
    return list(members.items()), others
