"""Scores of all draws at once are those of one draw after the other."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    roc_auc_score,
)

from sklearn_skin.metrics import bootstrap_interval, mean_task_auc, specificity_score
from sklearn_skin.reporting._cases import Task
from sklearn_skin.reporting._draws import GroupDraws
from sklearn_skin.reporting._predictions import Prediction
from sklearn_skin.reporting._scores import task_scores


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    y, groups = rng.integers(3, size=120), rng.integers(40, size=120)
    proba = rng.dirichlet(np.ones(3), size=120).round(1) + 1e-3 * np.eye(3)[y]
    proba /= proba.sum(axis=1, keepdims=True)
    return y, proba, groups


def scores_of(y, proba, draws, rows=None):
    task = Task("t", np.arange(proba.shape[1]), y)
    rows = np.ones(len(y), bool) if rows is None else rows
    return task_scores(draws, task, Prediction(proba.argmax(1), proba, proba), rows)


@pytest.mark.parametrize(
    ("name", "metric", "of_labels"),
    [
        ("Accuracy", accuracy_score, True),
        ("Balanced accuracy", balanced_accuracy_score, True),
        ("AUC", mean_task_auc, False),
    ],
)
def test_intervals_are_those_of_bootstrap_interval(case, name, metric, of_labels):
    y, proba, groups = case
    draws = GroupDraws(groups, 60, 0.9, 3)
    found = draws.interval(scores_of(y, proba, draws)[name])
    pred = proba.argmax(axis=1) if of_labels else proba
    expected = bootstrap_interval(
        metric, y, pred, groups=groups, n_resamples=60, confidence_level=0.9, random_state=3
    )
    assert_allclose(found, [expected.estimate, expected.low, expected.high], rtol=1e-6)


def test_estimates_are_those_of_scikit_learn(case):
    y, proba, groups = case
    found = {k: v[0] for k, v in scores_of(y, proba, GroupDraws(groups, 2, 0.9, 0)).items()}
    pred = proba.argmax(axis=1)
    assert found["Macro F1"] == pytest.approx(f1_score(y, pred, average="macro"))
    assert found["Mean specificity"] == pytest.approx(specificity_score(y, pred, average="macro"))
    assert found["Brier score"] == pytest.approx(brier_score_loss(y, proba), rel=1e-5)
    assert found["AUC"] == pytest.approx(
        roc_auc_score(y, proba, multi_class="ovr", average="macro")
    )


def test_the_brier_score_of_two_classes_is_that_of_the_second():
    y, proba = np.array([0, 1, 1, 0]), np.array([0.2, 0.7, 0.4, 0.6])
    draws = GroupDraws(np.arange(4), 2, 0.9, 0)
    found = scores_of(y, np.column_stack([1 - proba, proba]), draws)["Brier score"][0]
    assert found == pytest.approx(brier_score_loss(y, proba), rel=1e-5)


def test_rows_that_do_not_count_change_nothing(case):
    y, proba, groups = case
    draws = GroupDraws(groups, 20, 0.9, 0)
    rows = np.arange(len(y)) < 80
    first = scores_of(y, proba, draws, rows)
    y, proba = y.copy(), proba.copy()
    y[80:], proba[80:] = 0, [0.2, 0.3, 0.5]
    second = scores_of(y, proba, draws, rows)
    for name in first:
        assert_allclose(first[name], second[name])


def test_a_score_that_most_draws_lack_has_no_interval():
    draws = GroupDraws(np.arange(50), 100, 0.95, 0)
    rows = np.arange(50) == 0
    interval = draws.interval(draws.areas(rows, np.arange(50.0), rows))
    assert np.isnan(interval).all()


def test_one_block_or_many_give_the_same(case, monkeypatch):
    y, proba, groups = case
    draws = GroupDraws(groups, 50, 0.9, 0)
    whole = scores_of(y, proba, draws)
    monkeypatch.setattr("sklearn_skin.reporting._draws._ELEMENTS", 1000)
    for name, values in scores_of(y, proba, draws).items():
        assert_allclose(values, whole[name])
