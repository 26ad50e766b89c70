"""What the image transformers share: columns get a longer chain, arrays get new pixels."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, _fit_context
from sklearn.utils.validation import validate_data

from sklearn_skin.image import ImageArray, ImageDtype, ImageStep, apply_steps
from sklearn_skin.utils import DocLinkMixin


class BaseImageTransformer(DocLinkMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Base of the transformers that ask for one correction; subclasses name it in `_step`."""

    _step = None
    _parameter_constraints: dict = {}
    _search_ranges: dict = {}

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check the parameters and the columns; nothing is learnt.

        Parameters
        ----------
        X : DataFrame or Series of dtype image, ImageArray, or uint8 array (n, h, w, 3)
            The images.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The transformer itself.
        """
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, skip_check_array=True)
        else:
            self.n_features_in_ = 1
        _check_images(X)
        return self

    def transform(self, X):
        """Ask for the correction on columns, or apply it to an array at once.

        Parameters
        ----------
        X : DataFrame or Series of dtype image, ImageArray, or uint8 array (n, h, w, 3)
            The images.

        Returns
        -------
        X : same type as X
            Image columns carry a chain longer by one step; no pixels are read.
        """
        # The tags say that no fit is needed, so the parameters may be unchecked until now.
        self._validate_params()
        _check_images(X)
        step = ImageStep(self._step, self._step_params())
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, reset=False, skip_check_array=True)
            return X.assign(**{name: X[name].array.with_step(step) for name in X.columns})
        if isinstance(X, pd.Series):
            return pd.Series(X.array.with_step(step), index=X.index, name=X.name)
        if isinstance(X, ImageArray):
            return X.with_step(step)
        return np.stack([apply_steps(pixels, (step,)) for pixels in X]) if len(X) else X.copy()

    def search_ranges(self):
        """Return what a search may try for the parameters of this object.

        Returns
        -------
        ranges : dict of str to Range or Choice
            By parameter.
        """
        return dict(self._search_ranges)

    def _step_params(self):
        """Return the parameters as plain, hashable values, for the keys of the pixel cache."""
        params = self.get_params(deep=False)
        return tuple((name, _plain(value)) for name, value in sorted(params.items()))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # scikit-learn's own checks would send tables of numbers.
        tags.input_tags.two_d_array = False
        tags.input_tags.allow_nan = True
        tags.requires_fit = False
        return tags


def _plain(value):
    # A searched np.float64(6.0) and 6.0 are one correction, and must have one key.
    if isinstance(value, list | tuple | np.ndarray):
        return tuple(_plain(item) for item in value)
    return value.item() if isinstance(value, np.generic) else value


def _check_images(X):
    if isinstance(X, pd.DataFrame):
        for name, dtype in X.dtypes.items():
            if not isinstance(dtype, ImageDtype):
                raise TypeError(
                    f"column {name!r} must have dtype image; got {dtype}. Lift paths with "
                    "`sklearn_skin.image.as_images`, or name the column in `image_columns` "
                    "of make_lesion_transformer."
                )
    elif isinstance(X, pd.Series):
        _check_images(X.to_frame())
    elif isinstance(X, ImageArray):
        return
    elif not (isinstance(X, np.ndarray) and X.ndim == 4 and X.shape[3] == 3):
        shape = getattr(X, "shape", None)
        raise ValueError(
            "X must be columns of dtype image or a uint8 array of shape (n, h, w, 3); "
            f"got {type(X).__name__}" + (f" of shape {shape}." if shape else ".")
        )
    elif X.dtype != np.uint8:
        raise ValueError(f"an array of images must be uint8 in 0..255; got {X.dtype}.")
