"""Which submodules of a timm network run one after the other."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

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


# Built like the others, but the last stage gives tokens.
_NO_MAPS = {"EfficientFormer"}


def find_parts(model: Any) -> Parts:
    """Return the parts of a timm network: stem, four stages, neck; none where it has no such."""
    if type(model).__name__ in _NO_MAPS:
        return []
    paths = {path for path, _ in model.named_modules()}
    for needed, splitter in _SPLITTERS:
        parts = splitter(model) if paths.issuperset(needed) else []
        called = [model.get_submodule(path) for part in parts for path in part]
        if len(parts) == 6 and all(map(_takes_a_map, called)):
            return parts
    return []
