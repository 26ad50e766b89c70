"""Joint-individual fusion: the modalities keep classifiers of their own."""

from collections.abc import Sequence
from typing import Any

from sklearn_skin.modules._joint import JointFusionNet
from sklearn_skin.modules.backbones import Backbone


class JointIndividualNet(JointFusionNet):
    r"""Classify the image, the metadata and their fusion, each by a linear layer.

    .. math:: P_I = C_I(f_I), \quad P_M = C_M(f_M), \quad P_{IM} = C_{IM}(F(f_I, f_M))

    The source trains with :math:`\beta L_I + (1 - \beta) L_M + L_{IM}` and predicts the mean of
    the three probabilities ("all") or :math:`P_{IM}` alone ("only fusion branch").

    Parameters
    ----------
    backbones : sequence of Backbone
        One per image column, or one with ``share_backbone=True``.
    n_metadata : int
        Number of metadata features p.
    n_classes : sequence of int
        Number of classes of each task.
    fusion : str, default="mmfa"
        Name of a fusion operator.
    **options
        Further parameters of `JointFusionNet`.

    Attributes
    ----------
    branches : tuple of str
        ``("image", "metadata", "fusion")``; one of the first two where there is one modality.

    References
    ----------
    .. [1] :ref:`Tang (2024) <tang2024>`, "Deep learning-based multi-modal fusion method", section
       4.2.2, the structure JIF, eq. 4.5.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import JointIndividualNet, make_backbone
    >>> net = JointIndividualNet([make_backbone("resnet10t")], 5, [3]).eval()
    >>> logits = net([torch.rand(2, 3, 32, 32)], torch.rand(2, 5))
    >>> {branch: tasks[0].shape for branch, tasks in logits.items()}
    {'image': torch.Size([2, 3]), 'metadata': torch.Size([2, 3]), 'fusion': torch.Size([2, 3])}
    """

    _individual = True

    def __init__(
        self,
        backbones: Sequence[Backbone],
        n_metadata: int,
        n_classes: Sequence[int],
        *,
        fusion: str = "mmfa",
        **options: Any,
    ) -> None:
        super().__init__(backbones, n_metadata, n_classes, fusion=fusion, **options)
