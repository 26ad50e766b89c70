"""Columns of groups that the members of a meta-estimator name."""

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
    named = set()
    for _, member in members:
        for name, value in _params_of(member).items():
            if name.split("__")[-1] == "group_column":
                named |= set(value) if isinstance(value, list | tuple) else {value}
            elif isinstance(value, ColumnTransformer):
                named |= _labelled_columns(value)
    return named - {None}


def _params_of(member):
    # What is fitted already need have no parameters.
    return member.get_params() if hasattr(member, "get_params") else {}


def _labelled_columns(transformer):
    # In a ColumnTransformer of the user's own, "group" may be any feature.
    if not type(transformer).__module__.startswith("sklearn_skin."):
        return set()
    blocks = {name: columns for name, _, columns in transformer.transformers}
    return set(blocks.get("group", ()))
