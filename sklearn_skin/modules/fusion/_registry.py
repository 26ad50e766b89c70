"""Fusion operators by name."""

from typing import Any

from torch import nn

from sklearn_skin.modules.fusion._bilinear import BilinearFusion
from sklearn_skin.modules.fusion._concat import ConcatFusion
from sklearn_skin.modules.fusion._cross_attention import CrossAttentionFusion
from sklearn_skin.modules.fusion._gated import GatedFusion
from sklearn_skin.modules.fusion._hadamard import HadamardFusion
from sklearn_skin.modules.fusion._metablock import MetaBlockFusion
from sklearn_skin.modules.fusion._metanet import MetaNetFusion
from sklearn_skin.modules.fusion._mmfa import MMFAFusion
from sklearn_skin.modules.fusion._mutual_attention import MutualAttentionFusion
from sklearn_skin.modules.fusion._self_attention import SelfAttentionFusion
from sklearn_skin.modules.fusion._tensor import TensorFusion
from sklearn_skin.modules.fusion._weighted_concat import WeightedConcatFusion

FUSIONS: dict[str, Any] = {
    "concat": ConcatFusion,
    "weighted_concat": WeightedConcatFusion,
    "hadamard": HadamardFusion,
    "tensor": TensorFusion,
    "bilinear": BilinearFusion,
    "gated": GatedFusion,
    "self_attention": SelfAttentionFusion,
    "cross_attention": CrossAttentionFusion,
    "metablock": MetaBlockFusion,
    "metanet": MetaNetFusion,
    "mutual_attention": MutualAttentionFusion,
    "mmfa": MMFAFusion,
}


def _find(name: str) -> Any:
    if name not in FUSIONS:
        raise ValueError(f"`fusion` must be one of {list(FUSIONS)}; got {name!r}.")
    return FUSIONS[name]


def make_fusion(name: str, image_dim: int, metadata_dim: int, **options: Any) -> nn.Module:
    """Make a fusion operator by name.

    Parameters
    ----------
    name : str
        One of `FUSIONS`.
    image_dim : int
        Length of the image's feature vector, or channels of its map.
    metadata_dim : int
        Length of the metadata feature, or number of raw metadata features, as the operator's
        attribute `metadata` says.
    **options
        The operator's own parameters.

    Returns
    -------
    fusion : Module
        With ``forward(image, metadata) -> z`` of shape (n, ``out_features``) and the attributes
        ``takes`` ("vector", "map" or "tokens") and ``metadata`` ("encoded" or "raw").

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> from sklearn_skin.modules.fusion import make_fusion
    >>> make_fusion("concat", 512, 256).out_features
    768
    >>> make_fusion("sum", 512, 256)
    Traceback (most recent call last):
        ...
    ValueError: `fusion` must be one of ['concat', ...]; got 'sum'.
    """
    operator: nn.Module = _find(name)(image_dim, metadata_dim, **options)
    return operator


def fusion_inputs(name: str, **options: Any) -> tuple[str, str]:
    """Tell what an operator with these options takes.

    Parameters
    ----------
    name : str
        One of `FUSIONS`.
    **options
        The operator's own parameters.

    Returns
    -------
    takes : "vector", "map" or "tokens"
        The pooled vector (n, d), or the feature map (n, d, h, w).
    metadata : "encoded" or "raw"
        The metadata feature, or the metadata themselves.

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> fusion_inputs("cross_attention")
    ('tokens', 'raw')
    >>> fusion_inputs("cross_attention", tokens="vector")
    ('vector', 'encoded')
    """
    operator = _find(name)
    takes, metadata = operator.takes, operator.metadata
    if options.get("tokens") == "vector":
        return "vector", "encoded"
    return ("vector" if options.get("layout") == "pooled" else takes), metadata


def accepts_groups(name: str) -> bool:
    """Tell whether an operator has the option `metadata_groups`.

    Parameters
    ----------
    name : str
        One of `FUSIONS`.

    Returns
    -------
    accepts : bool

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> accepts_groups("mutual_attention"), accepts_groups("mmfa")
    (True, False)
    """
    return bool(_find(name).takes == "tokens")
