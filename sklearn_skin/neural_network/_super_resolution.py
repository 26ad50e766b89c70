"""Super-resolution as an auxiliary task, multiplicative fusion (system S7)."""

from numbers import Real

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_skin.modules._super_resolution import SuperResolutionNet
from sklearn_skin.modules.losses import ReconstructionLoss
from sklearn_skin.modules.metadata import MetadataNet
from sklearn_skin.neural_network._base import BaseLesionClassifier
from sklearn_skin.neural_network._batches import make_loader
from sklearn_skin.neural_network._joint import make_backbones
from sklearn_skin.neural_network._two_images import missing_options
from sklearn_skin.utils import Range

_WEIGHT = Interval(Real, 0, None, closed="left")


class SuperResolutionFusionClassifier(BaseLesionClassifier):
    r"""Classify the product of image and metadata features, and enlarge the image as well.

    .. math:: z = f_I \odot f_M, \quad
              L = \alpha L_{CE} + \lambda \lVert \hat x - \mathrm{up}_2(x) \rVert^2 / N

    A decoder draws the image at twice its size from the last feature map; its target is the
    input enlarged by interpolation. Decoder and target serve training alone.

    Parameters
    ----------
    alpha : float, default=0.5
        Weight α of the classification loss.
    sr_weight : float, default=1.0
        Weight λ of the reconstruction's mean squared error.
    upsampling : {"bilinear", "bicubic"}, default="bilinear"
        How the target is made.
    dropout : float, default=0.0
        Chance in [0, 1) of dropping an input of the classifier's layers.
    %(common)s

    Attributes
    ----------
    %(fitted)s

    References
    ----------
    .. [1] System S7 of the user guide, eqs. 1, 2 and 4.

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

    _parameter_constraints = BaseLesionClassifier._parameter_constraints | {
        "alpha": [_WEIGHT],
        "sr_weight": [_WEIGHT],
        "upsampling": [StrOptions({"bilinear", "bicubic"})],
        "dropout": BaseLesionClassifier._parameter_constraints["modality_dropout"],
    }

    def __init__(self, *, alpha=0.5, sr_weight=1.0, upsampling="bilinear", dropout=0.0, **common):
        super().__init__(**common)
        self.alpha = alpha
        self.sr_weight = sr_weight
        self.upsampling = upsampling
        self.dropout = dropout

    def search_ranges(self):
        """Return what a search may try for the parameters of this network.

        Returns
        -------
        ranges : dict of str to Range or Choice
            By parameter.
        """
        return super().search_ranges() | {"alpha": Range(0.0, 1.0), "sr_weight": Range(0.1, 2.0)}

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
        settings = self._settings()
        settings.image_size = self._shapes.image_size
        dataset = self._dataset(self._read(X, reset=False), settings)
        self.module_.eval()
        parts = []
        with torch.inference_mode():
            for inputs, _ in make_loader(dataset, settings.batch_size):
                drawn = self.module_.reconstruct(self.net_.prepare_images(inputs)).float()
                parts.append((drawn.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu())
        return np.concatenate([part.numpy() for part in parts])

    def _order_images(self, images):
        if len(images) > 1:
            raise ValueError(
                f"{type(self).__name__} takes one image column; X has {images}. Name one in "
                "`image_columns`."
            )
        return images

    def _make_module(self, shapes, p):
        if not shapes.image_columns:
            return MetadataNet(shapes.n_metadata, shapes.n_classes)
        return SuperResolutionNet(
            make_backbones(shapes, p)[0],
            shapes.n_metadata,
            shapes.n_classes,
            upsampling=p.upsampling,
            dropout=p.dropout,
            metadata_groups=shapes.metadata_groups or None,
            **missing_options(p),
        )

    def _make_loss(self, shapes, options):
        return ReconstructionLoss(self.alpha, self.sr_weight, **options)
