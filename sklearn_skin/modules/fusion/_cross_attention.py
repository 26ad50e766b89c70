"""Cross-attention fusion: the image asks, the metadata answer."""

import torch
from torch import Tensor, nn

from sklearn_skin.modules._attend import attend, map_tokens
from sklearn_skin.modules.fusion._tokens import MetadataTokens, TokenFusion


class CrossAttentionFusion(TokenFusion):
    r"""Let the image's tokens attend over the metadata's tokens, then pool and concatenate.

    .. math:: A = \mathrm{softmax}\left(\frac{X W_Q (Y W_K)^\top}{\sqrt a}\right) Y W_V, \quad
        z = [\mathrm{mean}(X + A); \mathrm{mean}(Y)]

    The tokens X of the image are the positions of its feature map; the tokens Y of the metadata
    are one per group of features. ``tokens="vector"`` is the source's literal reading, with one
    token per modality and without the residual: the softmax over one key is 1, so
    :math:`z = y W_V` whatever the image.

    Parameters
    ----------
    image_dim : int
        Channels d of the feature map, or length of the vector.
    metadata_dim : int
        Number of metadata features p, or length of the metadata feature.
    tokens : "spatial" or "vector", default="spatial"
        What attends over what.
    token_dim : int, default=256
        Length a of a metadata token, and of queries and keys; p with ``tokens="vector"``.
    metadata_groups : list of list of int, default=None
        Columns of each metadata token; one token per column by default.

    Attributes
    ----------
    out_features : int
        d + `token_dim`, or p with ``tokens="vector"``.
    additive : bool
        True where the metadata are one token: the softmax over one key is 1.

    Warns
    -----
    UserWarning
        With ``tokens="vector"``: the output then ignores the image.

    References
    ----------
    .. [1] :ref:`Das et al. (2025) <das2025>`, "Comparative analysis of multimodal architectures",
       eq. 13.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules.fusion import CrossAttentionFusion
    >>> fusion = CrossAttentionFusion(32, 5, token_dim=8, metadata_groups=[[0], [1, 2, 3, 4]])
    >>> fusion(torch.ones(2, 32, 7, 7), torch.ones(2, 5)).shape
    torch.Size([2, 40])
    """

    def __init__(
        self,
        image_dim: int,
        metadata_dim: int,
        *,
        tokens: str = "spatial",
        token_dim: int = 256,
        metadata_groups: list[list[int]] | None = None,
    ) -> None:
        super().__init__(tokens, "cross-attention", "ignores the image")
        width = token_dim if self.spatial else metadata_dim
        if self.spatial:
            self.tokenise = MetadataTokens(metadata_dim, token_dim, metadata_groups)
        self.query = nn.Linear(image_dim, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        # Answers are added to the image's tokens, so they have the image's width.
        self.value = nn.Linear(width, image_dim if self.spatial else width, bias=False)
        self.additive = not self.spatial or self.tokenise.n_tokens == 1
        self.out_features = image_dim + width if self.spatial else width

    def forward(self, image: Tensor, metadata: Tensor) -> Tensor:
        """Fuse `image` (n, d, h, w) or (n, d) with `metadata` (n, p) into (n, out_features)."""
        x = map_tokens(image) if self.spatial else image[:, None]
        y = self.tokenise(metadata) if self.spatial else metadata[:, None]
        attended = attend(self.query(x), self.key(y), self.value(y))
        if not self.spatial:
            return attended[:, 0]
        return torch.cat([(x + attended).mean(dim=1), y.mean(dim=1)], dim=1)
