"""AMMFM: a light encoder for the clinical image, a large one for the dermoscopic image."""

from collections.abc import Sequence

from torch import Tensor

from sklearn_skin.modules._staged_encoder import StagedEncoder
from sklearn_skin.modules._two_images import (
    BRANCHES,
    EncoderPair,
    TwoImageNetwork,
    find_attention,
)
from sklearn_skin.utils import check_choice


class AsymmetricFusionNet(TwoImageNetwork):
    r"""Asymmetric multi-modal fusion method (AMMFM) for a clinical and a dermoscopic image.

    .. math:: P_C = H_C(f_C), \quad P_D = H_D(f_D), \quad
        P_F = H_F(f_D) \;\text{or}\; H_F([f_C; f_D])

    with an attention block after each of the four stages (see `_attention`), and a head H
    (`fusion_head`) per branch. Two equal encoders give the symmetric baseline. The loss is
    L_C + L_D + L_F.

    The source does not say what the fusion branch reads. Its table 5.9 has concatenation, BAB
    and AAB as alternatives, and its counts with AAB follow where H_F reads the dermoscopic
    vector alone, which the clinical maps have refined.

    A row without its clinical image keeps its dermoscopic maps as they are. In a row without
    its dermoscopic image a learned vector stands in for f_D; with ``fusion="dermoscopy"`` that
    is all that H_F sees, and the clinical image counts in its own branch alone.

    Parameters
    ----------
    clinical : StagedEncoder
        Encoder of the clinical image; ``mobilenetv3_small_100`` in the source.
    dermoscopy : StagedEncoder
        Encoder of the dermoscopic image; ``swinv2_tiny_window8_256`` fits the source's counts.
    n_classes : sequence of int
        Number of classes of each task.
    attention : {"aab", "bab", "none"}, default="aab"
        The asymmetric block refines the dermoscopic map only, the bidirectional one both.
    fusion : {"auto", "dermoscopy", "concat"}, default="auto"
        What H_F reads: f_D, or both vectors. "auto" is "dermoscopy" with "aab" and "concat"
        otherwise. Without attention f_D holds nothing of the clinical image.
    scaled_attention : bool, default=False
        Divide attention scores by the square root of the queries' width. The source does not.
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
    fusion : {"dermoscopy", "concat"}
        What the fusion's head reads.

    Raises
    ------
    ValueError
        If `attention` or `fusion` is unknown.

    References
    ----------
    .. [1] :ref:`Tang (2024) <tang2024>`, "Deep learning-based multi-modal fusion method", section
       5.3.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import AsymmetricFusionNet, StagedEncoder
    >>> net = AsymmetricFusionNet(
    ...     StagedEncoder("test_efficientnet"), StagedEncoder("test_resnet"), [5, 2]
    ... ).eval()
    >>> logits = net([torch.rand(3, 3, 64, 64)] * 2)
    >>> {branch: [task.shape[1] for task in tasks] for branch, tasks in logits.items()}
    {'clinical': [5, 2], 'dermoscopy': [5, 2], 'fusion': [5, 2]}
    """

    def __init__(
        self,
        clinical: StagedEncoder,
        dermoscopy: StagedEncoder,
        n_classes: Sequence[int],
        *,
        attention: str = "aab",
        fusion: str = "auto",
        scaled_attention: bool = False,
        dropout: float = 0.3,
        allow_missing_images: bool = False,
        modality_dropout: float = 0.0,
    ) -> None:
        pair = EncoderPair(
            [clinical, dermoscopy],
            attention=find_attention(attention, ("aab", "bab", "none")),
            scaled=scaled_attention,
            allow_missing_images=allow_missing_images,
            modality_dropout=modality_dropout,
        )
        check_choice(fusion, ("auto", "dermoscopy", "concat"), "fusion")
        if fusion == "auto":
            fusion = "dermoscopy" if attention == "aab" else "concat"
        widths = dict(zip(BRANCHES, (*pair.out_features, sum(pair.out_features))))
        if fusion == "dermoscopy":
            widths["fusion"] = widths["dermoscopy"]
        super().__init__(pair, widths, n_classes, dropout=dropout)
        self.fusion = fusion

    def fuse(self, clinical: Tensor, dermoscopy: Tensor) -> Tensor:
        """Return what the fusion's head reads of vectors (n, c) and (n, d)."""
        return dermoscopy if self.fusion == "dermoscopy" else super().fuse(clinical, dermoscopy)
