"""FusionNet: two images, added features, three heads (system S6, first stage)."""

from sklearn.utils._param_validation import StrOptions

from sklearn_skin.modules import BranchLoss, FusionNet, SingleImageNet
from sklearn_skin.neural_network._base_image import BaseImageNetwork, missing_options
from sklearn_skin.neural_network._parameters import CHANCE, WIDTHS
from sklearn_skin.neural_network._two_images import (
    TWO_IMAGE_CONSTRAINTS,
    make_encoder,
    pick_two_images,
)


class FusionNetClassifier(BaseImageNetwork):
    r"""Classify a clinical and a dermoscopic image, and the sum of their features.

    .. math:: f_F = f_C + f_D, \quad L = L_C + L_D + L_F, \quad L_b = \tfrac1T \sum_t L_{b,t}

    The first stage of FusionM4Net: images only, metadata are left to the second stage. The
    branches are ``clinical``, ``dermoscopy`` and ``fusion``. A single image column gives the
    one branch ``image``; an X without images is classified by a perceptron.

    Parameters
    ----------
    task_reduction : {"mean", "sum"}, default="mean"
        How a branch's tasks combine in its loss. The mean, as in the source's public code;
        its eq. 6.1 to 6.3 print the sum.
    head_hidden : sequence of int, default=(512, 128)
        Widths of the heads' layers before the tasks' own, each followed by BatchNorm, SiLU and
        dropout. The default is the public code's and the published parameter count's; the
        source's table 6.2 prints one linear layer per task, ``()``.
    dropout : float, default=0.3
        Dropout of the heads' hidden layers, in [0, 1).
    clinical_column, dermoscopy_column : str, default=None
        Image columns; None guesses them from their names.
    %(common)s

    Attributes
    ----------
    %(fitted)s

    References
    ----------
    .. [1] :ref:`Tang et al. (2022) <tang2022>`, "FusionM4Net".
    .. [2] :ref:`Tang (2024) <tang2024>`, "Deep learning-based multi-modal fusion method", chapter
       6.

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

    uses_metadata = False
    _parameter_constraints = (
        BaseImageNetwork._parameter_constraints
        | TWO_IMAGE_CONSTRAINTS
        | {
            "task_reduction": [StrOptions({"mean", "sum"})],
            "head_hidden": [WIDTHS],
            "dropout": [CHANCE],
        }
    )

    def __init__(
        self,
        *,
        task_reduction="mean",
        head_hidden=(512, 128),
        dropout=0.3,
        clinical_column=None,
        dermoscopy_column=None,
        **common,
    ):
        super().__init__(**common)
        self.task_reduction = task_reduction
        self.head_hidden = head_hidden
        self.dropout = dropout
        self.clinical_column = clinical_column
        self.dermoscopy_column = dermoscopy_column

    def choose_images(self, images):
        """Return the clinical and the dermoscopic image column, or the only one."""
        if len(images) < 2:
            return images
        return pick_two_images(images, self.clinical_column, self.dermoscopy_column)

    def make_module(self, shapes, recipe):
        """Return a `FusionNet`, or a `SingleImageNet` for one image column."""
        encoders = [make_encoder(recipe.backbone, shapes, recipe) for _ in shapes.image_columns]
        net = FusionNet if len(encoders) == 2 else SingleImageNet
        return net(
            *encoders,
            shapes.n_classes,
            head_hidden=recipe.head_hidden,
            dropout=recipe.dropout,
            **missing_options(recipe),
        )

    def make_loss(self, shapes, recipe):
        """Return the sum over branches of the mean, or the sum, over tasks."""
        return BranchLoss(task_reduction=recipe.task_reduction)
