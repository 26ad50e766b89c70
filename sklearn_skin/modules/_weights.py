"""Pretrained weights: from timm's hub, or from a file that cannot run code."""

import pickle
import socket
import sys
import textwrap
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from torch import Tensor, nn

from sklearn_skin.modules._timm import import_timm

# What a timm model holds beside its declared classifier and never uses for a feature map.
_HEADS = {
    "GhostNet": ("conv_head",),
    "MobileNetV3": ("conv_head", "norm_head"),
    "VGG": ("pre_logits",),
    "VisionTransformer": ("attn_pool",),
}
# Between map and vector: a file of a network that read maps alone lacks them.
_VECTOR_PARTS = ("projection", "head.norm", "fc_norm")


def head_names(model: nn.Module) -> tuple[str, ...]:
    """Return the names of the parts of a timm model that come after its feature map."""
    config: Any = getattr(model, "default_cfg", {})
    classifier = config.get("classifier") or ()
    declared = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    return (*declared, *_HEADS.get(type(model).__name__, ()))


def _hub_is_out_of_reach(config: dict[str, object]) -> bool:
    """Find out at once what the hub's client finds out after a minute of retries."""
    from huggingface_hub import constants, try_to_load_from_cache

    hub_id = config.get("hf_hub_id")
    # Behind a proxy it is the proxy that looks names up.
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


def create_pretrained(name: str, create: Callable[[], nn.Module]) -> nn.Module:
    """Call `create`, which makes timm fetch the weights of `name`, and explain a failure."""
    timm = import_timm()
    if not timm.is_model_pretrained(name):
        raise ValueError(
            f"Backbone {name!r} has no pretrained weights; pass weights=None or a local file."
        )
    config = timm.get_pretrained_cfg(name)
    try:
        if config is not None and _hub_is_out_of_reach(config.to_dict()):
            raise OSError("The hub's name cannot be resolved.")
        return create()
    except (OSError, RuntimeError) as error:
        raise OSError(
            f"The pretrained weights of backbone {name!r} could not be downloaded and are not in "
            "the local cache. Pass a local file instead: weights='path/to/weights.safetensors' (or "
            "a torch state dict, .pth or .pt), saved where there is a network with "
            f"`timm.create_model({name!r}, pretrained=True)` and `safetensors.torch.save_file`; "
            "or weights=None to start from random weights."
        ) from error


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read tensors from a safetensors file or a torch state dict, without running code."""
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


def load_weights(network: nn.Module, path: str | Path, name: str, in_chans: int) -> None:
    """Load a local file into `network`, whatever classifier the file's network had.

    timm renames old keys, resizes position tables and adapts the first convolution. Left to
    itself (``pretrained_cfg_overlay={"file": path}``) it would take any file without a word where
    the network has no classifier, and none with a classifier of another size where it has one.
    So it always gets a complete state and compares it strictly; parts after the feature map
    that do not fit keep the network's own values.

    Raises
    ------
    ValueError
        If the file belongs to another architecture; the message has the first differing keys.
    """
    rename = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    own = network.state_dict()
    heads = tuple(f"{head}." for head in (*head_names(network), *_VECTOR_PARTS))

    def complete(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
        try:
            state = state if rename is None else rename(state, model)
        except (KeyError, RuntimeError, ValueError, AttributeError, IndexError, TypeError):
            pass  # another architecture's keys: the strict comparison names them
        fitting = {
            key: value
            for key, value in state.items()
            if not key.startswith(heads) or (key in own and own[key].shape == value.shape)
        }
        return {key: value for key, value in own.items() if key.startswith(heads)} | fitting

    config = {"state_dict": read_state_dict(path), "first_conv": None, "input_size": (3, 0, 0)}
    config |= {k: v for k, v in getattr(network, "default_cfg", {}).items() if k in config}
    try:
        import_timm().models.load_pretrained(network, config, 0, in_chans, complete)
    except RuntimeError as error:
        lines = str(error).splitlines()
        keys = "; ".join(textwrap.shorten(line, 120) for line in lines[1:4] or lines)
        raise ValueError(
            f"`weights`: '{path}' does not fit backbone {name!r}. First differing keys: {keys}"
        ) from None
