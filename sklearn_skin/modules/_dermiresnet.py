"""DermiResNet: a residual network whose shortcuts have learnable weights."""

import torch
from torch import Tensor, nn

from sklearn_skin.utils import check_choice


class ResidualUnit(nn.Module):
    r"""Two convolutions beside a weighted shortcut.

    .. math:: y = F(x) + \alpha \cdot x, \quad
        F = \mathrm{BN} \circ \mathrm{conv} \circ \mathrm{dropout} \circ
        \mathrm{LeakyReLU} \circ \mathrm{conv}

    With ``norm="conv"``, and A the LeakyReLU after a BatchNorm,

    .. math:: F = A \circ \mathrm{conv} \circ \mathrm{dropout} \circ A \circ \mathrm{conv}

    Parameters
    ----------
    channels : int
        Channels of input and output.
    dropout : float, default=0.0
        Probability in [0, 1) of dropping a whole channel between the convolutions.
    norm : {"block", "conv"}, default="block"
        One BatchNorm at the end, or BatchNorm and LeakyReLU after each convolution.

    Attributes
    ----------
    alpha : Parameter of shape ()
        Weight of the shortcut, 1 at first.

    Examples
    --------
    >>> import torch
    >>> ResidualUnit(4)(torch.ones(2, 4, 8, 8)).shape
    torch.Size([2, 4, 8, 8])
    """

    def __init__(self, channels: int, dropout: float = 0.0, norm: str = "block") -> None:
        super().__init__()
        each = check_choice(norm, ["block", "conv"], "norm") == "conv"
        self.alpha = nn.Parameter(torch.ones(()))
        self.residual = nn.Sequential(
            # BatchNorm takes a bias before it away and has one of its own.
            nn.Conv2d(channels, channels, 3, padding=1, bias=not each),
            *[nn.BatchNorm2d(channels)] * each,
            nn.LeakyReLU(),
            nn.Dropout2d(dropout),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            *[nn.LeakyReLU()] * each,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map `x` (n, c, h, w) to the same shape."""
        residual: Tensor = self.residual(x)
        return residual + self.alpha * x


def _conv_block(in_channels: int, out_channels: int) -> nn.Sequential:
    """Halve the map's sides: conv3x3 of stride 2, LeakyReLU, conv3x3, BatchNorm."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1),
        nn.LeakyReLU(),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
    )


class DermiResNet(nn.Module):
    r"""Stem, four stages of a strided block and a residual unit, projection to a vector.

    Each stage halves the sides of the map, so that an image of side s gives a map of side s/16.
    Dropout acts in the residual units of the last two stages. The vector is the pooled map
    through Linear, LeakyReLU, Linear; the softmax that the source puts on this feature vector
    is left out. The source draws a residual unit with one BatchNorm, at its end, and writes that
    BatchNorm and LeakyReLU follow each of its convolutions; `norm` chooses.

    Parameters
    ----------
    in_chans : int, default=3
        Channels of the image.
    channels : tuple of int, default=(64, 128, 256, 512)
        Channels of the stages.
    stem_channels : int, default=32
        Channels of the stem's convolution, which the source does not state.
    vector_features : int, default=512
        Length of the feature vector.
    dropout : float, default=0.3
        Probability in [0, 1) of dropping a channel in the later half of the residual units.
    norm : {"block", "conv"}, default="block"
        Residual units as drawn, with one BatchNorm, or as written, with BatchNorm and LeakyReLU
        after each convolution. The strided blocks are always as drawn.

    Attributes
    ----------
    out_features : int
        Channels of the map.
    vector_features : int
        Length of the vector.

    References
    ----------
    .. [1] :ref:`Das et al. (2025) <das2025>`, "Comparative analysis of multimodal architectures",
       section 3.4.2; eq. 3 is :math:`y = F(x) + \alpha x`.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import DermiResNet
    >>> network = DermiResNet(channels=(8, 8, 16, 16)).eval()
    >>> maps = network(torch.zeros(2, 3, 32, 32))
    >>> maps.shape, network.pool(maps).shape
    (torch.Size([2, 16, 2, 2]), torch.Size([2, 512]))
    """

    def __init__(
        self,
        in_chans: int = 3,
        channels: tuple[int, ...] = (64, 128, 256, 512),
        stem_channels: int = 32,
        vector_features: int = 512,
        dropout: float = 0.3,
        norm: str = "block",
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(in_chans, stem_channels, 3, padding=1), nn.LeakyReLU())
        widths = (stem_channels, *channels)
        self.stages = nn.ModuleList(
            nn.Sequential(
                _conv_block(widths[i], widths[i + 1]),
                ResidualUnit(widths[i + 1], dropout if i >= len(channels) // 2 else 0.0, norm),
            )
            for i in range(len(channels))
        )
        self.projection: nn.Module = nn.Sequential(
            nn.Linear(channels[-1], vector_features),
            nn.LeakyReLU(),
            nn.Linear(vector_features, vector_features),
        )
        self.out_features = channels[-1]
        self.vector_features = vector_features
        self.parts = [["stem"], *([f"stages.{k}"] for k in range(len(channels)))]

    def forward(self, x: Tensor) -> Tensor:
        """Map images `x` (n, 3, h, w) to feature maps (n, d, h/16, w/16)."""
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return x

    def pool(self, maps: Tensor) -> Tensor:
        """Map feature maps (n, d, h, w) to vectors (n, vector_features)."""
        vector: Tensor = self.projection(maps.mean(dim=(2, 3)))
        return vector

    def drop_vector(self) -> None:
        """Leave out the projection: `pool` then averages the map."""
        self.projection = nn.Identity()
        self.vector_features = self.out_features
