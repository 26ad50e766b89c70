"""Which features come from which raw column."""

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

_INDICATOR = "missingindicator_"


def feature_groups(source, *, columns=None):
    """Group encoded metadata features by the raw column that they come from.

    Parameters
    ----------
    source : fitted ColumnTransformer, Pipeline with one, DataFrame or sequence of str
        The transformer knows the answer. In a DataFrame of encoded features, one-hot features
        are found by their values: names with a common start before a ``_``, values of 0 and 1,
        and at most a single 1 per row. Names alone need `columns`.
    columns : sequence of str, default=None
        Raw columns; a feature belongs to the longest of them that its name starts with. For
        names without `columns`, those with the same text before the last ``_`` go together.

    Returns
    -------
    groups : dict of str to list of str
        Raw column -> its features, in order. Image and group columns are left out for a
        transformer made by :func:`make_lesion_transformer`.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_skin.preprocessing import feature_groups, make_lesion_transformer
    >>> X = pd.DataFrame({"age": [30.0, 40.0], "sex": ["male", "female"]})
    >>> transformer = make_lesion_transformer().fit(X)
    >>> feature_groups(transformer)
    {'age': ['age'], 'sex': ['sex_female', 'sex_male']}
    >>> feature_groups(transformer.transform(X))
    {'age': ['age'], 'sex': ['sex_female', 'sex_male']}
    """
    if isinstance(source, Pipeline):
        found = [step for _, step in source.steps if isinstance(step, ColumnTransformer)]
        if not found:
            raise ValueError("`source` must hold a ColumnTransformer; this Pipeline has none.")
        source = found[-1]
    if isinstance(source, ColumnTransformer):
        return _from_transformer(source)
    if columns is not None:
        return _collect((name, _longest_prefix(name, columns)) for name in list(source))
    if isinstance(source, pd.DataFrame):
        return _from_values(source)
    return _from_names(list(source))


def _from_transformer(transformer):
    check_is_fitted(transformer)
    names = transformer.get_feature_names_out()
    pairs = []
    for block, _, columns in transformer.transformers_:
        if block in ("image", "group"):
            continue
        features = names[transformer.output_indices_[block]]
        pairs += [(name, _longest_prefix(name, columns)) for name in features]
    return _collect(pairs)


def _longest_prefix(feature, columns):
    name = str(feature).removeprefix(_INDICATOR)
    fits = [c for c in map(str, columns) if name == c or name.startswith(f"{c}_")]
    return max(fits, key=len, default=name)


def _from_values(features):
    values = features.select_dtypes("number").to_numpy(dtype=np.float64, na_value=np.nan)
    names = list(features.select_dtypes("number").columns)
    binary = {name for name, column in zip(names, values.T) if np.isin(column, (0, 1)).all()}
    position = {name: i for i, name in enumerate(names)}
    owner = {}
    for name in names:
        if name in owner:
            continue
        members = [name]
        if name in binary and not str(name).startswith(_INDICATOR):
            free = [n for n in names if n in binary and n not in owner]
            members = _one_hot_with(name, free, values, position)
        raw = _common_start(members) if len(members) > 1 else str(name).removeprefix(_INDICATOR)
        owner |= dict.fromkeys(members, raw)
    return _collect((name, owner[name]) for name in names)


def _one_hot_with(name, free, values, position):
    """Return the widest set of names with a common start whose rows sum to at most 1."""
    parts = str(name).split("_")
    for n_parts in range(1, len(parts)):
        start = "_".join(parts[:n_parts]) + "_"
        members = [n for n in free if str(n).startswith(start)]
        if len(members) > 1:
            if values[:, [position[n] for n in members]].sum(axis=1).max(initial=0) <= 1:
                return members
    return [name]


def _common_start(names):
    split = [name.split("_")[:-1] for name in names]
    common = []
    for parts in zip(*split):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return "_".join(common)


def _from_names(names):
    starts = [str(name).removeprefix(_INDICATOR).rpartition("_")[0] for name in names]
    return _collect(
        (name, start if start and starts.count(start) > 1 else str(name).removeprefix(_INDICATOR))
        for name, start in zip(names, starts)
    )


def _collect(pairs):
    groups = {}
    for feature, raw in pairs:
        groups.setdefault(raw, []).append(feature)
    return groups
