"""Super-resolution as an auxiliary task, multiplicative fusion (system S7)."""

from dataclasses import replace
from numbers import Real

import numpy as np
import torch
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_skin.modules import ReconstructionLoss, SuperResolutionNet
from sklearn_skin.neural_network._base_image import (
    BaseImageNetwork,
    make_backbones,
    missing_options,
)
from sklearn_skin.neural_network._enlarged_images import find_enlarged
from sklearn_skin.neural_network._fitting import make_dataset
from sklearn_skin.neural_network._parameters import CHANCE
from sklearn_skin.utils import Range

_WEIGHT = Interval(Real, 0, None, closed="left")


class SuperResolutionFusionClassifier(BaseImageNetwork):
    r"""Classify the product of image and metadata features, and enlarge the image as well.

    .. math:: z = f_I \odot f_M, \quad
              L = \alpha L_{CE} + \lambda \lVert \hat x - \mathrm{up}_2(x) \rVert^2 / N

    A decoder draws the image at twice its size from the last feature map; its target is the
    input enlarged. Decoder and target serve training alone.

    Parameters
    ----------
    alpha : float, default=0.5
        Weight α of the classification loss.
    sr_weight : float, default=1.0
        Weight λ of the reconstruction's mean squared error.
    upsampling : {"bilinear", "bicubic"}, callable or path, default="bilinear"
        How the target is made. Interpolation and a callable enlarge the input, as augmented. A
        callable maps images (n, 3, h, w) in [0, 1] to (n, 3, 2 h, 2 w); a torch module, such as a
        network for super-resolution, is copied and never trained. A path is a folder with one
        enlarged file per training image, of the same name up to its ending. It gets the image's
        corrections, is read at twice `image_size` and augmented, noise included, and its average
        over 2 x 2 pixels is the input, so that input and target show the same view.
    classification_loss : {"categorical", "binary"}, default="categorical"
        "categorical" is the weighted cross-entropy. "binary" is eq. 3 as printed,
        :math:`-\sum_k (w_k y_k \log \hat y_k + (1 - y_k) \log(1 - \hat y_k))` over the classes k;
        it has no focal form.
    dropout : float, default=0.0
        Chance in [0, 1) of dropping an input of the classifier's layers.
    %(common)s

    Attributes
    ----------
    %(fitted)s

    References
    ----------
    .. [1] :ref:`Khurshid et al. (2024) <khurshid2024>`, "Multimodal data and auxiliary task
       integration", eqs. 1 to 5.

    Examples
    --------
    >>> from sklearn_skin.datasets import make_lesions
    >>> from sklearn_skin.neural_network import SuperResolutionFusionClassifier
    >>> from sklearn_skin.preprocessing import make_lesion_transformer
    >>> lesions = make_lesions(20, image_size=32, random_state=0)
    >>> X = make_lesion_transformer().fit_transform(lesions.data)
    >>> net = SuperResolutionFusionClassifier(
    ...     backbone="resnet10t", weights=None, image_size=32, max_epochs=1
    ... )
    >>> net.fit(X, lesions.target).transform_images(X).shape
    (20, 64, 64, 3)
    """

    _parameter_constraints = BaseImageNetwork._parameter_constraints | {
        "alpha": [_WEIGHT],
        "sr_weight": [_WEIGHT],
        "upsampling": [
            StrOptions({"bilinear", "bicubic"}),
            callable,
            str,
            HasMethods("__fspath__"),
        ],
        "classification_loss": [StrOptions({"categorical", "binary"})],
        "dropout": [CHANCE],
    }

    def __init__(
        self,
        *,
        alpha=0.5,
        sr_weight=1.0,
        upsampling="bilinear",
        classification_loss="categorical",
        dropout=0.0,
        **common,
    ):
        super().__init__(**common)
        self.alpha = alpha
        self.sr_weight = sr_weight
        self.upsampling = upsampling
        self.classification_loss = classification_loss
        self.dropout = dropout

    def transform_images(self, X):
        """Return the images as the decoder draws them.

        Parameters
        ----------
        X : DataFrame
            Rows with the columns seen in fit.

        Returns
        -------
        images : ndarray of uint8, shape (n, 2 h, 2 w, 3)
            At twice `image_size`.

        Raises
        ------
        ValueError
            If the network was fitted without an image column.
        """
        check_is_fitted(self)
        if not self.image_columns_:
            raise ValueError("the network was fitted without an image column.")
        self.module_.eval()
        parts = []
        with torch.inference_mode():
            for batch in self.iter_batches(X):
                drawn = self.module_.reconstruct(batch.images).float().clamp(0, 1)
                parts.append((drawn * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy())
        return np.concatenate(parts)

    def choose_images(self, images):
        """Return the one image column."""
        if len(images) > 1:
            raise ValueError(
                f"{type(self).__name__} takes one image column; X has {images}. Name one in "
                "`image_columns`."
            )
        return images

    def make_module(self, shapes, recipe):
        """Return a `SuperResolutionNet`."""
        return SuperResolutionNet(
            make_backbones(shapes, recipe)[0],
            shapes.n_metadata,
            shapes.n_classes,
            upsampling=_made_by(recipe.upsampling),
            dropout=recipe.dropout,
            metadata_groups=shapes.metadata_groups or None,
            **missing_options(recipe),
        )

    def make_loss(self, shapes, recipe):
        """Return the classification loss beside the reconstruction's."""
        kind = recipe.classification_loss
        if kind == "binary" and recipe.focal_gamma:
            raise ValueError(
                "`loss` must be 'cross_entropy' with classification_loss='binary'; "
                f"got {recipe.loss!r}."
            )
        return ReconstructionLoss(recipe.alpha, recipe.sr_weight, cross_entropy=kind)

    def search_ranges(self):
        """Return sensible ranges for parameters, the losses' weights among them."""
        own = {"alpha": Range(0.0, 1.0), "sr_weight": Range(0.1, 2.0)}
        ranges = super().search_ranges() | own
        if self.classification_loss == "binary":
            del ranges["loss"]
        return ranges

    def _module(self, recipe):
        """Return a copy of the trained network that gets its targets as this recipe says."""
        module = super()._module(recipe)
        if isinstance(module, SuperResolutionNet):
            module.set_upsampling(_made_by(recipe.upsampling))
        return module

    def _make_train_set(self, table, recipe, codes=None, sample_weight=None):
        """Return the rows to train on, at twice the size where a folder holds the targets."""
        if table.images and _made_by(recipe.upsampling) is None:
            ((column, images),) = table.images.items()
            enlarged = find_enlarged(images, recipe.upsampling, table.row_names, column)
            table = replace(table, images={column: enlarged})
            recipe = replace(recipe, image_size=tuple(2 * side for side in recipe.image_size))
        return make_dataset(table, recipe, codes, sample_weight)


def _made_by(upsampling):
    """Return what makes the targets of a network, or None where they are files of a folder."""
    made = callable(upsampling) or upsampling in ("bilinear", "bicubic")
    return upsampling if made else None
