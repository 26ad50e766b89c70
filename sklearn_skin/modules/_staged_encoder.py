"""A timm backbone as stem, four stages and neck, so that other modules can act in between."""

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_skin.modules._timm_body import TimmBody
from sklearn_skin.modules.backbones import make_backbone

# Paths of submodules that run one after the other: stem, four stages, neck.
Parts = list[list[str]]

# What a timm model applies to the map after its last stage, by attribute.
_NECKS = ("norm", "norm_pre", "final_conv", "final_act")


def _existing(model: Any, names: Iterable[str]) -> list[str]:
    return [name for name in names if isinstance(getattr(model, name, None), nn.Module)]


def _split_layers(model: Any) -> Parts:
    """ResNet and its relatives."""
    stem = _existing(model, ("conv1", "bn1", "act1", "maxpool"))
    return [stem, *([f"layer{k}"] for k in range(1, 5)), []]


def _split_regnet(model: Any) -> Parts:
    return [["stem"], *([f"s{k}"] for k in range(1, 5)), ["final_conv"]]


def _split_blocks(model: Any) -> Parts:
    """EfficientNet, MobileNet: blocks are grouped where timm says a resolution ends."""
    names = [name for name, _ in model.named_children()]
    first, pool = names.index("blocks"), names.index("global_pool")
    modules = [info["module"].split(".") for info in model.feature_info][-4:]
    ends = [int(path[1]) + 1 for path in modules if path[0] == "blocks"]
    bounds = [0, *ends, len(model.blocks)]
    groups = [[f"blocks.{k}" for k in range(a, b)] for a, b in zip(bounds, bounds[1:])]
    return [names[:first], *groups[:-1], groups[-1] + names[first + 1 : pool]]


def _split_densenet(model: Any) -> Parts:
    """A transition halves the resolution, so it opens the stage after it."""
    parts: Parts = [[]]
    for name, _ in model.features.named_children():
        opens = name.startswith("transition") or name in ("denseblock1", "norm5")
        parts = [*parts, []] if opens else parts
        parts[-1].append(f"features.{name}")
    return parts


def _split_stages(model: Any) -> Parts:
    """Swin, ConvNeXt and most newer families."""
    stem = _existing(model, ("stem", "patch_embed"))[:1]
    name = _existing(model, ("stages", "layers"))[0]
    stages = [[f"{name}.{k}"] for k in range(len(getattr(model, name)))]
    neck = _existing(model, _NECKS)
    if model.feature_info[-1]["module"] in neck and list(model.final_conv.parameters()):
        stages = []  # timm does not tell how wide the fourth stage is (NFNet)
    return [stem, *stages, neck]


_SPLITTERS: list[tuple[tuple[str, ...], Callable[[Any], Parts]]] = [
    (("layer1", "layer4", "conv1"), _split_layers),
    (("s1", "s4", "stem"), _split_regnet),
    (("blocks", "conv_stem", "global_pool"), _split_blocks),
    (("features.denseblock4", "features.norm5"), _split_densenet),
    (("stages.3", "stem"), _split_stages),
    (("stages.3", "patch_embed"), _split_stages),
    (("layers.3", "stem"), _split_stages),
    (("layers.3", "patch_embed"), _split_stages),
]


def _takes_a_map(module: nn.Module) -> bool:
    """Tell whether a module is called with a map and nothing else."""
    parameters = inspect.signature(module.forward).parameters.values()
    return sum(p.default is p.empty and p.kind != p.VAR_POSITIONAL for p in parameters) == 1


def _split(model: Any, name: str) -> Parts:
    paths = {path for path, _ in model.named_modules()}
    for needed, splitter in _SPLITTERS:
        parts = splitter(model) if paths.issuperset(needed) else []
        called = [model.get_submodule(path) for part in parts for path in part]
        if len(parts) == 6 and all(map(_takes_a_map, called)):
            return parts
    raise ValueError(
        "`backbone` must be a timm model with four stages, such as a Swin, ConvNeXt, ResNet, "
        f"RegNet, DenseNet, EfficientNet or MobileNet; got {name!r}."
    )


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
    ) -> None:
        super().__init__()
        self.backbone = make_backbone(
            name, weights=weights, freeze=freeze, image_size=image_size, keep_head=keep_classifier
        )
        body = self.backbone.body
        # DermiResNet has no timm network inside; an empty one is refused like any other.
        model: Any = body.network if isinstance(body, TimmBody) else nn.Identity()
        # Paths, not modules: each weight then has one name in the state dict.
        self._parts = _split(model, name)
        self.channels = [info["num_chs"] for info in model.feature_info[-4:]]
        self.out_features = self.backbone.vector_features
        self.family = type(model).__name__

    @property
    def frozen(self) -> bool:
        """Whether no weight of the backbone is trained."""
        return self.backbone.frozen

    def _run(self, part: int, map_: Tensor) -> Tensor:
        body: Any = self.backbone.body
        # The stem takes images, (n, 3, h, w) for all; Swin's other parts take (n, h, w, c).
        if body.channels_last and part > 0:
            map_ = map_.permute(0, 2, 3, 1)
        for path in self._parts[part]:
            map_ = body.network.get_submodule(path)(map_)
        return map_.permute(0, 3, 1, 2) if body.channels_last else map_

    def begin(self, images: Tensor) -> Tensor:
        """Normalise `images` (n, 3, h, w), pixels in [0, 1], and apply the stem."""
        body: Any = self.backbone.body
        size: tuple[int, int] | None = body.fixed_size
        if size is not None and images.shape[-2:] != torch.Size(size):
            raise ValueError(
                f"This backbone was made for images of {size} pixels; got "
                f"{tuple(images.shape[-2:])}. Pass `image_size`."
            )
        return self._run(0, self.backbone.normalise(images))

    def stage(self, map_: Tensor, k: int) -> Tensor:
        """Apply stage `k`, 0 to 3, to a map (n, c, h, w)."""
        return self._run(1 + k, map_)

    def pool(self, map_: Tensor) -> Tensor:
        """Finish the map (n, c, h, w) of the last stage and pool it into a vector (n, d)."""
        return self.backbone.pool(self._run(5, map_))

    def forward(self, images: Tensor) -> Tensor:
        """Map `images` (n, 3, h, w), pixels in [0, 1], to vectors (n, d)."""
        map_ = self.begin(images)
        for k in range(4):
            map_ = self.stage(map_, k)
        return self.pool(map_)
