"""One head of attention over tokens, for maps and metadata alike."""

from torch import Tensor
from torch.nn import functional as F


def map_tokens(maps: Tensor) -> Tensor:
    """Turn a feature map (n, d, h, w) into one token per position, (n, h w, d)."""
    return maps.flatten(2).transpose(1, 2)


def attend(query: Tensor, key: Tensor, value: Tensor, scale: float | None = None) -> Tensor:
    r"""Attend over tokens without storing the t x u weights.

    .. math:: \mathrm{softmax}(s\, Q K^\top) V

    Parameters
    ----------
    query : Tensor of shape (n, t, d)
        What asks.
    key : Tensor of shape (n, u, d)
        What is asked.
    value : Tensor of shape (n, u, e)
        What is answered.
    scale : float, default=None
        The factor s of the scores; 1 / sqrt(d) by default.

    Returns
    -------
    attended : Tensor of shape (n, t, e)

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules._attend import attend
    >>> same = torch.zeros(1, 2, 1)
    >>> attend(same, same, torch.tensor([[[1.0], [3.0]]])).flatten()
    tensor([2., 2.])
    """
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    length = value.shape[-1]
    # Fused kernels want queries, keys and values of one width; otherwise torch falls back to a
    # path that stores all t x u weights. Zeros appended to queries and keys change no score.
    width = max(length, query.shape[-1])
    q, k, v = (_one_head(part, width) for part in (query, key, value))
    return F.scaled_dot_product_attention(q, k, v, scale=scale)[:, 0, :, :length]


def _one_head(tokens: Tensor, width: int) -> Tensor:
    # Fused kernels also want the last axis to be dense, and ONNX an axis of heads.
    return F.pad(tokens, (0, width - tokens.shape[-1])).contiguous()[:, None]
