"""Fitted networks are read by processes that have made none."""

import subprocess
import sys

import joblib
import pytest
from numpy.testing import assert_allclose
from sklearn.pipeline import make_pipeline

from sklearn_skin.datasets import make_lesions
from sklearn_skin.neural_network import JointFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

SETTINGS = {"backbone": "test_resnet", "weights": None, "image_size": 32, "max_epochs": 1}
START = f"""
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn_skin.datasets import make_lesions
from sklearn_skin.ensemble import FusionM4NetClassifier
from sklearn_skin.neural_network import JointFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

lesions = make_lesions(40, random_state=0)
network = JointFusionClassifier(**{SETTINGS})
"""
FITS = {
    "cross_validate": """
model = make_pipeline(make_lesion_transformer(), network)
result = cross_validate(model, lesions.data, lesions.target, cv=2, n_jobs=2, return_estimator=True)
assert len(result["estimator"][1].predict(lesions.data)) == len(lesions.data)
""",
    "FusionM4Net": """
model = make_pipeline(make_lesion_transformer(), FusionM4NetClassifier(network, cv=2, n_jobs=2))
assert len(model.fit(lesions.data, lesions.target).predict(lesions.data)) == len(lesions.data)
""",
}


def run(code, *arguments):
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", code, *arguments],
                           check=False, capture_output=True, text=True)  # fmt: skip
    assert found.returncode == 0, found.stderr


def test_a_saved_model_predicts_the_same(tmp_path):
    lesions = make_lesions(40, random_state=0)
    model = make_pipeline(make_lesion_transformer(), JointFusionClassifier(**SETTINGS))
    model.fit(lesions.data, lesions.target)
    joblib.dump((model, lesions.data), tmp_path / "model.joblib")
    code = """
import sys, joblib
model, X = joblib.load(sys.argv[1])
joblib.dump(model.predict_proba(X), sys.argv[2])
"""
    run(code, tmp_path / "model.joblib", tmp_path / "proba.joblib")
    found = joblib.load(tmp_path / "proba.joblib")
    assert_allclose(found, model.predict_proba(lesions.data), atol=1e-5)


@pytest.mark.parametrize("fit", FITS)
def test_networks_come_back_from_worker_processes(fit):
    run(START + FITS[fit])
