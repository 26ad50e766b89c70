"""The arithmetic of a network, from its structure and the device's flags, never by timing."""

from typing import Any

import torch
from torch import nn

# Below this side, in pixels, casting costs more than the arithmetic saves.
_SMALLEST_SIDE = 64
# Depthwise convolutions move memory and compute little; with this share of them a CPU trains
# slower in bf16, though it predicts faster.
_MOST_DEPTHWISE = 0.1


def choose_precision(precision, module, image_size, device):
    """Return "fp32" or "bf16": what was asked for, or for "auto" the faster one.

    Parameters
    ----------
    precision : {"auto", "fp32", "bf16"}
        What was asked for.
    module : torch.nn.Module
        Network.
    image_size : (int, int) or None
        Height and width in pixels; None without images.
    device : str
        A torch device.

    Returns
    -------
    precision : {"fp32", "bf16"}
    """
    if precision != "auto":
        return precision
    if image_size is None or min(image_size) < _SMALLEST_SIDE:
        return "fp32"
    kind = torch.device(device).type
    if kind == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = kind == "cpu" and _cpu_is_fast() and not _is_depthwise(module)
    return "bf16" if fast else "fp32"


def _cpu_is_fast():
    """Whether the processor multiplies bf16 faster than fp32."""
    # torch may be told to do without these instructions, and some of its kernels then lack bf16.
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
        return False
    find_flags: Any = getattr(torch.cpu, "get_capabilities", dict)  # since torch 2.13
    flags = find_flags()
    # Intel's cores since Sapphire Rapids, told by their fp16 instructions, are fast in AMX alone:
    # their vector instructions for bf16 have half the rate of fp32's. AMD's have twice the rate.
    vectors = flags.get("avx512_bf16", False) and not flags.get("avx512_fp16", False)
    return torch.backends.mkldnn.is_available() and (flags.get("amx_bf16", False) or vectors)


def _is_depthwise(module):
    """Whether what is trained of a network is depthwise to a large part."""
    layers = [
        part
        for part in module.modules()
        if isinstance(part, nn.Conv2d | nn.Linear) and part.weight.requires_grad
    ]
    depthwise = [
        part
        for part in layers
        if isinstance(part, nn.Conv2d) and part.groups == part.in_channels > 1
    ]
    return len(depthwise) > _MOST_DEPTHWISE * len(layers)
