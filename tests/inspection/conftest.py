import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.pipeline import make_pipeline
from small_networks import OwnClassifier, SmallClassifier

from sklearn_skin.datasets import make_lesions
from sklearn_skin.image import ImageArray
from sklearn_skin.neural_network import JointFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

TINY = {
    "backbone": "test_resnet",
    "weights": None,
    "image_size": 64,
    "max_epochs": 2,
    "batch_size": 16,
    "cache_dir": None,
    "random_state": 0,
    "device": "cpu",
}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def tiny():
    return TINY


@pytest.fixture(scope="session")
def tiny_table():
    """Settings of a network without images."""
    return {name: TINY[name] for name in ("max_epochs", "batch_size", "random_state", "device")}


@pytest.fixture(scope="session")
def lesions():
    return make_lesions(40, image_size=64, random_state=0)


@pytest.fixture(scope="session")
def pipeline(lesions):
    """A fitted Pipeline with modality dropout, so with learned tokens."""
    net = JointFusionClassifier(
        **TINY, modality_dropout=0.2, allow_missing_images=True, metadata_hidden=(16,)
    )
    return make_pipeline(make_lesion_transformer(), net).fit(lesions.data, lesions.target)


@pytest.fixture(scope="session")
def own_net():
    def make(make_module, X, y, **options):
        images = "auto" if any(dtype == "image" for dtype in X.dtypes) else []
        options = TINY | {"image_columns": images} | options
        return OwnClassifier(make=make_module, **options).fit(X, y)

    return make


@pytest.fixture(scope="session")
def corner():
    """Noisy pictures with green spots in three corners; a blue one in the fourth is the class."""
    rng = np.random.RandomState(0)
    y = np.arange(80) % 2
    pixels = rng.randint(90, 150, (80, 32, 32, 3))
    for top, left in ((1, 23), (23, 1), (23, 23)):
        pixels[:, top : top + 8, left : left + 8, 1] = 250
    pixels[y == 1, 1:9, 1:9, 2] = 250
    cells = np.empty(80, dtype=object)
    cells[:] = list(pixels.astype(np.uint8))
    return pd.DataFrame({"image": ImageArray(cells)}), np.array(["none", "corner"])[y]


@pytest.fixture(scope="session")
def corner_net(corner):
    settings = TINY | {"image_size": 32, "max_epochs": 20, "lr": 0.01}
    return SmallClassifier(**settings).fit(*corner)


@pytest.fixture(scope="session")
def state_of():
    """Everything of a network that an explanation must leave alone."""

    def read(module):
        parts = list(module.modules())
        return {
            "weights": {k: v.clone() for k, v in module.state_dict().items()},
            "training": [part.training for part in parts],
            "trained": [p.requires_grad for p in module.parameters()],
            "gradients": [p.grad for p in module.parameters()],
            "hooks": [len(part._forward_hooks) + len(part._forward_pre_hooks) for part in parts],
            "attributes": [sorted(part.__dict__) for part in parts],
            "missing": [getattr(part, "allow_missing_images", None) for part in parts],
        }

    return read


@pytest.fixture(scope="session")
def assert_same_state():
    def check(before, after):
        weights = before.pop("weights"), after.pop("weights")
        assert weights[0].keys() == weights[1].keys()
        for name, value in weights[0].items():
            assert torch.equal(value, weights[1][name])
        gradients = before.pop("gradients"), after.pop("gradients")
        assert all(a is b for a, b in zip(*gradients))
        assert before == after

    return check
