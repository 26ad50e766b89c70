import numpy as np
import pytest

from sklearn_skin.neural_network._batches import WholeBatchSampler
from sklearn_skin.neural_network._class_weights import balanced_row_weights
from sklearn_skin.neural_network._data import inner_split


def test_groups_stay_whole_and_classes_stay_in_proportion():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(200), 3)
    codes = np.repeat(rng.integers(0, 3, 200), 3)[:, None]
    train, valid = inner_split(codes, groups, 0.2, 0)
    assert not set(groups[train]) & set(groups[valid])
    assert sorted([*train, *valid]) == list(range(600))
    assert abs(len(valid) / 600 - 0.2) < 0.03
    shares = [np.bincount(codes[rows, 0]) / len(rows) for rows in (train, valid)]
    assert np.abs(shares[0] - shares[1]).max() < 0.05


def test_one_group_cannot_be_split():
    with pytest.raises(ValueError, match="one group"):
        inner_split(np.zeros((4, 1), int), np.zeros(4), 0.25, 0)


def test_a_rare_class_gives_up_stratification_with_a_warning():
    codes = np.array([0] * 19 + [1])[:, None]
    with pytest.warns(UserWarning, match="not stratified"):
        train, valid = inner_split(codes, None, 0.2, 0)
    assert len(valid) == 4


@pytest.mark.parametrize(("n", "size"), [(1, 4), (4, 4), (5, 4), (9, 4), (10, 4), (9, 1)])
def test_a_last_batch_of_one_row_joins_the_one_before(n, size):
    batches = WholeBatchSampler(range(n), size)
    seen = list(batches)
    assert [row for batch in seen for row in batch] == list(range(n))
    assert len(seen) == len(batches)
    if n > 1 and size > 1:
        assert min(map(len, seen)) > 1


def test_balanced_weights_draw_every_class_equally():
    codes = np.array([0, 0, 0, 1, 2, 2])[:, None]
    weights = balanced_row_weights(codes)
    sums = [weights[codes[:, 0] == c].sum() for c in range(3)]
    np.testing.assert_allclose(sums, 1.0)


def test_rows_without_labels_are_never_drawn():
    weights = balanced_row_weights(np.array([[0, -1], [-1, -1], [1, 0]]))
    np.testing.assert_allclose(weights[:2], [1.0, 0.0])
