"""A strong network for dermoscopy, a light one for the clinical image (system S4)."""

from sklearn.utils._param_validation import StrOptions

from sklearn_skin.modules import AsymmetricFusionNet, BranchLoss
from sklearn_skin.neural_network._base_image import BaseImageNetwork, missing_options
from sklearn_skin.neural_network._parameters import CHANCE
from sklearn_skin.neural_network._two_images import (
    TWO_IMAGE_CONSTRAINTS,
    make_encoder,
    pick_two_images,
)
from sklearn_skin.utils import Choice


class AsymmetricFusionClassifier(BaseImageNetwork):
    r"""Classify a clinical and a dermoscopic image with networks of different size (AMMFM).

    After each of four stages the clinical image's attention map weighs the dermoscopic one's
    values, :math:`D' = D + D_v M_c` (``"aab"``), or both exchange their maps (``"bab"``).

    .. math:: L = L_C + L_D + L_F, \quad L_b = \sum_t L_{b,t}

    The branches are ``clinical``, ``dermoscopy`` and ``fusion``; metadata are not used.

    Parameters
    ----------
    attention : {"aab", "bab", "none"}, default="aab"
        Asymmetric, bidirectional or no attention between the images.
    fusion : {"auto", "dermoscopy", "concat"}, default="auto"
        What the fusion branch reads: the dermoscopic vector, or both, concatenated. "auto" is
        "dermoscopy" with ``attention="aab"``, as the source's parameter counts say, and "concat"
        otherwise. With "dermoscopy" the branch reads the learned stand-in where the dermoscopic
        image is missing, so that such a row's clinical image counts in branch ``clinical`` alone;
        that is also the branch for Grad-CAM of clinical images.
    clinical_backbone : str, default="mobilenetv3_small_100"
        timm model of the clinical image; `backbone` is the dermoscopic image's. Any with four
        stages.
    scaled_attention : bool, default=False
        Divide attention scores by the square root of the queries' width.
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
    .. [1] :ref:`Tang (2024) <tang2024>`, "Deep learning-based multi-modal fusion method", section
       5.3.

    Examples
    --------
    >>> from sklearn_skin.datasets import make_lesions
    >>> from sklearn_skin.neural_network import AsymmetricFusionClassifier
    >>> lesions = make_lesions(
    ...     20, image_columns=("clinical", "dermoscopy"), image_size=32, random_state=0
    ... )
    >>> net = AsymmetricFusionClassifier(
    ...     backbone="resnet10t", weights=None, image_size=32, max_epochs=1
    ... )
    >>> list(net.fit(lesions.data, lesions.target).predict_branches(lesions.data))
    ['clinical', 'dermoscopy', 'fusion']
    """

    uses_metadata = False
    _parameter_constraints = (
        BaseImageNetwork._parameter_constraints
        | TWO_IMAGE_CONSTRAINTS
        | {
            "attention": [StrOptions({"aab", "bab", "none"})],
            "fusion": [StrOptions({"auto", "dermoscopy", "concat"})],
            "clinical_backbone": [str],
            "scaled_attention": ["boolean"],
            "dropout": [CHANCE],
        }
    )

    def __init__(
        self,
        *,
        attention="aab",
        fusion="auto",
        clinical_backbone="mobilenetv3_small_100",
        scaled_attention=False,
        dropout=0.3,
        clinical_column=None,
        dermoscopy_column=None,
        **common,
    ):
        super().__init__(**common)
        self.attention = attention
        self.fusion = fusion
        self.clinical_backbone = clinical_backbone
        self.scaled_attention = scaled_attention
        self.dropout = dropout
        self.clinical_column = clinical_column
        self.dermoscopy_column = dermoscopy_column

    def choose_images(self, images):
        """Return the clinical and the dermoscopic image column."""
        return pick_two_images(images, self.clinical_column, self.dermoscopy_column)

    def make_module(self, shapes, recipe):
        """Return the network of both images."""
        return AsymmetricFusionNet(
            make_encoder(recipe.clinical_backbone, shapes, recipe),
            make_encoder(recipe.backbone, shapes, recipe),
            shapes.n_classes,
            attention=recipe.attention,
            fusion=recipe.fusion,
            scaled_attention=recipe.scaled_attention,
            dropout=recipe.dropout,
            **missing_options(recipe),
        )

    def make_loss(self, shapes, recipe):
        """Return the sum over branches and tasks."""
        return BranchLoss(task_reduction="sum")

    def search_ranges(self):
        """Return sensible ranges for parameters, attention and fusion among them."""
        return super().search_ranges() | {
            "attention": Choice(("aab", "bab", "none")),
            "fusion": Choice(("auto", "concat")),
        }
