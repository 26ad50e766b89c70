"""Drawn lesions: skin, an irregular blob, its colours, dermoscopic structures and hair.

Colours are RGB in [0, 1], lengths are fractions of the image's side, so that a lesion looks
the same at every size.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

LIGHT_SKIN, DARK_SKIN = np.array([0.92, 0.76, 0.67]), np.array([0.48, 0.32, 0.24])


@dataclass(frozen=True)
class Look:
    """How a kind of lesion looks: two colours, and how large, dark and irregular it is."""

    colour: tuple
    second_colour: tuple
    radius: float
    opacity: float
    irregularity: float
    asymmetry: float
    softness: float


# Ordered so that the first few, which small problems use, differ in colour and shape at once.
LOOKS = (
    Look((0.55, 0.36, 0.25), (0.44, 0.27, 0.18), 0.20, 0.80, 0.03, 0.10, 0.030),
    Look((0.26, 0.17, 0.14), (0.42, 0.29, 0.31), 0.28, 0.95, 0.13, 0.90, 0.015),
    Look((0.88, 0.54, 0.52), (0.78, 0.43, 0.43), 0.25, 0.75, 0.06, 0.30, 0.045),
    Look((0.72, 0.56, 0.36), (0.55, 0.40, 0.25), 0.31, 0.90, 0.06, 0.20, 0.012),
    Look((0.52, 0.11, 0.18), (0.36, 0.08, 0.20), 0.19, 0.92, 0.03, 0.10, 0.015),
    Look((0.34, 0.37, 0.46), (0.25, 0.27, 0.35), 0.22, 0.90, 0.04, 0.20, 0.020),
    Look((0.93, 0.86, 0.80), (0.84, 0.66, 0.60), 0.29, 0.90, 0.09, 0.60, 0.040),
    Look((0.63, 0.31, 0.18), (0.76, 0.50, 0.33), 0.34, 0.75, 0.12, 0.40, 0.030),
)


def blend_looks(first, second, share):
    """Return the look that is `share` of the way from `first` to `second`."""

    def between(name):
        a, b = np.asarray(getattr(first, name)), np.asarray(getattr(second, name))
        return (1 - share) * a + share * b

    return Look(**{name: between(name) for name in Look.__dataclass_fields__})


def vary_look(look, rng, spread):
    """Return `look` with the differences that two lesions of one kind show."""
    shade = 1 + spread * rng.normal(scale=0.12)
    tint = spread * rng.normal(scale=0.015, size=3)
    return Look(
        colour=np.clip(np.asarray(look.colour) * shade + tint, 0.04, 1),
        second_colour=np.clip(np.asarray(look.second_colour) * shade + tint, 0.04, 1),
        radius=float(np.clip(look.radius * np.exp(spread * rng.normal(scale=0.18)), 0.10, 0.40)),
        opacity=float(np.clip(look.opacity + spread * rng.normal(scale=0.06), 0.4, 1)),
        irregularity=float(look.irregularity * np.exp(spread * rng.normal(scale=0.35))),
        asymmetry=float(np.clip(look.asymmetry + spread * rng.normal(scale=0.15), 0, 1)),
        softness=float(look.softness * np.exp(spread * rng.normal(scale=0.3))),
    )


def smooth_noise(rng, size, cells):
    """Return a (size, size) field of mean 0 and standard deviation near 1, `cells` bumps wide."""
    coarse = rng.standard_normal((cells + 3, cells + 3), dtype=np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def draw_lesion(rng, look, size, *, skin_tone, criteria=(), zoom=1.0, hairs=0, vignette=False):
    """Draw one lesion.

    Parameters
    ----------
    rng : numpy.random.Generator
    look : Look
    size : int
        Side of the image in pixels.
    skin_tone : float
        0 is the lightest skin, 1 the darkest.
    criteria : iterable of (str, int)
        Names from `CRITERIA` with the level to draw; level 0 draws nothing.
    zoom : float
        Factor on the lesion's size.
    hairs : int
        Number of hairs across the image.
    vignette : bool
        Whether the corners are dark, as a dermatoscope leaves them.

    Returns
    -------
    ndarray of shape (size, size, 3), dtype uint8
    """
    canvas = _skin(rng, size, skin_tone)
    outline = _Outline(rng, look, size, zoom)
    canvas += (_lesion_colour(rng, look, outline) - canvas) * outline.mask * look.opacity
    for name, level in criteria:
        if level:
            canvas = CRITERIA[name][1](rng, canvas, outline, level)
    canvas = _hair(rng, canvas, hairs)
    canvas = cv2.GaussianBlur(canvas.astype(np.float32), (0, 0), max(0.005 * size, 0.3))
    if vignette:
        edge = np.hypot(*_grid(size)) - 0.62
        canvas *= 1 - 0.92 / (1 + np.exp(-edge / 0.015))[..., None]
    canvas += 0.012 * rng.standard_normal(canvas.shape, dtype=np.float32)
    return (np.clip(canvas, 0, 1) * 255 + 0.5).astype(np.uint8)


# Every structure of every lesion asks for it again.
@lru_cache(maxsize=8)
def _grid(size):
    step = ((np.arange(size, dtype=np.float32) + 0.5) / size) - 0.5
    return np.meshgrid(step, step, indexing="xy")


def _skin(rng, size, tone):
    colour = LIGHT_SKIN + (DARK_SKIN - LIGHT_SKIN) * tone
    x, y = _grid(size)
    light = rng.normal(scale=0.08, size=2)
    shade = 1 + light[0] * x + light[1] * y
    shade += 0.02 * smooth_noise(rng, size, 3) + 0.015 * smooth_noise(rng, size, 18)
    blotch = 0.012 * smooth_noise(rng, size, 6)
    canvas = colour * shade[..., None]
    canvas[..., 0] += blotch
    canvas[..., 1:] -= 0.5 * blotch[..., None]
    return canvas.astype(np.float32)


class _Outline:
    """Where the lesion is: its mask, and each pixel's distance as a share of the radius."""

    def __init__(self, rng, look, size, zoom):
        self.size = size
        self.radius = look.radius * zoom
        self.centre = rng.uniform(-0.06, 0.06, size=2)
        x, y = _grid(size)
        x, y = x - self.centre[0], y - self.centre[1]
        turn, squeeze = rng.uniform(0, np.pi), 1 + rng.uniform(0, 0.35)
        across, along = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        across, along = across * np.sqrt(squeeze), along / np.sqrt(squeeze)
        edge = _lobes(rng, look.irregularity, np.arctan2(along, across))
        edge += 0.5 * look.irregularity * smooth_noise(rng, size, 10)
        self.depth = np.hypot(across, along) / (self.radius * np.clip(edge, 0.45, 1.7))
        # No edge is sharper than a pixel.
        softness = max(look.softness, 0.5 / size) / self.radius
        # exp overflows float32 beyond 88.
        exponent = np.clip((self.depth - 1) / softness, -40, 40)
        self.mask = (1 / (1 + np.exp(exponent)))[..., None].astype(np.float32)

    def point(self, rng, reach=0.75):
        """Return a random place inside, in pixels."""
        angle, distance = rng.uniform(0, 2 * np.pi), reach * self.radius * np.sqrt(rng.uniform())
        place = self.centre + distance * np.array([np.cos(angle), np.sin(angle)])
        return (place + 0.5) * self.size


def _lobes(rng, irregularity, angle):
    """Return the outline's radius, of mean 1, in the direction of each pixel."""
    lobes = np.arange(2, 9)[:, None]
    bumps = 1.1 * irregularity * rng.normal(size=lobes.shape) / np.sqrt(lobes)
    turns = np.linspace(-np.pi, np.pi, 181)
    waves = bumps * np.cos(lobes * turns + rng.uniform(0, 2 * np.pi, size=lobes.shape))
    return np.interp(angle, turns, 1 + waves.sum(axis=0)).astype(np.float32)


def _lesion_colour(rng, look, outline):
    x, y = _grid(outline.size)
    direction = rng.uniform(0, 2 * np.pi)
    side = (
        (x - outline.centre[0]) * np.cos(direction) + (y - outline.centre[1]) * np.sin(direction)
    ) / outline.radius
    patches = 0.7 * smooth_noise(rng, outline.size, 5) + 2.0 * look.asymmetry * side
    share = 1 / (1 + np.exp(-2.5 * (patches - 0.3)))
    share = share[..., None] * (0.35 + 0.65 * look.asymmetry)
    colour = np.asarray(look.colour) * (1 - share) + np.asarray(look.second_colour) * share
    grain = 1 + 0.05 * smooth_noise(rng, outline.size, 14)
    grain -= 0.10 * np.exp(-2 * outline.depth**2)
    return (colour * grain[..., None]).astype(np.float32)


def _paint(canvas, mask, colour, opacity):
    """Lay `colour` over the canvas where `mask` (h, w) in [0, 1] says so."""
    return canvas + (np.asarray(colour, np.float32) - canvas) * (mask[..., None] * opacity)


def _patch(rng, outline, reach, width):
    """Return the mask of a soft, ragged patch inside the lesion."""
    place = outline.point(rng, reach) / outline.size - 0.5
    x, y = _grid(outline.size)
    width = width * outline.radius
    distance = np.hypot(x - place[0], y - place[1]) / width
    distance = distance + 0.25 * smooth_noise(rng, outline.size, 9)
    return outline.mask[..., 0] / (1 + np.exp(np.clip((distance - 1) / 0.15, -40, 40)))


def _strokes(size, lines, thickness):
    """Return the mask of polylines, whose points may lie between pixels."""
    mask = np.zeros((size, size), np.uint8)
    # OpenCV takes whole numbers, here with 4 bits after the point.
    points = [np.round(line * 16).astype(np.int32) for line in lines]
    cv2.polylines(mask, points, False, 255, max(1, round(thickness * size)), cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def _hair(rng, canvas, hairs):
    if not hairs:
        return canvas
    size, lines = canvas.shape[0], []
    slant = rng.uniform(0, np.pi)
    for _ in range(hairs):
        angle = slant + rng.normal(scale=0.35)
        middle = rng.uniform(0.1, 0.9, size=2) * size
        along = np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(0.25, 0.6) * size
        across = np.array([-along[1], along[0]]) * rng.normal(scale=0.25)
        steps = np.linspace(-1, 1, 12)[:, None]
        lines.append(middle + steps * along + (1 - steps**2) * across)
    return _paint(canvas, _strokes(size, lines, 0.006), (0.10, 0.07, 0.06), 0.75)


def _veil(rng, canvas, outline, level):
    return _paint(canvas, _patch(rng, outline, 0.35, 0.75), (0.50, 0.54, 0.66), 0.75)


def _regression(rng, canvas, outline, level):
    return _paint(canvas, _patch(rng, outline, 0.5, 0.5), (0.93, 0.86, 0.84), 0.8)


def _dots(rng, canvas, outline, level):
    size, mask = outline.size, np.zeros((outline.size, outline.size), np.uint8)
    heavy = outline.point(rng, 0.6)
    for _ in range(12 if level == 1 else 26):
        place = outline.point(rng, 0.6)
        if level == 2:
            place = 0.45 * place + 0.55 * heavy
        radius = outline.radius * size * (0.06 if level == 1 else rng.uniform(0.05, 0.14))
        centre = np.round(place * 16).astype(int)
        cv2.circle(mask, centre.tolist(), round(radius * 16), 255, -1, cv2.LINE_AA, 4)
    return _paint(canvas, mask.astype(np.float32) / 255, (0.15, 0.09, 0.07), 0.75)


def _streaks(rng, canvas, outline, level):
    size = outline.size
    middle = (outline.centre + 0.5) * size
    if level == 1:
        angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    else:
        angles = rng.uniform(0, 2 * np.pi) + rng.normal(scale=0.6, size=12)
    lines = []
    for angle in angles:
        inner, outer = (0.85, 1.2) if level == 1 else (0.7, 1.1 + rng.uniform(0, 0.5))
        ray = np.array([np.cos(angle), np.sin(angle)]) * outline.radius * size
        lines.append(np.stack([middle + inner * ray, middle + outer * ray]))
    strokes = cv2.GaussianBlur(_strokes(size, lines, 0.012), (0, 0), 0.008 * size)
    return _paint(canvas, strokes, (0.24, 0.15, 0.11), 0.8)


def _network(rng, canvas, outline, level):
    x, y = _grid(outline.size)
    pitch = 0.07 if level == 1 else 0.11
    bend = 0.15 if level == 1 else 0.8
    wobble = bend * smooth_noise(rng, outline.size, 6), bend * smooth_noise(rng, outline.size, 6)
    turn = rng.uniform(0, np.pi)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    lines = np.maximum(
        np.cos(2 * np.pi * u / pitch + wobble[0]), np.cos(2 * np.pi * v / pitch + wobble[1])
    )
    lines = np.clip(2.5 * lines - 1.2, 0, 1) * outline.mask[..., 0]
    return _paint(canvas, lines, (0.20, 0.12, 0.08), 0.35 if level == 1 else 0.6)


def _vessels(rng, canvas, outline, level):
    lines = []
    for _ in range(5 if level == 1 else 12):
        reach = outline.radius * outline.size * (0.9 if level == 1 else 0.3)
        walk = rng.normal(size=(5, 2)).cumsum(axis=0).astype(np.float32)
        walk = cv2.resize(walk, (2, 30), interpolation=cv2.INTER_CUBIC)
        lines.append(outline.point(rng, 0.8) + walk / np.abs(walk).max() * reach)
    return _paint(canvas, _strokes(outline.size, lines, 0.009), (0.70, 0.08, 0.14), 0.65)


def _pigmentation(rng, canvas, outline, level):
    size = (0.85, 0.05) if level == 1 else (0.5, 0.8)
    return _paint(canvas, _patch(rng, outline, size[1], size[0]), (0.17, 0.10, 0.08), 0.6)


TWO_LEVELS, THREE_LEVELS = ("absent", "present"), ("absent", "regular", "irregular")

# In the order in which tasks ask for them; see `make_lesions`.
CRITERIA = {
    "veil": (TWO_LEVELS, _veil),
    "streaks": (THREE_LEVELS, _streaks),
    "pigmentation": (THREE_LEVELS, _pigmentation),
    "regression": (TWO_LEVELS, _regression),
    "dots": (THREE_LEVELS, _dots),
    "network": (THREE_LEVELS, _network),
    "vessels": (THREE_LEVELS, _vessels),
}


def photograph_again(rng, pixels):
    """Return the same lesion on another photograph: turned, nearer or farther, other light."""
    size = pixels.shape[0]
    middle = (size - 1) / 2
    turn = cv2.getRotationMatrix2D((middle, middle), rng.uniform(0, 360), rng.uniform(0.9, 1.12))
    turn[:, 2] += rng.uniform(-0.04, 0.04, size=2) * size
    turned = cv2.warpAffine(pixels, turn, (size, size), borderMode=cv2.BORDER_REFLECT_101)
    # Brightness, and a cast of colour.
    light = rng.uniform(0.93, 1.07) * rng.uniform(0.98, 1.02, size=3)
    return np.clip(turned * light + 0.5, 0, 255).astype(np.uint8)
