"""Element-wise product of the projected image and the metadata feature."""

from torch import Tensor, nn

from sklearn_skin.modules.fusion._operator import FusionOperator


class HadamardFusion(FusionOperator):
    r"""Multiply both feature vectors element by element.

    .. math:: z = x' \odot y, \quad x' = W x + b

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
       eq. 6.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules.fusion import HadamardFusion
    >>> HadamardFusion(512, 256)(torch.ones(2, 512), torch.ones(2, 256)).shape
    torch.Size([2, 256])
    """

    def __init__(self, image_dim: int, metadata_dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(image_dim, metadata_dim)
        self.out_features = metadata_dim

    def forward(self, image: Tensor, metadata: Tensor) -> Tensor:
        """Fuse `image` (n, d) with `metadata` (n, p) into (n, p)."""
        projected: Tensor = self.project(image)
        return projected * metadata
