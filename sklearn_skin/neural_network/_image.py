"""A backbone over images alone."""

from sklearn_skin.neural_network._base_image import BaseImageNetwork
from sklearn_skin.neural_network._joint import make_joint_net
from sklearn_skin.neural_network._parameters import CHANCE, WIDTHS


class ImageClassifier(BaseImageNetwork):
    """Classify lesions by their images alone.

    A backbone per image column, global average pooling, and one linear classifier per task.
    Metadata columns are ignored, so that it stands beside the other networks in a comparison
    on the same table. An X without image columns holds image features that were computed
    before, by `ImageEmbedder` for instance, and a perceptron classifies them.

    Parameters
    ----------
    share_backbone : bool, default=False
        One backbone for all image columns.
    classifier_hidden : sequence of int, default=()
        Widths of dense layers before the linear classifiers.
    dropout : float, default=0.0
        Chance in [0, 1) of dropping an input of the classifier's layers.
    %(common)s

    Attributes
    ----------
    %(fitted)s

    Examples
    --------
    >>> from sklearn_skin.datasets import make_lesions
    >>> from sklearn_skin.neural_network import ImageClassifier
    >>> lesions = make_lesions(20, image_size=32, random_state=0)
    >>> net = ImageClassifier(backbone="resnet10t", weights=None, image_size=32, max_epochs=1)
    >>> net.fit(lesions.data, lesions.target).predict_proba(lesions.data).shape
    (20, 3)
    """

    uses_metadata = False
    needs_images = False
    _parameter_constraints = BaseImageNetwork._parameter_constraints | {
        "share_backbone": ["boolean"],
        "classifier_hidden": [WIDTHS],
        "dropout": [CHANCE],
    }

    def __init__(self, *, share_backbone=False, classifier_hidden=(), dropout=0.0, **common):
        super().__init__(**common)
        self.share_backbone = share_backbone
        self.classifier_hidden = classifier_hidden
        self.dropout = dropout

    def make_module(self, shapes, recipe):
        """Return a `JointFusionNet`, which is given no metadata beside images."""
        return make_joint_net(
            shapes,
            recipe,
            share_backbone=recipe.share_backbone,
            classifier_hidden=recipe.classifier_hidden,
            dropout=recipe.dropout,
        )
