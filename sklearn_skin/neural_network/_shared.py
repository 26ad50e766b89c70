"""One network for both images (system S5)."""

from numbers import Real

from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_skin.modules._shared_encoder import SharedFusionNet
from sklearn_skin.modules.losses import BranchLoss
from sklearn_skin.modules.metadata import MetadataNet
from sklearn_skin.neural_network._base import BaseLesionClassifier
from sklearn_skin.neural_network._two_images import (
    TWO_IMAGE_CONSTRAINTS,
    make_encoder,
    missing_options,
    pick_two_images,
)
from sklearn_skin.utils import Choice, Range


class SharedFusionClassifier(BaseLesionClassifier):
    r"""Classify a clinical and a dermoscopic image with one encoder for both (PEMM).

    After each of four stages the images exchange their attention maps, made by one set of
    projections for both (``"shared"``) or one each (``"cross"``).

    .. math:: L = W L_C + (\tfrac12 - W) L_D + \tfrac12 L_F, \quad L_b = \sum_t L_{b,t}

    The branches are ``clinical``, ``dermoscopy`` and ``fusion`` (concatenated features);
    metadata are not used. The source reports a loss of accuracy for shared ResNets and
    DenseNets; these give a warning.

    Parameters
    ----------
    attention : {"shared", "cross", "none"}, default="shared"
        Attention between the images.
    share_encoder : bool, default=True
        One encoder for both images.
    share_heads : bool, default=False
        One head for the clinical and the dermoscopic branch.
    clinical_weight : float, default=0.1
        Weight W of the clinical branch's loss, in [0, 0.5].
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
    .. [1] System S5 of the user guide.

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

    _uses_metadata = False
    _parameter_constraints = (
        BaseLesionClassifier._parameter_constraints
        | TWO_IMAGE_CONSTRAINTS
        | {
            "attention": [StrOptions({"shared", "cross", "none"})],
            "share_encoder": ["boolean"],
            "share_heads": ["boolean"],
            "clinical_weight": [Interval(Real, 0, 0.5, closed="both")],
            "scaled_attention": ["boolean"],
            "dropout": BaseLesionClassifier._parameter_constraints["modality_dropout"],
        }
    )

    def __init__(
        self,
        *,
        attention="shared",
        share_encoder=True,
        share_heads=False,
        clinical_weight=0.1,
        scaled_attention=False,
        dropout=0.3,
        clinical_column=None,
        dermoscopy_column=None,
        **common,
    ):
        super().__init__(**common)
        self.attention = attention
        self.share_encoder = share_encoder
        self.share_heads = share_heads
        self.clinical_weight = clinical_weight
        self.scaled_attention = scaled_attention
        self.dropout = dropout
        self.clinical_column = clinical_column
        self.dermoscopy_column = dermoscopy_column

    def search_ranges(self):
        """Return what a search may try for the parameters of this network.

        Returns
        -------
        ranges : dict of str to Range or Choice
            By parameter.
        """
        return super().search_ranges() | {
            "attention": Choice(("shared", "cross", "none")),
            "clinical_weight": Range(0.01, 0.5, log=True),
        }

    def _order_images(self, images):
        if not images:
            return images
        return pick_two_images(images, self.clinical_column, self.dermoscopy_column)

    def _make_module(self, shapes, p):
        if not shapes.image_columns:
            return MetadataNet(shapes.n_metadata, shapes.n_classes)
        return SharedFusionNet(
            [make_encoder(p.backbone, shapes, p) for _ in range(1 if p.share_encoder else 2)],
            shapes.n_classes,
            attention=p.attention,
            share_heads=p.share_heads,
            scaled_attention=p.scaled_attention,
            dropout=p.dropout,
            **missing_options(p),
        )

    def _make_loss(self, shapes, options):
        w = self.clinical_weight
        weights = {"clinical": w, "dermoscopy": 0.5 - w, "fusion": 0.5}
        weights = weights if shapes.image_columns else None
        return BranchLoss(weights, task_reduction="sum", **options)
