"""Random augmentation of a batch of images, with a draw per row."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

_FLIPS = {"flip": 0.5}
_GEOMETRIC = _FLIPS | {"rotate": 30.0, "shift": 0.1, "scale": 0.2}
_COLOR = {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "noise": 0.02}

AUGMENTATIONS: dict[str, dict[str, float]] = {
    "flips": _FLIPS,
    "geometric": _GEOMETRIC,
    "color": _COLOR,
    "full": _GEOMETRIC | _COLOR,
}

_OFF: dict[str, Any] = {
    "flip": 0.0,
    "rotate": 0.0,
    "shift": 0.0,
    "scale": 0.0,
    "brightness": 0.0,
    "contrast": 0.0,
    "saturation": 0.0,
    "hue": 0.0,
    "noise": 0.0,
    "same_on_columns": False,
}
# Option -> exclusive upper bound; gains are drawn from [1 - x, 1 + x].
_BELOW = {"scale": 1.0, "brightness": 1.0, "contrast": 1.0, "saturation": 1.0}
_UP_TO = {"flip": 1.0, "rotate": 180.0, "shift": 1.0, "hue": 0.5, "noise": 1.0}


class RandomAugmentation(nn.Module):
    """Flip, move and recolour each image of a batch by its own random draw.

    Draws come from torch's global generator: seed it inside ``torch.random.fork_rng`` to
    repeat a batch. Pixels that come into view are mirrored from the inside.

    Parameters
    ----------
    flip : float, default=0.0
        Probability of a left-right flip, and of an upside-down flip, in [0, 1].
    rotate : float, default=0.0
        Largest angle in degrees, in [0, 180].
    shift : float, default=0.0
        Largest shift as a fraction of each side, in [0, 1].
    scale : float, default=0.0
        Zoom is drawn from [1 - scale, 1 + scale], in [0, 1).
    brightness, contrast, saturation : float, default=0.0
        Gains are drawn from [1 - x, 1 + x], in [0, 1): of the pixels, of their distance to
        the image's mean gray, of their distance to their own gray.
    hue : float, default=0.0
        Largest turn of the hue as a fraction of the circle, in [0, 0.5].
    noise : float, default=0.0
        Standard deviation of the Gaussian noise, in pixel units of [0, 1].
    same_on_columns : bool, default=False
        For images (n, k, 3, h, w): move all k images of a row alike. Colours differ always.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules.augmentation import RandomAugmentation
    >>> RandomAugmentation(flip=0.5, noise=0.1)(torch.zeros(2, 3, 8, 8)).shape
    torch.Size([2, 3, 8, 8])
    """

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = _check_options(options)
        self.affine = _make_affine(self.options)
        self.color = _make_color(self.options)

    def extra_repr(self) -> str:
        """Show the options that are on."""
        return ", ".join(f"{name}={value}" for name, value in self.options.items() if value)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Augment `images` (n, 3, h, w) or (n, k, 3, h, w), float in [0, 1]."""
        if images.ndim not in (4, 5) or images.shape[-3] != 3:
            raise ValueError(
                "`images` must have shape (n, 3, h, w) or (n, k, 3, h, w); "
                f"got {tuple(images.shape)}."
            )
        if images.numel() == 0:
            return images
        alike = images.ndim == 5 and self.options["same_on_columns"]
        moved = images if alike else images.flatten(0, -4)
        if self.options["flip"]:
            moved = _flip(_flip(moved, self.options["flip"], -1), self.options["flip"], -2)
        if self.affine is not None:
            moved = _apply_alike(self.affine, moved) if alike else self.affine(moved)
        if self.color is not None:
            moved = self.color(moved.flatten(0, -4))
        if self.affine is not None or self.color is not None:
            # Colours and noise leave the range that backbones normalise.
            moved = moved.clamp(0, 1)
        return moved.reshape(images.shape)


def make_augmentation(
    policy: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] | None,
) -> RandomAugmentation | None:
    """Make the augmentation that a policy asks for.

    Parameters
    ----------
    policy : str, mapping, sequence of these, or None
        A name of ``AUGMENTATIONS``: 'flips'; 'geometric' (flips, shifts, rotations, scaling);
        'color' (brightness, contrast, saturation, noise); 'full' (both). A mapping gives the
        options of :class:`RandomAugmentation`. In a sequence later entries win, so
        ``("full", {"rotate": 180})`` changes one option. None or an empty policy: none.

    Returns
    -------
    augmentation : RandomAugmentation or None
        Module to call on images (n, 3, h, w) or (n, k, 3, h, w), float in [0, 1].

    Raises
    ------
    ValueError
        If a name or option is unknown, or a value is out of range.

    Examples
    --------
    >>> from sklearn_skin.modules import make_augmentation
    >>> make_augmentation("flips").options["flip"]
    0.5
    >>> make_augmentation(None) is None
    True
    """
    options: dict[str, Any] = {}
    for part in [policy] if policy is None or isinstance(policy, str | Mapping) else policy:
        options |= _options_of(part)
    on = any(value for name, value in options.items() if name != "same_on_columns")
    # Checked also when everything is off, so that a misspelt option never passes.
    _check_options(options)
    return RandomAugmentation(**options) if on else None


def _options_of(part: str | Mapping[str, Any] | None) -> dict[str, Any]:
    if part is None:
        return {}
    if isinstance(part, Mapping):
        return dict(part)
    if not isinstance(part, str) or part not in AUGMENTATIONS:
        raise ValueError(f"`augment` must be one of {sorted(AUGMENTATIONS)}; got {part!r}.")
    return dict(AUGMENTATIONS[part])


def _check_options(options: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(options) - set(_OFF))
    if unknown:
        raise ValueError(f"augmentation options must be among {list(_OFF)}; got {unknown}.")
    for name, bound in (_BELOW | _UP_TO).items():
        value = options.get(name, 0)
        if not 0 <= value <= bound or (name in _BELOW and value == bound):
            bracket = ")" if name in _BELOW else "]"
            raise ValueError(f"`{name}` must be in [0, {bound:g}{bracket}; got {value!r}.")
    return _OFF | dict(options)


def _flip(images: Tensor, p: float, axis: int) -> Tensor:
    """Mirror the images (n, …, h, w) of some rows, each with probability `p`."""
    # Drawn on the CPU, so that a seed gives the same rows on every device.
    drawn = (torch.rand(len(images)) < p).to(images.device)
    return torch.where(drawn.view(-1, *[1] * (images.ndim - 1)), images.flip(axis), images)


def _make_affine(options: Mapping[str, Any]) -> nn.Module | None:
    shift, scale = options["shift"], options["scale"]
    if not (options["rotate"] or shift or scale):
        return None
    # Imported late: most uses of this package do not augment.
    from kornia import augmentation as kornia

    return kornia.AugmentationSequential(
        kornia.RandomAffine(
            degrees=float(options["rotate"]),
            translate=(shift, shift) if shift else None,
            scale=(1 - scale, 1 + scale) if scale else None,
            padding_mode="reflection",
            # Every row moves: its draw is random, not whether it has one.
            p=1.0,
        )
    )


def _make_color(options: Mapping[str, Any]) -> nn.Module | None:
    names = ("brightness", "contrast", "saturation", "hue")
    if not any(options[name] for name in (*names, "noise")):
        return None
    from kornia import augmentation as kornia

    steps: list[Any] = []
    if any(options[name] for name in names):
        steps.append(kornia.ColorJitter(**{name: options[name] for name in names}, p=1.0))
    if options["noise"]:
        steps.append(kornia.RandomGaussianNoise(std=options["noise"], p=1.0))
    return kornia.AugmentationSequential(*steps)


def _apply_alike(augment: nn.Module, images: Tensor) -> Tensor:
    """Apply one draw per row to all columns of `images` (n, k, 3, h, w)."""
    moved = [augment(images[:, 0])]
    # The draw is kept by the module; replaying it is what makes the columns agree.
    draw = augment._params
    moved += [augment(images[:, k], params=draw) for k in range(1, images.shape[1])]
    return torch.stack(moved, dim=1)
