"""`OnnxClassifier`: an estimator that is a file."""

import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_skin.datasets import make_lesions
from sklearn_skin.exceptions import ImageDecodeError, ModelFileError
from sklearn_skin.neural_network import JointFusionClassifier, MetadataClassifier
from sklearn_skin.persistence import OnnxClassifier, export_onnx, save_model
from sklearn_skin.persistence._archive import write_archive
from sklearn_skin.preprocessing import make_lesion_transformer

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A Pipeline that reads files, its rows, and what it is exported to."""
    folder = tmp_path_factory.mktemp("lesions")
    lesions = make_lesions(20, image_size=32, missing_rate=0.0, folder=folder, random_state=0)
    net = JointFusionClassifier(
        backbone="test_resnet", weights=None, image_size=32, max_epochs=1, cache_dir=None,
        random_state=0, device="cpu", allow_missing_images=True, on_error="missing",
    )  # fmt: skip
    X = lesions.data.assign(image=[cell.path for cell in lesions.data["image"]])
    transformer = make_lesion_transformer(
        image_columns="image", image_steps=["shades_of_gray"], imputation="neural"
    )
    model = make_pipeline(transformer, net).fit(X, lesions.target)
    export_onnx(model, X, folder / "model.zip")
    return model, X, folder / "model.zip"


START = """
import sys
import pandas as pd
from sklearn_skin.persistence import OnnxClassifier

X = pd.read_csv(sys.argv[1], index_col=0)
proba = OnnxClassifier(sys.argv[2]).predict_proba(X)
print(*sorted({"torch", "skorch", "timm", "onnx"} & set(sys.modules)), "and no more")
pd.DataFrame(proba).to_csv(sys.argv[3], index=False)
"""


def test_a_process_without_torch_predicts_the_same(trained, tmp_path):
    model, X, path = trained
    X.to_csv(tmp_path / "rows.csv")
    arguments = [tmp_path / "rows.csv", path, tmp_path / "proba.csv"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", START, *map(str, arguments)],
        check=False, capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "and no more"
    found = np.loadtxt(tmp_path / "proba.csv", delimiter=",", skiprows=1)
    assert_allclose(found, model.predict_proba(X), atol=1e-5)


def test_it_is_an_estimator(trained):
    model, X, path = trained
    exported = OnnxClassifier(path, batch_size=8)
    check_is_fitted(exported)
    assert exported.fit() is exported
    for twin in (clone(exported), pickle.loads(pickle.dumps(exported))):
        assert twin.get_params() == exported.get_params()
        assert_array_equal(twin.predict(X), model.predict(X))
    scores = cross_val_score(exported, X, model.predict(X), cv=KFold(2), error_score="raise")
    assert_allclose(scores, 1.0)
    assert not hasattr(exported, "coef_")


def test_joblib_keeps_no_more_than_the_path(trained, tmp_path):
    exported = OnnxClassifier(trained[2]).fit()
    joblib.dump(exported, tmp_path / "one.joblib")
    assert (tmp_path / "one.joblib").stat().st_size < 2000


def test_another_path_is_another_model(trained, tmp_path):
    model, X, path = trained
    exported = OnnxClassifier(path)
    assert exported.classes_.tolist() == model.classes_.tolist()
    numbers = np.random.default_rng(0).normal(size=(20, 3))
    net = MetadataClassifier(max_epochs=1, random_state=0).fit(numbers, numbers[:, 0] > 0)
    export_onnx(net, numbers, tmp_path / "other.zip")
    exported.set_params(path=tmp_path / "other.zip")
    assert exported.classes_.tolist() == [False, True]
    assert exported.n_features_in_ == 3 and not hasattr(exported, "feature_names_in_")
    assert_allclose(exported.predict_proba(numbers), net.predict_proba(numbers), atol=1e-5)
    with pytest.raises(ValueError, match="X has 2 features, but OnnxNetwork is expecting 3"):
        exported.predict(numbers[:, :2])


def test_columns_are_read_by_name(trained):
    model, X, path = trained
    exported = OnnxClassifier(path)
    shuffled = X[X.columns[::-1]].assign(extra="ignored")
    assert_allclose(exported.predict_proba(shuffled), model.predict_proba(X), atol=1e-5)
    with pytest.raises(ValueError, match="age"):
        exported.predict(X.drop(columns="age"))


def test_images_that_cannot_be_read_are_missing_as_for_the_network(trained, tmp_path):
    model, X, path = trained
    (tmp_path / "page.jpg").write_text("<html>")
    X = X.copy()
    X.loc[X.index[1], "image"] = str(tmp_path / "page.jpg")
    X.loc[X.index[2], "image"] = None
    with pytest.warns(UserWarning, match="1 of 20 images cannot be read"):
        found = OnnxClassifier(path).predict_proba(X)
    with pytest.warns(UserWarning, match="1 of 20 images cannot be read"):
        assert_allclose(found, model.predict_proba(X), atol=1e-5)
    X["image"] = str(tmp_path / "page.jpg")
    X.loc[X.index[1], "image"] = str(tmp_path / "none.jpg")
    with pytest.raises(ImageDecodeError, match="not one of the 20 images can be read"):
        OnnxClassifier(path).predict_proba(X)


def test_where_onnxruntime_is_missing_the_extra_is_named(trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r'pip install "sklearn_skin\[export\]"'):
        OnnxClassifier(trained[2]).predict(trained[1])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"batch_size": 0}, "batch_size"), ({"n_threads": 0}, "n_threads"), ({"path": 3}, "path")],
)
def test_parameters_are_checked_when_the_file_is_opened(trained, parameters, message):
    with pytest.raises(ValueError, match=f"The '{message}' parameter of OnnxClassifier"):
        OnnxClassifier(**{"path": trained[2]} | parameters).predict(trained[1])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"network.onnx": b"graph"}, "holds no model"),
        ({"about.json": b'{"format": 1}'}, "holds no model: KeyError"),
        ({"about.json": b'{"format": 2}'}, "has format 2; this version"),
        ({"about.json": b"[]"}, "must be a JSON object"),
        ({"preprocessing.skops": b"PK"}, "the part is damaged"),
    ],
)
def test_files_with_other_parts(trained, tmp_path, parts, message):
    with zipfile.ZipFile(trained[2]) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()} | parts
    write_archive(tmp_path / "bad.zip", parts)
    with pytest.raises(ModelFileError, match=message):
        OnnxClassifier(tmp_path / "bad.zip").fit()


def test_a_file_of_save_model_is_another(trained, tmp_path):
    save_model(trained[0], tmp_path / "model.skin")
    with pytest.raises(ModelFileError, match="has no part 'about.json'"):
        OnnxClassifier(tmp_path / "model.skin").fit()


def test_files_that_are_no_model(trained, tmp_path):
    path, bad = trained[2], tmp_path / "bad.zip"
    whole = path.read_bytes()
    with pytest.raises(FileNotFoundError):
        OnnxClassifier(tmp_path / "none.zip").fit()
    for content in (b"", whole[: len(whole) // 2], whole.replace(b"branches", b"brunches")):
        bad.write_bytes(content)
        with pytest.raises(ModelFileError):
            OnnxClassifier(bad).fit()
