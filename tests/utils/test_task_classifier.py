"""What one mixin gives every classifier of tasks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator

from sklearn_skin.utils import LabelCodec, TaskClassifierMixin


class Known(TaskClassifierMixin, BaseEstimator):
    """Gives the tables that it was made with."""

    def __init__(self, tables=()):
        self.tables = tables

    def fit(self, X, y):
        self._codec = LabelCodec().fit(y)
        return self

    def _task_probabilities(self, X):
        return list(self.tables)


FIRST = np.array([[0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])
SECOND = np.array([[0.1, 0.3, 0.6], [0.5, 0.2, 0.3], [0.3, 0.4, 0.3]])


def test_one_task_gives_arrays():
    model = Known([FIRST]).fit(None, ["a", "b", "a"])
    assert_array_equal(model.predict(None), ["b", "a", "b"])
    assert_array_equal(model.predict_proba(None), FIRST)
    assert_allclose(model.score(None, ["b", "b", "b"]), 2 / 3)
    assert_allclose(model.score(None, ["b", "b", "b"], sample_weight=[1, 2, 1]), 0.5)


def test_several_tasks_give_lists_and_the_mean_over_known_labels():
    y = np.array([["a", 0], ["b", 1], ["a", 2]], dtype=object)
    model = Known([FIRST, SECOND]).fit(None, y)
    assert model.predict(None).tolist() == [["b", 2], ["a", 0], ["b", 1]]
    for ours, table in zip(model.predict_proba(None), [FIRST, SECOND]):
        assert_array_equal(ours, table)
    truth = np.array([["b", None], ["b", 0], [None, 2]], dtype=object)
    assert_allclose(model.score(None, truth), (1 / 2 + 1 / 2) / 2)


def test_an_unknown_number_of_tasks_is_named():
    model = Known([FIRST]).fit(None, ["a", "b", "a"])
    with pytest.raises(ValueError, match="`y_pred` has 1 tasks, `y_true` has 2"):
        model.score(None, [["a", 0], ["b", 1], ["a", 0]])


def test_logarithms_are_those_of_the_probabilities():
    one = Known([FIRST]).fit(None, ["a", "b", "a"])
    assert_allclose(one.predict_log_proba(None), np.log(FIRST))
    y = np.array([["a", 0], ["b", 1], ["a", 2]], dtype=object)
    for ours, table in zip(
        Known([FIRST, SECOND]).fit(None, y).predict_log_proba(None), [FIRST, SECOND]
    ):
        assert_allclose(ours, np.log(table))
    sure = Known([np.array([[1.0, 0.0]])]).fit(None, ["a", "b"])
    assert sure.predict_log_proba(None).tolist() == [[0.0, -np.inf]]
