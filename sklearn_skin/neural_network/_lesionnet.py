"""Two small CNNs and two boosted metadata perceptrons (system S2)."""

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval

from sklearn_skin.modules._lesionnet import LesionNet
from sklearn_skin.modules.metadata import MetadataNet
from sklearn_skin.neural_network._base import BaseLesionClassifier
from sklearn_skin.neural_network._two_images import (
    TWO_IMAGE_CONSTRAINTS,
    missing_options,
    pick_two_images,
)

_COUNT = Interval(Integral, 1, None, closed="left")


class LesionNetClassifier(BaseLesionClassifier):
    r"""Classify a clinical and a dermoscopic image with metadata (MultiModalLesionNet).

    .. math:: l_u = W_u [\mathrm{CNN}_u(x_u);\; b_u\,\mathrm{MLP}_u(m_u)], \quad
              l = W_2\,\mathrm{ReLU}(W_1 [l_{clinical}; l_{dermoscopy}])

    with a learnable boost b_u per image type. Metadata whose name starts with the name of an
    image column belong to that image; all others go to both. The `backbone` is the source's
    own CNN, so `backbone` and `weights` have no effect; `freeze` counts its two blocks.

    Parameters
    ----------
    channels : int, default=10
        Channels of the convolutions.
    metadata_layers : int, default=2
        Hidden layers of each metadata perceptron; the source's preset has 10.
    metadata_units : int, default=32
        Width of these layers.
    classifier_hidden : int, default=64
        Width of the final classifier's hidden layer.
    clinical_column, dermoscopy_column : str, default=None
        Image columns; None guesses them from their names.
    %(common)s

    Attributes
    ----------
    boosts_ : dict of str to float
        Learnt boost of each image column's metadata.
    %(fitted)s

    References
    ----------
    .. [1] System S2 of the user guide.

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
        BaseLesionClassifier._parameter_constraints
        | TWO_IMAGE_CONSTRAINTS
        | {
            "channels": [_COUNT],
            "metadata_layers": [_COUNT],
            "metadata_units": [_COUNT],
            "classifier_hidden": [_COUNT],
        }
    )

    def __init__(
        self,
        *,
        channels=10,
        metadata_layers=2,
        metadata_units=32,
        classifier_hidden=64,
        clinical_column=None,
        dermoscopy_column=None,
        **common,
    ):
        super().__init__(**common)
        self.channels = channels
        self.metadata_layers = metadata_layers
        self.metadata_units = metadata_units
        self.classifier_hidden = classifier_hidden
        self.clinical_column = clinical_column
        self.dermoscopy_column = dermoscopy_column

    @property
    def boosts_(self):
        """Learnt boost of each image column's metadata."""
        values = self.module_.boosts.detach().cpu().numpy()
        return dict(zip(self.image_columns_, np.asarray(values, dtype=float).tolist()))

    def _order_images(self, images):
        if not images:
            return images
        return pick_two_images(images, self.clinical_column, self.dermoscopy_column)

    def _make_module(self, shapes, p):
        if not shapes.image_columns:
            return MetadataNet(shapes.n_metadata, shapes.n_classes)
        net = LesionNet(
            shapes.image_size,
            shapes.n_metadata,
            shapes.n_classes,
            channels=p.channels,
            metadata_hidden=[p.metadata_units] * p.metadata_layers,
            metadata_columns=_metadata_by_image(shapes),
            classifier_hidden=[p.classifier_hidden],
            **missing_options(p),
        )
        net.freeze(p.freeze)
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
