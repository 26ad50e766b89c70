"""Names of encoded features, which tell the raw column that each comes from."""

import re

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.utils.validation import check_is_fitted

from sklearn_skin.image import ImageDtype
from sklearn_skin.utils import split_pipeline

_CODES = {"=": "%3D", "%": "%25"}
_CHARACTERS = {code: character for character, code in _CODES.items()}
# A plain % stays as it is, so that "area %" keeps its name; only a % that reads as a code changes.
_IN_NAME = re.compile(r"=|%(?=3D|25)")
_IN_VALUE = re.compile(r"^(=|%(?=3D|25))")


def encoded_name(column, value):
    """Return the name of the feature that tells whether `column`, written by `escape`, is `value`.

    A value never starts with ``=``, so that an indicator has a name of its own.
    """
    return f"{column}={_IN_VALUE.sub(_encode, str(value))}"


def indicator_name(column):
    """Return the name of the feature that tells where `column`, written by `escape`, is missing."""
    return f"{column}==missing"


def escape(column):
    """Write the name of a raw column without ``=``."""
    return _IN_NAME.sub(_encode, str(column))


def raw_column(feature_name):
    """Return the raw column that an encoded feature comes from: the text before its first ``=``.

    Parameters
    ----------
    feature_name : str
        Name of a feature. One without ``=`` is a raw column itself.

    Returns
    -------
    column : str
        ``%3D`` and ``%25``, which stand for ``=`` and ``%`` in encoded names, are read back.

    Examples
    --------
    >>> from sklearn_skin.preprocessing import raw_column
    >>> raw_column("sex=female"), raw_column("age"), raw_column("age==missing")
    ('sex', 'age', 'age')
    """
    column = str(feature_name).partition("=")[0]
    return re.sub("%3D|%25", lambda code: _CHARACTERS[code[0]], column)


def feature_groups(source):
    """Group encoded metadata features by the raw column that they come from.

    Names alone decide, never values: see :func:`raw_column`.

    Parameters
    ----------
    source : sequence of str, DataFrame, or fitted ColumnTransformer or Pipeline with one
        Names of features; or a table of features, of which images are left out; or what makes
        such a table, of which images and the group column are left out.

    Returns
    -------
    groups : dict of str to list of str
        Raw column -> its features, in order.

    Raises
    ------
    ValueError
        If a Pipeline or search holds no ColumnTransformer.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_skin.preprocessing import feature_groups, make_lesion_transformer
    >>> X = pd.DataFrame({"age": [30.0, 40.0], "sex": ["male", "female"]})
    >>> transformer = make_lesion_transformer().fit(X)
    >>> feature_groups(transformer)
    {'age': ['age'], 'sex': ['sex=female', 'sex=male']}
    >>> feature_groups(["hx_cancer", "hx_melanoma", "site=arm", "site=leg"])
    {'hx_cancer': ['hx_cancer'], 'hx_melanoma': ['hx_melanoma'], 'site': ['site=arm', 'site=leg']}
    """
    if isinstance(source, pd.DataFrame):
        names = [name for name, dtype in source.dtypes.items() if not isinstance(dtype, ImageDtype)]
    elif hasattr(source, "get_params"):
        names = _metadata_names(source)
    else:
        names = list(source)
    groups = {}
    for name in names:
        groups.setdefault(raw_column(name), []).append(name)
    return groups


def _metadata_names(estimator):
    final, before = split_pipeline(estimator)
    found = [step for step in [*before, final] if isinstance(step, ColumnTransformer)]
    if not found:
        raise ValueError(
            f"`source` must hold a ColumnTransformer; this {type(estimator).__name__} has none."
        )
    transformer = found[-1]
    check_is_fitted(transformer)
    names = transformer.get_feature_names_out()
    others = [transformer.output_indices_.get(block) for block in ("image", "group")]
    left_out = {name for block in others if block is not None for name in names[block]}
    return [name for name in names if name not in left_out]


def _encode(match):
    return _CODES[match[0]]
