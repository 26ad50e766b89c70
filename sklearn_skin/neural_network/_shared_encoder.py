"""One network for both images (system S5)."""

from numbers import Real

from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_skin.modules import BranchLoss, SharedFusionNet
from sklearn_skin.neural_network._base_image import BaseImageNetwork, missing_options
from sklearn_skin.neural_network._parameters import CHANCE
from sklearn_skin.neural_network._two_images import (
    TWO_IMAGE_CONSTRAINTS,
    make_encoder,
    pick_two_images,
)
from sklearn_skin.utils import Choice, Range


class SharedFusionClassifier(BaseImageNetwork):
    r"""Classify a clinical and a dermoscopic image with one encoder for both (PEMM).

    After each of four stages the images exchange their attention maps, made by one set of
    projections for both (``"shared"``) or one each (``"cross"``).

    .. math:: L = W L_C + (\tfrac12 - W) L_D + \tfrac12 L_F, \quad L_b = \sum_t L_{b,t}

    which is the source's biased loss (eq. 5.7); its equal loss is
    :math:`L = (L_C + L_D + L_F) / 3` (eq. 5.5).

    The branches are ``clinical``, ``dermoscopy`` and ``fusion`` (concatenated features);
    metadata are not used. The source reports a loss of accuracy for shared ResNets and
    DenseNets; these give a warning.

    Parameters
    ----------
    attention : {"shared", "cross", "none"}, default="shared"
        Attention between the images.
    attention_maps : {"exchanged", "own"}, default="exchanged"
        Whose attention map weighs an image's values: the other image's, or its own. With "own"
        the images meet in the fusion only.
    share_encoder : bool, default=True
        One encoder for both images.
    share_heads : bool, default=False
        One head for the clinical and the dermoscopic branch.
    branch_loss_weights : {"biased", "equal"}, default="biased"
        Weights of the clinical, the dermoscopic and the fusion branch's loss: W, 0.5 - W and
        0.5, or a third each.
    clinical_weight : float, default=0.1
        Weight W in [0, 0.5]; used by "biased" alone.
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
       5.4.

    Examples
    --------
    >>> from sklearn_skin.datasets import make_lesions
    >>> from sklearn_skin.neural_network import SharedFusionClassifier
    >>> lesions = make_lesions(
    ...     20, image_columns=("clinical", "dermoscopy"), image_size=32, random_state=0
    ... )
    >>> net = SharedFusionClassifier(
    ...     backbone="convnext_atto", weights=None, image_size=32, max_epochs=1
    ... )
    >>> list(net.fit(lesions.data, lesions.target).predict_branches(lesions.data))
    ['clinical', 'dermoscopy', 'fusion']
    """

    uses_metadata = False
    _parameter_constraints = (
        BaseImageNetwork._parameter_constraints
        | TWO_IMAGE_CONSTRAINTS
        | {
            "attention": [StrOptions({"shared", "cross", "none"})],
            "attention_maps": [StrOptions({"exchanged", "own"})],
            "share_encoder": ["boolean"],
            "share_heads": ["boolean"],
            "branch_loss_weights": [StrOptions({"biased", "equal"})],
            "clinical_weight": [Interval(Real, 0, 0.5, closed="both")],
            "scaled_attention": ["boolean"],
            "dropout": [CHANCE],
        }
    )

    def __init__(
        self,
        *,
        attention="shared",
        attention_maps="exchanged",
        share_encoder=True,
        share_heads=False,
        branch_loss_weights="biased",
        clinical_weight=0.1,
        scaled_attention=False,
        dropout=0.3,
        clinical_column=None,
        dermoscopy_column=None,
        **common,
    ):
        super().__init__(**common)
        self.attention = attention
        self.attention_maps = attention_maps
        self.share_encoder = share_encoder
        self.share_heads = share_heads
        self.branch_loss_weights = branch_loss_weights
        self.clinical_weight = clinical_weight
        self.scaled_attention = scaled_attention
        self.dropout = dropout
        self.clinical_column = clinical_column
        self.dermoscopy_column = dermoscopy_column

    def choose_images(self, images):
        """Return the clinical and the dermoscopic image column."""
        return pick_two_images(images, self.clinical_column, self.dermoscopy_column)

    def make_module(self, shapes, recipe):
        """Return the network of both images."""
        n_encoders = 1 if recipe.share_encoder else 2
        return SharedFusionNet(
            [make_encoder(recipe.backbone, shapes, recipe) for _ in range(n_encoders)],
            shapes.n_classes,
            attention=recipe.attention,
            attention_maps=recipe.attention_maps,
            share_heads=recipe.share_heads,
            scaled_attention=recipe.scaled_attention,
            dropout=recipe.dropout,
            **missing_options(recipe),
        )

    def make_loss(self, shapes, recipe):
        """Return the biased or equal sum over branches of the sum over tasks."""
        w = recipe.clinical_weight
        weights = {"clinical": w, "dermoscopy": 0.5 - w, "fusion": 0.5}
        if recipe.branch_loss_weights == "equal":
            weights = dict.fromkeys(weights, 1 / 3)
        return BranchLoss(weights, task_reduction="sum")

    def search_ranges(self):
        """Return sensible ranges for parameters, the attention and the loss among them."""
        return super().search_ranges() | {
            "attention": Choice(("shared", "cross", "none")),
            "attention_maps": Choice(("exchanged", "own")),
            "branch_loss_weights": Choice(("biased", "equal")),
            "clinical_weight": Range(0.01, 0.5, log=True),
        }
