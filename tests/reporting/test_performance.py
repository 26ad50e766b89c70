"""Scores of the report against scikit-learn and the package's own metrics."""

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

from sklearn_skin.metrics import (
    GroupBootstrap,
    bootstrap_interval,
    mean_task_auc,
    specificity_score,
)
from sklearn_skin.reporting._cases import Prediction, Task
from sklearn_skin.reporting._performance import task_scores


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    y, groups = rng.integers(3, size=120), rng.integers(40, size=120)
    proba = rng.dirichlet(np.ones(3), size=120).round(1) + 1e-3 * np.eye(3)[y]
    proba /= proba.sum(axis=1, keepdims=True)
    return y, proba, groups


def scores_of(y, proba, draws):
    task = Task("t", np.arange(proba.shape[1]), y)
    return task_scores(draws, task, Prediction(proba.argmax(1), proba, proba))


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
    options = {"n_resamples": 30, "confidence_level": 0.9, "random_state": 3}
    draws = GroupBootstrap(groups, **options)
    found = draws.interval(scores_of(y, proba, draws)[name])
    pred = proba.argmax(axis=1) if of_labels else proba
    expected = bootstrap_interval(metric, y, pred, groups=groups, **options)
    assert_allclose(found, [expected.estimate, expected.low, expected.high], rtol=1e-6)


def test_estimates_are_those_of_scikit_learn(case):
    y, proba, groups = case
    draws = GroupBootstrap(groups, n_resamples=2)
    found = {name: values[0] for name, values in scores_of(y, proba, draws).items()}
    pred = proba.argmax(axis=1)
    assert_allclose(found["Macro F1"], f1_score(y, pred, average="macro"))
    assert_allclose(found["Mean specificity"], specificity_score(y, pred, average="macro"))
    assert_allclose(found["Brier score"], brier_score_loss(y, proba))
    assert_allclose(found["AUC"], roc_auc_score(y, proba, multi_class="ovr", average="macro"))


def test_the_brier_score_of_two_classes_is_that_of_the_second():
    y, proba = np.array([0, 1, 1, 0]), np.array([0.2, 0.7, 0.4, 0.6])
    draws = GroupBootstrap(range(4), n_resamples=2)
    found = scores_of(y, np.column_stack([1 - proba, proba]), draws)["Brier score"][0]
    assert_allclose(found, brier_score_loss(y, proba))


def test_rows_without_a_label_change_nothing(case):
    y, proba, groups = case
    draws = GroupBootstrap(groups, n_resamples=20, random_state=0)
    y, other = np.where(np.arange(120) < 80, y, -1), proba.copy()
    other[80:] = [0.2, 0.3, 0.5]
    first, second = scores_of(y, proba, draws), scores_of(y, other, draws)
    for name in first:
        assert_allclose(first[name], second[name])
        assert np.isfinite(first[name]).all()
