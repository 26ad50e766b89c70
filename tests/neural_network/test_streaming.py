"""Pixels of files come from the cache batch by batch; only what it does not hold is kept."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from skorch.callbacks import Callback

from sklearn_skin.neural_network import ImageClassifier, ImageEmbedder
from sklearn_skin.neural_network._batches import LesionDataset
from sklearn_skin.neural_network._table import learn_columns, read_columns

SETTINGS = {"backbone": "test_resnet", "weights": None, "image_size": 32, "batch_size": 8}


def make_net(cache_dir, **settings):
    options = SETTINGS | {"max_epochs": 3, "random_state": 0, "device": "cpu"} | settings
    return ImageClassifier(cache_dir=cache_dir, **options)


def test_every_file_is_decoded_once_however_many_epochs_and_fits(table, decoded, tmp_path):
    X, y = table
    net = make_net(tmp_path / "cache").fit(X, y)
    assert sorted(decoded) == sorted(X["image"].array.cells)
    decoded.clear()
    net.fit(X, y).predict(X)
    assert not decoded
    assert_allclose(make_net(None).fit(X, y).predict_proba(X), net.predict_proba(X), atol=1e-6)


def test_making_a_data_set_reads_no_picture_and_still_misses_those_that_are_not_there(
    table, decoded, tmp_path
):
    X, _ = table
    columns = learn_columns(X, ["image"], [], None, make_net(None))
    rows = read_columns(X, columns)
    for cache in (tmp_path / "cache", None):
        dataset = LesionDataset(rows, (32, 32), cache=cache)
        assert not decoded
        dataset[3]
        # Without a cache all are read at once, and kept.
        assert len(decoded) == (1 if cache else 20)
        decoded.clear()
    X = X.assign(image=X["image"].where(X.index != 4))
    with pytest.raises(ValueError, match=r"1 rows lack an image in \['image'\]: 4"):
        LesionDataset(read_columns(X, columns), (32, 32), cache=tmp_path / "cache")
    assert not decoded


def test_the_first_batch_waits_for_its_own_files_alone(table, decoded, tmp_path):
    class Stop(Exception):
        pass

    class StopEarly(Callback):
        def on_batch_end(self, net, **kwargs):
            raise Stop

    X, y = table
    with pytest.raises(Stop):
        make_net(tmp_path / "cache", callbacks=[StopEarly()]).fit(X, y)
    assert len(decoded) == SETTINGS["batch_size"] < len(X)


@pytest.mark.parametrize("kept", [True, False])
def test_unreadable_files_that_are_tolerated_are_counted_before_the_first_epoch(
    table, decoded, kept, tmp_path
):
    X, _ = table
    for i in (3, 7):
        (tmp_path / f"{i}.png").write_bytes(b"no picture")
    X = X.assign(second=X["image"].array[::-1])
    rows = read_columns(X, learn_columns(X, ["image", "second"], [], None, make_net(None)))
    options = {"cache": tmp_path / "cache" if kept else None, "missing_ok": True}
    with pytest.warns(UserWarning, match="2 of 20 images cannot be read"):
        dataset = LesionDataset(rows, (32, 32), on_error="missing", **options)
    assert np.flatnonzero(~dataset.present[:, 0]).tolist() == [3, 7]
    assert np.flatnonzero(~dataset.present[:, 1]).tolist() == [12, 16]
    decoded.clear()
    inputs, _ = dataset.__getitems__([2, 3, 12])
    assert inputs["present"].tolist() == [[True, True], [False, True], [True, False]]
    assert not inputs["images"][1, 0].any() and inputs["images"][1, 1].any()
    assert not decoded


def test_an_embedder_streams_too(table, decoded, tmp_path):
    X, _ = table
    options = {name: SETTINGS[name] for name in ("backbone", "weights", "image_size", "batch_size")}
    embedder = ImageEmbedder(**options, cache_dir=tmp_path / "cache", random_state=0)
    first = embedder.fit_transform(X)
    assert len(decoded) == 20
    assert_allclose(embedder.transform(X), first)
    assert len(decoded) == 20
