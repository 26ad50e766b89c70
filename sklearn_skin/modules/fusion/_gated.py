"""Gated fusion: a gate mixes the projected image with the metadata feature."""

import torch
from torch import Tensor, nn

from sklearn_skin.modules.fusion._operator import FusionOperator


class GatedFusion(FusionOperator):
    r"""Mix both feature vectors by a gate that reads them both.

    .. math:: g = \sigma(W_x x' + W_y y), \quad z = g \odot x' + (1 - g) \odot y,
        \quad x' = W x + b

    Parameters
    ----------
    image_dim : int
        Length d of the image's feature vector x.
    metadata_dim : int
        Length p of the metadata feature y.

    Attributes
    ----------
    out_features : int
        p.

    References
    ----------
    .. [1] :ref:`Das et al. (2025) <das2025>`, "Comparative analysis of multimodal architectures",
       eqs. 10 and 11.
    .. [2] :ref:`Arevalo et al. (2020) <arevalo2020>`, "Gated multimodal networks".

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules.fusion import GatedFusion
    >>> GatedFusion(512, 256)(torch.ones(2, 512), torch.ones(2, 256)).shape
    torch.Size([2, 256])
    """

    def __init__(self, image_dim: int, metadata_dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(image_dim, metadata_dim)
        self.image_gate = nn.Linear(metadata_dim, metadata_dim)
        self.metadata_gate = nn.Linear(metadata_dim, metadata_dim, bias=False)
        self.out_features = metadata_dim

    def forward(self, image: Tensor, metadata: Tensor) -> Tensor:
        """Fuse `image` (n, d) with `metadata` (n, p) into (n, p)."""
        projected: Tensor = self.project(image)
        gate = torch.sigmoid(self.image_gate(projected) + self.metadata_gate(metadata))
        return gate * projected + (1 - gate) * metadata
