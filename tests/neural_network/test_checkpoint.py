"""Training state on disk: whole or not at all."""

import contextlib
import json
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import make_classification
from skorch.callbacks import Callback

from sklearn_skin.exceptions import CheckpointError
from sklearn_skin.neural_network import MetadataClassifier
from sklearn_skin.neural_network._checkpoint import MANIFEST

SETTINGS = {"max_epochs": 6, "lr_schedule": "cosine", "early_stopping": True, "dropout": 0.2}


class StopAt(Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) > self.epoch:
            raise KeyboardInterrupt


def checkpoints(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_an_interrupted_fit_goes_on_to_the_same_result(X, y, make_net, tmp_path):
    whole = make_net(MetadataClassifier, **SETTINGS).fit(X, y)
    net = make_net(MetadataClassifier, checkpoint_dir=tmp_path, **SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        net.set_params(callbacks=[StopAt(3)]).fit(X, y)
    assert checkpoints(tmp_path) == ["epoch-00003.pt", MANIFEST]
    resumed = net.set_params(callbacks=None).fit(X, y)
    assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))
    losses = [row["train_loss"] for row in resumed.history_]
    assert losses == pytest.approx([row["train_loss"] for row in whole.history_])


@pytest.mark.parametrize("averaging", [{"name": "swa", "epochs": 4}, {"name": "ema", "decay": 0.9}])
@pytest.mark.parametrize("stop", [1, 4, 6])
def test_a_resumed_fit_averages_the_weights_of_all_its_epochs(
    X, y, make_net, tmp_path, averaging, stop
):
    settings = SETTINGS | {"early_stopping": False, "lr": 0.01, "averaging": averaging}
    whole = make_net(MetadataClassifier, **settings).fit(X, y)
    net = make_net(MetadataClassifier, checkpoint_dir=tmp_path, **settings)
    with contextlib.suppress(KeyboardInterrupt):
        net.set_params(callbacks=[StopAt(stop)]).fit(X, y)
    resumed = net.set_params(callbacks=None).fit(X, y)
    assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))


def test_a_finished_fit_is_not_repeated(X, y, make_net, tmp_path):
    net = make_net(MetadataClassifier, checkpoint_dir=tmp_path, **SETTINGS).fit(X, y)
    expected = net.predict_proba(X)
    again = make_net(MetadataClassifier, checkpoint_dir=tmp_path, callbacks=[StopAt(0)], **SETTINGS)
    assert_array_equal(again.fit(X, y).predict_proba(X), expected)


def test_other_data_or_settings_have_their_own_checkpoint(X, y, make_net, tmp_path):
    make_net(MetadataClassifier, checkpoint_dir=tmp_path, **SETTINGS).fit(X, y)
    make_net(MetadataClassifier, checkpoint_dir=tmp_path, **SETTINGS).fit(X[:40], y[:40])
    make_net(MetadataClassifier, checkpoint_dir=tmp_path, **SETTINGS | {"lr": 0.1}).fit(X, y)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("damage", ["cut", "missing", "manifest"])
def test_a_damaged_checkpoint_is_an_error(X, y, make_net, tmp_path, damage):
    net = make_net(MetadataClassifier, checkpoint_dir=tmp_path, **SETTINGS).fit(X, y)
    (state,) = tmp_path.rglob("*.pt")
    if damage == "cut":
        state.write_bytes(state.read_bytes()[:-100])
    elif damage == "missing":
        state.unlink()
    else:
        (state.parent / MANIFEST).write_text("{")
    with pytest.raises(CheckpointError, match=f"{MANIFEST}"):
        net.fit(X, y)


def test_a_target_that_cannot_be_written_is_an_error(X, y, make_net, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    net = make_net(MetadataClassifier, checkpoint_dir=blocked, **SETTINGS)
    with pytest.raises(CheckpointError, match="could not be written"):
        net.fit(X, y)


def test_a_full_disk_is_an_error_and_leaves_the_last_checkpoint(
    X, y, make_net, tmp_path, monkeypatch
):
    net = make_net(MetadataClassifier, checkpoint_dir=tmp_path, **SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        net.set_params(callbacks=[StopAt(2)]).fit(X, y)
    before = checkpoints(tmp_path)

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CheckpointError, match="No space left"):
        net.set_params(callbacks=None).fit(X, y)
    assert checkpoints(tmp_path) == before


KILLED = """
    import sys
    from sklearn.datasets import make_classification
    from sklearn_skin.neural_network import MetadataClassifier
    X, y = make_classification(200, random_state=0)
    MetadataClassifier(
        max_epochs=30, batch_size=20, random_state=0, checkpoint_dir=sys.argv[1], device="cpu"
    ).fit(X, y)
"""


def test_a_killed_process_leaves_a_checkpoint_that_goes_on(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)]
    process = subprocess.Popen(command)
    while not list(tmp_path.rglob(MANIFEST)):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (manifest,) = tmp_path.rglob(MANIFEST)
    state = json.loads(manifest.read_text())
    assert (manifest.parent / state["file"]).is_file() and state["epoch"] < 30
    X, y = make_classification(200, random_state=0)
    settings = {"max_epochs": 30, "batch_size": 20, "random_state": 0, "device": "cpu"}
    resumed = MetadataClassifier(**settings, checkpoint_dir=tmp_path, callbacks=[Count()])
    whole = MetadataClassifier(**settings).fit(X, y)
    assert_array_equal(resumed.fit(X, y).predict_proba(X), whole.predict_proba(X))
    assert resumed.callbacks[0].epochs == 30 - state["epoch"]


class Count(Callback):
    """Count the epochs of this process."""

    epochs = 0

    def on_epoch_end(self, net, **kwargs):
        self.epochs += 1
