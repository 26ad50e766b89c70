"""The network that predicts in half precision: its weights are rounded once, and kept."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_skin.modules._small_maps import SmallMapConv2d
from sklearn_skin.modules.backbones import Backbone

# Others may compute with their weights before they use them, in single precision.
_ROUNDED = (nn.Conv2d, nn.Linear, SmallMapConv2d)


class RoundedTwin:
    """A copy of a network whose backbones' weights are in bf16, made anew when those change.

    Autocast rounds all weights in every call, which takes longer than the forward pass of one row.
    The twin computes the same within autocast. It is no part of what is copied or pickled.

    Examples
    --------
    >>> from sklearn_skin.modules import RoundedTwin, make_backbone
    >>> backbone = make_backbone("resnet10t").eval()
    >>> twin = RoundedTwin().of(backbone)
    >>> next(twin.parameters()).dtype, next(backbone.parameters()).dtype
    (torch.bfloat16, torch.float32)
    """

    def __init__(self) -> None:
        self._made_of: list[tuple[Tensor, int]] = []
        self._twin: Any = None

    def of(self, module: nn.Module) -> nn.Module:
        """Return the twin of a network as that is now.

        Parameters
        ----------
        module : Module
            Network with weights in fp32.

        Returns
        -------
        twin : Module
            In the same mode, training or evaluation; without gradients.
        """
        # torch counts the changes of a tensor in place.
        tensors = [*module.parameters(), *module.buffers()]
        made_of = [(value, value._version) for value in tensors]
        same = len(made_of) == len(self._made_of) and all(
            a is b and i == j for (a, i), (b, j) in zip(made_of, self._made_of)
        )
        if self._twin is None or not same:
            self._made_of, self._twin = made_of, _rounded(copy.deepcopy(module))
        twin: nn.Module = self._twin
        return twin if twin.training == module.training else twin.train(module.training)

    def __getstate__(self) -> dict[str, Any]:
        return {"_made_of": [], "_twin": None}


def _rounded(module: nn.Module) -> nn.Module:
    for backbone in module.modules():
        if isinstance(backbone, Backbone):
            for part in backbone.body.modules():
                if type(part) in _ROUNDED:
                    part.to(torch.bfloat16)
    return module.requires_grad_(False)
