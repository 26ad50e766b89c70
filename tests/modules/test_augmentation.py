"""Augmentation draws per row; test-time views undo themselves."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from sklearn_skin.modules import make_augmentation, tta_views
from sklearn_skin.modules.augmentation import AUGMENTATIONS


def make_images(n=6, size=16, seed=0):
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed))


def draw(augment, images, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return augment(images)


@pytest.mark.parametrize("policy", sorted(AUGMENTATIONS))
def test_keeps_shape_range_and_input(policy):
    images = make_images()
    copy = images.clone()
    out = draw(make_augmentation(policy), images)
    assert out.shape == images.shape and out.dtype == torch.float32
    assert 0 <= out.min() and out.max() <= 1
    assert_close(images, copy)


@pytest.mark.parametrize("policy", sorted(AUGMENTATIONS))
def test_same_seed_same_draw(policy):
    augment, images = make_augmentation(policy), make_images()
    assert_close(draw(augment, images, 1), draw(augment, images, 1))
    assert not torch.allclose(draw(augment, images, 1), draw(augment, images, 2))


@pytest.mark.parametrize("policy", ["geometric", "color", "full"])
def test_each_row_gets_its_own_draw(policy):
    images = make_images(1).repeat(5, 1, 1, 1)
    out = draw(make_augmentation(policy), images)
    assert all(not torch.allclose(out[0], row) for row in out[1:])


def test_flips_only_move_pixels():
    images = make_images()
    out = draw(make_augmentation({"flip": 0.5}), images)
    views = torch.stack([view(images) for view in tta_views(4)])
    assert torch.isclose(views, out).flatten(2).all(dim=2).any(dim=0).all()
    always = draw(make_augmentation({"flip": 1.0}), images)
    assert_close(always, images.flip(-1, -2))


def test_rows_are_mirrored_as_drawn_left_to_right_and_then_upside_down():
    images = torch.rand(8, 3, 5, 7)
    torch.manual_seed(0)
    across, down = torch.rand(8) < 0.3, torch.rand(8) < 0.3
    assert 0 < across.sum() + down.sum() < 16
    expected = [
        image[:, :: -1 if v else 1, :: -1 if h else 1]
        for image, h, v in zip(images.numpy(), across, down)
    ]
    torch.manual_seed(0)
    np.testing.assert_array_equal(make_augmentation({"flip": 0.3})(images), expected)


def test_moves_stay_near_a_smooth_image():
    ramp = torch.linspace(0.2, 0.8, 64).expand(4, 3, 64, 64)
    out = draw(make_augmentation({"shift": 0.1}), ramp)
    assert (out - ramp).abs().max() <= 0.1 * 0.6 + 0.02
    assert out.min() >= 0.2 - 1e-3  # mirrored, not black, at the border


def disc(n, centre=31.5, radius=12.0, size=64):
    """Discs with a soft edge, so that their mass is their area."""
    where = torch.arange(size, dtype=torch.float32)
    distance = ((where[:, None] - centre) ** 2 + (where - centre) ** 2).sqrt()
    return (radius + 0.5 - distance).clamp(0, 1).expand(n, 3, size, size)


def test_sizes_stay_within_the_stated_scale_and_use_it():
    out = draw(make_augmentation({"scale": 0.3}), disc(300))
    ratio = (out.mean(dim=(1, 2, 3)) / disc(1).mean()).sqrt()
    assert 0.69 < ratio.min() < 0.75 and 1.25 < ratio.max() < 1.31
    assert abs(ratio.mean() - 1) < 0.03


def test_shifts_stay_within_the_stated_share_and_use_it():
    out = draw(make_augmentation({"shift": 0.2}), disc(300))[:, 0]
    where = torch.arange(64.0) - 31.5
    for axis in (1, 2):
        shift = (out.sum(dim=axis) * where).sum(dim=1) / out.sum(dim=(1, 2)) / 64
        assert 0.18 < shift.max() <= 0.201 and -0.201 <= shift.min() < -0.18
        # Every row is drawn: without p = 1 half of them would stay.
        assert (shift.abs() < 1e-3).float().mean() < 0.05


def test_turns_stay_within_the_stated_angle_and_use_it():
    bar = torch.zeros(64, 64)
    bar[30:34, 8:56] = 1
    out = draw(make_augmentation({"rotate": 20}), bar.expand(300, 3, 64, 64))[:, 0]
    y, x = torch.meshgrid(torch.arange(64.0) - 31.5, torch.arange(64.0) - 31.5, indexing="ij")
    # The direction in which the bar's second moment is largest.
    xx, yy, xy = ((out * moment).sum(dim=(1, 2)) for moment in (x * x, y * y, x * y))
    angle = torch.rad2deg(torch.atan2(2 * xy, xx - yy)) / 2
    assert 18 < angle.max() < 20.5 and -20.5 < angle.min() < -18


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_colours_of_every_row_change(name):
    images = make_images(50)
    change = (draw(make_augmentation({name: 0.2}), images) - images).abs()
    assert (change.amax(dim=(1, 2, 3)) > 1e-3).float().mean() > 0.95
    assert change.max() <= 0.2 + 1e-5


def test_color_keeps_gray_images_gray_without_noise():
    gray = torch.rand(4, 1, 8, 8).repeat(1, 3, 1, 1)
    augment = make_augmentation({"brightness": 0.2, "contrast": 0.2, "saturation": 0.2})
    out = draw(augment, gray)
    assert_close(out[:, 0], out[:, 1], atol=1e-5, rtol=0)
    assert_close(out[:, 0], out[:, 2], atol=1e-5, rtol=0)


def test_noise_has_the_stated_spread():
    out = draw(make_augmentation({"noise": 0.05}), torch.full((4, 3, 64, 64), 0.5))
    assert abs(float(out.std()) - 0.05) < 0.002


@pytest.mark.parametrize("same", [False, True])
def test_columns_of_a_row_move_alike_when_asked(same):
    images = make_images()[:, None].repeat(1, 2, 1, 1, 1)
    augment = make_augmentation(("geometric", {"same_on_columns": same}))
    out = draw(augment, images)
    assert out.shape == images.shape
    assert torch.allclose(out[:, 0], out[:, 1]) == same


def test_every_column_stays_the_image_it_was():
    images = torch.stack([make_images(seed=k) for k in range(3)], dim=1)
    out = draw(make_augmentation({"flip": 0.5, "same_on_columns": True}), images)
    views = torch.stack([view(images.flatten(0, 1)) for view in tta_views(4)]).unflatten(1, (6, 3))
    fits = torch.isclose(views, out).flatten(3).all(dim=3)
    assert fits.any(dim=0).all()
    assert (fits == fits[:, :, :1]).all()
    assert not torch.allclose(out[0, 0], out[1, 0])


def test_later_parts_of_a_policy_win():
    options = make_augmentation(("full", {"rotate": 180, "noise": 0})).options
    assert options["rotate"] == 180 and options["noise"] == 0 and options["flip"] == 0.5


@pytest.mark.parametrize("policy", [None, (), {}, {"flip": 0}, [None], {"same_on_columns": True}])
def test_nothing_to_do_is_none(policy):
    assert make_augmentation(policy) is None


def test_an_empty_batch_passes():
    assert make_augmentation("full")(torch.zeros(0, 3, 8, 8)).shape == (0, 3, 8, 8)


@pytest.mark.parametrize(
    "policy, message",
    [
        ("flip", r"`augment` must be one of \['color', 'flips', .*; got 'flip'"),
        ({"rotation": 3}, r"got \['rotation'\]"),
        ({"rotate": 270}, r"`rotate` must be in \[0, 180\]; got 270"),
        ({"scale": 1.0}, r"`scale` must be in \[0, 1\); got 1.0"),
    ],
)
def test_wrong_policies_are_named(policy, message):
    with pytest.raises(ValueError, match=message):
        make_augmentation(policy)


def test_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"got \(2, 8, 8\)"):
        make_augmentation("flips")(torch.zeros(2, 8, 8))


@pytest.mark.parametrize("n_views", [1, 4, 6])
def test_views_are_distinct_and_move_pixels_only(n_views):
    image = torch.arange(12.0).reshape(1, 1, 3, 4)
    views = [view(image) for view in tta_views(n_views)]
    assert len(views) == n_views
    assert_close(views[0], image)
    assert len({str(view.tolist()) for view in views}) == n_views
    for view in views:
        assert_close(view.flatten().sort().values, image.flatten())


def test_the_last_two_views_undo_each_other():
    image = make_images()
    views = tta_views(6)
    assert_close(views[4](views[5](image)), image)


def test_other_numbers_of_views_are_refused():
    with pytest.raises(ValueError, match=r"`n_views` must be one of \[1, 4, 6\]; got 3"):
        tta_views(3)
