"""Columns of groups between two steps: texts, since a patient's number must never be a feature."""

import re

import pandas as pd

_LABEL = re.compile(r"group of (['\"]).*\1: ", re.DOTALL)


def label_groups(column):
    """Return groups as texts that say what they are, which no classifier takes for numbers.

    Parameters
    ----------
    column : Series
        Name of each row's group.

    Returns
    -------
    labels : Series of object
        Gaps stay gaps, and labels stay labels.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_skin.utils import label_groups
    >>> label_groups(pd.Series([7, 9], name="patient")).tolist()
    ["group of 'patient': 7", "group of 'patient': 9"]
    """
    # pandas makes 3.0 of 3 where a column has gaps; here both are one patient.
    values = column.convert_dtypes().to_numpy(dtype=object, na_value=None)
    start = f"group of {column.name!r}: "
    labels = [v if v is None or _is_label(v) else f"{start}{v}" for v in values]
    return pd.Series(labels, index=column.index, name=column.name, dtype=object)


def check_no_groups(X, reader):
    """Raise an error where a column of X holds what `label_groups` returns.

    Parameters
    ----------
    X : DataFrame
        What would be learnt from.
    reader : str
        Who lacks the name of the column, as in "JointFusionClassifier".

    Raises
    ------
    ValueError
        It says to name the column in `group_column` of `reader`.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_skin.utils import check_no_groups
    >>> check_no_groups(pd.DataFrame({"site": ["arm", "leg"]}), "JointFusionClassifier")
    """
    for name, column in X.select_dtypes(["object", "str", "string"]).items():
        known = column.dropna()
        if len(known) and _is_label(known.iloc[0]):
            raise ValueError(
                f"column {name!r} holds groups, such as {known.iloc[0]!r}, and no feature: name it "
                f"in `group_column` of {reader}, too, or in `drop` of make_lesion_transformer()."
            )


def _is_label(value):
    return isinstance(value, str) and _LABEL.match(value) is not None
