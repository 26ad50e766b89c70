import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline

from sklearn_skin.neural_network import MetadataClassifier
from sklearn_skin.neural_network._class_weights import class_weight_tensors
from sklearn_skin.utils import LabelCodec


@pytest.mark.parametrize(
    "labels",
    [["nv", "mel"], [True, False], [0, 2, 7], [-1, 1], [10, 20, 30], [1.0, 3.0], ["", "NaN"]],
)
def test_any_labels_are_encoded_and_decoded(labels):
    y = np.array(labels * 3)
    codec = LabelCodec().fit(y)
    codes = codec.transform(y)
    assert_array_equal(codec.classes_[0], np.unique(y))
    assert codes.min() == 0 and codes.max() == len(labels) - 1
    decoded = codec.decode(codes)
    assert decoded.dtype.kind == y.dtype.kind
    assert_array_equal(decoded, y)


def test_tasks_of_different_kinds_with_missing_labels():
    y = pd.DataFrame({"a": ["x", None, "z"], "b": [1.0, 0.0, np.nan], "c": [True, False, True]})
    codec = LabelCodec().fit(y)
    assert_array_equal(codec.transform(y), [[0, 1, 1], [-1, 0, 0], [1, -1, 1]])
    shown = codec.public(codec.classes_)
    assert [c.tolist() for c in shown] == [["x", "z"], [0.0, 1.0], [False, True]]
    assert codec.decode(np.zeros((1, 3), int)).tolist() == [["x", 0.0, False]]
    proba = [np.array([[0.9, 0.1]]), np.array([[0.2, 0.8]]), np.array([[0.4, 0.6]])]
    assert codec.most_probable(proba).tolist() == [["x", 1.0, True]]


def test_one_task_is_shown_as_an_array():
    codec = LabelCodec().fit(["nevus", "melanoma"])
    assert codec.public(codec.classes_).tolist() == ["melanoma", "nevus"]
    assert codec.most_probable([np.array([[0.3, 0.7]])]).tolist() == ["nevus"]


def test_a_task_without_labels_is_an_error():
    with pytest.raises(ValueError, match="no label in task 1"):
        LabelCodec().fit(pd.DataFrame({"a": ["x", "y"], "b": [None, None]}))


def test_given_classes_keep_absent_ones_and_say_so():
    with pytest.warns(UserWarning, match=r"no row has the class \['c'\]"):
        codec = LabelCodec(["c", "a", "b"]).fit(["a", "b"])
    assert codec.classes_[0].tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match=r"`classes` lacks: \['z'\]"):
        LabelCodec(["a", "b"]).fit(["a", "z"])


def test_unknown_labels_are_named():
    codec = LabelCodec().fit(["a", "b"])
    with pytest.raises(ValueError, match=r"y_val has labels .*\['q'\]; known are \['a', 'b'\]"):
        codec.transform(["a", "q"], "y_val")


def test_balanced_weights_are_n_over_c_times_count():
    y = np.array(["a"] * 6 + ["b"] * 3 + ["c"])
    codec = LabelCodec().fit(y)
    (weights,) = class_weight_tensors("balanced", codec.transform(y), codec)
    assert_allclose(weights, 10 / (3 * np.array([6, 3, 1])), rtol=1e-6)
    (weights,) = class_weight_tensors({"b": 5.0}, codec.transform(y), codec)
    assert weights.tolist() == [1.0, 5.0, 1.0]
    with pytest.raises(ValueError, match=r"unknown classes \['q'\]"):
        class_weight_tensors({"q": 1.0}, codec.transform(y), codec)


def test_nan_beside_texts_in_a_list_is_missing_not_a_class():
    y = [["a", "x"], ["b", np.nan], ["a", "y"]]
    codec = LabelCodec().fit(y)
    assert codec.public(codec.classes_)[1].tolist() == ["x", "y"]
    assert codec.transform(y)[1, 1] == -1


def test_networks_are_told_of_classes_that_rows_lack():
    codec = LabelCodec().fit(["a", "b", "c"])
    whole, lacking = (make_pipeline(MetadataClassifier()) for _ in range(2))
    codec.name_absent(whole, ["a", "b", "c"])
    codec.name_absent(lacking, ["a", "b", "b"])
    assert whole[-1].classes is None
    assert lacking[-1].classes.tolist() == ["a", "b", "c"]


def test_absent_classes_of_some_tasks_are_named_for_all():
    y = pd.DataFrame({"label": ["a", "b", "c"], "crust": [0.0, 1.0, np.nan]})
    network = MetadataClassifier()
    LabelCodec().fit(y).name_absent(network, y.iloc[1:])
    assert [classes.tolist() for classes in network.classes] == [["a", "b", "c"], [0.0, 1.0]]


def test_classes_that_the_user_gave_stay():
    network = MetadataClassifier(classes=["a", "b", "c", "d"])
    LabelCodec().fit(["a", "b", "c"]).name_absent(network, ["a", "b"])
    assert network.classes == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (pd.Series(["a", "b", None] * 4), ["a", "b"]),
        (pd.Series(["a", "b", np.nan] * 4, dtype="str"), ["a", "b"]),
        (pd.Series(["a", "b", None] * 4, dtype="category"), ["a", "b"]),
        (np.array([0.0, 1.0, np.nan] * 4), [0.0, 1.0]),
        (pd.Series([0, 1, pd.NA] * 4, dtype="Int64"), [0, 1]),
        (pd.Series([True, False, None] * 4, dtype="boolean"), [False, True]),
    ],
)
def test_gaps_of_one_task_are_gaps_whatever_the_dtype(y, classes):
    codec = LabelCodec().fit(y)
    assert codec.classes_[0].tolist() == classes
    assert (codec.transform(y)[2::3] == -1).all() and (codec.transform(y)[:2] >= 0).all()


def test_an_infinite_label_is_no_gap():
    with pytest.raises(ValueError, match="infinity"):
        LabelCodec().fit(np.array([0.0, 1.0, np.inf]))
