"""Intervals: whole groups are drawn, and all draws at once say what one after the other does."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import accuracy_score, confusion_matrix, roc_auc_score

from sklearn_skin.metrics import GroupBootstrap, bootstrap_interval, mean_task_auc


@pytest.fixture
def case():
    """Labels, tied scores of three classes, patients of uneven size, and rows that count."""
    rng = np.random.default_rng(0)
    y, groups = rng.integers(3, size=120), rng.integers(40, size=120)
    proba = rng.dirichlet(np.ones(3), size=120).round(1) + 0.3 * np.eye(3)[y]
    proba /= proba.sum(axis=1, keepdims=True)
    return y, proba, np.array([f"p{group}" for group in groups]), rng.random(120) < 0.8


def drawn_rows(groups, n_resamples, seed):
    """Yield the rows of each draw: patients in the order of their first row, with replacement."""
    patients, rng = pd.unique(pd.Series(groups)), np.random.RandomState(seed)
    for _ in range(n_resamples):
        drawn = rng.randint(len(patients), size=len(patients))
        yield np.concatenate([np.flatnonzero(groups == patients[k]) for k in drawn])


def test_intervals_are_percentiles_over_draws_of_patients(case):
    y, proba, groups, _ = case
    right = proba.argmax(axis=1) == y
    values = [right[rows].mean() for rows in drawn_rows(groups, 60, 3)]
    expected = [right.mean(), *np.percentile(values, [5, 95])]
    options = {"n_resamples": 60, "confidence_level": 0.9, "random_state": 3}
    one = bootstrap_interval(accuracy_score, y, proba.argmax(axis=1), groups=groups, **options)
    assert_allclose([one.estimate, one.low, one.high], expected)
    assert_allclose(one.distribution, values)
    draws = GroupBootstrap(groups, **options)
    assert_allclose(draws.interval(draws.means(right)), expected)


def test_scores_of_all_draws_are_those_of_one_after_the_other(case):
    y, proba, groups, kept = case
    draws = GroupBootstrap(groups, n_resamples=40, random_state=0)
    pred, positive = proba.argmax(axis=1), y == 1
    found = zip(
        draws.means(proba[:, 1], kept),
        draws.confusion_matrices(y, pred, 3, kept),
        draws.roc_aucs(positive, proba[:, 1], kept),
    )
    for rows, (mean, table, area) in zip([range(120), *drawn_rows(groups, 40, 0)], found):
        rows = np.asarray(rows)[kept[rows]]
        assert_allclose(mean, proba[rows, 1].mean())
        assert_allclose(table, confusion_matrix(y[rows], pred[rows], labels=range(3)))
        assert_allclose(area, roc_auc_score(positive[rows], proba[rows, 1]))


def test_one_block_or_many_give_the_same(case, monkeypatch):
    y, proba, groups, kept = case
    draws = GroupBootstrap(groups, n_resamples=50, random_state=0)
    whole = draws.roc_aucs(y == 0, proba[:, 0], kept)
    monkeypatch.setattr("sklearn_skin.metrics._bootstrap._MAX_FLOATS", 1000)
    assert_allclose(draws.roc_aucs(y == 0, proba[:, 0], kept), whole)


def test_a_score_that_most_draws_lack_has_no_interval():
    draws = GroupBootstrap(range(50), n_resamples=100, random_state=0)
    first = np.arange(50) == 0
    estimate, low, high = draws.interval(draws.means(np.full(50, 0.3), first & ~first))
    assert np.isnan([estimate, low, high]).all()
    # A row is drawn in 63 % of the draws, two given rows in 40 %.
    estimate, low, high = draws.interval(draws.means(np.full(50, 0.3), first))
    assert_allclose([estimate, low, high], 0.3)
    estimate, low, high = draws.interval(draws.roc_aucs(first, np.arange(50.0), np.arange(50) < 2))
    assert_allclose(estimate, 0, atol=1e-12)
    assert np.isnan([low, high]).all()


def test_interval_of_accuracy_is_near_the_binomial_one():
    rng = np.random.default_rng(0)
    right = rng.random(400) < 0.75
    draws = GroupBootstrap(range(400), n_resamples=2000, random_state=0)
    estimate, low, high = draws.interval(draws.means(right))
    half = 1.96 * np.sqrt(estimate * (1 - estimate) / 400)
    assert_allclose([low, high], [estimate - half, estimate + half], atol=0.01)
    draws.confidence_level = 0.99
    _, lower, higher = draws.interval(draws.means(right))
    assert lower < low < high < higher


def test_groups_make_an_interval_as_wide_as_their_number_says():
    right = np.repeat(np.random.default_rng(0).random(30) < 0.7, 5)
    widths = []
    for groups in (np.repeat(np.arange(30), 5), range(150)):
        draws = GroupBootstrap(groups, random_state=0)
        _, low, high = draws.interval(draws.means(right))
        widths.append(high - low)
    # Five copies of a row hold one row's information: sqrt(5).
    assert 1.8 < widths[0] / widths[1] < 2.7


def test_groups_of_one_row_are_no_groups():
    y, pred = np.arange(40) % 2, np.arange(40) % 3 > 0
    options = {"random_state": 1, "n_resamples": 50}
    plain = bootstrap_interval(accuracy_score, y, pred, **options)
    names = [f"patient {i}" for i in range(40)]
    grouped = bootstrap_interval(accuracy_score, y, pred, groups=names, **options)
    assert_allclose(plain.distribution, grouped.distribution)


def test_interval_of_probabilities_of_several_tasks(case):
    y, proba, groups, _ = case
    frame = pd.DataFrame({"a": y, "b": y > 0})
    tables = [proba, np.column_stack([proba[:, 0], 1 - proba[:, 0]])]
    options = {"groups": groups, "n_resamples": 20, "random_state": 0}
    both = bootstrap_interval(mean_task_auc, frame, tables, **options)
    parts = [
        bootstrap_interval(mean_task_auc, frame[c], t, **options) for c, t in zip("ab", tables)
    ]
    assert_allclose(both.distribution, np.mean([part.distribution for part in parts], axis=0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": [1, 1, 1, 1]}, "at least two groups"),
        ({"groups": ["a", np.nan, "b", "b"]}, "1 are missing, of rows 1"),
        ({"groups": pd.Series([1, None, 2, 2], [*"abcd"])}, "1 are missing, of rows 'b'"),
        ({"groups": [1, 2]}, "inconsistent numbers of samples"),
        ({"n_resamples": 0}, "`n_resamples` must be an int"),
        ({"confidence_level": 95}, r"`confidence_level` must lie in \(0, 1\)"),
        ({"metric": lambda y, p: np.nan}, "defined for only 0 of"),
    ],
)
def test_bootstrap_errors(change, message):
    arguments = {"metric": accuracy_score, "y": [0, 1, 0, 1], "pred": [0, 1, 1, 1]} | change
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(**arguments)
