"""Images to feature vectors, for any scikit-learn estimator."""

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_skin.image import PixelCache
from sklearn_skin.modules import make_backbone
from sklearn_skin.neural_network._batches import LesionDataset
from sklearn_skin.neural_network._features import FeatureMaker
from sklearn_skin.neural_network._fitting import seeded
from sklearn_skin.neural_network._parameters import ImageParameters, NetworkParameters
from sklearn_skin.neural_network._precision import choose_precision
from sklearn_skin.neural_network._recipe import as_pair, check_tolerance, find_device
from sklearn_skin.neural_network._saving import make_filled, take_apart, usable_device
from sklearn_skin.neural_network._table import (
    check_images,
    find_image_columns,
    learn_columns,
    read_columns,
)
from sklearn_skin.utils import DocLinkMixin


class ImageEmbedder(DocLinkMixin, TransformerMixin, BaseEstimator):
    """Replace image columns by the pooled features of a backbone.

    The backbone is not trained. All other columns pass unchanged, so that scikit-learn's
    classifiers, SMOTE and the like can follow.

    Parameters
    ----------
    image_columns : "auto", str or list of str, default="auto"
        Columns that hold images; "auto" takes those of dtype `image`.
    backbone : str, default="resnet18"
        Name of a timm model, "dermiresnet" or "dermiresnet_bn".
    weights : "imagenet", path or None, default="imagenet"
        Weights of the backbone: downloaded by timm, a local file, or random.
    image_size : int or (int, int), default=224
        Height and width in pixels that images are resized to.
    batch_size : int, default=32
        Images per batch.
    precision : {"auto", "fp32", "bf16"}, default="auto"
        Arithmetic of the backbone; "auto" is "bf16" where that is faster, as in the networks.
    device : str, default="auto"
        A torch device; "auto" is the GPU where there is one.
    allow_missing_images : bool, default=False
        Whether images may be missing; their features are NaN, for an imputer to fill.
    on_error : {"raise", "missing"}, default="raise"
        What to do about images that cannot be read: "missing" takes them for missing, with a
        warning, unless there are several in a column and not one can be read.
    cache_dir : "auto", path or None, default="auto"
        Where decoded pixels and features are kept; None keeps none.
    random_state : int, RandomState instance or None, default=None
        Decides random weights.

    Attributes
    ----------
    module_ : torch.nn.Module
        The backbone.
    precision_ : {"fp32", "bf16"}
        Arithmetic that is used.
    image_columns_ : list of str
        Image columns.
    n_features_in_ : int
        Columns seen in fit.
    feature_names_in_ : ndarray of str
        Their names, where X had names.

    Examples
    --------
    >>> from sklearn_skin.datasets import make_lesions
    >>> from sklearn_skin.neural_network import ImageEmbedder
    >>> lesions = make_lesions(6, image_size=32, random_state=0)
    >>> embedder = ImageEmbedder(backbone="resnet10t", weights=None, image_size=32)
    >>> embedder.fit_transform(lesions.data[["image", "age"]]).shape
    (6, 513)
    """

    _parameter_constraints = {
        name: (ImageParameters.constraints | NetworkParameters.constraints)[name]
        for name in (
            "image_columns backbone weights image_size batch_size precision device "
            "allow_missing_images on_error cache_dir random_state"
        ).split()
    }

    def __init__(
        self,
        *,
        image_columns="auto",
        backbone="resnet18",
        weights="imagenet",
        image_size=224,
        batch_size=32,
        precision="auto",
        device="auto",
        allow_missing_images=False,
        on_error="raise",
        cache_dir="auto",
        random_state=None,
    ):
        self.image_columns = image_columns
        self.backbone = backbone
        self.weights = weights
        self.image_size = image_size
        self.batch_size = batch_size
        self.precision = precision
        self.device = device
        self.allow_missing_images = allow_missing_images
        self.on_error = on_error
        self.cache_dir = cache_dir
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Make the backbone.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Image columns beside others.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        check_tolerance(self.on_error, self.allow_missing_images)
        self.image_columns_ = find_image_columns(X, self.image_columns)
        check_images(self.image_columns_, X, self.image_columns, self)
        if not self.image_columns_:
            # A table passes with all that it holds.
            validate_data(self, X, skip_check_array=isinstance(X, pd.DataFrame))
            return self
        self._columns = learn_columns(X, self.image_columns_, [], None, self)
        self.feature_names_in_ = np.array(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        self._image_size, self._made_of = as_pair(self.image_size), self.backbone
        with seeded(check_random_state(self.random_state).randint(2**31 - 1)):
            self.module_ = self._make_backbone(self.weights)
        device = find_device(self.device)
        self.module_.to(device).eval()
        self.precision_ = choose_precision(self.precision, self.module_, self._image_size, device)
        return self

    def transform(self, X):
        """Return X with features in place of images.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.

        Returns
        -------
        Xt : DataFrame, or ndarray where X has no image column
            Features ``<column>_0``, ``<column>_1``, … and the other columns.
        """
        check_is_fitted(self)
        if not self.image_columns_:
            table = isinstance(X, pd.DataFrame)
            return validate_data(self, X, reset=False, skip_check_array=table)
        table = read_columns(X, self._columns)
        dataset = LesionDataset(
            table,
            self._image_size,
            cache=PixelCache(self.cache_dir),
            missing_ok=self.allow_missing_images,
            empty_ok=True,
            on_error=self.on_error,
            # An embedder learns no stand-in.
            if_missing="allow_missing_images=True gives NaN for them, which an imputer can fill.",
        )
        device = next(self.module_.parameters()).device
        sources = [(self.module_, "vector")] * len(self.image_columns_)
        maker = FeatureMaker(sources, self._embed, self.precision_, self.batch_size, device)
        columns = [column[:, 0].numpy() for column in maker.make(dataset).columns]
        for column, vectors in enumerate(columns):
            vectors[~dataset.present[:, column]] = np.nan
        names = self.get_feature_names_out()[: len(self.image_columns_) * self._width()]
        features = pd.DataFrame(np.hstack(columns), columns=names, index=X.index)
        return pd.concat([features, X[self._others()]], axis=1)

    def _make_backbone(self, weights):
        return make_backbone(
            self._made_of, weights=weights, freeze="backbone", image_size=self._image_size
        )

    # For files of models: see `sklearn_skin.persistence`.

    def _take_apart(self):
        return take_apart(self)

    def _put_together(self, tensors):
        self.device = usable_device(self.device)
        module = make_filled(lambda: self._make_backbone(None), tensors)
        self.module_ = module.to(find_device(self.device)).eval()

    def _embed(self, images):
        """Map images (n, 3, h, w) per column to vectors."""
        kind = images[0].device.type
        with torch.autocast(kind, torch.bfloat16, enabled=self.precision_ == "bf16"):
            return [self.module_.pool(self.module_(column)) for column in images]

    def get_feature_names_out(self, input_features=None):
        """Return the names of the output columns.

        Parameters
        ----------
        input_features : None
            Ignored; the names seen in fit are used.

        Returns
        -------
        names : ndarray of str
            Image features first, then the other columns.
        """
        check_is_fitted(self)
        if not self.image_columns_:
            default = [f"x{i}" for i in range(self.n_features_in_)]
            return np.array(getattr(self, "feature_names_in_", default), dtype=object)
        names = [f"{c}_{i}" for c in self.image_columns_ for i in range(self._width())]
        return np.array([*names, *self._others()], dtype=object)

    def _others(self):
        return [name for name in self.feature_names_in_ if name not in self.image_columns_]

    def _width(self):
        return self.module_.vector_features
