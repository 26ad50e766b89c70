"""The recipes of examples/plot_calibration.py, on our estimators."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss

from sklearn_skin.metrics import risk_coverage_curve
from sklearn_skin.neural_network import MetadataClassifier

EXAMPLE = Path(__file__).parents[2] / "examples" / "plot_calibration.py"


@pytest.fixture(scope="module")
def recipe():
    pytest.importorskip("mapie")
    spec = importlib.util.spec_from_file_location("plot_calibration", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def overconfident(tiny_table):
    """A network trained for long on labels of which many are wrong, and fresh rows."""
    X, y = make_classification(
        2400, 10, n_informative=4, n_classes=3, flip_y=0.3, class_sep=1.0, random_state=0
    )
    labels = np.array(["bcc", "mel", "nv"])[y]
    net = MetadataClassifier(**tiny_table | {"max_epochs": 30, "lr": 0.01}).fit(
        X[:300], labels[:300]
    )
    return net, (X[300:1300], labels[300:1300]), (X[1300:], labels[1300:])


def calibrate(model, X, y):
    return CalibratedClassifierCV(FrozenEstimator(model), method="temperature").fit(X, y)


def test_temperature_calms_an_overconfident_network(overconfident):
    net, calibration, (X, y) = overconfident
    calibrated = calibrate(net, *calibration)
    before, after = net.predict_proba(X), calibrated.predict_proba(X)
    assert log_loss(y, after) < 0.8 * log_loss(y, before)
    right = (net.predict(X) == y).mean()
    assert abs(after.max(axis=1).mean() - right) < 0.05 < before.max(axis=1).mean() - right
    # One temperature changes how sure the network is, not what it says.
    assert (calibrated.predict(X) == net.predict(X)).all()


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_prediction_sets_hold_the_true_class_as_often_as_promised(recipe, overconfident, level):
    net, calibration, (X, y) = overconfident
    members = recipe.prediction_sets(net, *calibration, X, confidence_level=level)
    true = members[np.arange(len(y)), np.searchsorted(net.classes_, y)]
    # Three standard deviations for 1000 calibration rows and 1100 test rows.
    assert abs(true.mean() - level) < 3 * np.sqrt(level * (1 - level) * (1 / 1000 + 1 / 1100))


def test_abstaining_lowers_the_risk(overconfident):
    net, calibration, (X, y) = overconfident
    proba = calibrate(net, *calibration).predict_proba(X)
    coverage, risk, _ = risk_coverage_curve(y, proba, classes=net.classes_)
    assert_allclose(risk[-1], (net.predict(X) != y).mean())
    assert risk[np.searchsorted(coverage, 0.3)] < 0.9 * risk[-1]


def test_the_recipes_work_for_pipelines_with_images(recipe, pipeline, lesions):
    X, y = lesions.data, lesions.target.to_numpy()
    calibrated = calibrate(pipeline, X, y)
    assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)
    members = recipe.prediction_sets(calibrated, X, y, X)
    assert members.shape == (len(X), 3)
    assert members[np.arange(len(X)), np.searchsorted(calibrated.classes_, y)].mean() >= 0.9


def test_the_split_keeps_groups_whole(recipe):
    groups = np.random.RandomState(0).randint(0, 60, 300)
    parts = recipe.split(groups, [0.4, 0.2, 0.2, 0.2])
    assert sorted(np.concatenate(parts)) == list(range(300))
    seen = [set(groups[part]) for part in parts]
    assert sum(map(len, seen)) == len(set().union(*seen))
    one = recipe.one_per_group(parts[2], groups)
    assert len(one) == len(seen[2]) == len(set(groups[one]))
    assert set(one) <= set(parts[2])
