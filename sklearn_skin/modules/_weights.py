"""Pretrained weights: from timm's hub, or from a file that cannot run code."""

import pickle
import socket
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import Tensor, nn

from sklearn_skin.modules._timm import import_timm

# What a timm model holds beside its declared classifier and never uses for a feature map.
_HEADS = {"VGG": ("pre_logits",), "MobileNetV3": ("conv_head", "norm_head")}
_N_NAMED = 3


def head_names(model: nn.Module) -> tuple[str, ...]:
    """Return the names of the parts of a timm model that come after its feature map."""
    config: Any = getattr(model, "default_cfg", {})
    classifier = config.get("classifier") or ()
    declared = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    return (*declared, *_HEADS.get(type(model).__name__, ()))


def no_weights_message(name: str) -> str:
    """Say how to go on when no pretrained weights can be fetched."""
    return (
        f"The pretrained weights of backbone {name!r} could not be downloaded and are not in the "
        "local cache. Pass a local file instead: weights='path/to/weights.safetensors' (or a "
        "torch state dict, .pth or .pt), saved where there is a network with "
        f"`timm.create_model({name!r}, pretrained=True)` and `safetensors.torch.save_file`; or "
        "weights=None to start from random weights."
    )


def _hub_is_out_of_reach(config: dict[str, object]) -> bool:
    """Find out at once what the hub's client finds out after a minute of retries."""
    from huggingface_hub import constants, try_to_load_from_cache

    hub_id = config.get("hf_hub_id")
    if not isinstance(hub_id, str) or urllib.request.getproxies():
        return False
    names = ("model.safetensors", "pytorch_model.bin")
    if any(isinstance(try_to_load_from_cache(hub_id, name), str) for name in names):
        return False
    try:
        socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, 443)
    except OSError:
        return True
    return False


def create_pretrained(name: str, create: Callable[[bool], nn.Module]) -> nn.Module:
    """Call ``create(True)``, which may use the network, and explain a failure.

    Parameters
    ----------
    name : str
        The backbone's name, for messages.
    create : callable
        Takes `pretrained` (bool) and returns the timm model.

    Returns
    -------
    model : Module

    Raises
    ------
    ValueError
        If timm knows no pretrained weights of this architecture.
    OSError
        If the weights can neither be downloaded nor found in the local cache.
    """
    timm = import_timm()
    if not timm.is_model_pretrained(name):
        raise ValueError(
            f"Backbone {name!r} has no pretrained weights; pass weights=None or a local file."
        )
    config = timm.get_pretrained_cfg(name)
    if config is not None and _hub_is_out_of_reach(config.to_dict()):
        raise OSError(no_weights_message(name))
    try:
        return create(True)
    except (OSError, RuntimeError) as error:
        raise OSError(no_weights_message(name)) from error


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read tensors from a safetensors file or a torch state dict, without running code.

    Parameters
    ----------
    path : str or Path
        File; ``.safetensors`` by its ending, otherwise what ``torch.save`` wrote. The usual
        wrappings (``{"state_dict": ...}``, a ``module.`` or ``body.`` prefix) are taken off.

    Returns
    -------
    state : dict of str to Tensor

    Raises
    ------
    ValueError
        If the file does not exist, is damaged, or holds anything but tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"`weights` must be 'imagenet', None or the path of a file; got '{path}', "
            "which does not exist."
        )
    load = import_timm().models.load_state_dict
    from safetensors import SafetensorError

    try:
        state = load(str(path), device="cpu", weights_only=True)
    except (pickle.UnpicklingError, SafetensorError, RuntimeError, EOFError, OSError) as error:
        raise ValueError(
            f"`weights`: '{path}' is not a readable safetensors file or torch state dict of "
            f"plain tensors ({type(error).__name__}: {str(error).splitlines()[0]})."
        ) from error
    if not isinstance(state, dict) or not any(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(f"`weights`: '{path}' holds no tensors by name.")
    state = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    for prefix in ("body.", "network."):  # a saved Backbone
        if all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _fit_to(model: nn.Module, state: dict[str, Tensor], in_chans: int) -> dict[str, Tensor]:
    """Let timm rename old keys and resize position tables, and adapt the first layer."""
    rename = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if rename is not None:
        try:
            state = rename(state, model)
        except (KeyError, RuntimeError, ValueError, AttributeError, IndexError, TypeError):
            pass  # another architecture's keys: the comparison of names tells the user
    config: Any = getattr(model, "default_cfg", {})
    first = config.get("first_conv")
    key = f"{first}.weight" if isinstance(first, str) else ""
    if key in state and state[key].dim() == 4 and state[key].shape[1] != in_chans:
        state = {**state, key: import_timm().models.adapt_input_conv(in_chans, state[key])}
    return state


def load_weights(
    model: nn.Module, path: str | Path, name: str, heads: tuple[str, ...], in_chans: int
) -> None:
    """Load a local file into `model`, whatever classifier the file's network had.

    Parameters
    ----------
    model : Module
        Filled in place, all or nothing.
    path : str or Path
        See `read_state_dict`.
    name : str
        The backbone's name, for messages.
    heads : tuple of str
        Parts of the network that may differ or be absent on either side.
    in_chans : int
        Image channels; a first convolution for another number is adapted.

    Raises
    ------
    ValueError
        If the file belongs to another architecture; the message has the first differing keys.
    """
    state = _fit_to(model, read_state_dict(path), in_chans)
    own = model.state_dict()

    def is_head(key: str) -> bool:
        return any(key == head or key.startswith(f"{head}.") for head in heads)

    missing = [key for key in own if key not in state and not is_head(key)]
    extra = [key for key in state if key not in own and not is_head(key)]
    shapes = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(own[key].shape)}"
        for key in own
        if key in state and state[key].shape != own[key].shape and not is_head(key)
    ]
    # Networks saved before BatchNorm counted its batches lack only these.
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    if missing or extra or shapes:
        found = (("missing", missing), ("not in it", extra), ("of another shape", shapes))
        differing = "; ".join(f"{what}: {keys[:_N_NAMED]}" for what, keys in found if keys)
        raise ValueError(
            f"`weights`: '{path}' does not fit backbone {name!r}. First differing keys: "
            f"{differing} ({len(missing) + len(extra) + len(shapes)} in all)."
        )
    fitting = {k: v for k, v in state.items() if k in own and v.shape == own[k].shape}
    with torch.no_grad():
        model.load_state_dict(fitting, strict=False)
