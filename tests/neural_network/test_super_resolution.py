"""The estimator of the second task: where its targets come from, and its losses."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone

from sklearn_skin.image import as_images
from sklearn_skin.neural_network import SuperResolutionFusionClassifier


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Pictures in one folder; in another the same, each pixel four times."""
    root = tmp_path_factory.mktemp("pictures")
    (root / "twice").mkdir()
    rng = np.random.RandomState(0)
    y = np.arange(16) % 2
    pixels = rng.randint(0, 120, (16, 32, 32, 3)).astype(np.uint8)
    pixels[y == 1, :, :16, 0] += 120
    for i, picture in enumerate(pixels):
        Image.fromarray(picture).save(root / f"img_{i}.png")
        twice = picture.repeat(2, axis=0).repeat(2, axis=1)
        Image.fromarray(twice).save(root / "twice" / f"img_{i}.bmp")
    paths = [root / f"img_{i}.png" for i in range(16)]
    X = pd.DataFrame({"image": as_images(paths), "age": rng.normal(size=16)})
    return X.set_axis([f"r{i}" for i in range(16)]), y, root / "twice"


@pytest.fixture
def make(make_net):
    def make(**parameters):
        return make_net(SuperResolutionFusionClassifier, **({"lr": 0.01} | parameters))

    return make


def test_the_printed_loss_with_several_tasks_and_missing_labels(files, make):
    X, y, _ = files
    targets = pd.DataFrame({"a": y.astype(object), "b": np.arange(16) % 3})
    targets.loc[:3, "a"] = None
    net = make(classification_loss="binary", class_weight="balanced", sr_weight=0.0, alpha=1.0)
    net.set_params(max_epochs=1, batch_size=16, lr=1e-12)
    weight = np.linspace(0.5, 2.0, 16)
    net.fit(X, targets, sample_weight=weight)
    assert net.net_.criterion_.cross_entropy == "binary"
    assert net.net_.criterion_.class_weights[1].shape == (3,)
    plain = clone(net).set_params(classification_loss="categorical")
    plain.fit(X, targets, sample_weight=weight)
    assert net.history_[0]["train_loss"] > plain.history_[0]["train_loss"] + 0.1
    with pytest.raises(ValueError, match="`loss` must be 'cross_entropy' with classification_loss"):
        net.set_params(loss="focal").fit(X, targets)
    assert "loss" in plain.search_ranges() and "loss" not in net.search_ranges()
