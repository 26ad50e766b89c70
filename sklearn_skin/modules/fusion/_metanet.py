"""MetaNet: metadata weigh the channels of the image's feature map."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sklearn_skin.modules.fusion._operator import FusionOperator


class MetaNetFusion(FusionOperator):
    r"""Multiply each channel of an image's feature map by a weight from the metadata.

    .. math:: z = \mathrm{pool}(V \odot \sigma(W_2 \,\mathrm{ReLU}(W_1 m + b_1) + b_2))

    Parameters
    ----------
    image_dim : int
        Channels d of the feature map.
    metadata_dim : int
        Number of metadata features p.
    hidden : sequence of int, default=(64,)
        Widths between the layers.

    Attributes
    ----------
    out_features : int
        d.

    References
    ----------
    .. [1] :ref:`Li et al. (2020) <li2020>`, "Fusing metadata and dermoscopy images".

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules.fusion import MetaNetFusion
    >>> MetaNetFusion(64, 3)(torch.ones(2, 64, 4, 4), torch.ones(2, 3)).shape
    torch.Size([2, 64])
    """

    takes = "map"
    metadata = "raw"

    def __init__(self, image_dim: int, metadata_dim: int, *, hidden: Sequence[int] = (64,)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [nn.Linear(metadata_dim, width), nn.ReLU()]
            metadata_dim = width
        self.weigh = nn.Sequential(*layers, nn.Linear(metadata_dim, image_dim))
        self.out_features = image_dim

    def forward(self, image: Tensor, metadata: Tensor) -> Tensor:
        """Fuse `image` (n, d, h, w) with `metadata` (n, p) into (n, d)."""
        weights = torch.sigmoid(self.weigh(metadata))
        # One weight per channel: pooling first gives the same and never forms the gated map.
        return image.mean(dim=(2, 3)) * weights
