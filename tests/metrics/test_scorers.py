"""Scorers say what their metric says of the estimator's answers, fold by fold."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import metrics as sklearn_metrics
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.tree import DecisionTreeClassifier

from sklearn_skin import metrics
from sklearn_skin.metrics import SCORERS, mean_task_auc

TASK_SCORERS = {name: scorer for name, scorer in SCORERS.items() if "task" in name}


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3))
    y = np.column_stack([X[:, 0] > 0, np.digitize(X[:, 1], [-0.5, 0.5])]).astype(int)
    return X, y


def answer_and_score(name, model, X, y):
    """Return what the metric of that name says of a fitted model."""
    if name == "mean_task_auc":
        return mean_task_auc(y, model.predict_proba(X), classes=model.classes_)
    if name == "sensitivity_macro":
        return sklearn_metrics.recall_score(y, model.predict(X), average="macro")
    if name == "specificity_macro":
        return metrics.specificity_score(y, model.predict(X), average="macro")
    return getattr(metrics, name)(y, model.predict(X))


def check_folds(name, model, X, y):
    folds = list(KFold(3).split(X))
    expected = [
        answer_and_score(name, model.fit(X[train], y[train]), X[test], y[test])
        for train, test in folds
    ]
    found = cross_val_score(model, X, y, scoring=SCORERS[name], cv=folds, error_score="raise")
    assert_allclose(found, expected)
    assert len(np.unique(found)) > 1


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_scorers_of_one_task_are_their_metrics(data, name):
    X, y = data
    check_folds(name, LogisticRegression(), X, np.array(["nevus", "melanoma", "bcc"])[y[:, 1]])


@pytest.mark.parametrize("name", sorted(TASK_SCORERS))
def test_scorers_of_several_tasks_are_their_metrics(data, name):
    check_folds(name, DecisionTreeClassifier(max_depth=2, random_state=0), *data)


def test_scorers_work_together_in_a_grid_search(data):
    search = GridSearchCV(
        DecisionTreeClassifier(random_state=0),
        {"max_depth": [1, 4]},
        scoring=TASK_SCORERS,
        refit="mean_task_auc",
        cv=KFold(2),
        error_score="raise",
    ).fit(*data)
    assert search.best_params_ == {"max_depth": 4}


def test_a_fold_may_lack_a_class(data):
    X, y = data
    model, rows = LogisticRegression().fit(X, y[:, 1]), y[:, 1] < 2
    with pytest.warns(UndefinedMetricWarning, match="not defined for 2"):
        found = SCORERS["mean_task_auc"](model, X[rows], y[rows, 1])
    proba = model.predict_proba(X[rows])
    areas = [sklearn_metrics.roc_auc_score(y[rows, 1] == k, proba[:, k]) for k in (0, 1)]
    assert_allclose(found, np.mean(areas))


def test_scorers_leave_out_missing_labels(data):
    X, y = data
    tree, holes = DecisionTreeClassifier(max_depth=1, random_state=0).fit(X, y), y.astype(float)
    holes[::2, 0] = np.nan
    right = tree.predict(X) == y
    expected = (right[1::2, 0].mean() + right[:, 1].mean()) / 2
    assert_allclose(SCORERS["mean_task_accuracy"](tree, X, holes), expected)


def test_a_constant_model_is_scored_at_chance(data):
    X, y = data
    scores = cross_val_score(DummyClassifier(), X, y[:, 0], scoring=SCORERS["mean_task_auc"], cv=3)
    assert_allclose(scores, 0.5)
