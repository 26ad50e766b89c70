"""Decoder from a feature map to an image."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import interpolate


class Decoder(nn.Module):
    """Six convolutions with doublings of the resolution, from a feature map to an image.

    As many of the last convolutions as needed see their input doubled first, so that a map of
    7 x 7 becomes 448 x 448 after six doublings, and one of 14 x 14 after five. A size that no
    doubling reaches is met by a last bilinear step. ReLU follows every convolution but the last.

    Parameters
    ----------
    in_channels : int
        Channels of the feature map.
    channels : sequence of int, default=(256, 128, 64, 32, 16)
        Channels between the convolutions.
    out_channels : int, default=3
        Channels of the image.

    References
    ----------
    .. [1] :ref:`Khurshid et al. (2024) <khurshid2024>`, "Multimodal data and auxiliary task
       integration", section 2.2, which states six layers and no widths.

    Examples
    --------
    >>> import torch
    >>> Decoder(8, (8, 8, 4, 4, 4))(torch.zeros(2, 8, 2, 2), (128, 128)).shape
    torch.Size([2, 3, 128, 128])
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int] = (256, 128, 64, 32, 16),
        out_channels: int = 3,
    ) -> None:
        super().__init__()
        widths = (in_channels, *channels, out_channels)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1)
            for before, after in zip(widths, widths[1:], strict=False)
        )

    def forward(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        """Map feature maps (n, d, h', w') to images (n, out_channels, *size)."""
        last = len(self.convolutions) - 1
        # Never beyond the goal: a step down at the end would throw away what was drawn.
        doublings = 0
        while doublings <= last and all(
            side << (doublings + 1) <= goal for side, goal in zip(maps.shape[2:], size, strict=True)
        ):
            doublings += 1
        for i, convolution in enumerate(self.convolutions):
            if i > last - doublings:
                maps = interpolate(maps, scale_factor=2.0, mode="nearest")
            maps = convolution(maps)
            maps = maps.relu() if i < last else maps
        if maps.shape[2:] != size:
            maps = interpolate(maps, size=size, mode="bilinear", align_corners=False)
        return maps
