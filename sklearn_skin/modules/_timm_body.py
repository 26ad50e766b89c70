"""A timm network as a feature extractor: maps of one layout, whatever the network's own."""

import math
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sklearn_skin.modules._adapters import add_adapters
from sklearn_skin.modules._parts import Parts, find_parts
from sklearn_skin.modules._timm import import_timm
from sklearn_skin.modules._weights import create_pretrained, head_names, load_weights


def _fuse_attention(module: Any, _: Any) -> None:
    # Its bias is learnt, and torch has no fast gradient of that.
    module.fused_attn = not module.training


class TimmBody(nn.Module):
    """A timm network without its classifier, giving maps of shape (n, d, h, w)."""

    def __init__(self, network: nn.Module, fixed_size: tuple[int, int] | None) -> None:
        super().__init__()
        self.network: Any = network
        # timm fuses the attention of other transformers by itself.
        swin = import_timm().models.swin_transformer.WindowAttention
        for part in network.modules():
            if isinstance(part, swin):
                part.register_forward_pre_hook(_fuse_attention)
        self.fixed_size = fixed_size
        self.n_prefix = int(getattr(network, "num_prefix_tokens", 0) or 0)
        self.channels_last = getattr(network, "output_fmt", "NCHW") == "NHWC"

    @cached_property
    def parts(self) -> Parts:
        """Paths of what runs one after the other; none where that is not known."""
        return [[f"network.{path}" for path in part] for part in find_parts(self.network)]

    def forward(self, x: Tensor) -> Tensor:
        maps = self.network.forward_features(x)
        if not isinstance(maps, Tensor):
            raise ValueError(f"{type(self.network).__name__} gives no single feature map.")
        if maps.dim() == 3:
            return self._to_grid(maps, x.shape[-2] / x.shape[-1])
        return maps.permute(0, 3, 1, 2) if self.channels_last else maps

    def _to_grid(self, tokens: Tensor, aspect: float) -> Tensor:
        tokens = tokens[:, self.n_prefix :]
        # Tokens come as a plain sequence; the grid has the image's proportions.
        height = round(math.sqrt(tokens.shape[1] * aspect))
        return tokens.transpose(1, 2).unflatten(2, (height, tokens.shape[1] // height))

    def pool(self, maps: Tensor) -> Tensor:
        # ConvNeXt and averaging transformers were trained with a norm after the pool.
        norm = getattr(getattr(self.network, "head", None), "norm", None)
        if isinstance(norm, nn.LayerNorm):  # timm's LayerNorm2d is one
            return norm(maps.mean(dim=(2, 3), keepdim=True)).flatten(1)
        norm = getattr(self.network, "fc_norm", None)
        vectors = maps.mean(dim=(2, 3))
        return norm(vectors) if isinstance(norm, nn.Module) else vectors

    def drop_vector(self) -> None:
        """Leave out the norm after the pool: `pool` then averages the map."""
        for owner, name in (
            (getattr(self.network, "head", None), "norm"),
            (self.network, "fc_norm"),
        ):
            if isinstance(getattr(owner, name, None), nn.Module):
                setattr(owner, name, nn.Identity())


def _stages_of(names: Sequence[str], grouped: dict[Any, list[str]], prefix: str) -> list[list[str]]:
    """Order timm's groups of parameters, with whatever timm left out in the first one."""
    stages = [[prefix + name for name in grouped[key]] for key in sorted(grouped)]
    known = {name for stage in stages for name in stage}
    stages[0] += [name for name in names if name not in known]
    return stages


def _group_parameters(network: Any) -> dict[Any, list[str]]:
    """Return the names of the parameters by stage; one stage where timm does not tell."""
    try:
        matcher = network.group_matcher(coarse=True)
    except (AttributeError, AssertionError):
        return {0: [name for name, _ in network.named_parameters()]}
    grouped: dict[Any, list[str]] = import_timm().models.group_parameters(network, matcher)
    return grouped


def _drop_heads(network: Any) -> None:
    """Leave out what timm keeps with num_classes=0: it would be trained, hashed and saved."""
    for head in ("pre_logits", "conv_head", "norm_head", "attn_pool"):
        if head in head_names(network) and getattr(network, head) is not None:
            setattr(network, head, nn.Identity())


def _create_network(name: str, pretrained: bool, options: dict[str, Any], in_chans: int) -> Any:
    with warnings.catch_warnings():
        # Old names such as 'xception' are the ones that the sources print.
        warnings.filterwarnings("ignore", message="Mapping deprecated model name")
        return import_timm().create_model(name, pretrained=pretrained, in_chans=in_chans, **options)


def make_timm_body(
    name: str,
    weights: str | Path | None,
    in_chans: int,
    image_size: int | tuple[int, int] | None,
    keep_head: bool,
    adapt: str | Mapping[str, Any] | None = None,
) -> tuple[TimmBody, int, tuple[tuple[float, ...], tuple[float, ...]], list[list[str]]]:
    """Make the parts of a `Backbone` from timm; the parameters are those of `make_backbone`.

    Returns
    -------
    body : TimmBody
        The network, with its weights.
    out_features : int
        Channels of the map.
    normalisation : tuple of two tuples of float
        Mean and standard deviation per image channel.
    stages : list of lists of str
        Names of the body's parameters by stage.
    """
    timm = import_timm()
    config = timm.get_pretrained_cfg(name)
    fixed = config is not None and config.fixed_input_size
    options: dict[str, Any] = {} if keep_head else {"num_classes": 0}
    if fixed and image_size is not None:
        options["img_size"] = image_size
    network: Any
    if weights == "imagenet":
        network = create_pretrained(name, lambda: _create_network(name, True, options, in_chans))
    else:
        network = _create_network(name, False, options, in_chans)
        if weights is not None:
            load_weights(network, weights, name, in_chans)
    if not keep_head:
        _drop_heads(network)
    default = network.default_cfg
    size = default["input_size"][-2:] if image_size is None else image_size
    fixed_size = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
    if adapt is not None:
        add_adapters(network, adapt, (in_chans, *fixed_size), name)
    body = TimmBody(network, fixed_size if fixed else None)
    grouped = _group_parameters(network)
    stages = _stages_of([n for n, _ in body.named_parameters()], grouped, "network.")
    mean, std = (tuple(map(float, default[key])) for key in ("mean", "std"))
    # Other channels have no statistics of their own; the mean over the colours stands in.
    if in_chans != len(mean):
        mean, std = ((sum(v) / len(v),) * in_chans for v in (mean, std))
    return body, int(network.num_features), (mean, std), stages
