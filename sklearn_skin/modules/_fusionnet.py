"""FusionNet, the first stage of FusionM4Net: two encoders whose features are added."""

from collections.abc import Sequence

from torch import Tensor

from sklearn_skin.modules._staged_encoder import StagedEncoder
from sklearn_skin.modules._two_images import BRANCHES, EncoderPair, TwoImageNetwork


class FusionNet(TwoImageNetwork):
    r"""Two encoders and three branches for a clinical and a dermoscopic image.

    .. math:: P_b = H_b(F_b), \quad b \in \{clin, derm, fusion\}, \quad
        F_{fusion} = F_{clin} + F_{derm}

    with a head H (`fusion_head`) per branch. The loss is the sum over branches of the mean (or the
    sum) over tasks of cross-entropy. Patient metadata enter FusionM4Net in its second stage only.

    Parameters
    ----------
    clinical, dermoscopy : StagedEncoder
        Encoders of equal output length; two ``resnet50`` in the source.
    n_classes : sequence of int
        Number of classes of each task.
    head_hidden : sequence of int, default=(512, 128)
        Widths of the heads' layers before the tasks' own; ``()`` is the single layer per task of
        the thesis' table 6.2.
    dropout : float, default=0.3
        Dropout of the heads, in [0, 1).
    allow_missing_images : bool, default=False
        Learn a stand-in for missing images.
    modality_dropout : float, default=0.0
        Probability in [0, 1) of hiding an image in training.

    Attributes
    ----------
    branches : tuple of str
        Keys of what `forward` returns, the final branch last.

    Raises
    ------
    ValueError
        If the encoders' vectors differ in length.

    References
    ----------
    .. [1] :ref:`Tang et al. (2022) <tang2022>`, "FusionM4Net".

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import FusionNet, StagedEncoder
    >>> net = FusionNet(StagedEncoder("test_resnet"), StagedEncoder("test_resnet"), [5, 2])
    >>> logits = net.eval()([torch.rand(3, 3, 64, 64)] * 2)
    >>> {branch: [task.shape[1] for task in tasks] for branch, tasks in logits.items()}
    {'clinical': [5, 2], 'dermoscopy': [5, 2], 'fusion': [5, 2]}
    """

    def __init__(
        self,
        clinical: StagedEncoder,
        dermoscopy: StagedEncoder,
        n_classes: Sequence[int],
        *,
        head_hidden: Sequence[int] = (512, 128),
        dropout: float = 0.3,
        allow_missing_images: bool = False,
        modality_dropout: float = 0.0,
    ) -> None:
        if clinical.out_features != dermoscopy.out_features:
            raise ValueError(
                "FusionNet adds the vectors of its encoders, which must be of equal length; "
                f"got {clinical.out_features} and {dermoscopy.out_features} features."
            )
        pair = EncoderPair(
            [clinical, dermoscopy],
            allow_missing_images=allow_missing_images,
            modality_dropout=modality_dropout,
        )
        widths = dict.fromkeys(BRANCHES, clinical.out_features)
        super().__init__(pair, widths, n_classes, hidden=head_hidden, dropout=dropout)

    def fuse(self, clinical: Tensor, dermoscopy: Tensor) -> Tensor:
        """Add the vectors (n, d) of both images."""
        return clinical + dermoscopy
