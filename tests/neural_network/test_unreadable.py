"""Images that cannot be read: an error that says what to do, or missing images."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from sklearn_skin.exceptions import ImageDecodeError
from sklearn_skin.image import as_images
from sklearn_skin.neural_network import ImageClassifier, ImageEmbedder, JointFusionClassifier

SETTINGS = {"backbone": "test_resnet", "weights": None, "image_size": 32, "max_epochs": 1}


@pytest.fixture
def table(tmp_path):
    """16 rows, of which the files of two are cut."""
    rng, paths = np.random.default_rng(0), []
    for i in range(16):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(paths[-1])
    for i in (3, 7):
        paths[i].write_bytes(paths[i].read_bytes()[:100])
    X = pd.DataFrame({"image": as_images(paths), "age": rng.normal(size=16)})
    return X, np.arange(16) % 2


def make_net(**settings):
    return JointFusionClassifier(**SETTINGS, random_state=0, cache_dir=None, **settings)


def test_by_default_they_are_an_error_that_says_what_to_do(table):  # FAILURES 10
    message = "row 3, column 'image': .*3.png(.|\n)*on_error=\"missing\".*allow_missing_images=True"
    with pytest.raises(ImageDecodeError, match=message):
        make_net().fit(*table)


def test_they_are_missing_images_where_that_is_asked_for(table):  # FAILURES 10
    X, y = table
    net = make_net(allow_missing_images=True, on_error="missing")
    with pytest.warns(UserWarning, match="2 of 16 images .* the first: row 3, (.|\n)*") as told:
        net.fit(X, y)
    assert not any("on_error" in str(warning.message) for warning in told)
    with pytest.warns(UserWarning, match="2 of 16 images cannot be read"):
        proba = net.predict_proba(X)
    gone = X.assign(image=X["image"].where(~X.index.isin([3, 7])))
    assert_allclose(net.predict_proba(gone), proba, atol=1e-6)


def test_new_rows_may_be_tolerated_after_a_strict_fit(table):
    X, y = table
    good = ~X.index.isin([3, 7])
    net = make_net(allow_missing_images=True).fit(X[good], y[good])
    # It has the stand-in: only what is missing is advised.
    with pytest.raises(ImageDecodeError, match='\\non_error="missing" takes such images'):
        net.predict(X)
    with pytest.warns(UserWarning, match="2 of 16 images cannot be read"):
        assert len(net.set_params(on_error="missing").predict(X)) == 16


def test_tolerance_needs_a_stand_in(table):
    with pytest.raises(ValueError, match="on_error='missing' needs allow_missing_images=True"):
        make_net(on_error="missing").fit(*table)


def test_rows_are_named_as_users_write_them(table):
    X, y = table
    X.loc[5, "age"] = np.nan
    with pytest.raises(ValueError, match="NaN: row 5, column 'age'"):
        make_net().fit(X, y)


@pytest.mark.parametrize("gap", ["unreadable", "missing"])
def test_an_embedder_has_nan_for_images_that_are_not_there(table, gap):
    X = table[0]
    if gap == "missing":
        X = X.assign(image=X["image"].where(~X.index.isin([3, 7])))
    options = {"backbone": "test_resnet", "weights": None, "image_size": 32, "cache_dir": None}
    embedder = ImageEmbedder(**options, random_state=0)
    with pytest.raises(ValueError, match="allow_missing_images=True") as info:
        embedder.fit_transform(X)
    assert ("on_error" in str(info.value)) == (gap == "unreadable")
    assert ("gives NaN" in str(info.value)) == (gap != "unreadable")
    embedder.set_params(allow_missing_images=True, on_error="missing")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "2 of 16 images cannot be read")
        features = embedder.fit_transform(X)
    assert np.flatnonzero(features.isna().any(axis=1)).tolist() == [3, 7]
    assert features.drop(columns="age").iloc[[3, 7]].isna().all(axis=None)
    good = X[~X.index.isin([3, 7])]
    assert_allclose(features.drop([3, 7]), embedder.transform(good), atol=1e-5)
    # Of the size that it was fitted with.
    embedder.set_params(image_size=64)
    assert_allclose(features.drop([3, 7]), embedder.transform(good), atol=1e-5)


def test_an_embedder_without_an_image_is_told(table):
    embedder = ImageEmbedder(backbone="test_resnet", weights=None)
    with pytest.raises(ValueError, match="ImageEmbedder finds no image in X, .*'age'"):
        embedder.fit(table[0][["age"]])
    with pytest.raises(ValueError, match="on_error='missing' needs allow_missing_images=True"):
        embedder.set_params(on_error="missing").fit(table[0])
    embedder.set_params(on_error="raise", image_columns=[])
    assert embedder.fit_transform(table[0][["age"]]).shape == (16, 1)
    # A table passes with texts and gaps.
    others = table[0][["age"]].assign(sex=["m", None] * 8)
    assert embedder.fit_transform(others).equals(others)
    with pytest.warns(UserWarning, match="ImageEmbedder was given an array, which holds no images"):
        embedder.set_params(image_columns="auto").fit(np.ones((3, 2)))


def test_where_every_image_is_missing_nothing_can_be_learnt(table):
    X, y = table
    X = X.assign(image=as_images([None] * len(X)))
    with pytest.raises(ValueError, match=r"no row has an image in \['image'\]"):
        make_net(allow_missing_images=True).fit(X, y)


def test_where_not_one_image_can_be_read_the_folder_is_wrong(table):
    X, y = table
    net = make_net(allow_missing_images=True, on_error="missing")
    lost = X.assign(image=as_images([f"{i}.png" for i in range(16)], root="elsewhere"))
    message = "(?s)not one of the {} images can be read; the first: row {}, .* `image_root` of "
    with pytest.raises(ImageDecodeError, match=message.format(16, 0)):
        net.fit(lost, y)
    with pytest.warns(UserWarning, match="2 of 16 images cannot be read"):
        net.fit(X, y)
    some = lost.assign(image=lost["image"].where(lost.index > 2))
    with pytest.raises(ImageDecodeError, match=message.format(13, 3)):
        net.predict(some)
    embedder = ImageEmbedder(backbone="test_resnet", weights=None, cache_dir=None)
    embedder.set_params(allow_missing_images=True, on_error="missing")
    with pytest.raises(ImageDecodeError, match=message.format(16, 0)):
        embedder.fit(X).transform(lost)
    # One image tells nothing of a folder, and images that are None are missing on purpose.
    with pytest.warns(UserWarning, match="1 of 1 images cannot be read"):
        one = net.predict_proba(lost[:1])
    gone = X.assign(image=as_images([None] * 16))
    assert_allclose(net.predict_proba(gone)[:1], one, atol=1e-6)


def test_an_unreadable_file_of_which_nothing_else_is_known_is_to_be_left_out(table):
    X, y = table
    net = ImageClassifier(**SETTINGS, cache_dir=None)
    with pytest.raises(ImageDecodeError, match="row 3(.|\n)*leave them out") as info:
        net.fit(X[["image"]], y)
    assert "on_error" not in str(info.value)


def test_rows_of_which_nothing_is_known_are_left_out(table):
    X, y = table
    X = X[["image"]].assign(image=X["image"].where(~X.index.isin([3, 7])))
    net = ImageClassifier(**SETTINGS, allow_missing_images=True, cache_dir=None)
    with pytest.raises(ValueError, match="2 rows lack an image .*: 3, 7. Nothing else is known"):
        net.fit(X, y)
