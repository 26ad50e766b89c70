"""Bring raw columns into one form: images, floats, or texts with one spelling per value."""

import warnings

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from sklearn_skin.image import ImageDtype, as_images
from sklearn_skin.preprocessing._columns import MISSING, as_numbers
from sklearn_skin.preprocessing._feature_groups import escape, indicator_name

_SHOWN_VALUES = 5  # per column, in warnings


class ImageLifter(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Lift columns of paths to the dtype image; columns that have it pass.

    Parameters
    ----------
    root : str, path or None, default=None
        Folder that relative paths start from.
    """

    def __init__(self, root=None):
        self.root = root

    def fit(self, X, y=None):
        """Remember the columns."""
        validate_data(self, X, skip_check_array=True)
        return self

    def transform(self, X):
        """Return X with all columns of dtype image."""
        check_is_fitted(self)
        validate_data(self, X, reset=False, skip_check_array=True)
        return X.assign(**{name: self._lift(X[name]) for name in X.columns})

    def _lift(self, column):
        if isinstance(column.dtype, ImageDtype):
            return column.array
        try:
            return as_images(column.to_numpy(dtype=object, na_value=None), root=self.root)
        except (TypeError, ValueError) as error:
            raise type(error)(f"column {column.name!r}: {error}") from error


class MetadataCleaner(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Base of the first step of metadata, which also writes the columns' names without ``=``."""

    def get_feature_names_out(self, input_features=None):
        """Return the names from which `raw_column` reads the columns."""
        names = super().get_feature_names_out(input_features)
        return np.array([escape(name) for name in names], dtype=object)


class NumberCleaner(MetadataCleaner):
    """Turn numbers, booleans and texts that hold numbers into float64, gaps into NaN.

    Columns without any value in `fit` stay empty: nothing is known about their scale.
    """

    def fit(self, X, y=None):
        """Remember which columns hold a value."""
        validate_data(self, X, skip_check_array=True)
        self.empty_ = [name for name in X.columns if np.isnan(as_numbers(X[name])).all()]
        return self

    def transform(self, X):
        """Return X as float64."""
        check_is_fitted(self)
        validate_data(self, X, reset=False, skip_check_array=True)
        columns = {escape(name): as_numbers(X[name]) for name in X.columns}
        # The scaler saw nothing of them: values that come later would pass at their raw scale.
        for name in self.empty_:
            columns[escape(name)] = np.nan
        return pd.DataFrame(columns, index=X.index, dtype=np.float64)


class CategoryCleaner(MetadataCleaner):
    """Give each category one spelling: ``'Male '`` and ``'male'`` are the same, as are
    ``'True'`` and ``True``, ``3`` and ``3.0``.

    The spelling seen most often in `fit` wins. Case is kept where a categorical dtype declares
    categories that differ by case only. Values not seen in `fit` are left as they are and named
    in one warning.
    """  # noqa: D205

    def fit(self, X, y=None):
        """Learn the categories of each column."""
        validate_data(self, X, skip_check_array=True)
        self.spellings_, self.keeps_case_ = {}, set()
        for name in X.columns:
            texts = _as_texts(X[name])
            if _case_matters(X[name].dtype):
                self.keeps_case_.add(name)
            counts = texts.value_counts().sort_index(ascending=False)
            # Ties go by the text, so that the order of rows does not matter.
            counts = counts.sort_values(ascending=False, kind="stable")
            # Of two spellings with one key the later entry stays: the more frequent.
            self.spellings_[name] = {self._key(name, text): text for text in counts.index[::-1]}
            _warn_of_identifier(name, texts)
        return self

    def transform(self, X):
        """Return X as texts, gaps as NaN."""
        check_is_fitted(self)
        validate_data(self, X, reset=False, skip_check_array=True)
        columns, unseen = {}, {}
        for name in X.columns:
            texts, spellings = _as_texts(X[name]), self.spellings_[name]
            known = texts.map(lambda text, n=name, s=spellings: s.get(self._key(n, text), text))
            # OneHotEncoder takes None for a category, and NaN for a gap.
            columns[escape(name)] = known.astype(object).where(known.notna(), np.nan)
            new = [text for text in known.dropna().unique() if text not in spellings.values()]
            if new:
                unseen[name] = new
        if unseen:
            _warn_of_unseen(unseen)
        return pd.DataFrame(columns, index=X.index, dtype=object)

    def _key(self, name, text):
        if text is None or text is np.nan:
            return None
        return text if name in self.keeps_case_ else text.casefold()


class NumberImputer(SimpleImputer):
    """SimpleImputer whose indicators are features of the column that they tell of."""

    def get_feature_names_out(self, input_features=None):
        """Return the columns' names, then those of the indicators."""
        names = super().get_feature_names_out(input_features)
        if self.add_indicator:
            # Indicators come last, one for each of these columns.
            columns = _check_feature_names_in(self, input_features)[self.indicator_.features_]
            names[len(names) - len(columns) :] = [indicator_name(name) for name in columns]
        return names


class EmptyCategoryFiller(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Make columns that were empty in `fit` hold the category 'missing' alone.

    Such columns have no mode; filled so, they keep their place, and values that come later
    change nothing that a classifier has learnt.
    """

    def fit(self, X, y=None):
        """Remember which columns are empty."""
        validate_data(self, X, skip_check_array=True)
        self.empty_ = [name for name in X.columns if X[name].isna().all()]
        return self

    def transform(self, X):
        """Return X with those columns constant."""
        check_is_fitted(self)
        validate_data(self, X, reset=False, skip_check_array=True)
        constant = pd.Series(MISSING, index=X.index, dtype=object)
        return X.assign(**dict.fromkeys(self.empty_, constant))


def _as_texts(column):
    texts = [_as_text(value) for value in column.to_numpy(dtype=object, na_value=None)]
    return pd.Series(texts, index=column.index, dtype=object)


def _as_text(value):
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    # pandas makes 3.0 of 3 where a column has gaps.
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return " ".join(str(value).split()) or None


def _case_matters(dtype):
    if not isinstance(dtype, pd.CategoricalDtype):
        return False
    texts = {text for text in map(_as_text, dtype.categories) if text is not None}
    return len({text.casefold() for text in texts}) < len(texts)


def _warn_of_identifier(name, texts):
    known = texts.dropna()
    if len(known) >= 20 and known.nunique() == len(known):
        warnings.warn(
            f"column {name!r} has a different text in every row, such as {known.iloc[0]!r}: "
            "drop it if it is an identifier, or name it in `image_columns` or `group_column`.",
            UserWarning,
            stacklevel=2,
        )


def _warn_of_unseen(unseen):
    parts = []
    for name, values in unseen.items():
        shown = ", ".join(repr(value) for value in values[:_SHOWN_VALUES])
        more = len(values) - _SHOWN_VALUES
        parts.append(f"column {name!r}: {shown}" + (f" and {more} more" if more > 0 else ""))
    warnings.warn(
        "categories not seen in fit are encoded as all zeros: " + "; ".join(parts) + ".",
        UserWarning,
        stacklevel=2,
    )
