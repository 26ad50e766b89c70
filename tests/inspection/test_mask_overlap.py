import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_skin.inspection import mask_overlap


@pytest.fixture
def case():
    rng = np.random.RandomState(0)
    masks = np.zeros((5, 12, 16), dtype=bool)
    masks[:, 3:8, 4:12] = True
    return rng.rand(5, 12, 16), masks


def test_a_flat_map_scores_the_area(case):
    _, masks = case
    overlap = mask_overlap(np.ones(masks.shape), masks)
    assert_allclose(overlap["inside"], masks.mean(axis=(1, 2)))
    assert_allclose(overlap["pointing"], masks.mean(axis=(1, 2)))
    assert_allclose(overlap["area"], masks.mean(axis=(1, 2)))


def test_mask_and_complement_share_the_attribution(case):
    heatmaps, masks = case
    one, two = mask_overlap(heatmaps, masks), mask_overlap(heatmaps, ~masks)
    assert_allclose(one + two, 1)
    assert_allclose(one["inside"], (heatmaps * masks).sum((1, 2)) / heatmaps.sum((1, 2)))


def test_the_mask_itself_is_perfect(case):
    _, masks = case
    assert (mask_overlap(masks, masks)[["inside", "pointing"]] == 1).all(axis=None)


def test_scale_of_the_map_and_values_of_the_mask_do_not_matter(case):
    heatmaps, masks = case
    expected = mask_overlap(heatmaps, masks)
    assert_allclose(mask_overlap(7 * heatmaps, masks * np.uint8(255)), expected)


def test_a_mask_of_another_size_is_resized(case):
    heatmaps, masks = case
    large = masks.repeat(10, axis=1).repeat(10, axis=2)
    assert_allclose(mask_overlap(heatmaps, large), mask_overlap(heatmaps, masks), atol=1e-6)


def test_an_empty_map_has_no_overlap(case):
    heatmaps, masks = case
    heatmaps[1] = 0
    overlap = mask_overlap(heatmaps, masks)
    unknown = overlap[["inside", "pointing"]].isna().all(axis=1)
    assert unknown.tolist() == [False, True, False, False, False]
    empty = mask_overlap(heatmaps[:1], np.zeros((1, 12, 16)))
    assert empty.iloc[0].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "heatmaps, masks, message",
    [
        (np.ones((2, 3, 3)), np.ones((1, 3, 3)), "must be as many; got 2 and 1"),
        (np.ones((1, 3)), np.ones((1, 3, 3)), "two dimensions"),
        (-np.ones((1, 3, 3)), np.ones((1, 3, 3)), "at least 0; row 0"),
        (np.full((1, 3, 3), np.nan), np.ones((1, 3, 3)), "finite"),
    ],
)
def test_what_cannot_be_compared_is_an_error(heatmaps, masks, message):
    with pytest.raises(ValueError, match=message):
        mask_overlap(heatmaps, masks)
