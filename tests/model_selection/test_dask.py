"""Folds on Dask workers, which are processes of their own and are sent no pixels."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

from sklearn_skin.ensemble import FusionM4NetClassifier

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def example():
    return runpy.run_path(str(EXAMPLES / "benchmarks" / "dask_cv.py"))


def test_scores_are_those_of_one_process_and_no_pixel_is_sent(example):
    found = example["measure"](SimpleNamespace(backbone="resnet10t", rows=48, epochs=1, rounds=1))
    assert_allclose(found["scores"]["dask"], found["scores"]["serial"], atol=0.05)
    assert 0 < found["sent"] < found["pixels"] / 4


def test_searches_and_ensembles_run_there_too(example, tmp_path):
    X, y = load_iris(return_X_y=True)
    members = [
        ("linear", LogisticRegression(max_iter=500)),
        ("tree", DecisionTreeClassifier(random_state=0)),
    ]
    fusion = FusionM4NetClassifier(members, LogisticRegression(max_iter=500), cv=2, random_state=0)
    search = GridSearchCV(fusion, {"space": ["proba", "logits"]}, cv=2)
    serial = search.fit(X, y).cv_results_["mean_test_score"]
    with example["cluster"](tmp_path, 2), parallel_config("dask", n_jobs=-1):
        there = search.fit(X, y).cv_results_["mean_test_score"]
        inside = fusion.set_params(n_jobs=2).fit(X, y)
    assert_allclose(there, serial, atol=0.05)
    assert inside.score(X, y) > 0.9
