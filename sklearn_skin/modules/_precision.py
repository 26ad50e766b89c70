"""Parts of a network that are computed in single precision whatever surrounds them."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor


def widen(values: Tensor) -> Tensor:
    """Return half-precision values in single precision, and others as they are."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values


def in_single_precision(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Make a `forward` of tensors leave autocast: small layers whose errors would be seen."""

    @wraps(forward)
    def wide(self: Any, *values: Tensor) -> Any:
        kind = values[0].device.type
        if not torch.is_autocast_enabled(kind):
            return forward(self, *values)
        with torch.autocast(kind, enabled=False):
            return forward(self, *map(widen, values))

    return wide
