"""FusionNet: two images, added features, three heads (system S6, first stage)."""

from sklearn_skin.modules._fusionnet import FusionNet
from sklearn_skin.modules._single_image import SingleImageNet
from sklearn_skin.modules.metadata import MetadataNet
from sklearn_skin.neural_network._base import BaseLesionClassifier
from sklearn_skin.neural_network._two_images import (
    TWO_IMAGE_CONSTRAINTS,
    make_encoder,
    missing_options,
    pick_two_images,
)


class FusionNetClassifier(BaseLesionClassifier):
    r"""Classify a clinical and a dermoscopic image, and the sum of their features.

    .. math:: f_F = f_C + f_D, \quad L = L_C + L_D + L_F, \quad L_b = \tfrac1T \sum_t L_{b,t}

    The first stage of FusionM4Net: images only, metadata are left to the second stage. The
    branches are ``clinical``, ``dermoscopy`` and ``fusion``. A single image column gives the
    one branch ``image``; an X without images is classified by a perceptron.

    Parameters
    ----------
    dropout : float, default=0.3
        Dropout of the heads, in [0, 1).
    clinical_column, dermoscopy_column : str, default=None
        Image columns; None guesses them from their names.
    %(common)s

    Attributes
    ----------
    %(fitted)s

    References
    ----------
    .. [1] System S6 of the user guide; Tang et al., "FusionM4Net: a multi-stage multi-modal
       learning algorithm for multi-label skin lesion classification", Medical Image
       Analysis 76, 2022.

    Examples
    --------
    >>> from sklearn_skin.datasets import make_lesions
    >>> from sklearn_skin.neural_network import FusionNetClassifier
    >>> lesions = make_lesions(
    ...     20, image_columns=("clinical", "dermoscopy"), image_size=32, random_state=0
    ... )
    >>> net = FusionNetClassifier(
    ...     backbone="resnet10t", weights=None, image_size=32, max_epochs=1
    ... )
    >>> list(net.fit(lesions.data, lesions.target).predict_branches(lesions.data))
    ['clinical', 'dermoscopy', 'fusion']
    """

    _uses_metadata = False
    _parameter_constraints = (
        BaseLesionClassifier._parameter_constraints
        | TWO_IMAGE_CONSTRAINTS
        | {"dropout": BaseLesionClassifier._parameter_constraints["modality_dropout"]}
    )

    def __init__(self, *, dropout=0.3, clinical_column=None, dermoscopy_column=None, **common):
        super().__init__(**common)
        self.dropout = dropout
        self.clinical_column = clinical_column
        self.dermoscopy_column = dermoscopy_column

    def _order_images(self, images):
        if len(images) < 2:
            return images
        return pick_two_images(images, self.clinical_column, self.dermoscopy_column)

    def _make_module(self, shapes, p):
        if not shapes.image_columns:
            return MetadataNet(shapes.n_metadata, shapes.n_classes)
        encoders = [make_encoder(p.backbone, shapes, p) for _ in shapes.image_columns]
        net = FusionNet if len(encoders) == 2 else SingleImageNet
        return net(*encoders, shapes.n_classes, dropout=p.dropout, **missing_options(p))
