"""Convolutions of small maps as matrix products."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

# With more positions in the result than this, convolutions are faster again: in bf16 and in fp32.
_MOST_POSITIONS = {True: 16, False: 4}
# A small kernel takes no time either way.
_FEWEST_WEIGHTS = 2**17


class SmallMapConv2d(nn.Conv2d):
    r"""A convolution that a CPU computes as one matrix product where its maps are small.

    .. math:: y_{n,p} = \sum_t W_t x_{n, s p + t} + b

    for the positions p of the result and the positions t of the kernel. A processor's kernels for
    convolutions share out rows of pixels: at 2 x 2 pixels, as the last stage of a ResNet has of
    images of 64, they stand idle for most of the time.

    Parameters
    ----------
    *args, **kwargs
        Those of `torch.nn.Conv2d`; padding of zeros, no dilation and no groups.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve maps (n, c, h, w) into (n, d, h', w')."""
        if maps.device.type != "cpu" or torch.compiler.is_compiling():
            return super().forward(maps)
        kind = maps.dtype
        if torch.is_autocast_enabled("cpu"):
            kind = torch.get_autocast_dtype("cpu")
        height, width = self._result_shape(maps)
        if height * width > _MOST_POSITIONS[kind == torch.bfloat16]:
            return super().forward(maps)
        patches = self._patches(maps.to(kind), height, width)
        # A view where weights are laid out channels last.
        weight = self.weight.permute(0, 2, 3, 1).flatten(1).to(kind)
        bias = None if self.bias is None else self.bias.to(kind)
        return functional.linear(patches, weight, bias).permute(0, 3, 1, 2)

    def _result_shape(self, maps: Tensor) -> tuple[int, int]:
        sides = zip(maps.shape[2:], self._zeros, self.kernel_size, self.stride)
        height, width = ((side + 2 * p - k) // s + 1 for side, p, k, s in sides)
        return height, width

    @property
    def _zeros(self) -> tuple[int, int]:
        padding: Any = self.padding  # a word, by torch's types
        return padding

    def _patches(self, maps: Tensor, height: int, width: int) -> Tensor:
        """Return what the kernel sees from every position: (n, h', w', c times its size)."""
        (top, left), (down, right) = self._zeros, self.stride
        padded = functional.pad(maps.permute(0, 2, 3, 1), (0, 0, left, left, top, top))
        rows, columns = (height - 1) * down + 1, (width - 1) * right + 1
        shifted = [
            padded[:, i : i + rows : down, j : j + columns : right]
            for i in range(self.kernel_size[0])
            for j in range(self.kernel_size[1])
        ]
        return torch.cat(shifted, dim=-1)


def multiply_small_maps(module: nn.Module) -> None:
    """Let the convolutions in a module that may be matrix products be `SmallMapConv2d`."""
    for part in module.modules():
        if type(part) is nn.Conv2d and _may_be_product(part):
            # Weights, hooks and names stay as they are.
            part.__class__ = SmallMapConv2d


def _may_be_product(part: nn.Conv2d) -> bool:
    return (
        part.kernel_size != (1, 1)
        and part.groups == 1
        and part.dilation == (1, 1)
        and part.padding_mode == "zeros"
        and not isinstance(part.padding, str)
        and part.weight.numel() >= _FEWEST_WEIGHTS
    )
