"""Low-rank adapters beside the linear layers of a backbone, by the peft library."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import torch
from torch import nn

from sklearn_skin.utils import did_you_mean

_DEFAULTS: dict[str, Any] = {"r": 8, "alpha": 16, "dropout": 0.0, "layers": "attention"}
# What timm calls the projections of an attention block.
_PROJECTIONS = {"qkv", "q", "k", "v", "kv", "q_proj", "k_proj", "v_proj", "proj"}


def add_adapters(
    network: Any, adapt: str | Mapping[str, Any], shape: tuple[int, int, int], name: str
) -> None:
    """Put adapters beside linear layers; from then on only they can be trained.

    Parameters
    ----------
    network : Module
        timm network, with its weights.
    adapt : "lora" or mapping
        See `make_backbone`.
    shape : (int, int, int)
        Channels, height and width of an image that the network takes.
    name : str
        Its name, for messages.
    """
    options = _check(adapt)
    layers = _find_layers(network, options["layers"], shape)
    if not layers:
        raise ValueError(
            "`adapt` needs linear layers in attention blocks, as ViT and Swin have them, in "
            f"`backbone` and in `clinical_backbone` where there is one; {name!r} has none that it "
            "calls."
        )
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ImportError('`adapt` needs peft: pip install "sklearn_skin[adapt]".') from error
    config = LoraConfig(
        r=int(options["r"]),
        lora_alpha=options["alpha"],
        lora_dropout=options["dropout"],
        target_modules=layers,
    )
    inject_adapter_in_model(config, network)


def is_adapter(parameter: str) -> bool:
    """Tell by its name whether a parameter is an adapter's."""
    return ".lora_" in parameter


def _check(adapt: Any) -> dict[str, Any]:
    given = {"name": adapt} if isinstance(adapt, str) else dict(adapt)
    if given.pop("name", None) != "lora":
        raise ValueError(f"`adapt` must be 'lora', or a dict with that \"name\"; got {adapt!r}.")
    for option in given:
        if option not in _DEFAULTS:
            hint = did_you_mean(option, _DEFAULTS)
            raise ValueError(f"`adapt` takes the options {list(_DEFAULTS)}; got {option!r}{hint}")
    options = _DEFAULTS | given
    fits = {
        "r": isinstance(options["r"], Integral) and int(options["r"]) >= 1,
        "alpha": isinstance(options["alpha"], int | float) and options["alpha"] > 0,
        "dropout": isinstance(options["dropout"], int | float) and 0 <= options["dropout"] < 1,
        "layers": options["layers"] in ("attention", "all"),
    }
    for option, fine in fits.items():
        if not fine:
            raise ValueError(
                "`adapt` needs r of at least 1, alpha above 0, dropout in [0, 1) and layers "
                f"'attention' or 'all'; got {option}={options[option]!r}."
            )
    return options


def _find_layers(network: nn.Module, which: str, shape: tuple[int, int, int]) -> list[str]:
    """Return the paths of the linear layers that a forward pass calls.

    SwinV2, BEiT and EVA read the weights of some layers without calling these; an adapter beside
    them would have no effect.
    """
    called: set[str] = set()
    handles = []
    for path, layer in network.named_modules():
        if isinstance(layer, nn.Linear) and (which == "all" or _is_projection(path)):
            handles.append(layer.register_forward_hook(_recorder(called, path)))
    training = network.training
    device = next(network.parameters()).device
    try:
        with torch.no_grad():
            network.eval().forward_features(torch.zeros(1, *shape, device=device))  # type: ignore
    finally:
        network.train(training)
        for handle in handles:
            handle.remove()
    return sorted(called)


def _is_projection(path: str) -> bool:
    *owners, name = path.split(".")
    return name in _PROJECTIONS and any("attn" in owner for owner in owners)


def _recorder(called: set[str], path: str) -> Any:
    return lambda layer, inputs, output: called.add(path)
