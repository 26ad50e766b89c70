"""Concatenation with one learnable weight per modality."""

import torch
from torch import Tensor, nn

from sklearn_skin.modules.fusion._operator import FusionOperator


class WeightedConcatFusion(FusionOperator):
    r"""Put both feature vectors side by side, each times a learnable scalar.

    .. math:: z = [w_1 x; w_2 y]

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
    weights : Parameter of shape (2,)
        :math:`w_1, w_2`, 1 at first.

    References
    ----------
    .. [1] :ref:`Das et al. (2025) <das2025>`, "Comparative analysis of multimodal architectures",
       eq. 5.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules.fusion import WeightedConcatFusion
    >>> WeightedConcatFusion(512, 256)(torch.ones(2, 512), torch.ones(2, 256)).shape
    torch.Size([2, 768])
    """

    additive = True

    def __init__(self, image_dim: int, metadata_dim: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.ones(2))
        self.out_features = image_dim + metadata_dim

    def forward(self, image: Tensor, metadata: Tensor) -> Tensor:
        """Fuse `image` (n, d) with `metadata` (n, p) into (n, d + p)."""
        return torch.cat([self.weights[0] * image, self.weights[1] * metadata], dim=1)
