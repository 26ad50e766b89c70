"""Concatenation of the image's and the metadata's feature vector."""

import torch
from torch import Tensor

from sklearn_skin.modules.fusion._operator import FusionOperator


class ConcatFusion(FusionOperator):
    r"""Put both feature vectors side by side.

    .. math:: z = [x; y]

    Parameters
    ----------
    image_dim : int
        Length d of the image's feature vector x.
    metadata_dim : int
        Length p of the metadata feature y.

    Attributes
    ----------
    out_features : int
        d + p.

    References
    ----------
    .. [1] :ref:`Das et al. (2025) <das2025>`, "Comparative analysis of multimodal architectures",
       eq. 4.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules.fusion import ConcatFusion
    >>> ConcatFusion(512, 256)(torch.ones(2, 512), torch.ones(2, 256)).shape
    torch.Size([2, 768])
    """

    additive = True

    def __init__(self, image_dim: int, metadata_dim: int) -> None:
        super().__init__()
        self.out_features = image_dim + metadata_dim

    def forward(self, image: Tensor, metadata: Tensor) -> Tensor:
        """Fuse `image` (n, d) with `metadata` (n, p) into (n, d + p)."""
        return torch.cat([image, metadata], dim=1)
