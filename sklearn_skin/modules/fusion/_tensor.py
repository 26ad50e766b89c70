"""Tensor fusion: every product of an image and a metadata feature."""

from torch import Tensor

from sklearn_skin.modules.fusion._operator import FusionOperator
from sklearn_skin.utils import warn_user

_WIDE = 2**16


class TensorFusion(FusionOperator):
    r"""Take the outer product of both feature vectors.

    .. math:: Z = x \otimes y

    Parameters
    ----------
    image_dim : int
        Length d of the image's feature vector x.
    metadata_dim : int
        Length p of the metadata feature y.

    Attributes
    ----------
    out_features : int
        d p.

    Warns
    -----
    UserWarning
        If the fused vector has 65 536 elements or more: the layer after it has that many
        weights for each of its outputs.

    References
    ----------
    .. [1] :ref:`Das et al. (2025) <das2025>`, "Comparative analysis of multimodal architectures",
       eq. 7.
    .. [2] :ref:`Zadeh et al. (2017) <zadeh2017>`, "Tensor fusion network for multimodal sentiment
       analysis".

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules.fusion import TensorFusion
    >>> TensorFusion(32, 16)(torch.ones(2, 32), torch.ones(2, 16)).shape
    torch.Size([2, 512])
    """

    def __init__(self, image_dim: int, metadata_dim: int) -> None:
        super().__init__()
        self.out_features = image_dim * metadata_dim
        if self.out_features >= _WIDE:
            warn_user(
                f"Tensor fusion of {image_dim} image and {metadata_dim} metadata features gives "
                f"a vector of {self.out_features} elements; a narrower metadata encoder or "
                "fusion='bilinear' needs less memory.",
                once=("tensor fusion", image_dim, metadata_dim),
            )

    def forward(self, image: Tensor, metadata: Tensor) -> Tensor:
        """Fuse `image` (n, d) with `metadata` (n, p) into (n, d p)."""
        return (image[:, :, None] * metadata[:, None, :]).flatten(1)
