"""The estimator of the second task: where its targets come from, and its losses."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from PIL import Image
from sklearn.base import clone

from sklearn_skin.image import as_images
from sklearn_skin.neural_network import SuperResolutionFusionClassifier
from sklearn_skin.preprocessing import ShadesOfGray


def shifted(images):
    """Enlarge images, darker."""
    return 0.5 * torch.nn.functional.interpolate(images, scale_factor=2)


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


def test_a_network_that_interpolates_is_interpolation(files, make):
    X, y, _ = files
    bilinear = make().fit(X, y)
    network = make(upsampling=torch.nn.Upsample(scale_factor=2, mode="bilinear")).fit(X, y)
    assert_allclose(network.predict_proba(X), bilinear.predict_proba(X), atol=1e-5)
    other = make(upsampling=shifted).fit(X, y)
    losses = [net.history_[0]["train_loss"] for net in (bilinear, other)]
    assert abs(losses[0] - losses[1]) > 1e-3


def test_a_network_survives_clone_and_pickle(files, make):
    X, y, _ = files
    teacher = torch.nn.Sequential(torch.nn.Conv2d(3, 12, 1), torch.nn.PixelShuffle(2))
    net = make(upsampling=teacher)
    copy = clone(net)
    assert copy.upsampling is not teacher
    expected = net.fit(X, y).predict_proba(X)
    assert net.upsampling is teacher and teacher.training
    assert_allclose(copy.fit(X, y).predict_proba(X), expected, atol=1e-6)
    back = pickle.loads(pickle.dumps(net))
    assert_allclose(back.predict_proba(X), expected, atol=1e-6)
    back.fine_tune(X, y, max_epochs=1)


def test_a_checkpoint_is_of_a_network_with_these_weights(files, make, tmp_path):
    X, y, _ = files
    net = make(upsampling=torch.nn.ConvTranspose2d(3, 3, 2, stride=2), max_epochs=1)
    net.set_params(checkpoint_dir=tmp_path).fit(X, y)
    clone(net).fit(X, y)
    assert len(list(tmp_path.iterdir())) == 1
    torch.nn.init.zeros_(net.upsampling.weight)
    net.fit(X, y)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("augment", [None, "flips"])
@pytest.mark.parametrize("steps", [None, ShadesOfGray(power=6)])
def test_a_folder_s_targets_change_the_second_task_alone(files, make, augment, steps):
    X, y, folder = files
    if steps is not None:
        X = X.assign(image=steps.fit_transform(X[["image"]])["image"])
    # Averaged, pixels that stand four times give the input that there is without them.
    for sr_weight in (0.0, 1.0):
        drawn = make(sr_weight=sr_weight, augment=augment).fit(X, y)
        given = clone(drawn).set_params(upsampling=folder).fit(X, y)
        losses = [net.history_[0]["train_loss"] for net in (drawn, given)]
        if sr_weight:
            assert abs(losses[0] - losses[1]) > 1e-3
        else:
            assert losses[1] == pytest.approx(losses[0], rel=1e-4)
            assert_allclose(given.predict_proba(X), drawn.predict_proba(X), atol=1e-4)


def test_training_on_takes_the_targets_that_are_asked_for_now(files, make):
    X, y, folder = files
    net = make(warm_start=True, max_epochs=1).fit(X, y)
    net.set_params(upsampling=str(folder)).fit(X, y)
    assert net.module_.upsampling is None
    missing = X.assign(image=as_images([None, *X["image"].iloc[1:]]))
    net.set_params(warm_start=False, allow_missing_images=True).fit(missing, y)
    assert np.isfinite(net.history_[0]["train_loss"])


def test_a_target_that_is_not_there_is_named(files, make, tmp_path):
    X, y, folder = files
    net = make(upsampling=tmp_path)
    with pytest.raises(
        ValueError, match=r"row 'r0', column 'image': .* one file .*img_0\.\*; found"
    ):
        net.fit(X, y)
    for ending in ("png", "jpg"):
        Image.new("RGB", (64, 64)).save(tmp_path / f"img_0.{ending}")
    with pytest.raises(ValueError, match=r"found \['img_0.jpg', 'img_0.png'\]"):
        net.fit(X, y)
    pictures = X.assign(image=as_images(np.zeros((16, 32, 32, 3), np.uint8)))
    with pytest.raises(ValueError, match="row 'r0', column 'image': a picture in memory has no"):
        net.fit(pictures, y)
    for wrong in ("nearest", str(folder / "img_0.bmp")):
        with pytest.raises(ValueError, match="`upsampling` must be 'bilinear', 'bicubic', a call"):
            make(upsampling=wrong).fit(X, y)


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
