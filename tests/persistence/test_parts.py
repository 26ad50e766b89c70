"""Parts without networks: to bytes and back, without pickle and without torch."""

import importlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC
from user_types import Doubler, halve

from sklearn_skin.datasets import make_lesions
from sklearn_skin.exceptions import ModelFileError
from sklearn_skin.persistence._parts import dump_part, load_part
from sklearn_skin.persistence._trusted import TRUSTED
from sklearn_skin.preprocessing import make_lesion_transformer
from sklearn_skin.utils import LabelCodec


@pytest.fixture(scope="module")
def lesions():
    return make_lesions(60, image_size=32, random_state=0)


TRANSFORMERS = {
    "simple": {},
    "indicator": {"add_indicator": True},
    "neural": {"imputation": "neural", "random_state": 0},
    "missing": {
        "imputation": "neural",
        "categorical_imputation": "missing",
        "add_indicator": True,
        "random_state": 0,
    },
    "imputer": {"imputation": SimpleImputer(strategy="most_frequent")},
    "images": {"image_steps": ["remove_hair", "clahe", "shades_of_gray", "center_crop", "resize"]},
}


@pytest.mark.parametrize("options", TRANSFORMERS.values(), ids=TRANSFORMERS)
def test_a_transformer_gives_the_same_table(lesions, options):
    transformer = make_lesion_transformer(**options).fit(lesions.data)
    loaded = load_part(dump_part(transformer))
    pd.testing.assert_frame_equal(
        loaded.transform(lesions.data), transformer.transform(lesions.data)
    )


def test_groups_are_handed_on(lesions):
    data = lesions.data.assign(patient=lesions.groups)
    transformer = make_lesion_transformer(group_column="patient").fit(data)
    loaded = load_part(dump_part(transformer))
    pd.testing.assert_frame_equal(loaded.transform(data), transformer.transform(data))


def test_a_loaded_transformer_can_be_fitted_and_cloned(lesions):
    loaded = load_part(dump_part(make_lesion_transformer()))
    expected = make_lesion_transformer().fit_transform(lesions.data)
    pd.testing.assert_frame_equal(loaded.fit_transform(lesions.data), expected)


def test_the_dumped_estimator_stays_as_it_was(lesions):
    transformer = make_lesion_transformer().fit(lesions.data)
    request = transformer.named_transformers_["numeric"]["scale"]._metadata_request
    dump_part(transformer)
    assert transformer.named_transformers_["numeric"]["scale"]._metadata_request is request


def test_requests_of_metadata_come_back(lesions):
    scaler = make_lesion_transformer().fit(lesions.data).named_transformers_["numeric"]["scale"]
    loaded = load_part(dump_part(scaler))
    assert loaded._metadata_request.fit.requests == {"sample_weight": False}
    assert loaded._metadata_request.owner is loaded


CLASSIFIERS = [
    LogisticRegression(),
    SVC(),
    MLPClassifier(max_iter=5),
    CalibratedClassifierCV(LogisticRegression(), cv=2),
    VotingClassifier([("a", LogisticRegression()), ("b", SVC())]),
    StackingClassifier([("a", LogisticRegression()), ("b", SVC())], cv=2),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=lambda c: type(c).__name__)
def test_a_classifier_predicts_the_same(lesions, classifier):
    X = make_lesion_transformer(image_columns=[]).fit_transform(lesions.data.drop(columns="image"))
    classifier.fit(X, lesions.target)
    loaded = load_part(dump_part(classifier))
    for name in ("predict", "predict_proba", "decision_function"):
        if hasattr(classifier, name):
            # Bit for bit: the numbers are the same, and so is what is done with them.
            assert_array_equal(getattr(loaded, name)(X), getattr(classifier, name)(X))


@pytest.mark.parametrize(
    "labels",
    [["b", "a", "b"], [3, 1, 3], [True, False, True], pd.DataFrame({"x": ["b", "a"], "y": [1, 2]})],
    ids=["texts", "numbers", "booleans", "tasks"],
)
def test_a_codec_decodes_the_same(labels):
    codec = LabelCodec().fit(labels)
    loaded = load_part(dump_part(codec))
    assert loaded.multi_task == codec.multi_task
    for found, expected in zip(loaded.classes_, codec.classes_):
        assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


@pytest.mark.parametrize("keys", [[True, False], [1.5, 2.5], [None, "a"], [("a", 1)], [1, 2]])
def test_dicts_keep_their_keys(keys):
    loaded = load_part(dump_part(dict.fromkeys(keys, "value")))
    assert list(loaded) == keys
    assert [type(key) for key in loaded] == [type(key) for key in keys]


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.0, 1e-320, 0.1 + 0.2])
def test_numbers_keep_their_bits(value):
    loaded = load_part(dump_part({"number": value, "array": np.array([value, None], dtype=object)}))
    assert np.float64(loaded["number"]).tobytes() == np.float64(value).tobytes()
    assert np.float64(loaded["array"][0]).tobytes() == np.float64(value).tobytes()


def test_what_stands_twice_is_one_object():
    scaler = SimpleImputer()
    loaded = load_part(dump_part([scaler, {"again": scaler}]))
    assert loaded[0] is loaded[1]["again"]


def test_a_lambda_is_an_error_that_names_it():
    with pytest.raises(TypeError, match="`func` is <function"):
        dump_part(FunctionTransformer(lambda X: X))


def test_functions_are_loaded_only_where_they_are_trusted():
    data = dump_part(FunctionTransformer(halve))
    with pytest.raises(ModelFileError, match=r"not trusted: \['user_types.halve'\]"):
        load_part(data)
    assert load_part(data, trusted=[halve]).transform(np.array([[4.0]])) == 2


def test_types_of_the_user_are_named_in_trusted():
    data = dump_part(RandomForestClassifier())
    assert isinstance(load_part(data), RandomForestClassifier)
    data = dump_part(Doubler())
    with pytest.raises(ModelFileError, match=r"trusted=\['user_types.Doubler'\]"):
        load_part(data)
    for trusted in ("user_types.Doubler", Doubler):
        assert isinstance(load_part(data, trusted=[trusted]), Doubler)


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"\x80\x04N."], ids=["empty", "cut", "pickle"]
)
def test_other_bytes_are_refused(data):
    with pytest.raises(ModelFileError, match="damaged"):
        load_part(data)


@pytest.mark.parametrize("name", TRUSTED)
def test_trusted_types_only_set_attributes(name):
    if name == "numpy.dtype":
        return
    module, _, attribute = name.rpartition(".")
    found = getattr(importlib.import_module(module), attribute)
    if not isinstance(found, type):
        assert name.endswith(".encoded_name")
        return
    # Those of scikit-learn, dict and tuple are known; nothing else may run while a file is read.
    known = {"builtins", "sklearn.base", "sklearn.utils._bunch"}
    for method in ("__new__", "__setstate__", "__reduce__", "__reduce_ex__"):
        owner = next((c for c in found.__mro__ if method in vars(c)), object)
        assert owner.__module__ in known or issubclass(found, tuple), method


def test_no_torch_is_needed(lesions, tmp_path):
    table = lesions.data.drop(columns="image")
    (tmp_path / "part").write_bytes(dump_part(make_lesion_transformer().fit(table)))
    table.to_csv(tmp_path / "table.csv")
    code = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NoTorch())  # as where it is not installed
from pathlib import Path
import pandas as pd
from sklearn_skin.persistence._parts import load_part
folder = Path(sys.argv[1])
transformer = load_part((folder / "part").read_bytes())
print(*transformer.transform(pd.read_csv(folder / "table.csv", index_col=0)).shape)
"""
    command = [sys.executable, "-c", code, tmp_path]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert found.stdout.split()[0] == "60"
