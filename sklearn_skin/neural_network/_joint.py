"""Joint fusion: one classifier over a fused feature (systems S0, S1, S3)."""

from sklearn.utils._param_validation import StrOptions

from sklearn_skin.modules import JointFusionNet
from sklearn_skin.modules.fusion import FUSIONS
from sklearn_skin.neural_network._base_image import (
    BaseImageNetwork,
    make_backbones,
    missing_options,
)
from sklearn_skin.neural_network._parameters import CHANCE, WIDTHS
from sklearn_skin.utils import Choice

FUSION_CONSTRAINTS: dict[str, list] = {
    "fusion": [str],
    "fusion_options": [dict, None],
    "fusion_metadata": [StrOptions({"auto", "raw", "encoded"})],
    "share_backbone": ["boolean"],
    "metadata_hidden": [WIDTHS],
    "image_dropout": [CHANCE],
}


class JointFusionClassifier(BaseImageNetwork):
    r"""Classify the fusion of image and metadata features.

    .. math:: P = \mathrm{softmax}(C(F(f_I, f_M)))

    with image features f_I of a backbone, metadata features f_M of a perceptron, a fusion
    operator F and dense layers C. With `freeze` "backbone" this is system S0, with `backbone`
    "dermiresnet" system S1, and otherwise structure JF of system S3. Leave the image or the
    metadata columns out of X for its ablations.

    Parameters
    ----------
    fusion : str, default="concat"
        Fusion operator: "concat", "weighted_concat", "hadamard", "tensor", "bilinear", "gated",
        "self_attention", "cross_attention", "metablock", "metanet", "mutual_attention" or "mmfa"
        (the keys of `sklearn_skin.modules.fusion.FUSIONS`).
    fusion_options : dict, default=None
        Parameters of the operator, such as ``{"tokens": "vector"}``.
    fusion_metadata : {"auto", "raw", "encoded"}, default="auto"
        What the operator reads of the metadata: what it declares itself; the columns as they are;
        or what the perceptron makes of them.
    share_backbone : bool, default=False
        One backbone for all image columns.
    metadata_hidden : sequence of int, default=(128, 256)
        Widths of the metadata perceptron. Operators that read raw metadata go without it.
    image_dropout : float, default=0.0
        Chance in [0, 1) of dropping a pooled image feature. Operators that take the feature map
        go without it.
    classifier_hidden : sequence of int, default=()
        Widths of dense layers before the linear classifiers.
    dropout : float, default=0.0
        Chance in [0, 1) of dropping an input of the classifier's layers.
    %(common)s

    Attributes
    ----------
    %(fitted)s

    References
    ----------
    .. [1] :ref:`Anonymous (undated) <efficientnet_readme>`, "multimodal-skin-lesion-efficientnet".
    .. [2] :ref:`Das et al. (2025) <das2025>`, "Comparative analysis of multimodal architectures".
    .. [3] :ref:`Tang (2024) <tang2024>`, "Deep learning-based multi-modal fusion method", section
       4.2.2, the structure JF.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_skin.datasets import make_lesions
    >>> from sklearn_skin.neural_network import JointFusionClassifier
    >>> from sklearn_skin.preprocessing import make_lesion_transformer
    >>> lesions = make_lesions(20, image_size=32, random_state=0)
    >>> net = JointFusionClassifier(
    ...     backbone="resnet10t", weights=None, image_size=32, max_epochs=1
    ... )
    >>> model = make_pipeline(make_lesion_transformer(), net)
    >>> model.fit(lesions.data, lesions.target).predict_proba(lesions.data).shape
    (20, 3)
    """

    needs_images = False
    _parameter_constraints = (
        BaseImageNetwork._parameter_constraints
        | FUSION_CONSTRAINTS
        | {"classifier_hidden": [WIDTHS], "dropout": [CHANCE]}
    )

    def __init__(
        self,
        *,
        fusion="concat",
        fusion_options=None,
        fusion_metadata="auto",
        share_backbone=False,
        metadata_hidden=(128, 256),
        image_dropout=0.0,
        classifier_hidden=(),
        dropout=0.0,
        **common,
    ):
        super().__init__(**common)
        self.fusion = fusion
        self.fusion_options = fusion_options
        self.fusion_metadata = fusion_metadata
        self.share_backbone = share_backbone
        self.metadata_hidden = metadata_hidden
        self.image_dropout = image_dropout
        self.classifier_hidden = classifier_hidden
        self.dropout = dropout

    def make_module(self, shapes, recipe):
        """Return a `JointFusionNet`."""
        return make_joint_net(
            shapes,
            recipe,
            **fusion_settings(recipe),
            classifier_hidden=recipe.classifier_hidden,
            dropout=recipe.dropout,
        )

    def search_ranges(self):
        """Return sensible ranges for parameters, the fusion operator among them."""
        return super().search_ranges() | {"fusion": Choice(tuple(sorted(FUSIONS)))}


def fusion_settings(recipe):
    """Return the settings that describe the fusion and what goes into it."""
    return {name: getattr(recipe, name) for name in FUSION_CONSTRAINTS}


def make_joint_net(shapes, recipe, net=JointFusionNet, **options):
    """Make a network of `JointFusionNet`'s kind for data of these shapes."""
    return net(
        make_backbones(shapes, recipe, shared=options.get("share_backbone", False)),
        shapes.n_metadata,
        shapes.n_classes,
        n_images=len(shapes.image_columns),
        metadata_groups=shapes.metadata_groups or None,
        **missing_options(recipe),
        **options,
    )
