"""Two small CNNs and two boosted metadata perceptrons (system S2)."""

import numpy as np
from sklearn.utils._param_validation import StrOptions

from sklearn_skin.modules import LesionNet
from sklearn_skin.neural_network._base_image import BaseImageNetwork, missing_options
from sklearn_skin.neural_network._parameters import COUNT, WIDTHS
from sklearn_skin.neural_network._two_images import (
    TWO_IMAGE_CONSTRAINTS,
    pick_two_images,
)


class LesionNetClassifier(BaseImageNetwork):
    r"""Classify a clinical and a dermoscopic image with metadata (MultiModalLesionNet).

    .. math:: l_u = W_u [\mathrm{CNN}_u(x_u);\; b_u\,\mathrm{MLP}_u(m_u)], \quad
              l = W_2\,\mathrm{ReLU}(W_1 [l_{clinical}; l_{dermoscopy}])

    with a learnable boost b_u per image type. Metadata whose name starts with the name of an
    image column belong to that image; all others go to both.

    Parameters
    ----------
    channels : int, default=10
        Channels of the convolutions.
    metadata_hidden : sequence of int, default=(32, 32)
        Widths of each metadata perceptron's layers; the source's preset has 10.
    classifier_hidden : sequence of int, default=(64,)
        Widths of the final classifier's hidden layers.
    clinical_column, dermoscopy_column : str, default=None
        Image columns; None guesses them from their names.
    backbone : {"lesionnet"}, default="lesionnet"
        The source's own CNN, of two blocks; `freeze` counts these.
    weights : None, default=None
        There are no pretrained weights of it.
    %(common)s

    Attributes
    ----------
    boosts_ : dict of str to float
        Learnt boost of each image column's metadata.
    %(fitted)s

    References
    ----------
    .. [1] :ref:`Gyeletshen (undated) <gyeletshen>`, "Skin lesion classification on the MILK10K
       dataset".

    Examples
    --------
    >>> from sklearn_skin.datasets import make_lesions
    >>> from sklearn_skin.neural_network import LesionNetClassifier
    >>> from sklearn_skin.preprocessing import make_lesion_transformer
    >>> lesions = make_lesions(
    ...     20, image_columns=("clinical", "dermoscopy"), image_size=32, random_state=0
    ... )
    >>> X = make_lesion_transformer().fit_transform(lesions.data)
    >>> net = LesionNetClassifier(image_size=32, max_epochs=1).fit(X, lesions.target)
    >>> list(net.boosts_)
    ['clinical', 'dermoscopy']
    """

    _parameter_constraints = (
        BaseImageNetwork._parameter_constraints
        | TWO_IMAGE_CONSTRAINTS
        | {
            "channels": [COUNT],
            "metadata_hidden": [WIDTHS],
            "classifier_hidden": [WIDTHS],
            "backbone": [StrOptions({"lesionnet"})],
            "weights": [None],
            # It has no attention layers.
            "adapt": [None],
        }
    )

    def __init__(
        self,
        *,
        channels=10,
        metadata_hidden=(32, 32),
        classifier_hidden=(64,),
        clinical_column=None,
        dermoscopy_column=None,
        backbone="lesionnet",
        weights=None,
        **common,
    ):
        super().__init__(backbone=backbone, weights=weights, **common)
        self.channels = channels
        self.metadata_hidden = metadata_hidden
        self.classifier_hidden = classifier_hidden
        self.clinical_column = clinical_column
        self.dermoscopy_column = dermoscopy_column

    @property
    def boosts_(self):
        """Learnt boost of each image column's metadata."""
        values = self.module_.boosts.detach().cpu().numpy()
        return dict(zip(self.image_columns_, np.asarray(values, dtype=float).tolist()))

    def choose_images(self, images):
        """Return the clinical and the dermoscopic image column."""
        return pick_two_images(images, self.clinical_column, self.dermoscopy_column)

    def make_module(self, shapes, recipe):
        """Return a `LesionNet`."""
        net = LesionNet(
            shapes.image_size,
            shapes.n_metadata,
            shapes.n_classes,
            channels=recipe.channels,
            metadata_hidden=recipe.metadata_hidden,
            metadata_columns=_metadata_by_image(shapes),
            classifier_hidden=recipe.classifier_hidden,
            **missing_options(recipe),
        )
        # Its blocks are no Backbone, which would freeze itself.
        net.freeze(recipe.freeze)
        return net


def _metadata_by_image(shapes):
    """Return the positions of each image's metadata features."""
    prefixes = tuple(f"{column}_" for column in shapes.image_columns)
    return [
        [
            i
            for i, name in enumerate(shapes.metadata_names)
            if name.startswith(own) or not name.startswith(prefixes)
        ]
        for own in prefixes
    ]
