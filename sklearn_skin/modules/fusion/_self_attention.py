"""Self-attention fusion: each modality attends over its own tokens."""

import torch
from torch import Tensor, nn

from sklearn_skin.modules._attend import attend, map_tokens
from sklearn_skin.modules.fusion._tokens import MetadataTokens, TokenFusion


class _SelfAttention(nn.Module):
    r"""softmax(Q Kᵀ / √d) V over tokens (n, t, d), with Q, K and V linear in the tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return attend(self.query(tokens), self.key(tokens), self.value(tokens))


class SelfAttentionFusion(TokenFusion):
    r"""Let each modality attend over its own tokens, then pool and concatenate.

    .. math:: A(X) = \mathrm{softmax}\left(\frac{X W_Q (X W_K)^\top}{\sqrt d}\right) X W_V, \quad
        z = [\mathrm{mean}(X + A_x(X)); \mathrm{mean}(Y + A_y(Y))]

    The tokens X of the image are the positions of its feature map; the tokens Y of the metadata
    are one per group of features. ``tokens="vector"`` is the source's literal reading, with one
    token per modality and without the residual: :math:`z = [x W_V; y W_V']`.

    Parameters
    ----------
    image_dim : int
        Channels d of the feature map, or length of the vector.
    metadata_dim : int
        Number of metadata features p, or length of the metadata feature.
    tokens : "spatial" or "vector", default="spatial"
        What attends over what.
    token_dim : int, default=256
        Length of a metadata token; not used with ``tokens="vector"``.
    metadata_groups : list of list of int, default=None
        Columns of each metadata token; one token per column by default.

    Attributes
    ----------
    out_features : int
        d + `token_dim`, or d + p with ``tokens="vector"``.

    Warns
    -----
    UserWarning
        With ``tokens="vector"``: attention is then a linear map.

    References
    ----------
    .. [1] :ref:`Das et al. (2025) <das2025>`, "Comparative analysis of multimodal architectures",
       eq. 12.
    .. [2] :ref:`Vaswani et al. (2017) <vaswani2017>`, "Attention is all you need".

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules.fusion import SelfAttentionFusion
    >>> fusion = SelfAttentionFusion(32, 5, token_dim=8, metadata_groups=[[0], [1, 2, 3, 4]])
    >>> fusion(torch.ones(2, 32, 7, 7), torch.ones(2, 5)).shape
    torch.Size([2, 40])
    """

    additive = True

    def __init__(
        self,
        image_dim: int,
        metadata_dim: int,
        *,
        tokens: str = "spatial",
        token_dim: int = 256,
        metadata_groups: list[list[int]] | None = None,
    ) -> None:
        super().__init__(tokens, "self-attention", "becomes a linear map of each modality")
        width = token_dim if self.spatial else metadata_dim
        if self.spatial:
            self.tokenise = MetadataTokens(metadata_dim, token_dim, metadata_groups)
        self.image_attention = _SelfAttention(image_dim)
        self.metadata_attention = _SelfAttention(width)
        self.out_features = image_dim + width

    def forward(self, image: Tensor, metadata: Tensor) -> Tensor:
        """Fuse `image` (n, d, h, w) or (n, d) with `metadata` (n, p) into (n, out_features)."""
        # One token attends to itself alone: queries and keys get no gradient.
        if not self.spatial:
            attended = (
                self.image_attention(image[:, None]),
                self.metadata_attention(metadata[:, None]),
            )
            return torch.cat(attended, dim=2)[:, 0]
        x, y = map_tokens(image), self.tokenise(metadata)
        x, y = x + self.image_attention(x), y + self.metadata_attention(y)
        return torch.cat([x.mean(dim=1), y.mean(dim=1)], dim=1)
