"""MetaNet: metadata weigh the channels of the image's feature map."""

import torch
from torch import Tensor, nn


class MetaNetFusion(nn.Module):
    r"""Multiply each channel of an image's feature map by a weight from the metadata.

    .. math:: z = \mathrm{pool}(V \odot \sigma(W_2 \,\mathrm{ReLU}(W_1 m + b_1) + b_2))

    Parameters
    ----------
    image_dim : int
        Channels d of the feature map.
    metadata_dim : int
        Number of metadata features p.
    hidden : int, default=64
        Width between the two layers.

    Attributes
    ----------
    out_features : int
        d.

    References
    ----------
    .. [1] Li et al., "Fusing metadata and dermoscopy images for skin disease diagnosis",
       ISBI 2020.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules.fusion import MetaNetFusion
    >>> MetaNetFusion(64, 3)(torch.ones(2, 64, 4, 4), torch.ones(2, 3)).shape
    torch.Size([2, 64])
    """

    takes = "map"
    metadata = "raw"

    def __init__(self, image_dim: int, metadata_dim: int, *, hidden: int = 64) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.Linear(metadata_dim, hidden), nn.ReLU(), nn.Linear(hidden, image_dim)
        )
        self.out_features = image_dim

    def forward(self, image: Tensor, metadata: Tensor) -> Tensor:
        """Fuse `image` (n, d, h, w) with `metadata` (n, p) into (n, d)."""
        weights = torch.sigmoid(self.weigh(metadata))
        # One weight per channel: pooling first gives the same and never forms the gated map.
        return image.mean(dim=(2, 3)) * weights
