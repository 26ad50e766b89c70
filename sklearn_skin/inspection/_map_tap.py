"""Where a network holds the last feature map of an image column."""

from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import torch
from torch import nn

from sklearn_skin.modules.backbones import Backbone


class MapSite(NamedTuple):
    """One call of one module whose map belongs to an image column.

    Attributes
    ----------
    module : torch.nn.Module
        What makes or pools the map.
    pooled : bool
        Whether the map is what the module's `pool` takes, instead of what `forward` returns.
    call : int
        Which call of it in a forward pass, counted from 0.
    part, parts : int
        Which chunk of the call's rows, where several columns go through it as one batch.
    """

    module: nn.Module
    pooled: bool
    call: int
    part: int = 0
    parts: int = 1


class MapTap(nn.Module):
    """An identity that a network's map flows through, for captum to take as its layer."""

    def forward(self, maps):
        """Return `maps` as they are."""
        return maps


def find_site(run, module, images, column):
    """Find the last map of image `column` in a forward pass.

    Backbones hold it: at their output, or before pooling where other modules act between
    their stages. In a network without one it is the last map that depends on the image.

    Parameters
    ----------
    run : callable
        ``run(images)`` is a forward pass of `module`.
    module : torch.nn.Module
        Network in evaluation mode.
    images : list of k Tensors of shape (n, 3, h, w)
        A batch.
    column : int
        Position of the image column.

    Returns
    -------
    site : MapSite

    Raises
    ------
    ValueError
        If there is none.
    """
    # Other modules may act between the stages, so what is pooled is tried after what is returned.
    backbones = [part for part in module.modules() if isinstance(part, Backbone)]
    for pooled in (False, True):
        calls = []
        with torch.no_grad(), _watching(backbones, pooled, calls):
            run(images)
        if len(calls) == len(images):
            return calls[column]
        if len(calls) == 1:
            return calls[0]._replace(part=column, parts=len(images))
    return _last_dependent_map(run, module, images, column)


@contextmanager
def tapped(site, tap):
    """Let the map of `site` flow through `tap`; yields a function to call before each pass."""
    count = -1

    def start():
        nonlocal count
        count = -1

    def passing(maps):
        nonlocal count
        count += 1
        if count != site.call:
            return maps
        chunks = list(maps.chunk(site.parts))
        chunks[site.part] = tap(chunks[site.part])
        return torch.cat(chunks) if site.parts > 1 else chunks[0]

    with _intercepting(site.module, site.pooled, passing):
        yield start


@contextmanager
def _watching(modules, pooled, calls):
    with ExitStack() as stack:
        for module in modules:
            stack.enter_context(_intercepting(module, pooled, _recorder(module, pooled, calls)))
        yield


def _recorder(module, pooled, calls):
    def record(maps):
        number = sum(site.module is module for site in calls)
        calls.append(MapSite(module, pooled, number))
        return maps

    return record


@contextmanager
def _intercepting(module, pooled, passing):
    """Send what `module` returns, or what its `pool` is given, through `passing`."""
    if not pooled:
        handle = module.register_forward_hook(lambda module, inputs, maps: passing(maps))
        try:
            yield
        finally:
            handle.remove()
        return
    original = module.pool
    module.pool = lambda maps: original(passing(maps))
    try:
        yield
    finally:
        # The instance attribute hid the method of the class, which comes back.
        del module.__dict__["pool"]


def _last_dependent_map(run, module, images, column):
    """Return the site of the last map (n, c, h, w) that follows from one image only."""
    images = [image.detach().requires_grad_(j == column) for j, image in enumerate(images)]
    leaves = [part for part in module.modules() if not list(part.children())]
    counts, found = {}, []

    def look(part, inputs, output):
        counts[part] = counts.get(part, -1) + 1
        is_map = torch.is_tensor(output) and output.ndim == 4
        if is_map and output.requires_grad:
            found.append(MapSite(part, False, counts[part]))

    flags = [(p, p.requires_grad) for p in module.parameters()]
    handles = [part.register_forward_hook(look) for part in leaves]
    try:
        # With frozen weights, a tensor needs a gradient only if it follows from the image.
        module.requires_grad_(False)
        run(images)
    finally:
        for handle in handles:
            handle.remove()
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
    if not found:
        raise ValueError(
            f"{type(module).__name__} holds no feature map that depends on this image column."
        )
    return found[-1]
