"""MetaBlock: metadata scale and shift the image's features inside a gate."""

from typing import Any

from torch import Tensor, nn

from sklearn_skin.modules.fusion._operator import FusionOperator
from sklearn_skin.utils import check_choice

# Fixed in the public code, whatever the backbone.
_POOLED_WIDTH = 32


class MetaBlockFusion(FusionOperator):
    r"""Gate an image's features by metadata.

    .. math:: z = \sigma(\tanh(V \cdot T_1) + T_2), \quad T_i = \mathrm{BN}(W_i m + b_i)

    By default V is the last feature map, every channel has its own scale and shift, and the
    gated map is pooled. With ``layout="pooled"`` V is the pooled vector folded to
    (d / 32, 32) as in the public code, where 32 features share a scale and a shift.

    Parameters
    ----------
    image_dim : int
        Channels d of the feature map, or length of the vector.
    metadata_dim : int
        Number of metadata features p.
    layout : "map" or "pooled", default="map"
        What is gated.

    Attributes
    ----------
    out_features : int
        d.

    Raises
    ------
    ValueError
        If `layout` is unknown, or ``"pooled"`` and d is no multiple of 32.

    References
    ----------
    .. [1] :ref:`Pacheco and Krohling (2021) <pacheco2021>`, "An attention-based mechanism to
       combine images and metadata".

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules.fusion import MetaBlockFusion
    >>> fusion = MetaBlockFusion(64, 3).eval()
    >>> fusion(torch.ones(2, 64, 4, 4), torch.ones(2, 3)).shape
    torch.Size([2, 64])
    """

    takes = "map"
    metadata = "raw"

    def __init__(self, image_dim: int, metadata_dim: int, *, layout: str = "map") -> None:
        super().__init__()
        check_choice(layout, ["map", "pooled"], "layout")
        if layout == "pooled" and image_dim % _POOLED_WIDTH:
            raise ValueError(
                f"layout='pooled' needs an image width that is a multiple of {_POOLED_WIDTH}; "
                f"got {image_dim}."
            )
        self.takes, self.metadata = self.inputs(layout=layout)
        width = image_dim // _POOLED_WIDTH if layout == "pooled" else image_dim
        self.scale = nn.Sequential(nn.Linear(metadata_dim, width), nn.BatchNorm1d(width))
        self.shift = nn.Sequential(nn.Linear(metadata_dim, width), nn.BatchNorm1d(width))
        self.out_features = image_dim

    @classmethod
    def inputs(cls, **options: Any) -> tuple[str, str]:
        """Tell what an operator with these options takes: vectors with ``layout="pooled"``."""
        return ("vector" if options.get("layout") == "pooled" else cls.takes), cls.metadata

    def forward(self, image: Tensor, metadata: Tensor) -> Tensor:
        """Fuse `image` (n, d, h, w) or (n, d) with `metadata` (n, p) into (n, d)."""
        scale, shift = self.scale(metadata)[:, :, None], self.shift(metadata)[:, :, None]
        pooled = self.takes == "vector"
        # (n, channels, elements that share a scale), whatever the layout
        folded = image.unflatten(1, (-1, _POOLED_WIDTH)) if pooled else image.flatten(2)
        gated = (folded * scale).tanh().add(shift).sigmoid()
        return gated.flatten(1) if pooled else gated.mean(dim=2)
