"""MMFA: multi-modal fusion attention over the features of both modalities."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from sklearn_skin.modules.fusion._operator import FusionOperator
from sklearn_skin.utils import check_choice

_CHOICES = {
    "heads": ["mixed", "split"],
    "product": ["elementwise", "outer"],
    "tokens": ["features", "modality"],
}


class MMFAFusion(FusionOperator):
    r"""Attend over the joined query, key and value features of both modalities.

    .. math:: q_u, k_u, v_u = \mathrm{thirds}(\mathrm{BN}(W_u f_u + b_u)),\; u \in \{I, M\};
        \quad q = [q_M; q_I],\; k = [k_M; k_I],\; v = [v_M; v_I]

    .. math:: H_i = \mathrm{softmax}\left(\frac{k_i q_i^\top}{\sqrt s}\right) v_i,
        \quad z = \mathrm{BN}(W [H_1; \dots; H_h] + b) + [f_I; f_M]

    Each of the h heads has s = 2 `dim` / h of the joined features, and its map is s x s: it
    weighs features, not tokens. Every head gets an equal part of both modalities, so that each
    is enhanced by both, as the source says. With ``heads="split"`` the joined features are cut
    in their order: for an even h each head lies inside one modality, W only adds what they
    found, and the operator is additive. ``tokens="modality"`` makes image and metadata two
    tokens of ordinary multi-head attention instead.

    ``product="elementwise"`` is eq. 4.7 to the letter, with the scale outside the softmax:

    .. math:: H_i = \frac{\mathrm{softmax}(k_i \odot q_i)}{\sqrt s} \odot v_i

    Mixed heads then join the modalities only in the sum under the softmax; split heads do not.

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
    heads : "mixed" or "split", default="mixed"
        How the joined features are dealt to the heads; not with ``tokens="modality"``.
    tokens : "features" or "modality", default="features"
        What attends over what.
    product : "outer" or "elementwise", default="outer"
        How keys and queries of features are multiplied; not with ``tokens="modality"``.

    Attributes
    ----------
    out_features : int
        `image_dim` + `metadata_dim`.
    additive : bool
        True with ``heads="split"`` and an even number of heads.

    Raises
    ------
    ValueError
        If an option is unknown, `dim` is no multiple of `n_heads`, or ``tokens="modality"`` is
        given with other `heads` or another `product` than the default.

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
        heads: str = "mixed",
        tokens: str = "features",
        product: str = "outer",
    ) -> None:
        super().__init__()
        _check_choices(heads=heads, tokens=tokens, product=product)
        if n_heads < 1 or dim < 1 or dim % n_heads:
            raise ValueError(f"`dim` must be a multiple of `n_heads`; got {dim} and {n_heads}.")
        self.dim, self.n_heads, self.heads = dim, n_heads, heads
        self.tokens, self.product = tokens, product
        # Of an odd number of heads the middle one has the end of one modality and the start of
        # the other.
        self.additive = tokens == "features" and heads == "split" and n_heads % 2 == 0
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
        scale = math.sqrt(query.shape[-1])
        if self.product == "elementwise":
            return ((key * query).softmax(dim=-1) / scale * value).flatten(1)
        weights = key[..., :, None] * query[..., None, :] / scale
        return (weights.softmax(dim=-1) @ value[..., None]).flatten(1)

    def _over_modalities(self, joined: Tensor) -> Tensor:
        # (n, heads, modality, dim / heads)
        query, key, value = joined.unflatten(3, (self.n_heads, -1)).transpose(2, 3).unbind(dim=1)
        return scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(1)


def _check_choices(**options: str) -> None:
    for name, value in options.items():
        check_choice(value, _CHOICES[name], name)
    of_features = {"heads": "mixed", "product": "outer"}
    given = {name: options[name] for name in of_features}
    if options["tokens"] == "modality" and given != of_features:
        raise ValueError(f"`heads` and `product` are of tokens='features' alone; got {given}.")
