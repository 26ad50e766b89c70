"""Bilinear fusion: every fused feature is a form of image and metadata."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sklearn_skin.modules.fusion._operator import FusionOperator


class _Bilinear(torch.autograd.Function):
    """Bilinear map whose backward pass is a matrix product per output.

    torch's own backward pass sums element-wise products: a hundred times slower at 512 x 256.
    Both passes hold one (n, d) or (n, p) matrix at a time beside the weights' gradient.
    """

    @staticmethod
    def forward(image: Tensor, metadata: Tensor, weight: Tensor) -> Tensor:
        return functional.bilinear(image, metadata, weight)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:  # type: ignore[override]
        image, metadata, weight = ctx.saved_tensors
        for_image, for_metadata, for_weight = ctx.needs_input_grad
        image_grad, metadata_grad = torch.zeros_like(image), torch.zeros_like(metadata)
        weight_grad = torch.empty_like(weight) if for_weight else None
        for i in range(len(weight)):
            weighted = grad[:, i, None] * image
            if for_image:
                image_grad = image_grad + (grad[:, i, None] * metadata) @ weight[i].T
            if for_metadata:
                metadata_grad = metadata_grad + weighted @ weight[i]
            if weight_grad is not None:
                weight_grad[i] = weighted.T @ metadata
        return (
            image_grad if for_image else None,
            metadata_grad if for_metadata else None,
            weight_grad,
        )


class BilinearFusion(FusionOperator):
    r"""Learn how each image feature interacts with each metadata feature.

    .. math:: z_i = x^\top W_i y, \quad i = 1 \dots o

    The weights are o d p numbers: 33.6 million for 512, 256 and 256. Beyond them, memory grows
    with n (d + p + o) only; no (n, d, p) product is formed in either pass.

    Parameters
    ----------
    image_dim : int
        Length d of the image's feature vector x.
    metadata_dim : int
        Length p of the metadata feature y.
    out_features : int, default=None
        Length o of the fused vector; `metadata_dim` by default.

    Attributes
    ----------
    out_features : int
        o.
    weight : Parameter of shape (o, d, p)
        Scaled at first so that features of variance 1 give fused features of variance 1.

    References
    ----------
    .. [1] :ref:`Das et al. (2025) <das2025>`, "Comparative analysis of multimodal architectures",
       eqs. 8 and 9.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules.fusion import BilinearFusion
    >>> BilinearFusion(32, 16)(torch.ones(2, 32), torch.ones(2, 16)).shape
    torch.Size([2, 16])
    """

    def __init__(
        self, image_dim: int, metadata_dim: int, *, out_features: int | None = None
    ) -> None:
        super().__init__()
        self.out_features = metadata_dim if out_features is None else out_features
        # Uniform within +-b has variance b^2 / 3, and d p products of it are summed.
        bound = math.sqrt(3 / (image_dim * metadata_dim))
        weight = torch.empty(self.out_features, image_dim, metadata_dim)
        self.weight = nn.Parameter(weight.uniform_(-bound, bound))

    def forward(self, image: Tensor, metadata: Tensor) -> Tensor:
        """Fuse `image` (n, d) with `metadata` (n, p) into (n, o)."""
        kind = self.weight.dtype  # under autocast the features may be of lower precision
        fused: Tensor = _Bilinear.apply(image.to(kind), metadata.to(kind), self.weight)
        return fused
