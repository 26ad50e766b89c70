"""A network that enlarges images, kept out of the training of the network that uses it."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn


class FrozenUpsampler:
    """Call something that enlarges images, and check what it gives.

    It is no module itself, so that the network that holds it neither trains, moves, counts nor
    saves its weights as its own.

    Parameters
    ----------
    upsample : callable
        Maps images (n, 3, h, w) in [0, 1] to (n, 3, 2 h, 2 w). A torch module is copied, and runs
        in evaluation mode on the device of the images.

    Examples
    --------
    >>> import torch
    >>> twice = FrozenUpsampler(torch.nn.Upsample(scale_factor=2))
    >>> twice(torch.ones(1, 3, 4, 4)).shape
    torch.Size([1, 3, 8, 8])
    """

    def __init__(self, upsample: Callable[[Tensor], Tensor]) -> None:
        if isinstance(upsample, nn.Module):
            upsample = copy.deepcopy(upsample).eval()
        self.upsample = upsample

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Enlarge images (n, 3, h, w) to (n, 3, 2 h, 2 w)."""
        if isinstance(self.upsample, nn.Module):
            self.upsample.to(images.device)
        enlarged = self.upsample(images)
        n, channels, height, width = images.shape
        expected = (n, channels, 2 * height, 2 * width)
        if tuple(enlarged.shape) != expected:
            raise ValueError(
                f"`upsampling` must turn images {tuple(images.shape)} into {expected}; "
                f"got {tuple(enlarged.shape)}."
            )
        return enlarged
