"""A fitted estimator taken apart into data and the tensors of its network, and back."""

import copy
import warnings
from dataclasses import replace

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_skin.neural_network._data import shapes_of
from sklearn_skin.neural_network._fitting import make_net, seeded
from sklearn_skin.neural_network._recipe import find_device, resolve
from sklearn_skin.utils import warn_user

# What only training reads, and what depends on the machine: as the estimator says now.
_NOT_IN_WEIGHTS = (
    "callbacks",
    "cache_dir",
    "checkpoint_dir",
    "compile",
    "device",
    "monitor",
    "upsampling",
)
# Heads that timm makes and that are dropped at once; VGG's take half a gigabyte.
_DROPPED_BYTES = 2**30


def take_apart(estimator, **instead):
    """Return a copy that holds data alone, and the tensors of the network that it lacks.

    Parameters
    ----------
    estimator : estimator
        Fitted, with a `module_`.
    **instead
        Attributes of the copy that differ.

    Returns
    -------
    bare : estimator
    tensors : dict of str to Tensor
        Parameters and buffers by name, on the CPU.
    """
    bare = copy.copy(estimator)
    vars(bare).update(instead)
    for name in ("module_", "net_"):
        vars(bare).pop(name, None)
    # Copies, since safetensors takes no two tensors that share memory.
    kept = {"device": "cpu", "memory_format": torch.contiguous_format, "copy": True}
    tensors = tensors_of(estimator.module_).items()
    return bare, {name: tensor.detach().to(**kept) for name, tensor in tensors}


def recipe_as_data(recipe):
    """Return from what `put_together` resolves the recipe of a fit again."""
    kept = {n: value for n, value in recipe.parameters.items() if n not in _NOT_IN_WEIGHTS}
    return {"parameters": kept, "fit_seed": recipe.fit_seed}


def put_together(estimator, tensors):
    """Give a network's estimator that `take_apart` left bare its network again, in place."""
    saved = estimator._recipe
    estimator.device = usable_device(estimator.device)
    own = estimator.get_params(deep=False)
    now = {name: own[name] for name in _NOT_IN_WEIGHTS if name in own}
    recipe = resolve(saved["parameters"] | now, type(estimator).__name__, saved["fit_seed"])
    shapes = shapes_of(estimator._columns, estimator._codec, recipe.image_size)
    # The tensors are the weights: no other file is read, and nothing is downloaded.
    blank = replace(recipe, parameters={**recipe.parameters, "weights": None})
    make_module, make_loss = estimator._makers(shapes)
    module = make_filled(lambda: make_module(shapes, blank), tensors)
    net = make_net(module, make_loss(shapes, blank), recipe, precision=estimator.precision_)
    net.initialize()
    # As in training: another layout rounds otherwise.
    net.module_.to(memory_format=torch.channels_last).eval()
    estimator._recipe, estimator.net_, estimator.module_ = recipe, net, net.module_


def make_filled(make_module, tensors):
    """Return the module that a function makes, with these tensors in it.

    Parameters
    ----------
    make_module : callable
        Without arguments.
    tensors : dict of str to Tensor
        Its parameters and buffers by name.

    Raises
    ------
    ValueError
        If they are those of another network.
    """
    limit = _AllocationLimit(sum(tensor.nbytes for tensor in tensors.values()))
    with seeded(0), limit, warnings.catch_warnings():
        # What is to be said of a network was said when it was trained.
        warnings.simplefilter("ignore")
        module = make_module()
    own = tensors_of(module)
    for name in sorted({*own} ^ {*tensors}):
        raise ValueError(f"the weights are of another network: {name!r} is in one of them alone.")
    for name, tensor in own.items():
        kinds = [(t.dtype, tuple(t.shape)) for t in (tensor, tensors[name])]
        if kinds[0] != kinds[1]:
            raise ValueError(f"{name!r} must be {kinds[0]}; the file has {kinds[1]}.")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(tensors[name])
    return module


def tensors_of(module):
    """Return the parameters and buffers by name, each once; also those that no state lists."""
    # A backbone's normalisation is one of those, and decides what the weights see.
    return dict(module.named_parameters()) | dict(module.named_buffers())


def usable_device(device):
    """Return `device`, or "auto" with a warning where there is no such device."""
    try:
        find_device(device)
    except ValueError:
        warn_user(f"the model was trained on device {device!r}, which is not here; it gets 'auto'.")
        return "auto"
    return device


class _AllocationLimit(TorchDispatchMode):
    """Make no network that is much larger than the weights for it: a file says how large it is."""

    def __init__(self, n_bytes):
        super().__init__()
        self.left = 2 * n_bytes + _DROPPED_BYTES

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            # Memory that nobody has written to yet is only promised.
            self.left -= made.nbytes
            if self.left < 0:
                raise ValueError("its network would be far larger than the weights in the file.")
        return made
