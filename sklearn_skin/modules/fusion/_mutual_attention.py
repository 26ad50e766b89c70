"""Mutual attention: each modality attends to itself, then to the other."""

import torch
from torch import Tensor, nn

from sklearn_skin.modules._attend import map_tokens
from sklearn_skin.modules.fusion._tokens import MetadataTokens, TokenFusion


class _AttentionLayer(nn.Module):
    """A transformer layer with norms after the sums; context = tokens for self-attention."""

    def __init__(self, dim: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, n_heads, dropout, batch_first=True)
        self.feed_forward = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(4 * dim, dim)
        )
        self.norms = nn.ModuleList([nn.LayerNorm(dim), nn.LayerNorm(dim)])
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        attended, _ = self.attention(tokens, context, context, need_weights=False)
        tokens = self.norms[0](tokens + self.dropout(attended))
        fed = self.dropout(self.feed_forward(tokens))
        normed: Tensor = self.norms[1](tokens + fed)
        return normed


class MutualAttentionFusion(TokenFusion):
    r"""Self-attention in each modality, then guided attention each way, pooled and joined.

    .. math:: X' = S_x(X, X),\; Y' = S_y(Y, Y),\quad
        z = [\mathrm{mean}(G_x(X', Y')); \mathrm{mean}(G_y(Y', X'))]

    S and G are transformer layers (multi-head attention and a feed-forward part of width 4
    `dim`, each followed by a residual sum and a layer norm); the first argument gives the
    queries, the second keys and values. X are the positions of the feature map projected to
    `dim`, Y one token per group of metadata features. There is no public code of the method:
    this is a reading of the source's description.

    Parameters
    ----------
    image_dim : int
        Channels d of the feature map, or length of the vector.
    metadata_dim : int
        Number of metadata features p, or length of the metadata feature.
    tokens : "spatial" or "vector", default="spatial"
        Several tokens per modality, or one.
    dim : int, default=256
        Length of a token, a multiple of `n_heads`.
    n_heads : int, default=8
        Number of attention heads.
    dropout : float, default=0.1
        Probability in [0, 1).
    metadata_groups : list of list of int, default=None
        Columns of each metadata token; one token per column by default.

    Attributes
    ----------
    out_features : int
        2 `dim`.

    Warns
    -----
    UserWarning
        With ``tokens="vector"``: no attention weight then depends on the data.

    References
    ----------
    .. [1] :ref:`Cai et al. (2023) <cai2023>`, "A multimodal transformer to fuse images and
       metadata".
    .. [2] :ref:`Tang (2024) <tang2024>`, "Deep learning-based multi-modal fusion method", chapter
       4.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules.fusion import MutualAttentionFusion
    >>> fusion = MutualAttentionFusion(32, 5, dim=16, n_heads=4).eval()
    >>> fusion(torch.ones(2, 32, 7, 7), torch.ones(2, 5)).shape
    torch.Size([2, 32])
    """

    def __init__(
        self,
        image_dim: int,
        metadata_dim: int,
        *,
        tokens: str = "spatial",
        dim: int = 256,
        n_heads: int = 8,
        dropout: float = 0.1,
        metadata_groups: list[list[int]] | None = None,
    ) -> None:
        super().__init__(tokens, "mutual attention", "weighs nothing")
        if dim % n_heads:
            raise ValueError(f"`dim` must be a multiple of `n_heads`; got {dim} and {n_heads}.")
        self.project = nn.Linear(image_dim, dim)
        self.tokenise: nn.Module
        if self.spatial:
            self.tokenise = MetadataTokens(metadata_dim, dim, metadata_groups)
        else:
            self.tokenise = nn.Linear(metadata_dim, dim)
        self.image_self = _AttentionLayer(dim, n_heads, dropout)
        self.metadata_self = _AttentionLayer(dim, n_heads, dropout)
        self.image_guided = _AttentionLayer(dim, n_heads, dropout)
        self.metadata_guided = _AttentionLayer(dim, n_heads, dropout)
        self.out_features = 2 * dim

    def forward(self, image: Tensor, metadata: Tensor) -> Tensor:
        """Fuse `image` (n, d, h, w) or (n, d) with `metadata` (n, p) into (n, 2 dim)."""
        x = self.project(map_tokens(image) if self.spatial else image[:, None])
        y = self.tokenise(metadata if self.spatial else metadata[:, None])
        x, y = self.image_self(x, x), self.metadata_self(y, y)
        x, y = self.image_guided(x, y), self.metadata_guided(y, x)
        return torch.cat([x.mean(dim=1), y.mean(dim=1)], dim=1)
