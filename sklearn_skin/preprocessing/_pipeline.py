"""A Pipeline of metadata that needs no table between its steps."""

import copy

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

# scikit-learn has no public way to read a step's output; the other says which step has none to set.
from sklearn.utils._set_output import _get_output_config, _safe_set_output
from sklearn.utils.validation import check_is_fitted

from sklearn_skin.preprocessing._cleaning import CategoryCleaner, NumberCleaner, NumberImputer

# Steps that do the same with an array as with a table.
_PLAIN = (
    CategoryCleaner,
    NumberCleaner,
    NumberImputer,
    OneHotEncoder,
    SimpleImputer,
    StandardScaler,
)


class MetadataPipeline(Pipeline):
    """Pipeline that transforms by arrays where each of its steps can.

    A table that every step takes apart, checks and makes anew is most of what a row costs. Other
    steps are given tables, as in any Pipeline; `fit` always gives tables.

    Parameters
    ----------
    steps : list of (str, transformer) tuples
    transform_input : list of str, default=None
    memory : str, object with the joblib.Memory interface or None, default=None
    verbose : bool, default=False
        As in :class:`sklearn.pipeline.Pipeline`.
    """

    def fit(self, X, y=None, **params):
        """Fit the steps.

        Parameters
        ----------
        X : DataFrame of shape (n, p)
        y : array-like, default=None
        **params : dict
            Metadata for the steps.

        Returns
        -------
        self : object
        """
        self._set_outputs()
        return super().fit(X, y, **params)

    def fit_transform(self, X, y=None, **params):
        """Fit the steps and transform X.

        Parameters
        ----------
        X : DataFrame of shape (n, p)
        y : array-like, default=None
        **params : dict
            Metadata for the steps.

        Returns
        -------
        X : DataFrame of shape (n, q)
        """
        self._set_outputs()
        return super().fit_transform(X, y, **params)

    def transform(self, X, **params):
        """Transform X.

        Parameters
        ----------
        X : DataFrame of shape (n, p)
        **params : dict
            Metadata for the steps.

        Returns
        -------
        X : DataFrame of shape (n, q)
        """
        steps = self._active_steps()
        if params or not self._makes_tables(steps):
            return super().transform(X, **params)
        check_is_fitted(self)
        values = X
        for number, step in enumerate(steps):
            bare = _for_arrays(step, keep_names=number == 0)
            values = _one_hot(bare, values) if _is_plain_one_hot(step) else bare.transform(values)
        return pd.DataFrame(values, index=X.index, columns=self.get_feature_names_out())

    def _active_steps(self):
        return [step for _, step in self.steps if step not in (None, "passthrough")]

    def _set_outputs(self):
        # A step that was put in later gives what the others give, so that names are kept.
        outputs = [_get_output_config("transform", step)["dense"] for step in self._active_steps()]
        output = next((output for output in outputs if output != "default"), None)
        if output is not None:
            for step in self._active_steps():
                _safe_set_output(step, transform=output)

    def _makes_tables(self, steps):
        """Whether there are steps, all are plain, and their result is to be a table."""
        return (
            len(steps) > 0
            and all(type(step) in _PLAIN for step in steps)
            and not any(getattr(step, "sparse_output", False) for step in steps)
            and _get_output_config("transform", steps[-1])["dense"] == "pandas"
        )


def _is_plain_one_hot(step):
    """Whether a fitted encoder has one column for each of its texts and zeros for all others."""
    return (
        type(step) is OneHotEncoder
        and step.handle_unknown == "ignore"
        and (step.drop, step.min_frequency, step.max_categories) == (None, None, None)
        and all(isinstance(text, str) for texts in step.categories_ for text in texts)
    )


def _one_hot(encoder, values):
    """Encode an array of texts; scikit-learn would check each column as a table of its own."""
    columns = [column[:, None] == texts for column, texts in zip(values.T, encoder.categories_)]
    return np.concatenate(columns, axis=1, dtype=encoder.dtype)


def _for_arrays(step, keep_names):
    """Return a shallow copy of a fitted step that takes and returns arrays without a warning."""
    bare = copy.copy(step)
    # set_output() would write into the dict that the copy shares with the step.
    bare._sklearn_output_config = {"transform": "default"}
    if not keep_names:
        vars(bare).pop("feature_names_in_", None)
    return bare
