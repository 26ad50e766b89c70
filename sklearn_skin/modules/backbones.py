"""Image backbones: one interface over every timm network and DermiResNet."""

import difflib
from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_skin.modules._adapters import is_adapter
from sklearn_skin.modules._dermiresnet import DermiResNet
from sklearn_skin.modules._small_maps import multiply_small_maps
from sklearn_skin.modules._timm import import_timm
from sklearn_skin.modules._timm_body import make_timm_body
from sklearn_skin.modules._weights import load_weights

# Name -> `norm` of DermiResNet; "_bn" as in timm's names of VGGs.
_DERMIRESNETS = {"dermiresnet": "block", "dermiresnet_bn": "conv"}


class Backbone(nn.Module):
    """A network from images to a feature map, and from the map to a vector.

    `forward` takes pixels in [0, 1] and normalises them itself (`normalise`), so that every
    column of a row can have its own backbone and nobody else needs to know how each of them
    was pretrained. Made by `make_backbone`.

    Parameters
    ----------
    body : Module
        Maps normalised images to maps (n, d, h', w'); its method `pool` maps those to vectors.
    out_features : int
        Channels d of the map.
    vector_features : int
        Length of the vector that `pool` gives.
    normalisation : tuple of two tuples of float
        Mean and standard deviation per image channel.
    stages : sequence of sequences of str
        Names of the body's parameters by stage, the stem first.
    freeze : None, "backbone" or int, default=None
        Nothing, everything, or the number of leading stages whose weights stay as they are.

    Attributes
    ----------
    frozen : bool
        Whether every weight is frozen.
    n_stages : int
        Stages that `freeze` can count, the stem included.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import Backbone, make_backbone
    >>> backbone = make_backbone("resnet18", freeze=2)
    >>> backbone.n_stages, backbone.out_features, backbone.frozen
    (5, 512, False)
    >>> maps = backbone(torch.rand(2, 3, 64, 64))
    >>> maps.shape, backbone.pool(maps).shape
    (torch.Size([2, 512, 2, 2]), torch.Size([2, 512]))
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        body: nn.Module,
        out_features: int,
        vector_features: int,
        normalisation: tuple[tuple[float, ...], tuple[float, ...]],
        stages: Sequence[Sequence[str]],
        freeze: str | int | None = None,
    ) -> None:
        super().__init__()
        multiply_small_maps(body)
        self.body: Any = body
        self.out_features = out_features
        self.vector_features = vector_features
        self.normalisation = normalisation
        # Buffers follow the module to its device; not persistent, since timm's files lack them.
        mean, std = (torch.tensor(values)[:, None, None] for values in normalisation)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)
        self.stages = [list(stage) for stage in stages]
        self.n_stages = len(stages)
        self._list_weights()
        self.freeze(freeze)

    def freeze(self, freeze: str | int | None) -> None:
        """Freeze the whole backbone or its first stages, and train all the rest.

        Parameters
        ----------
        freeze : None, "backbone" or int
            Nothing, everything, or the number of leading stages.

        Raises
        ------
        ValueError
            If `freeze` is none of these or counts more stages than there are.
        """
        stages = self.stages
        if freeze is None:
            freeze = 0
        if freeze == "backbone":
            self.body.requires_grad_(False)
        elif isinstance(freeze, Integral) and 0 <= freeze <= len(stages):
            frozen = {name for stage in stages[: int(freeze)] for name in stage}
            names = [name for name, _ in self.body.named_parameters()]
            # Beside adapters the weights stay as they are.
            trained = set(filter(is_adapter, names)) or set(names)
            for name, parameter in self.body.named_parameters():
                parameter.requires_grad_(name in trained and name not in frozen)
        else:
            raise ValueError(
                f"`freeze` must be None, 'backbone' or an int from 0 to {len(stages)} (the "
                f"stages of this backbone, the stem included); got {freeze!r}."
            )

    def _list_weights(self) -> None:
        # Asked for in every step, and walking through the modules takes longer than a small head.
        self._weights = list(self.body.parameters())
        self._weights_of_parts = [
            [weight for path in paths for weight in self._part(path).parameters()]
            for paths in self.parts
        ]

    @property
    def frozen(self) -> bool:
        """Whether no weight of the backbone is trained."""
        return not any(weight.requires_grad for weight in self._weights)

    def train(self, mode: bool = True) -> "Backbone":
        """Set the training mode; frozen parts stay in evaluation mode.

        A frozen BatchNorm that kept updating its statistics would not be frozen.

        Parameters
        ----------
        mode : bool, default=True
            Training or evaluation.

        Returns
        -------
        self : Backbone
        """
        super().train(mode)
        if mode and not all(weight.requires_grad for weight in self._weights):
            _rest_where_frozen(self)
        return self

    def normalise(self, images: Tensor) -> Tensor:
        """Subtract the mean from pixels in [0, 1] and divide by the standard deviation.

        Parameters
        ----------
        images : Tensor of shape (n, c, h, w)
            Pixels in [0, 1].

        Returns
        -------
        images : Tensor of shape (n, c, h, w)
        """
        return (images - self.mean) / self.std

    @property
    def parts(self) -> list[list[str]]:
        """Paths of the body's modules that run one after the other: stem, stages, neck.

        Empty where the body does not tell; it then runs as a whole.
        """
        found: list[list[str]] = getattr(self.body, "parts", [])
        return found

    @property
    def n_frozen_parts(self) -> int:
        """Leading parts, of stem, stages and neck, none of whose weights is trained."""
        trained = [any(w.requires_grad for w in weights) for weights in self._weights_of_parts]
        return trained.index(True) if True in trained else len(trained)

    def sources(self, n_parts: int, whole: str = "") -> list[tuple[nn.Module, str]]:
        """Return what the first parts' result follows from and a word for it: `whole`, if given.

        Empty for the stem alone: what it gives takes more room than it takes time.
        """
        word = whole or f"{n_parts} parts"
        return [(self, word)] if whole or n_parts > 1 else []

    def start(self, images: Tensor, n_parts: int) -> Tensor:
        """Run the first parts alone: pixels in [0, 1], (n, c, h, w), to what follows from them.

        Parameters
        ----------
        images : Tensor of shape (n, c, h, w)
            Pixels in [0, 1].
        n_parts : int
            Number of parts; with 0 the images stay as they are.

        Returns
        -------
        started : Tensor of shape (n, d, h', w')
        """
        if not n_parts:
            return images
        started = self._prepare(images)
        for part in range(n_parts):
            started = self.run(part, started)
        return started

    def run(self, part: int, maps: Tensor) -> Tensor:
        """Apply one part to maps (n, c, h, w), or to normalised images where it is the first."""
        # The stem takes images, (n, 3, h, w) for all; Swin's other parts take (n, h, w, c).
        turned = getattr(self.body, "channels_last", False)
        if turned and part > 0:
            maps = maps.permute(0, 2, 3, 1)
        for path in self.parts[part]:
            maps = self._part(path)(maps)
        return maps.permute(0, 3, 1, 2) if turned else maps

    def _part(self, path: str) -> nn.Module:
        part: nn.Module = self.body.get_submodule(path)
        return part

    def _prepare(self, images: Tensor) -> Tensor:
        """Normalise images of the size that the network was made for."""
        size = getattr(self.body, "fixed_size", None)
        if size is not None and images.shape[-2:] != torch.Size(size):
            raise ValueError(
                f"This backbone was made for images of {size} pixels; got "
                f"{tuple(images.shape[-2:])}. Pass `image_size`."
            )
        return self.normalise(images)

    def forward(self, images: Tensor, n_started: int = 0) -> Tensor:
        """Map pixels to feature maps.

        Parameters
        ----------
        images : Tensor of shape (n, c, h, w)
            Pixels in [0, 1], or what `start` made of them.
        n_started : int, default=0
            Number of parts that `start` has run.

        Returns
        -------
        maps : Tensor of shape (n, d, h', w')
        """
        maps: Tensor
        if not n_started:
            maps = self.body(self._prepare(images))
            return maps
        maps = images
        for part in range(n_started, len(self.parts)):
            maps = self.run(part, maps)
        return maps

    def pool(self, maps: Tensor) -> Tensor:
        """Map feature maps (n, d, h', w') to vectors (n, vector_features).

        Parameters
        ----------
        maps : Tensor of shape (n, d, h', w')
            What `forward` returned.

        Returns
        -------
        vectors : Tensor of shape (n, vector_features)
        """
        vectors: Tensor = self.body.pool(maps)
        return vectors

    def drop_vector(self) -> None:
        """Leave out the weights between map and vector, for a network that reads maps alone.

        `pool` then averages the map, and `vector_features` is `out_features`.
        """
        self.body.drop_vector()
        self.vector_features = self.out_features
        self._list_weights()


def _rest_where_frozen(module: nn.Module) -> tuple[bool, bool]:
    """Set modules whose weights are all frozen to evaluation; return if there are any, trained."""
    own = list(module.parameters(recurse=False))
    found = [_rest_where_frozen(child) for child in module.children()]
    has_weights = bool(own) or any(has for has, _ in found)
    trained = any(weight.requires_grad for weight in own) or any(trains for _, trains in found)
    if has_weights and not trained:
        for part in module.modules():
            part.training = False
    return has_weights, trained


def _check_name(name: str) -> None:
    timm = import_timm()
    if not isinstance(name, str):
        raise TypeError(f"`backbone` must be a name; got {type(name).__name__}.")
    if name in _DERMIRESNETS or timm.is_model(name.split(".")[0]):
        return
    known = [*_DERMIRESNETS, *timm.list_models()]
    close = difflib.get_close_matches(name, known, n=5, cutoff=0.6)
    hint = f" Did you mean one of {close}?" if close else ""
    raise ValueError(
        f"`backbone` must be one of {list(_DERMIRESNETS)} or a name that timm lists "
        f"(timm.list_models()); got {name!r}.{hint}"
    )


def make_backbone(
    name: str,
    *,
    weights: str | Path | None = None,
    freeze: str | int | None = None,
    in_chans: int = 3,
    image_size: int | tuple[int, int] | None = None,
    keep_head: bool = False,
    adapt: str | Mapping[str, Any] | None = None,
) -> Backbone:
    """Make an image backbone by name.

    Parameters
    ----------
    name : str
        ``"dermiresnet"``, ``"dermiresnet_bn"`` (BatchNorm and LeakyReLU after each convolution
        of a residual unit) or any name that timm knows, such as ``"resnet50"``.
    weights : "imagenet", path or None, default=None
        Pretrained weights from timm's hub; a local file, safetensors or a torch state dict,
        read without running code; or random weights. The file may have another classifier.
    freeze : None, "backbone" or int, default=None
        Weights that are not trained: none, all, or those of that many leading stages, where
        the stem counts as one (timm's coarse parameter groups; in ViT and VGG each block or
        layer is one). Frozen parts stay in evaluation mode, BatchNorm included.
    in_chans : int, default=3
        Channels of the images.
    image_size : int or (int, int), default=None
        Height and width in pixels, for networks that must know it when they are made (Swin,
        ViT); their native size by default. Others ignore it.
    keep_head : bool, default=False
        Keep the network's unused classification layers, as published parameter counts do.
    adapt : {"lora"} or mapping, default=None
        Low-rank adapters: beside each linear layer y = W x of the attention blocks, W frozen, is
        (α / r) B A x with A of shape (r, d_in), B of (d_out, r) and 0 at first
        (:ref:`Hu et al. (2022) <hu2022>`, eq. 3). A mapping gives the ``"name"`` and options:
        ``r`` (8), ``alpha`` (16), ``dropout`` (0.0) of x, ``layers`` ("attention", or "all" linear
        layers). Layers whose weights a network reads without calling them, such as qkv of SwinV2,
        BEiT and EVA, have none. Needs the extra ``adapt``.

    Returns
    -------
    backbone : Backbone

    Raises
    ------
    ValueError
        If the name is unknown (close matches are named), the file does not exist or fits
        another architecture (the first differing keys are named), there are no such pretrained
        weights, or `freeze` is out of range; in `forward`, if the network gives no feature map.
    OSError
        If pretrained weights are neither in the local cache nor can be downloaded.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import make_backbone
    >>> backbone = make_backbone("mobilenetv3_small_050", freeze="backbone")
    >>> backbone.frozen, backbone(torch.rand(2, 3, 32, 32)).shape
    (True, torch.Size([2, 288, 1, 1]))
    >>> make_backbone("resnet51")
    Traceback (most recent call last):
        ...
    ValueError: `backbone` must be one of ['dermiresnet', ...] or a name that timm lists ...
    """
    _check_name(name)
    if name in _DERMIRESNETS:
        if adapt is not None:
            raise ValueError(f"`adapt` needs a backbone with attention blocks; got {name!r}.")
        body = DermiResNet(in_chans, norm=_DERMIRESNETS[name])
        if weights == "imagenet":
            raise ValueError(
                f"Backbone {name!r} has no pretrained weights; pass weights=None or a local file."
            )
        if weights is not None:
            load_weights(body, weights, name, in_chans)
        names = [n for n, _ in body.named_parameters()]
        # The projection comes last: it is the part that `freeze` leaves to training longest.
        groups = ("stem.", "stages.0.", "stages.1.", "stages.2.", "stages.3.", "projection.")
        stages = [[n for n in names if n.startswith(group)] for group in groups]
        identity = ((0.0,) * in_chans, (1.0,) * in_chans)
        return Backbone(
            body, body.out_features, body.vector_features, identity, stages, freeze
        ).train()
    timm_body, width, normalisation, stages = make_timm_body(
        name, weights, in_chans, image_size, keep_head, adapt
    )
    return Backbone(timm_body, width, width, normalisation, stages, freeze).train()
