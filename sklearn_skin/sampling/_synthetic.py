"""A guard around samplers that make new rows by mixing old ones."""

from imblearn.base import BaseSampler
from pandas import DataFrame
from sklearn.base import clone
from sklearn.utils._param_validation import HasMethods

from sklearn_skin.image import has_image_suffix
from sklearn_skin.sampling._rows import image_columns
from sklearn_skin.utils import DocLinkMixin


class SyntheticSampler(DocLinkMixin, BaseSampler):
    """Use SMOTE and its relatives on metadata or embeddings, never on images.

    Such samplers make rows by mixing neighbours. An image cannot be mixed like that, and
    `SMOTENC` even takes image paths for categories without a word: it gives a mixed row the
    picture of one patient and the metadata of others. This wrapper refuses tables with images
    and otherwise does what the sampler does.

    Parameters
    ----------
    sampler : object
        An imbalanced-learn sampler, such as ``SMOTE()`` or ``SMOTENC(...)``.

    Attributes
    ----------
    sampler_ : object
        The fitted copy of `sampler`.
    sampling_strategy_ : dict
        That of `sampler_`.

    See Also
    --------
    ClassBalancedSampler : Repeats whole rows, images included.

    Examples
    --------
    >>> import pandas as pd
    >>> from imblearn.over_sampling import SMOTE
    >>> from sklearn_skin.sampling import SyntheticSampler
    >>> X = pd.DataFrame({"age": [30.0, 32, 34, 60, 62, 64, 66, 68], "image": ["a.jpg"] * 8})
    >>> y = [1, 1, 1, 0, 0, 0, 0, 0]
    >>> sampler = SyntheticSampler(SMOTE(k_neighbors=2, random_state=0))
    >>> len(sampler.fit_resample(X[["age"]], y)[0])
    10
    >>> sampler.fit_resample(X, y)
    Traceback (most recent call last):
        ...
    TypeError: SMOTE mixes rows, which columns of images do not allow: ['image']. ...
    """

    _sampling_type = "bypass"

    _parameter_constraints = {"sampler": [HasMethods(["fit_resample"])]}

    def __init__(self, sampler):
        self.sampler = sampler

    def fit(self, X, y):
        """Check the data and fit the sampler.

        Parameters
        ----------
        X : {DataFrame, ndarray, sparse matrix} of shape (n, n_columns)
            Rows without images.
        y : array-like of shape (n,)
            Their labels.

        Returns
        -------
        self : SyntheticSampler
            The instance.
        """
        self._check(X)
        self.sampler_ = clone(self.sampler).fit(X, y)
        self.sampling_strategy_ = self.sampler_.sampling_strategy_
        return self

    def fit_resample(self, X, y):
        """Return what the sampler makes of the rows.

        Parameters
        ----------
        X : {DataFrame, ndarray, sparse matrix} of shape (n, n_columns)
            Rows without images.
        y : array-like of shape (n,)
            Their labels.

        Returns
        -------
        X_resampled : of the type of X
            Old and new rows.
        y_resampled : of the type of y
            Their labels.

        Raises
        ------
        TypeError
            If X has columns of images, paths of image files or arrays.
        """
        self._check(X)
        self.sampler_ = clone(self.sampler)
        resampled = self.sampler_.fit_resample(X, y)
        # imbalanced-learn's samplers do not all set all of them.
        for name in ("sampling_strategy_", "n_features_in_", "feature_names_in_"):
            if hasattr(self.sampler_, name):
                setattr(self, name, getattr(self.sampler_, name))
        return resampled

    def _fit_resample(self, X, y):
        return self.fit_resample(X, y)

    def _check(self, X):
        self._validate_params()
        columns = _columns_of_images(X) if isinstance(X, DataFrame) else []
        if columns:
            raise TypeError(
                f"{type(self.sampler).__name__} mixes rows, which columns of images do not "
                f"allow: {columns}. Embed the images first (sklearn_skin.neural_network."
                "ImageEmbedder), leave the columns out, or repeat whole rows with "
                "ClassBalancedSampler."
            )


def _columns_of_images(X):
    """Return columns of dtype image, of paths of image files, and of arrays."""
    found = set(image_columns(X))
    for name in X.columns.difference(list(found), sort=False):
        # The first value that is there tells: paths and pictures do not share a column with others.
        first = next((value for value in X[name] if isinstance(value, str) or _is_array(value)), "")
        if _is_array(first) or has_image_suffix(first):
            found.add(name)
    return [name for name in X.columns if name in found]


def _is_array(value):
    return getattr(value, "ndim", 0) > 1
