"""What a network tells of itself beside its weights, and copies for the CPU."""

import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_skin.neural_network import (
    BaseBranchClassifier,
    JointIndividualFusionClassifier,
    MetadataClassifier,
)
from sklearn_skin.utils import weights_digest


class Restored(BaseBranchClassifier):
    """Says what it is told to say."""

    def __init__(self, network=None):
        self.network = network

    def _branches(self, X):
        self.rows_ = self.read_rows(X)
        return self.network._branches(X)


def restore(net):
    restored = Restored(net)
    # Through JSON, as in a file.
    restored.restore_fit(json.loads(json.dumps(net.describe_fit())))
    return restored


def test_a_fit_is_told_and_taken(X, y, make_net):
    net = make_net(JointIndividualFusionClassifier, max_epochs=1, branch_weights=[2, 1, 1])
    restored = restore(net.fit(X, y))
    assert_allclose(restored.predict_proba(X), net.predict_proba(X))
    assert_array_equal(restored.predict(X), net.predict(X))
    for name in ("branch_weights_", "image_columns_", "metadata_names_", "n_features_in_"):
        assert getattr(restored, name) == getattr(net, name)
    assert_array_equal(restored.feature_names_in_, net.feature_names_in_)
    assert restored.rows_.pixels([0, 1]).shape == (2, 1, 32, 32, 3)
    assert_array_equal(restored.rows_.table.metadata, X[net.metadata_names_].astype(np.float32))


@pytest.mark.parametrize(
    "labels",
    [
        ["b", "a"],
        [True, False],
        [30, 10],
        [1.0, 2.0],
        np.array([2, 1], dtype=np.int8),
        [["b", 1], ["a", 0]],
        [[1, 2], [0, 1]],
    ],
)
def test_labels_keep_their_values_and_dtype(labels):
    y = np.array(labels, dtype=object) if isinstance(labels[0], list) else np.array(labels)
    X = np.random.default_rng(0).normal(size=(12, 3))
    net = MetadataClassifier(max_epochs=1, random_state=0, device="cpu").fit(X, np.tile(y.T, 6).T)
    restored = restore(net)
    found, expected = (
        c.classes_ if isinstance(c.classes_, list) else [c.classes_] for c in (restored, net)
    )
    for a, b in zip(found, expected, strict=True):
        assert_array_equal(a, b)
        assert a.dtype == b.dtype
    assert restored.predict(X).dtype == net.predict(X).dtype
    assert not hasattr(restored, "feature_names_in_")


def test_columns_whose_names_json_does_not_have():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(8, 2)), columns=[0, 5])
    net = MetadataClassifier(max_epochs=1, random_state=0, device="cpu").fit(X, [0, 1] * 4)
    assert_allclose(restore(net).predict_proba(X), net.predict_proba(X))


def test_other_columns_are_an_error(X, y, make_net):
    restored = restore(make_net(max_epochs=1).fit(X, y))
    with pytest.raises(ValueError, match=r"X lacks the columns \['age'\]"):
        restored.predict(X.drop(columns="age"))


def test_a_copy_for_the_cpu_has_weights_of_its_own(X, y, make_net):
    net = make_net(max_epochs=1, precision="bf16").fit(X, y)
    before = weights_digest(net.module_)
    twin = net.to_cpu()
    assert (twin.precision_, twin.device, net.precision_) == ("fp32", "cpu", "bf16")
    assert_allclose(twin.predict_proba(X), net.predict_proba(X), atol=0.02)
    for parameter in twin.module_.parameters():
        parameter.data.zero_()
    assert weights_digest(net.module_) == before
    assert twin.module_ is twin.net_.module_
