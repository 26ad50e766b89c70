"""Joint-individual fusion (system S3)."""

from numbers import Real

from sklearn.utils._param_validation import Interval

from sklearn_skin.modules import BranchLoss, JointIndividualNet
from sklearn_skin.modules.fusion import FUSIONS
from sklearn_skin.neural_network._base_image import BaseImageNetwork
from sklearn_skin.neural_network._joint import (
    FUSION_CONSTRAINTS,
    fusion_settings,
    make_joint_net,
)
from sklearn_skin.utils import Choice, Range


class JointIndividualFusionClassifier(BaseImageNetwork):
    r"""Classify the image, the metadata and their fusion, each by a linear layer.

    .. math:: L = \beta L_I + (1 - \beta) L_M + L_{IM}

    The branches are ``image``, ``metadata`` and ``fusion``; `branch_weights` "mean" averages
    all three ("all" in the source), "fusion" takes the last alone. With one modality only that
    modality's branch remains.

    Parameters
    ----------
    fusion : str, default="mmfa"
        Fusion operator: "concat", "weighted_concat", "hadamard", "tensor", "bilinear", "gated",
        "self_attention", "cross_attention", "metablock", "metanet", "mutual_attention" or "mmfa"
        (the keys of `sklearn_skin.modules.fusion.FUSIONS`).
    beta : float, default=0.5
        Weight β in [0, 1] of the image's loss; the metadata's is 1 - β.
    fusion_options : dict, default=None
        Parameters of the operator.
    fusion_metadata : {"auto", "raw", "encoded"}, default="auto"
        What the operator reads of the metadata: what it declares itself; the columns as they are;
        or the metadata branch's feature, so that all three losses train that branch.
    share_backbone : bool, default=False
        One backbone for all image columns.
    metadata_hidden : sequence of int, default=(128, 256)
        Widths of the metadata perceptron.
    image_dropout : float, default=0.0
        Chance in [0, 1) of dropping a pooled image feature; operators that take the feature map
        go without it.
    %(common)s

    Attributes
    ----------
    %(fitted)s

    References
    ----------
    .. [1] :ref:`Tang (2024) <tang2024>`, "Deep learning-based multi-modal fusion method", section
       4.2.2, eq. 4.5.
    .. [2] :ref:`Tang et al. (2024) <tang2024jif>`, "Joint-individual fusion structure".

    Examples
    --------
    >>> from sklearn_skin.datasets import make_lesions
    >>> from sklearn_skin.neural_network import JointIndividualFusionClassifier
    >>> from sklearn_skin.preprocessing import make_lesion_transformer
    >>> lesions = make_lesions(20, image_size=32, random_state=0)
    >>> X = make_lesion_transformer().fit_transform(lesions.data)
    >>> net = JointIndividualFusionClassifier(
    ...     backbone="resnet10t", weights=None, image_size=32, max_epochs=1
    ... )
    >>> list(net.fit(X, lesions.target).predict_branches(X))
    ['image', 'metadata', 'fusion']
    """

    needs_images = False
    _parameter_constraints = (
        BaseImageNetwork._parameter_constraints
        | FUSION_CONSTRAINTS
        | {"beta": [Interval(Real, 0, 1, closed="both")]}
    )

    def __init__(
        self,
        *,
        fusion="mmfa",
        beta=0.5,
        fusion_options=None,
        fusion_metadata="auto",
        share_backbone=False,
        metadata_hidden=(128, 256),
        image_dropout=0.0,
        **common,
    ):
        super().__init__(**common)
        self.fusion = fusion
        self.beta = beta
        self.fusion_options = fusion_options
        self.fusion_metadata = fusion_metadata
        self.share_backbone = share_backbone
        self.metadata_hidden = metadata_hidden
        self.image_dropout = image_dropout

    def make_module(self, shapes, recipe):
        """Return a `JointIndividualNet`."""
        return make_joint_net(shapes, recipe, JointIndividualNet, **fusion_settings(recipe))

    def make_loss(self, shapes, recipe):
        """Return the weighted sum of the branches' losses."""
        if not (shapes.image_columns and shapes.n_metadata):
            # One modality has one branch, whose weight would only scale the rate.
            return BranchLoss()
        return BranchLoss({"image": recipe.beta, "metadata": 1 - recipe.beta, "fusion": 1.0})

    def search_ranges(self):
        """Return sensible ranges for parameters, the fusion operator and β among them."""
        own = {"fusion": Choice(tuple(sorted(FUSIONS))), "beta": Range(0.0, 1.0)}
        return super().search_ranges() | own
