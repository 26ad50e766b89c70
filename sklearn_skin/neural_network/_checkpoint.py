"""Training state on disk: whole or not at all, and never executable."""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from skorch.callbacks import Callback, EarlyStopping, LRScheduler, PassthroughScoring

from sklearn_skin.exceptions import CheckpointError
from sklearn_skin.neural_network._callbacks import WeightAveraging
from sklearn_skin.neural_network._distributed import from_all, on_first
from sklearn_skin.utils import replacing

MANIFEST = "manifest.json"


class TrainingCheckpoint(Callback):
    """Write the state of training after every epoch, and go on from the last one.

    A checkpoint is one file of tensors, written aside, synced and then named in a manifest
    together with its hash; the manifest is replaced in one step. Whatever moment a process
    dies at, the manifest names a complete file.

    Parameters
    ----------
    directory : path-like
        Where checkpoints go; made if it is not there.
    fingerprint : str
        Hash of the settings and the data. A checkpoint with another one is refused.
    """

    def __init__(self, directory, fingerprint):
        self.directory = directory
        self.fingerprint = fingerprint

    def on_train_begin(self, net, **kwargs):
        """Continue from the checkpoint in the directory, if there is one."""
        state = on_first(net.ranks, lambda: read_checkpoint(self.directory, self.fingerprint))
        if state is not None:
            _restore(net, state)

    def on_epoch_end(self, net, **kwargs):
        """Write this epoch's state."""
        # Dropout and augmentation draw from them: a resumed fit goes on with the same draws.
        draws = from_all(net.ranks, _draws())
        where = (self.directory, self.fingerprint)
        on_first(net.ranks, lambda: write_checkpoint(*where, _collect(net) | {"draws": draws}))


def finished_epochs(directory, fingerprint):
    """Return how many epochs the checkpoint in `directory` has done, 0 without one."""
    manifest = _read_manifest(Path(directory), fingerprint)
    return 0 if manifest is None else manifest["epoch"]


def write_checkpoint(directory, fingerprint, state):
    """Write `state` so that the directory holds either it or what was there before."""
    directory = Path(directory)
    epoch = len(state["history"])
    target = directory / f"epoch-{epoch:05d}.pt"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with replacing(target) as file:
            torch.save(state, file)
        manifest = {"file": target.name, "blake2b": _digest(target), "epoch": epoch}
        # Until this line the manifest names the last epoch's file, which is still there.
        with replacing(directory / MANIFEST) as file:
            file.write(json.dumps(manifest | {"fingerprint": fingerprint}).encode())
    except (OSError, RuntimeError) as error:
        # torch reports a full disk as a RuntimeError.
        raise CheckpointError(
            f"the checkpoint of epoch {epoch} could not be written to {directory}: {error}"
        ) from error
    for old in directory.glob("epoch-*.pt"):
        if old != target:
            old.unlink(missing_ok=True)


def read_checkpoint(directory, fingerprint):
    """Return the state that the manifest names, or None where there is no manifest."""
    directory = Path(directory)
    manifest = _read_manifest(directory, fingerprint)
    if manifest is None:
        return None
    path = directory / manifest["file"]
    if not path.is_file() or _digest(path) != manifest["blake2b"]:
        raise CheckpointError(
            f"{path} is missing or not the file that {MANIFEST} describes; "
            f"remove {directory} to start again."
        )
    return torch.load(path, map_location="cpu", weights_only=True)


def _read_manifest(directory, fingerprint):
    path = directory / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text())
        known = {manifest[key] is not None for key in ("file", "blake2b", "epoch", "fingerprint")}
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged: {error!r}.") from error
    if not all(known) or Path(manifest["file"]).name != manifest["file"]:
        raise CheckpointError(f"{path} is damaged.")
    if manifest["fingerprint"] != fingerprint:
        raise CheckpointError(
            f"the checkpoint in {directory} belongs to other data or parameters; give another "
            "`checkpoint_dir`, or remove it to start again."
        )
    return manifest


def _collect(net):
    stopping = [
        {name: vars(callback)[name] for name in _STOPPING} for callback in _find(net, EarlyStopping)
    ]
    return _without_numpy(
        {
            "module": net.module_.state_dict(),
            "optimizer": net.optimizer_.state_dict(),
            "schedules": [c.lr_scheduler_.state_dict() for c in _find(net, LRScheduler)],
            "stopping": stopping,
            "averages": [callback.state_dict() for callback in _find(net, WeightAveraging)],
            "history": net.history.to_list(),
            "batch_order": net.order_.get_state(),
        }
    )


def _draws():
    """Return the states of torch's generators."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def _without_numpy(value):
    """Turn NumPy numbers into Python's: `torch.load(weights_only=True)` refuses the former."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {key: _without_numpy(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_without_numpy(part) for part in value)
    return value


_STOPPING = ("misses_", "dynamic_threshold_", "best_model_weights_", "best_epoch_")


def _restore(net, state):
    net.module_.load_state_dict(state["module"])
    net.optimizer_.load_state_dict(state["optimizer"])
    for callback, saved in zip(_find(net, LRScheduler), state["schedules"]):
        callback.lr_scheduler_.load_state_dict(saved)
    for callback, saved in zip(_find(net, EarlyStopping), state["stopping"]):
        vars(callback).update(saved)
    for callback, saved in zip(_find(net, WeightAveraging), state["averages"]):
        callback.load_state_dict(net, saved)
    net.history = type(net.history)(state["history"])
    for callback in _find(net, PassthroughScoring):
        losses = [row[callback.name] for row in state["history"] if callback.name in row]
        callback.best_score_ = min(losses, default=callback.best_score_)
    net.order_.set_state(state["batch_order"])
    rank = 0 if net.ranks is None else net.ranks.rank
    # One process more than there were keeps the draws of its own.
    for own in state["draws"][rank : rank + 1]:
        torch.set_rng_state(own["cpu"])
        if own["cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(own["cuda"])


def _find(net, kind):
    return [callback for _, callback in net.callbacks_ if isinstance(callback, kind)]


def _digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
