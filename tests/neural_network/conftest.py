import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sklearn_skin.datasets import make_lesions
from sklearn_skin.image import as_images
from sklearn_skin.neural_network import JointFusionClassifier, LesionNetClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

TINY = {
    "backbone": "test_resnet",
    "weights": None,
    "image_size": 32,
    "max_epochs": 2,
    "batch_size": 16,
    "cache_dir": None,
    "random_state": 0,
    "device": "cpu",
}


@pytest.fixture(scope="session")
def bunch():
    return make_lesions(48, image_size=32, images_per_lesion=2, random_state=0)


@pytest.fixture(scope="session")
def X(bunch):
    return make_lesion_transformer().fit_transform(bunch.data)


@pytest.fixture(scope="session")
def y(bunch):
    return bunch.target


@pytest.fixture
def make_net():
    def make(cls=JointFusionClassifier, **parameters):
        known = cls().get_params()
        settings = {name: value for name, value in TINY.items() if name in known} | parameters
        if cls is LesionNetClassifier:
            # Its own CNN is all that it has.
            del settings["backbone"]
        return cls(**settings)

    return make


@pytest.fixture
def table(tmp_path):
    """Twenty files of noise, and two classes."""
    rng, paths = np.random.default_rng(0), []
    for i in range(20):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(paths[-1])
    return pd.DataFrame({"image": as_images(paths)}), np.arange(20) % 2
