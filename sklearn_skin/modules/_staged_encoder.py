"""A timm backbone as stem, four stages and neck, so that other modules can act in between."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sklearn_skin.modules.backbones import make_backbone

# Stem, four stages, neck and pooling.
N_STEPS = 7


class StagedEncoder(nn.Module):
    """An image backbone that is run in parts: stem, four stages, neck and pooling.

    Running all parts gives the backbone's own vector; between two of them a caller may do
    what it wants with the maps, which are (n, c, h, w) for every backbone. As in `Backbone`,
    pixels are in [0, 1] and normalised here.

    Parameters
    ----------
    name : str
        Name of a timm model with four stages: Swin, ConvNeXt, ResNet, RegNet, DenseNet,
        EfficientNet, MobileNet and others built like them.
    weights : "imagenet", path or None, default=None
        Pretrained weights; see `make_backbone`.
    freeze : None, "backbone" or int, default=None
        Parts that are not trained; see `make_backbone`.
    image_size : int or tuple of (int, int), default=None
        Height and width in pixels, for backbones that must know it. None means their own.
    keep_classifier : bool, default=True
        Keep the layers after the pooled features, such as the 1000-class layer. Their output
        is never used; the published parameter counts include them.
    adapt : {"lora"} or mapping, default=None
        Low-rank adapters; see `make_backbone`.

    Attributes
    ----------
    channels : list of int
        Channels of the maps after the four stages.
    out_features : int
        Length d of the pooled vector.
    family : str
        Name of the timm class, such as "ResNet".

    Raises
    ------
    ValueError
        If the backbone is unknown or does not have four stages.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import StagedEncoder
    >>> encoder = StagedEncoder("test_resnet").eval()
    >>> encoder.channels, encoder.out_features
    ([32, 48, 192, 96], 96)
    >>> encoder(torch.rand(2, 3, 64, 64)).shape
    torch.Size([2, 96])
    """

    def __init__(
        self,
        name: str,
        *,
        weights: str | Path | None = None,
        freeze: str | int | None = None,
        image_size: int | tuple[int, int] | None = None,
        keep_classifier: bool = True,
        adapt: str | Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.backbone = make_backbone(
            name,
            weights=weights,
            freeze=freeze,
            image_size=image_size,
            keep_head=keep_classifier,
            adapt=adapt,
        )
        # DermiResNet has no timm network inside.
        model = getattr(self.backbone.body, "network", None)
        if model is None or not self.backbone.parts:
            raise ValueError(
                "`backbone` must be a timm model with four stages, such as a Swin, ConvNeXt, "
                f"ResNet, RegNet, DenseNet, EfficientNet or MobileNet; got {name!r}."
            )
        self.channels = [info["num_chs"] for info in model.feature_info[-4:]]
        self.out_features = self.backbone.vector_features
        self.family = type(model).__name__

    @property
    def n_frozen_steps(self) -> int:
        """Leading steps, of stem, four stages, neck and pooling, that no training changes."""
        return N_STEPS if self.backbone.frozen else self.backbone.n_frozen_parts

    def step(self, number: int, maps: Tensor) -> Tensor:
        """Apply the stem (0) to images, a stage (1 to 4) or the neck to maps, or pool them (6).

        Parameters
        ----------
        number : int
            Which step.
        maps : Tensor of shape (n, c, h, w)
            Pixels in [0, 1] for the stem, the last step's maps otherwise.

        Returns
        -------
        maps : Tensor of shape (n, c, h, w), or (n, d) for the last step
        """
        if number == 0:
            return self.backbone.start(maps, 1)
        if number == N_STEPS - 1:
            return self.backbone.pool(maps)
        return self.backbone.run(number, maps)

    def start(self, images: Tensor, n_steps: int) -> Tensor:
        """Apply the first steps to images (n, 3, h, w), pixels in [0, 1]."""
        for number in range(n_steps):
            images = self.step(number, images)
        return images

    def sources(self, n_steps: int) -> list[tuple[nn.Module, str]]:
        """Return what the result of the first steps follows from; see `Backbone.sources`."""
        return self.backbone.sources(n_steps, "vector" if n_steps == N_STEPS else "")

    def forward(self, images: Tensor, n_started: int = 0) -> Tensor:
        """Map images (n, 3, h, w), pixels in [0, 1], to vectors (n, d).

        Parameters
        ----------
        images : Tensor of shape (n, 3, h, w)
            Pixels, or what `start` made of them.
        n_started : int, default=0
            Number of steps that `start` has run.

        Returns
        -------
        vectors : Tensor of shape (n, d)
        """
        for number in range(n_started, N_STEPS):
            images = self.step(number, images)
        return images
