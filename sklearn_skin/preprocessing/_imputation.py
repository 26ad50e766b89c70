"""What surrounds an imputer of numbers and texts together, which may be the user's own."""

import traceback
from contextlib import contextmanager

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_skin.preprocessing._neural_imputer import NeuralImputer
from sklearn_skin.preprocessing._pipeline import MetadataPipeline
from sklearn_skin.utils import list_names


class ImputationPipeline(MetadataPipeline):
    """Pipeline of metadata whose errors say when its step `impute` does not take the table.

    Its parameters are those of :class:`sklearn.pipeline.Pipeline`.
    """

    def fit(self, X, y=None, **params):
        """Fit the steps."""
        with self._naming_the_imputer():
            return super().fit(X, y, **params)

    def fit_transform(self, X, y=None, **params):
        """Fit the steps and transform X."""
        with self._naming_the_imputer():
            return super().fit_transform(X, y, **params)

    def transform(self, X, **params):
        """Transform X."""
        with self._naming_the_imputer():
            return super().transform(X, **params)

    @contextmanager
    def _naming_the_imputer(self):
        try:
            yield
        except InvalidParameterError:
            raise
        except (TypeError, ValueError) as error:
            imputer = self.named_steps["impute"]
            if isinstance(imputer, NeuralImputer) or not _comes_from(imputer, error):
                raise
            raise ValueError(
                "`imputation` must be an imputer that takes floats and texts in one table, with "
                f"gaps as NaN, such as NeuralImputer(); {imputer} raised: {error}\n"
                "One that takes numbers alone can stand in the place of their median: "
                f"make_lesion_transformer().set_params(numeric__impute={imputer})."
            ) from error


def _comes_from(step, error):
    """Whether an error was raised in a method of a step."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_locals.get("self") is step for frame, _ in frames)


class KindKeeper(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Make floats of the columns that an imputer has left as objects that are numbers.

    Before the imputer, numbers are floats and all else is texts. So a column without a text after
    it was one of numbers.
    """

    def fit(self, X, y=None):
        """Remember the columns."""
        if not isinstance(X, pd.DataFrame):
            raise TypeError(
                f"the imputer in `imputation` must return a DataFrame; got {type(X).__name__}."
            )
        validate_data(self, X, skip_check_array=True)
        return self

    def transform(self, X):
        """Return X with numbers as float64."""
        check_is_fitted(self)
        found = {name: _as_floats(X[name]) for name in X.columns if X[name].dtype != np.float64}
        return X.assign(**{name: floats for name, floats in found.items() if floats is not None})


def _as_floats(column):
    """Return a column of numbers as float64, None for texts."""
    known = column.dropna()
    is_text = known.map(lambda value: isinstance(value, str)).to_numpy(dtype=bool)
    if is_text.any() and not is_text.all():
        number, text = list_names(known[~is_text][:1]), list_names(known[is_text][:1])
        raise ValueError(
            "the imputer in `imputation` must fill numbers with numbers and texts with texts; "
            f"column {column.name!r} holds {number} beside {text} after it."
        )
    if is_text.all():
        return None
    try:
        return column.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"the imputer in `imputation` must leave floats and texts; column {column.name!r} "
            f"holds {list_names(known[:1])} after it."
        ) from error
