"""MMFA: multi-modal fusion attention over the features of both modalities."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from sklearn_skin.modules.fusion._operator import FusionOperator


class MMFAFusion(FusionOperator):
    r"""Attend over the joined query, key and value features of both modalities.

    .. math:: q_u, k_u, v_u = \mathrm{thirds}(\mathrm{BN}(W_u f_u + b_u)),\; u \in \{I, M\};
        \quad q = [q_M; q_I],\; k = [k_M; k_I],\; v = [v_M; v_I]

    .. math:: H_i = \mathrm{softmax}\left(\frac{k_i q_i^\top}{\sqrt s}\right) v_i,
        \quad z = \mathrm{BN}(W [H_1; \dots; H_h] + b) + [f_I; f_M]

    Each of the h heads has s = 2 `dim` / h of the joined features, and its map is s x s: it
    weighs features, not tokens. Cut as the source prints it, a head lies inside one modality,
    and only W mixes the two; ``heads="mixed"`` gives every head an equal part of both, which is
    what the source says the block is for. ``tokens="modality"`` makes image and metadata two
    tokens of ordinary multi-head attention instead.

    Parameters
    ----------
    image_dim : int
        Length of the image's feature vector.
    metadata_dim : int
        Length of the metadata feature.
    dim : int, default=256
        Features per modality of each of q, k and v.
    n_heads : int, default=8
        Number of heads h.
    heads : "split" or "mixed", default="split"
        How the joined features are dealt to the heads.
    tokens : "features" or "modality", default="features"
        What attends over what.

    Attributes
    ----------
    out_features : int
        `image_dim` + `metadata_dim`.

    Raises
    ------
    ValueError
        If an option is unknown, or `dim` is no multiple of `n_heads`.

    References
    ----------
    .. [1] :ref:`Tang (2024) <tang2024>`, "Deep learning-based multi-modal fusion method", eqs. 4.6
       to 4.10.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules.fusion import MMFAFusion
    >>> fusion = MMFAFusion(64, 32, dim=16, n_heads=4).eval()
    >>> fusion(torch.ones(2, 64), torch.ones(2, 32)).shape
    torch.Size([2, 96])
    """

    def __init__(
        self,
        image_dim: int,
        metadata_dim: int,
        *,
        dim: int = 256,
        n_heads: int = 8,
        heads: str = "split",
        tokens: str = "features",
    ) -> None:
        super().__init__()
        if heads not in ("split", "mixed"):
            raise ValueError(f"`heads` must be one of ['mixed', 'split']; got {heads!r}.")
        if tokens not in ("features", "modality"):
            raise ValueError(f"`tokens` must be one of ['features', 'modality']; got {tokens!r}.")
        if dim % n_heads:
            raise ValueError(f"`dim` must be a multiple of `n_heads`; got {dim} and {n_heads}.")
        self.dim, self.n_heads, self.heads, self.tokens = dim, n_heads, heads, tokens
        self.out_features = image_dim + metadata_dim
        self.image_qkv = nn.Sequential(nn.Linear(image_dim, 3 * dim), nn.BatchNorm1d(3 * dim))
        self.metadata_qkv = nn.Sequential(nn.Linear(metadata_dim, 3 * dim), nn.BatchNorm1d(3 * dim))
        self.project = nn.Sequential(
            nn.Linear(2 * dim, self.out_features), nn.BatchNorm1d(self.out_features)
        )

    def forward(self, image: Tensor, metadata: Tensor) -> Tensor:
        """Fuse `image` (n, L_I) with `metadata` (n, L_M) into (n, L_I + L_M)."""
        # Metadata first, as the source joins them, although z ends in [f_I; f_M].
        parts = [self.metadata_qkv(metadata), self.image_qkv(image)]
        # (n, qkv, modality, dim)
        joined = torch.stack([part.unflatten(1, (3, self.dim)) for part in parts], dim=2)
        if self.tokens == "modality":
            attended = self._over_modalities(joined)
        else:
            attended = self._over_features(joined)
        mixed: Tensor = self.project(attended)
        return mixed + torch.cat([image, metadata], dim=1)

    def _over_features(self, joined: Tensor) -> Tensor:
        if self.heads == "mixed":
            joined = joined.unflatten(3, (self.n_heads, -1)).transpose(2, 3)
        query, key, value = joined.flatten(2).unflatten(2, (self.n_heads, -1)).unbind(dim=1)
        weights = key[..., :, None] * query[..., None, :] / math.sqrt(query.shape[-1])
        return (weights.softmax(dim=-1) @ value[..., None]).flatten(1)

    def _over_modalities(self, joined: Tensor) -> Tensor:
        # (n, heads, modality, dim / heads)
        query, key, value = joined.unflatten(3, (self.n_heads, -1)).transpose(2, 3).unbind(dim=1)
        return scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(1)
