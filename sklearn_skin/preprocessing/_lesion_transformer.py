"""One ColumnTransformer for a table of lesions: images, numbers and categories."""

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline, make_pipeline

# scikit-learn has no public way to read what set_output() has set.
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import check_is_fitted

from sklearn_skin.image import check_no_images
from sklearn_skin.preprocessing._blocks import (
    ColumnsOf,
    categorical_block,
    joint_block,
    numeric_block,
)
from sklearn_skin.preprocessing._cleaning import GroupLabeler, ImageLifter
from sklearn_skin.preprocessing._columns import MISSING_WORDS
from sklearn_skin.preprocessing._neural_imputer import NeuralImputer
from sklearn_skin.utils import DocLinkMixin

IMPUTATIONS = {"simple": "median", "mean": "mean", "neural": "neural"}
CATEGORICAL_IMPUTATIONS = ("most_frequent", "missing")


class LesionColumnTransformer(DocLinkMixin, ColumnTransformer):
    """ColumnTransformer for lesions; see :func:`make_lesion_transformer`, which makes it.

    It differs from its parent in two ways: a numeric array is a legal X (columns ``x0``,
    ``x1``, …), and a group column may be absent from X after `fit`, for new patients.
    """

    def _doc_link_url_param_generator(self):
        # The page of the function, since the class has none.
        module = "sklearn_skin.preprocessing"
        return {"estimator_module": module, "estimator_name": "make_lesion_transformer"}

    def fit_transform(self, X, y=None, **params):
        """Fit to X and transform it.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            Table of lesions.
        y : array-like, default=None
            Passed to the transformers.
        **params : dict
            Metadata for the transformers.

        Returns
        -------
        X : DataFrame
            Images and encoded metadata.
        """
        return super().fit_transform(_as_frame(X), y, **params)

    def transform(self, X, **params):
        """Transform X.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            Table of lesions; order and additional columns do not matter.
        **params : dict
            Metadata for the transformers.

        Returns
        -------
        X : DataFrame
            Images and encoded metadata.
        """
        X = _as_frame(X)
        # A ColumnTransformer asks for every column that it was fitted with.
        groups = [c for name, _, c in getattr(self, "transformers_", []) if name == "group"]
        absent = [c for columns in groups for c in columns if c not in X.columns]
        X = X.assign(**dict.fromkeys(absent)) if absent else X
        parts = None if params else self._transform_tables(X)
        return super().transform(X, **params) if parts is None else pd.concat(parts, axis=1)

    def _transform_tables(self, X):
        """Return the table of every block, or None where it takes all that the parent does.

        What that does beside, for tables of any library and for arrays, takes most of a row's time.
        """
        check_is_fitted(self)
        plain = isinstance(X, pd.DataFrame) and X.columns.is_unique
        plain = plain and self.n_jobs is None and self.transformer_weights is None
        if not plain or _get_output_config("transform", self)["dense"] != "pandas":
            return None
        parts = []
        for _, block, columns in self.transformers_:
            if isinstance(block, str) and block == "drop" or len(columns) == 0:
                continue
            if not isinstance(columns, list) or not set(columns) <= set(X.columns):
                return None
            part = block.transform(X[columns])
            if not isinstance(part, pd.DataFrame) or len(part) != len(X):
                return None
            parts.append(part)
        return parts or None


def make_lesion_transformer(
    *,
    image_columns="auto",
    image_steps=(),
    group_column=None,
    drop=(),
    imputation="simple",
    scale=True,
    categorical_imputation="most_frequent",
    add_indicator=False,
    keep_empty_features=True,
    missing_words=MISSING_WORDS,
    image_root=None,
    random_state=None,
):
    """Make the ColumnTransformer that prepares a table of lesions for a classifier.

    Columns are told apart when it is fitted, by dtype, and texts by what they hold. Image columns
    pass through `image_steps`. Numbers are imputed and standardised; texts most of which are
    numbers are read as numbers, and a warning says so. Other texts, categories and booleans get
    one spelling per value (``'Male '`` is ``'male'``, ``'True'`` is ``True``), are imputed and
    one-hot encoded; values not seen in `fit` become all zeros, and one warning names column
    and value. Missing columns are errors; the order of columns and additional ones do not
    matter.

    Nested parameters, after the name of the step in a pipeline:

    - ``image__<step>__<parameter>``, where a step is named as by
      :func:`sklearn.pipeline.make_pipeline` (``image__shadesofgray__power``,
      ``image__hairremoval__width``), and ``image__shadesofgray="passthrough"`` leaves it out;
    - ``numeric__clean``, ``numeric__impute__strategy``, ``numeric__scale``;
    - ``categorical__clean``, ``categorical__impute__strategy``,
      ``categorical__encode__min_frequency`` and the other parameters of OneHotEncoder;
    - with ``imputation="neural"`` or an imputer:
      ``metadata__impute__<parameter of the imputer>``,
      ``metadata__encode__numeric``, ``metadata__encode__categorical__min_frequency``.

    Parameters
    ----------
    image_columns : 'auto', str or list of str, default='auto'
        'auto' takes the columns of dtype image. Named columns may also hold paths, which are
        lifted to that dtype; other image columns are then dropped.
    image_steps : sequence of transformers, (name, transformer) pairs or str, default=()
        Corrections of the images, in order. A str is a correction with its defaults, one of
        'shades_of_gray', 'gray_world', 'clahe', 'remove_hair', 'center_crop', 'resize'.
    group_column : str or None, default=None
        Column that tells which rows belong together, for estimators that take `group_column`;
        name it there, too. Its values become texts such as ``"group of 'patient': 7"``, which
        others refuse, so that it is never a feature.
    drop : str or list of str, default=()
        Columns to leave out.
    imputation : {'simple', 'mean', 'neural'} or transformer, default='simple'
        'simple': median of numbers, mode of categories. 'mean': mean instead of median.
        'neural': :class:`NeuralImputer` on numbers and categories together. A transformer of
        tables, such as ``NeuralImputer(fallback="never")`` or
        ``SimpleImputer(strategy="most_frequent")``, is cloned in its place: it is given floats
        and texts in one DataFrame, and must fill numbers with numbers and texts with texts.
        `add_indicator` and `keep_empty_features` are then its own, and so is a seed that it has.
        One that takes numbers alone, such as KNNImputer, takes the place of the median:
        ``make_lesion_transformer().set_params(numeric__impute=KNNImputer())``.
    scale : bool, default=True
        Whether to standardise numbers to zero mean and unit variance.
    categorical_imputation : {'most_frequent', 'missing'}, default='most_frequent'
        Fill categories by their mode (by the network for 'neural'), or make gaps a category of
        their own, 'missing'.
    add_indicator : bool, default=False
        Whether to add a column ``<name>==missing`` for each number with gaps; with
        ``imputation="neural"`` for categories too.
        Missingness can tell the diagnosis where data were collected unevenly.
    keep_empty_features : bool, default=True
        Whether columns without any value in `fit`, as may happen in a fold, keep their place;
        they are constant, whatever comes later. Otherwise a warning names them.
    missing_words : sequence of str or None, default=("?", "-", "n/a", "na", "unknown", …)
        Texts that are gaps where a column holds numbers, None for no such texts; case does not
        matter. ``[*MISSING_WORDS, "not asked"]`` adds to the default, which is
        ``sklearn_skin.preprocessing.MISSING_WORDS``. ``["999"]`` is a gap in a column of texts; a
        column of numbers keeps its 999.
    image_root : str, path or None, default=None
        Folder, or address such as ``"s3://bucket/folder"``, that relative paths of lifted image
        columns start from.
    random_state : int, RandomState instance or None, default=None
        Seed of the neural imputation.

    Returns
    -------
    transformer : ColumnTransformer
        Unfitted, with pandas output. One-hot features are named ``<column>=<value>``, so that
        :func:`feature_groups` reads from names which features come from which column. A ``=``
        in a column's own name is written ``%3D``, and so is one that a value starts with.

    Raises
    ------
    ValueError
        If an option is unknown. In `fit`, if a column of texts holds names of image files or
        identifiers: at least 0.8 different texts per row in 20 rows or more, or one text per row
        in 10 to 19. If the column is named like an identifier (``PatientID``, ``case no``), also
        if it holds whole numbers, and already with more than 100 different values, or at least 20
        with fewer than 4 rows each. Others so named, and other texts that are so many, become
        features, and a warning names them; columns of dtype category are kept as they are. Also
        if the imputer in `imputation` does not take texts, or mixes them with numbers.
    TypeError
        In `fit`, if a column holds dates, lists or dicts.

    See Also
    --------
    feature_groups : Features of each raw column.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_skin.preprocessing import make_lesion_transformer
    >>> X = pd.DataFrame({"age": [30.0, None, 50.0], "sex": ["male", "Male ", "female"]})
    >>> make_lesion_transformer(scale=False).fit_transform(X)
        age  sex=female  sex=male
    0  30.0         0.0       1.0
    1  40.0         0.0       1.0
    2  50.0         1.0       0.0
    """
    _check_option("categorical_imputation", categorical_imputation, CATEGORICAL_IMPUTATIONS)
    missing_words = _check_words(missing_words)
    image_columns = image_columns if image_columns == "auto" else _as_list(image_columns)

    others = [*_as_list(group_column), *_as_list(drop)]

    # An imputer of the user's own decides itself about columns without a value.
    keep_empty = keep_empty_features or not isinstance(imputation, str)

    def columns_of(kind):
        return ColumnsOf(kind, image_columns, others, missing_words, keep_empty)

    images = Pipeline([("lift", ImageLifter(image_root)), *_named_steps(image_steps)])
    blocks = [("image", images, columns_of("image"))]
    gaps = {"add_indicator": add_indicator, "keep_empty_features": keep_empty_features}
    imputer = _as_imputer(imputation, random_state=random_state, **gaps)
    if imputer is not None:
        metadata = joint_block(imputer, scale, categorical_imputation, missing_words)
        blocks.append(("metadata", metadata, columns_of("metadata")))
    else:
        numeric = numeric_block(IMPUTATIONS[imputation], scale, missing_words, add_indicator)
        categorical = categorical_block(categorical_imputation)
        blocks.append(("numeric", numeric, columns_of("numeric")))
        blocks.append(("categorical", categorical, columns_of("categorical")))
    if group_column is not None:
        blocks.append(("group", GroupLabeler(), _as_list(group_column)))
    # A block's name in front would become part of the raw column that features are named after.
    transformer = LesionColumnTransformer(blocks, verbose_feature_names_out=False)
    return transformer.set_output(transform="pandas")


def _as_imputer(imputation, **options):
    """Return what fills numbers and categories together, or None where each kind has its own."""
    if not isinstance(imputation, str) and hasattr(imputation, "fit_transform"):
        if isinstance(imputation, type) or not hasattr(imputation, "set_output"):
            raise ValueError(
                f"`imputation` must be one of {sorted(IMPUTATIONS)} or a transformer with "
                "`get_feature_names_out`, so that its columns keep their names; got "
                f"{imputation!r}."
            )
        imputer = clone(imputation)
        if imputer.get_params().get("random_state", 0) is None:
            imputer.set_params(random_state=options["random_state"])
        return imputer
    _check_option("imputation", imputation, IMPUTATIONS)
    return NeuralImputer(**options) if imputation == "neural" else None


def _named_steps(image_steps):
    """Return (name, transformer) pairs, names as make_pipeline gives them."""
    from sklearn_skin.preprocessing._image_corrections import IMAGE_TRANSFORMERS

    steps = []
    for step in [image_steps] if isinstance(image_steps, str) else image_steps:
        if isinstance(step, str) and step != "passthrough":
            _check_option("image_steps", step, IMAGE_TRANSFORMERS)
            step = IMAGE_TRANSFORMERS[step]()
        steps.append(step)
    if not steps:
        return []
    names = [s[0] if isinstance(s, tuple) else None for s in steps]
    objects = [s[1] if isinstance(s, tuple) else s for s in steps]
    automatic = make_pipeline(*objects).steps
    return [(name or auto, obj) for name, (auto, obj) in zip(names, automatic)]


def _check_option(name, value, options):
    if value not in options:
        raise ValueError(f"`{name}` must be one of {sorted(options)}; got {value!r}.")


def _check_words(words):
    words = () if words is None else words
    if isinstance(words, str) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"`missing_words` must be a list of texts or None; got {words!r}.")
    return words


def _as_list(columns):
    if columns is None:
        return []
    return [columns] if isinstance(columns, str) else list(columns)


def _as_frame(X):
    check_no_images(X)
    if not hasattr(X, "columns"):
        X = X if hasattr(X, "ndim") else np.asarray(X)
        if X.ndim != 2:
            raise ValueError(f"X must be a table or a 2-D array; got {type(X).__name__}.")
        X = pd.DataFrame(X)
    if len(X) == 0:
        raise ValueError("X has no rows.")
    if list(X.columns) == list(range(X.shape[1])):
        return X.set_axis([f"x{i}" for i in range(X.shape[1])], axis=1)
    # A ColumnTransformer takes numbers for positions, so they cannot be names.
    wrong = [name for name in X.columns if not isinstance(name, str)]
    if wrong:
        raise TypeError(
            f"column names must be texts; got {wrong[0]!r}: X.columns = X.columns.astype(str)."
        )
    return X
