"""Bring raw columns into one form: images, floats, or texts with one spelling per value."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from sklearn_skin.image import ImageDtype, as_images
from sklearn_skin.preprocessing._columns import MISSING, as_numbers
from sklearn_skin.preprocessing._feature_groups import escape, indicator_name
from sklearn_skin.preprocessing._kinds import MISSING_WORDS, check_categories
from sklearn_skin.utils import list_names, warn_user

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

    Parameters
    ----------
    missing_words : sequence of str, default=MISSING_WORDS
        Texts, in lower case, that are gaps.
    """

    def __init__(self, missing_words=MISSING_WORDS):
        self.missing_words = missing_words

    def fit(self, X, y=None):
        """Remember which columns hold a value, and say which hold texts."""
        validate_data(self, X, skip_check_array=True)
        self.empty_ = [name for name in X.columns if np.isnan(self._numbers(X[name])).all()]
        _warn_of_texts({name: _count_words(X[name]) for name in X.columns})
        return self

    def transform(self, X):
        """Return X as float64."""
        check_is_fitted(self)
        validate_data(self, X, reset=False, skip_check_array=True)
        columns = {escape(name): self._numbers(X[name]) for name in X.columns}
        # The scaler saw nothing of them: values that come later would pass at their raw scale.
        for name in self.empty_:
            columns[escape(name)] = np.nan
        return pd.DataFrame(columns, index=X.index, dtype=np.float64)

    def _numbers(self, column):
        return as_numbers(column, self.missing_words)


class CategoryCleaner(MetadataCleaner):
    """Give each category one spelling: ``'Male '`` and ``'male'`` are the same, as are
    ``'True'`` and ``True``, ``3`` and ``3.0``.

    The spelling seen most often in `fit` wins. Case is kept where a categorical dtype declares
    categories that differ by case only. Values not seen in `fit` are left as they are and named
    in one warning, the first time that a column has some.
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
            check_categories(X[name])
        self._told = set()
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
            new = known[known.notna() & ~known.isin(spellings.values())]
            if len(new) and name not in self._told:
                unseen[name] = new
        self._told |= set(unseen)
        _warn_of_unseen(unseen, len(X))
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


def _count_words(column):
    """Return the texts of a column of numbers that are none, with their counts."""
    texts = column[[isinstance(value, str) for value in column]]
    if len(texts) == 0:
        return None
    texts = texts.str.strip()
    texts = texts[texts != ""]
    return texts[pd.to_numeric(texts, errors="coerce").isna()].value_counts()


def _warn_of_texts(words):
    parts = []
    for name, counts in words.items():
        if counts is not None:
            gaps = ", ".join(f"{word!r} ({count} times)" for word, count in counts.items())
            parts.append(f"{name!r}" + (f", with gaps for {gaps}" if gaps else ""))
    if parts:
        warn_user(
            f"columns of texts are read as numbers: {'; '.join(parts)}. A column of dtype category "
            "stays as it is.",
            once=("texts", *words),
        )


def _warn_of_unseen(unseen, n_rows):
    parts = []
    for name, texts in unseen.items():
        values = list(dict.fromkeys(texts))
        shown = list_names(values, _SHOWN_VALUES)
        parts.append(f"column {name!r}: {shown} ({len(texts)} of {n_rows} rows)")
    if parts:
        warn_user(
            "categories not seen in fit are encoded as all zeros: " + "; ".join(parts) + ".",
            once=("unseen", *unseen),
        )
