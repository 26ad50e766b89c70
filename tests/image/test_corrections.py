"""Corrections: what they must keep, what they must undo."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_skin.image import ImageStep, apply_steps
from sklearn_skin.image._corrections import (
    IMAGE_STEPS,
    center_crop,
    clahe,
    gray_world,
    hair_mask,
    remove_hair,
    resize,
    shades_of_gray,
)


def make_skin(height=150, width=200, seed=0):
    """Draw smooth skin with a lesion: no clipped pixel, no line."""
    rng = np.random.RandomState(seed)
    rough = cv2.resize(
        rng.uniform(-8, 8, (6, 8, 3)), (width, height), interpolation=cv2.INTER_CUBIC
    )
    y, x = np.mgrid[:height, :width]
    inside = ((y - height / 2) / height) ** 2 + ((x - width / 2) / width) ** 2
    lesion = 1 / (1 + np.exp((inside - 0.05) * 120))
    skin = np.array([205, 150, 135]) + rough - lesion[..., None] * np.array([80, 70, 50])
    return np.rint(skin).clip(0, 255).astype(np.uint8)


def paint_hairs(skin, seed=0, n_hairs=8, color=(40, 25, 20)):
    rng, hairy = np.random.RandomState(seed), skin.copy()
    height, width = skin.shape[:2]
    thick = max(1, round(min(height, width) / 75))
    for _ in range(n_hairs):
        start, stop = rng.uniform(size=(2, 2)) * (width, height)
        cv2.line(hairy, start.astype(int).tolist(), stop.astype(int).tolist(), color, thick)
    return hairy


def psnr(image, reference):
    error = np.mean((image.astype(float) - reference) ** 2)
    return 10 * np.log10(255**2 / max(error, 1e-9))


def to_lab(pixels):
    return cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)


def test_shades_of_gray_with_power_one_is_gray_world():
    skin = make_skin()
    # Two roads to one mean: rounding to uint8 may differ by one.
    first, second = (f.astype(int) for f in (shades_of_gray(skin, 1), gray_world(skin)))
    assert_allclose(first, second, atol=1)


def test_gray_world_makes_the_channel_means_equal():
    means = gray_world(make_skin()).reshape(-1, 3).mean(axis=0)
    assert_allclose(means, means.mean(), atol=0.5)


def test_shades_of_gray_follows_its_formula():
    skin, power = make_skin(), 6
    light = np.mean(skin.astype(float) ** power, axis=(0, 1)) ** (1 / power)
    expected = skin * np.prod(light) ** (1 / 3) / light
    assert_allclose(shades_of_gray(skin, power), expected.clip(0, 255), atol=0.51)  # rounded


@pytest.mark.parametrize("power", [1, 3, 6, 12])
def test_shades_of_gray_undoes_gains_on_the_channels(power):
    skin = make_skin()
    gains = np.array([1.1, 1.0, 1 / 1.1])
    tinted = np.rint(skin * gains).clip(0, 255).astype(np.uint8)
    assert (tinted < 255).all()
    difference = shades_of_gray(tinted, power).astype(int) - shades_of_gray(skin, power)
    assert np.abs(difference).max() <= 2  # both were rounded to 8 bits twice


@pytest.mark.parametrize("power", [1, 6, 200])
def test_shades_of_gray_keeps_gray_images(power):
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert_array_equal(shades_of_gray(ramp, power), ramp)
    black = np.zeros((4, 4, 3), dtype=np.uint8)
    assert_array_equal(shades_of_gray(black, power), black)


def test_clahe_changes_lightness_and_leaves_a_and_b():
    skin = make_skin()
    corrected = clahe(skin, clip_limit=3.0, grid=4)
    before, after = to_lab(skin), to_lab(corrected)
    inside = ((corrected > 0) & (corrected < 255)).all(axis=2)
    assert inside.mean() > 0.9
    assert np.abs(after[..., 0] - before[..., 0]).mean() > 2
    # Rounding RGB to 8 bits moves a and b by about one unit.
    assert np.abs(after[..., 1:] - before[..., 1:])[inside].max() < 1.5
    assert np.abs(after[..., 1:] - before[..., 1:])[inside].mean() < 0.3


def test_clahe_raises_local_contrast():
    skin = make_skin()
    assert to_lab(clahe(skin))[..., 0].std() > to_lab(skin)[..., 0].std()


@pytest.mark.parametrize("size", [(75, 100), (150, 200), (450, 600)])
def test_hair_removal_restores_painted_hairs_at_any_resolution(size):
    skin = make_skin(*size)
    hairy = paint_hairs(skin)
    restored = remove_hair(hairy)
    assert psnr(restored, skin) > psnr(hairy, skin) + 6


def test_hair_mask_finds_the_hairs_and_little_else():
    skin = make_skin(450, 600)
    hairy = paint_hairs(skin)
    painted = (hairy != skin).any(axis=2)
    found = hair_mask(hairy)
    assert found[painted].mean() > 0.9
    assert painted[found].mean() > 0.8


def test_hair_removal_changes_nothing_outside_its_mask():
    hairy = paint_hairs(make_skin())
    allowed = cv2.dilate(hair_mask(hairy).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    difference = np.abs(remove_hair(hairy).astype(int) - hairy).max(axis=2)
    assert difference[~allowed].max() <= 1
    assert difference[allowed].max() > 50


def test_hair_removal_leaves_hairless_skin_and_dots():
    skin = make_skin()
    assert_array_equal(remove_hair(skin), skin)
    dotted = skin.copy()
    for x in range(20, 190, 20):
        cv2.circle(dotted, (x, 75), 3, (60, 40, 30), -1)
    assert_array_equal(remove_hair(dotted), dotted)


def test_center_crop_cuts_the_middle():
    image = np.zeros((7, 9, 3), dtype=np.uint8)
    image[3, 4] = 255
    assert_array_equal(center_crop(image, 1)[0, 0], [255] * 3)
    assert center_crop(image).shape == (7, 7, 3)
    assert center_crop(image, 1.0).shape == image.shape
    assert center_crop(image, (100, 5)).shape == (7, 5, 3)


def test_resize_keeps_constant_images():
    image = np.full((30, 40, 3), 77, dtype=np.uint8)
    for size in (10, (60, 20), 50):
        assert_array_equal(np.unique(resize(image, size)), [77])


@pytest.mark.parametrize("name", sorted(IMAGE_STEPS))
def test_steps_give_fresh_uint8_pixels_and_leave_their_input(name):
    skin = make_skin()
    skin.setflags(write=False)
    copy = skin.copy()
    out = apply_steps(skin, [ImageStep(name)])
    assert out.dtype == np.uint8 and out.shape[2] == 3
    assert not np.shares_memory(out, skin)
    assert_array_equal(skin, copy)
    # A view with other strides, as slicing gives, means the same image.
    view = np.asfortranarray(skin)
    assert_array_equal(apply_steps(view, [ImageStep(name)]), out)


@pytest.mark.parametrize("name", sorted(IMAGE_STEPS))
@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 5, 3), (9, 1, 3)])
def test_steps_take_tiny_images(name, shape):
    out = IMAGE_STEPS[name](np.full(shape, 100, dtype=np.uint8))
    assert out.dtype == np.uint8 and out.size > 0


@pytest.mark.parametrize("name", sorted(IMAGE_STEPS))
def test_steps_refuse_what_is_no_rgb_image(name):
    with pytest.raises(ValueError, match=r"uint8 array of shape \(h, w, 3\); got float64"):
        IMAGE_STEPS[name](np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match=r"got uint8 of shape \(4, 4\)"):
        IMAGE_STEPS[name](np.zeros((4, 4), dtype=np.uint8))


@pytest.mark.parametrize(
    "step, message",
    [
        (ImageStep("shades_of_gray", (("power", 0.5),)), "`power` must be at least 1; got 0.5"),
        (ImageStep("clahe", (("clip_limit", 0),)), "must be positive; got 0 and 8"),
        (ImageStep("center_crop", (("size", 1.5),)), r"must be in \(0, 1\]; got 1.5"),
        (ImageStep("resize", (("size", 0),)), "`size` must be a positive int"),
    ],
)
def test_wrong_parameters_are_named(step, message):
    with pytest.raises(ValueError, match=message):
        apply_steps(make_skin(), [step])
