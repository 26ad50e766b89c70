"""PEMM: one encoder for the clinical and the dermoscopic image, with shared cross-attention."""

from collections.abc import Sequence

from sklearn_skin.modules._staged_encoder import StagedEncoder
from sklearn_skin.modules._two_images import (
    BRANCHES,
    EncoderPair,
    TwoImageNetwork,
    find_attention,
)
from sklearn_skin.utils import check_choice, warn_user

# Families for which the source measured a loss from sharing the encoder (table 5.18).
_LOSING = ("ResNet", "DenseNet")


class SharedFusionNet(TwoImageNetwork):
    r"""Parameter-efficient multi-modal network (PEMM) for a clinical and a dermoscopic image.

    .. math:: P_C = H_C(f_C), \quad P_D = H_D(f_D), \quad P_F = H_F([f_C; f_D])

    where one encoder gives f_C and f_D, a shared cross-attention block follows each of its four
    stages, and H is a `fusion_head`. The loss is W L_C + (0.5 - W) L_D + 0.5 L_F with W = 0.1.

    Parameters
    ----------
    encoders : sequence of StagedEncoder
        One encoder for both images, or two (clinical, dermoscopy) for the ablation without
        sharing; ``swinv2_tiny_window8_256`` fits the source's counts.
    n_classes : sequence of int
        Number of classes of each task.
    attention : {"shared", "cross", "none"}, default="shared"
        One set of projections for both modalities, one for each, or no attention.
    attention_maps : {"exchanged", "own"}, default="exchanged"
        Whose attention map weighs an image's values: the other image's, as the name
        cross-attention says, or its own, as the source's text reads. With "own" the images
        meet in the fusion only, and one that is missing changes nothing for the other.
    share_heads : bool, default=False
        Classify both images by one head; the fusion keeps its own.
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

    Raises
    ------
    ValueError
        If `attention` or `attention_maps` is unknown, there are not one or two encoders, or heads
        are shared between vectors of different length.

    Warns
    -----
    UserWarning
        If a ResNet or a DenseNet is shared: the source reports a loss of accuracy for them.

    References
    ----------
    .. [1] :ref:`Tang (2024) <tang2024>`, "Deep learning-based multi-modal fusion method", section
       5.4.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import SharedFusionNet, StagedEncoder
    >>> net = SharedFusionNet([StagedEncoder("test_convnext")], [5, 2]).eval()
    >>> logits = net([torch.rand(3, 3, 64, 64)] * 2)
    >>> {branch: [task.shape[1] for task in tasks] for branch, tasks in logits.items()}
    {'clinical': [5, 2], 'dermoscopy': [5, 2], 'fusion': [5, 2]}
    """

    def __init__(
        self,
        encoders: Sequence[StagedEncoder],
        n_classes: Sequence[int],
        *,
        attention: str = "shared",
        attention_maps: str = "exchanged",
        share_heads: bool = False,
        scaled_attention: bool = False,
        dropout: float = 0.3,
        allow_missing_images: bool = False,
        modality_dropout: float = 0.0,
    ) -> None:
        check_choice(attention_maps, ("exchanged", "own"), "attention_maps")
        block = find_attention(
            attention, ("shared", "cross", "none"), own_maps=attention_maps == "own"
        )
        pair = EncoderPair(
            encoders,
            attention=block,
            scaled=scaled_attention,
            allow_missing_images=allow_missing_images,
            modality_dropout=modality_dropout,
        )
        if len(encoders) == 1 and encoders[0].family in _LOSING:
            warn_user(
                f"Sharing a {encoders[0].family} between both images lowered accuracy in the "
                "source; Swin and ConvNeXt did not.",
                once=("shared encoder", encoders[0].family),
            )
        clinical, dermoscopy = pair.out_features
        if share_heads and clinical != dermoscopy:
            raise ValueError(
                "`share_heads` needs vectors of equal length; "
                f"got {clinical} and {dermoscopy} features."
            )
        widths = dict(zip(BRANCHES, (clinical, dermoscopy, clinical + dermoscopy)))
        if share_heads:
            widths = {"images": clinical, "fusion": clinical + dermoscopy}
        super().__init__(pair, widths, n_classes, dropout=dropout)
