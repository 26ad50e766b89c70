"""Columns of groups that the members of a meta-estimator name."""

import pandas as pd
from sklearn.compose import ColumnTransformer


def named_group_columns(members):
    """Return the columns that members, or what is inside them, take for groups.

    Parameters
    ----------
    members : list of (str, classifier)
        They name columns in `group_column`, or as `make_lesion_transformer` is told of it.

    Returns
    -------
    columns : set of str
    """
    named = named_columns(members, "group_column")
    for _, value in _params_of(members):
        if isinstance(value, ColumnTransformer):
            named |= _labelled_columns(value)
    return named


def common_group_column(members, X, owner):
    """Return the column that all members which name one agree on, or None without any.

    Parameters
    ----------
    members : list of (str, classifier)
    X : DataFrame or array-like
    owner : str
        Class of the meta-estimator, for the message.

    Raises
    ------
    ValueError
        If they name several, or X lacks the column.
    """
    named = sorted(named_group_columns(members))
    if len(named) > 1:
        raise ValueError(
            f"members name different group columns, {named}: name the one to split by in "
            f"`group_column` of {owner}, or pass `groups` to fit."
        )
    for column in named:
        if column not in getattr(X, "columns", ()):
            raise ValueError(
                f"`group_column` {column!r} of the members is not a column of X, and without it "
                f"{owner} may fit and judge them on rows of one patient: pass `groups` to fit."
            )
    return named[0] if named else None


def named_columns(members, parameter):
    """Return the columns that a parameter of the members, or of what is inside them, names."""
    named = set()
    for name, value in _params_of(members):
        if name.split("__")[-1] == parameter:
            named |= set(value) if pd.api.types.is_list_like(value) else {value}
    return named - {None}


def _params_of(members):
    for _, member in members:
        # What is fitted already need have no parameters.
        yield from member.get_params().items() if hasattr(member, "get_params") else ()


def _labelled_columns(transformer):
    # In a ColumnTransformer of the user's own, "group" may be any feature.
    if not type(transformer).__module__.startswith("sklearn_skin."):
        return set()
    blocks = {name: columns for name, _, columns in transformer.transformers}
    return set(blocks.get("group", ()))
