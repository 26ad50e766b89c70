"""Bring raw columns into one form: images, floats, or texts with one spelling per value."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from sklearn_skin.image import ImageDtype, as_images
from sklearn_skin.preprocessing._columns import MISSING, MISSING_WORDS, as_numbers, find_gaps
from sklearn_skin.preprocessing._feature_groups import escape, indicator_name
from sklearn_skin.preprocessing._kinds import (
    check_categories,
    check_numbers,
    check_types,
)
from sklearn_skin.utils import label_groups, list_names, warn_user

_SHOWN_VALUES = 5  # per column, in warnings


class ImageLifter(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Lift columns of paths to the dtype image; columns that have it pass.

    Parameters
    ----------
    root : str, path or None, default=None
        Folder or address that relative paths start from.
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


class GroupLabeler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Turn columns of groups into texts, which no classifier takes for features."""

    def fit(self, X, y=None):
        """Remember the columns."""
        validate_data(self, X, skip_check_array=True)
        return self

    def transform(self, X):
        """Return X with groups such as ``"group of 'patient': 7"``."""
        check_is_fitted(self)
        return X.assign(**{name: label_groups(X[name]) for name in X.columns})


class MetadataCleaner(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Base of the first step of metadata, which also writes the columns' names without ``=``."""

    def get_feature_names_out(self, input_features=None):
        """Return the names from which `raw_column` reads the columns."""
        names = super().get_feature_names_out(input_features)
        return np.array([escape(name) for name in names], dtype=object)

    def _check(self, X):
        check_is_fitted(self)
        validate_data(self, X, reset=False, skip_check_array=True)


class NumberCleaner(MetadataCleaner):
    """Turn numbers, booleans and texts that hold numbers into float64, gaps into NaN.

    Columns without any value in `fit` stay empty: nothing is known about their scale.

    Parameters
    ----------
    missing_words : sequence of str, default=MISSING_WORDS
        Texts that are gaps; case does not matter.
    """

    def __init__(self, missing_words=MISSING_WORDS):
        self.missing_words = missing_words

    def fit(self, X, y=None):
        """Remember which columns hold a value, and say which hold texts."""
        validate_data(self, X, skip_check_array=True)
        numbers = {name: self._numbers(X[name]) for name in X.columns}
        self.empty_ = [name for name in X.columns if np.isnan(numbers[name]).all()]
        for name in X.columns:
            check_numbers(X[name], numbers[name])
        _warn_of_texts({name: _count_words(X[name], self.missing_words) for name in X.columns})
        return self

    def transform(self, X):
        """Return X as float64."""
        self._check(X)
        # The scaler saw nothing of them: values that come later would pass at their raw scale.
        nothing = np.full(len(X), np.nan)
        numbers = [nothing if name in self.empty_ else self._numbers(X[name]) for name in X.columns]
        return np.column_stack(numbers)

    def _numbers(self, column):
        check_types(column)
        return as_numbers(column, self.missing_words)


class CategoryCleaner(MetadataCleaner):
    """Give each category one spelling: ``'Male '`` and ``'male'`` are the same, as are
    ``'True'`` and ``True``, ``3`` and ``3.0``.

    The spelling seen most often in `fit` wins. Case is kept where a categorical dtype declares
    categories that differ by case only. Values not seen in `fit` are left as they are and named
    in one warning, the first time that a column has some.

    Parameters
    ----------
    fill_empty : bool, default=False
        Whether columns without a value in `fit`, which have no mode, hold the category 'missing'
        alone, so that values that come later change nothing that a classifier has learnt.
    """  # noqa: D205

    def __init__(self, fill_empty=False):
        self.fill_empty = fill_empty

    def fit(self, X, y=None):
        """Learn the categories of each column."""
        validate_data(self, X, skip_check_array=True)
        self.spellings_, self.keeps_case_ = {}, set()
        for name in X.columns:
            texts = pd.Series(_as_texts(X[name]), dtype=object)
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
        self._check(X)
        cleaned, unseen, late = np.full(X.shape, MISSING, dtype=object), {}, {}
        for j, name in enumerate(X.columns):
            texts, new = self._spell(name, _as_texts(X[name]))
            stays = self.fill_empty and not self.spellings_[name]
            if not stays:
                cleaned[:, j] = texts
            if new and name not in self._told:
                (late if stays else unseen)[name] = [text for text in texts if text in new]
        self._told |= {*unseen, *late}
        _warn_of_new("categories not seen in fit are encoded as all zeros", unseen, len(X))
        _warn_of_new("columns that held no value in fit stay 'missing'", late, len(X))
        return cleaned

    def _spell(self, name, texts):
        """Return the texts as they were spelled in fit, and the set of those that are new."""
        spellings = self.spellings_[name]
        spelled = {text: spellings.get(self._key(name, text), text) for text in set(texts) - {None}}
        new = set(spelled.values()) - set(spellings.values())
        # OneHotEncoder takes None for a category, and NaN for a gap.
        return [spelled.get(text, np.nan) for text in texts], new

    def _key(self, name, text):
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


def is_empty(column):
    """Whether a column holds nothing but gaps and blank texts."""
    return bool(column.isna().all()) or not any(text is not None for text in _as_texts(column))


def _as_texts(column):
    check_types(column)
    if not isinstance(column.dtype, pd.StringDtype):
        return [_as_text(value) for value in column.to_numpy(dtype=object, na_value=None)]
    codes, values = pd.factorize(column)
    # The last one is that of gaps, whose code is -1.
    texts = np.array([*map(_as_text, values), None], dtype=object)
    return texts[codes].tolist()


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


def _count_words(column, missing_words):
    """Return the words for gaps in a column of numbers with their counts, None without texts."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return None
    texts = column[[isinstance(value, str) for value in column]]
    if len(texts) == 0:
        return None
    words = texts[find_gaps(texts, missing_words)].str.strip()
    return words[words != ""].value_counts()


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


def _warn_of_new(what, found, n_rows):
    parts = []
    for name, texts in found.items():
        values = list(dict.fromkeys(texts))
        shown = list_names(values, _SHOWN_VALUES)
        parts.append(f"column {name!r}: {shown} ({len(texts)} of {n_rows} rows)")
    if parts:
        warn_user(f"{what}: {'; '.join(parts)}.", once=(what, *found))
