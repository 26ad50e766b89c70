r"""Attention between a clinical and a dermoscopic feature map (AMMFM and PEMM).

Every block projects maps (n, c, h, w) with 1 x 1 convolutions, queries and keys to c / 8
channels and values to c, and lets every position of a map attend over all N = h w positions:

.. math:: M = \mathrm{softmax}(s\, Q^\top K), \qquad A = V M^\top, \qquad X' = X + A

with s = 1 as in the source, or 1 / sqrt(c / 8). There is no projection after the attention.
The source writes the update as V M without saying along which axis the softmax runs; here the
weights of one output position sum to one.

Whose map M weighs a modality's values is open in PEMM. The name cross-attention says the
partner's, and so does AMMFM, whose bidirectional block enhances both mutually. The text of section
5.4.2.2 multiplies C_v with M_c, a modality's own: `own_maps`, where nothing passes between the
images and a missing partner changes nothing. (That text also makes M_c of C_v and C_q, which would
leave C_k without a use; here it is made of C_q and C_k, as in AMMFM.)

References
----------
:ref:`Tang (2024) <tang2024>`, "Deep learning-based multi-modal fusion method", sections 5.3.2.2
(eq. 5.1) and 5.4.2.2.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_skin.modules._attend import attend, map_tokens


class _QueryKey(nn.Module):
    """The two projections of a map that make its attention weights."""

    def __init__(self, channels: int, reduction: int, scaled: bool) -> None:
        super().__init__()
        width = max(1, channels // reduction)
        self.query = nn.Conv2d(channels, width, 1)
        self.key = nn.Conv2d(channels, width, 1)
        self.scale = width**-0.5 if scaled else 1.0

    def forward(self, source: Tensor, value: Tensor) -> Tensor:
        """Average `value` (n, c, h, w) with the weights that `source` (n, d, h', w') gives."""
        query, key = self.query(source), self.key(source)
        size = value.shape[-2:]
        # Two different backbones may round odd image sizes differently.
        if query.shape[-2:] != size:
            query = F.interpolate(query, size, mode="bilinear", align_corners=False)
            key = F.interpolate(key, size, mode="bilinear", align_corners=False)
        q, k, v = (map_tokens(part) for part in (query, key, value))
        attended = attend(q, k, v, self.scale)
        return attended.transpose(1, 2).unflatten(2, size)


def _refine(
    maps: Sequence[Tensor],
    weights: Sequence[_QueryKey],
    values: Sequence[nn.Module],
    own: bool,
    present: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Add to each map its values, averaged with the weights of its partner or with its `own`."""
    refined = []
    for k, (map_, value) in enumerate(zip(maps, values)):
        source = k if own else 1 - k
        update = weights[source](maps[source], value(map_))
        refined.append(_add(map_, update, None if own else present, source))
    return refined[0], refined[1]


def _add(map_: Tensor, update: Tensor, present: Tensor | None, partner: int) -> Tensor:
    """Add what the partner's weights give, in the rows that have the partner's image."""
    if present is None:
        return map_ + update
    return torch.where(present[:, partner, None, None, None], map_ + update, map_)


class AsymmetricAttention(nn.Module):
    r"""Asymmetric attention block (AAB): clinical weights refine the dermoscopic map.

    .. math:: D' = D + D_v M_C^\top, \quad M_C = \mathrm{softmax}(s\, C_q^\top C_k), \quad C' = C

    Parameters
    ----------
    clinical_channels, dermoscopy_channels : int
        Channels of the two maps.
    reduction : int, default=8
        Queries and keys have ``channels // reduction`` channels.
    scaled : bool, default=False
        Divide the scores by the square root of the queries' width. The source does not.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules._attention import AsymmetricAttention
    >>> clinical, dermoscopy = torch.rand(2, 16, 4, 4), torch.rand(2, 24, 4, 4)
    >>> left, right = AsymmetricAttention(16, 24)(clinical, dermoscopy)
    >>> left is clinical, right.shape
    (True, torch.Size([2, 24, 4, 4]))
    """

    def __init__(
        self,
        clinical_channels: int,
        dermoscopy_channels: int,
        *,
        reduction: int = 8,
        scaled: bool = False,
    ) -> None:
        super().__init__()
        self.clinical = _QueryKey(clinical_channels, reduction, scaled)
        self.value = nn.Conv2d(dermoscopy_channels, dermoscopy_channels, 1)

    def forward(
        self, clinical: Tensor, dermoscopy: Tensor, present: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Refine the maps (n, c, h, w), (n, d, h, w); `present` is (n, 2) bool or None."""
        update = self.clinical(clinical, self.value(dermoscopy))
        return clinical, _add(dermoscopy, update, present, partner=0)


class BidirectionalAttention(nn.Module):
    r"""Bidirectional attention block (BAB), also PEMM's cross-attention: weights change places.

    .. math:: D' = D + D_v M_C^\top, \qquad C' = C + C_v M_D^\top

    With `own_maps` they do not: :math:`D' = D + D_v M_D^\top, C' = C + C_v M_C^\top`.

    Parameters
    ----------
    clinical_channels, dermoscopy_channels : int
        Channels of the two maps.
    reduction : int, default=8
        Queries and keys have ``channels // reduction`` channels.
    scaled : bool, default=False
        Divide the scores by the square root of the queries' width. The source does not.
    own_maps : bool, default=False
        Average the values of a map with its own weights, not with the partner's.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules._attention import BidirectionalAttention
    >>> block = BidirectionalAttention(16, 24)
    >>> [part.shape[1] for part in block(torch.rand(2, 16, 4, 4), torch.rand(2, 24, 4, 4))]
    [16, 24]
    """

    def __init__(
        self,
        clinical_channels: int,
        dermoscopy_channels: int,
        *,
        reduction: int = 8,
        scaled: bool = False,
        own_maps: bool = False,
    ) -> None:
        super().__init__()
        self.clinical = _QueryKey(clinical_channels, reduction, scaled)
        self.dermoscopy = _QueryKey(dermoscopy_channels, reduction, scaled)
        self.clinical_value = nn.Conv2d(clinical_channels, clinical_channels, 1)
        self.dermoscopy_value = nn.Conv2d(dermoscopy_channels, dermoscopy_channels, 1)
        self.own_maps = own_maps

    def forward(
        self, clinical: Tensor, dermoscopy: Tensor, present: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Refine the maps (n, c, h, w), (n, d, h, w); `present` is (n, 2) bool or None."""
        weights = self.clinical, self.dermoscopy
        values = self.clinical_value, self.dermoscopy_value
        return _refine((clinical, dermoscopy), weights, values, self.own_maps, present)


class SharedAttention(nn.Module):
    r"""Shared cross-attention (SCA): one set of projections serves both modalities.

    The formulas are those of `BidirectionalAttention`, whose weights it halves.

    Parameters
    ----------
    clinical_channels, dermoscopy_channels : int
        Channels of the two maps, which must be equal.
    reduction : int, default=8
        Queries and keys have ``channels // reduction`` channels.
    scaled : bool, default=False
        Divide the scores by the square root of the queries' width. The source does not.
    own_maps : bool, default=False
        Average the values of a map with its own weights, not with the partner's.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules._attention import SharedAttention
    >>> block = SharedAttention(16, 16)
    >>> sum(p.numel() for p in block.parameters())  # 2 (16 * 2 + 2) + 16 * 16 + 16
    340
    """

    def __init__(
        self,
        clinical_channels: int,
        dermoscopy_channels: int,
        *,
        reduction: int = 8,
        scaled: bool = False,
        own_maps: bool = False,
    ) -> None:
        super().__init__()
        if clinical_channels != dermoscopy_channels:
            raise ValueError(
                "Shared attention needs maps of equal width; got "
                f"{clinical_channels} and {dermoscopy_channels} channels."
            )
        self.weights = _QueryKey(clinical_channels, reduction, scaled)
        self.value = nn.Conv2d(clinical_channels, clinical_channels, 1)
        self.own_maps = own_maps

    def forward(
        self, clinical: Tensor, dermoscopy: Tensor, present: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Refine the maps, both (n, c, h, w); `present` is (n, 2) bool or None."""
        weights, values = (self.weights,) * 2, (self.value,) * 2
        return _refine((clinical, dermoscopy), weights, values, self.own_maps, present)


ATTENTIONS = {
    "aab": AsymmetricAttention,
    "bab": BidirectionalAttention,
    "cross": BidirectionalAttention,
    "shared": SharedAttention,
}
