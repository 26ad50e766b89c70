"""Fits that several processes do together: ``torchrun parallel_fits.py FOLDER CASE...``.

A case is a function's name and its arguments, joined by commas.
"""

import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.datasets import make_classification
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, PrintLog
from skorch.utils import noop
from torch import distributed as dist

from sklearn_skin.datasets import make_lesions
from sklearn_skin.neural_network import (
    ImageClassifier,
    JointIndividualFusionClassifier,
    MetadataClassifier,
    SuperResolutionFusionClassifier,
)
from sklearn_skin.neural_network._distributed import _is_one_of_several
from sklearn_skin.preprocessing import make_lesion_transformer

RANK = int(os.environ.get("RANK", 0))


def rows(n_rows=37):
    return make_classification(n_rows, n_informative=6, n_classes=3, random_state=0)


def metadata_net(**parameters):
    # Plain gradient descent shows an error in a gradient; Adam hides a constant factor.
    settings = {"optimizer": "sgd", "lr": 0.05, "batch_size": 8, "max_epochs": 3, "device": "cpu"}
    return MetadataClassifier(**settings | {"hidden": (8,), "random_state": 0} | parameters)


def image_net(cls, **parameters):
    settings = {"backbone": "test_resnet", "weights": None, "image_size": 32, "cache_dir": None}
    fixed = {"optimizer": "sgd", "lr": 0.01, "batch_size": 8, "max_epochs": 2, "device": "cpu"}
    return cls(**settings | fixed | {"random_state": 0} | parameters)


def lesions(missing_rate=0.0):
    bunch = make_lesions(21, image_size=32, missing_rate=missing_rate, random_state=0)
    return bunch.data, bunch.target


def weighted():
    X, y = rows()
    weight = np.random.default_rng(0).uniform(0.2, 3.0, len(X)).astype(np.float32)
    shown = {"verbose": 1, "callbacks": [PrintLog(sink=noop)]}
    net = metadata_net(class_weight="balanced", **shown).fit(X, y, sample_weight=weight)
    return net, net.predict_proba(X)


def tasks():
    X, y = rows()
    targets = np.column_stack([y, y > 0]).astype(float)
    targets[::3, 0] = targets[5:30, 1] = np.nan
    net = metadata_net(loss="focal", class_weight="balanced").fit(X, targets)
    return net, np.hstack(net.predict_proba(X))


def stopped():
    X, y = rows(90)
    net = metadata_net(
        early_stopping=True,
        monitor="balanced_accuracy",
        patience=2,
        max_epochs=12,
        sampler="balanced",
        lr=0.3,
        lr_schedule={"name": "plateau", "patience": 0},
        validation_fraction=0.3,
    ).fit(X, y)
    assert len(net.history_) < 12
    return net, net.predict_proba(X)


def averaged(averaging):
    X, y = rows()
    net = metadata_net(averaging=averaging, lr_schedule="cosine").fit(X, y)
    return net, net.predict_proba(X)


def unseeded():
    # One process would draw another seed: this is compared between processes alone.
    X, y = rows()
    net = metadata_net(random_state=None, early_stopping=True).fit(X, y)
    return net, net.predict_proba(X)


class Interrupt(Callback):
    """Ctrl-C after so many epochs, in one process or in all."""

    def __init__(self, n_epochs, rank=None, error=KeyboardInterrupt):
        self.n_epochs, self.rank, self.error = n_epochs, rank, error

    def on_epoch_begin(self, net, **kwargs):
        self.seed = torch.initial_seed()
        if len(net.history) > self.n_epochs and self.rank in (None, RANK):
            self.stop(net)

    def stop(self, net):
        raise self.error("stopped")


class InterruptWithin(Interrupt):
    """An error in the middle of a forward pass."""

    def stop(self, net):
        net.module_.register_forward_hook(lambda *args: super(InterruptWithin, self).stop(net))


def kept(folder, dropout, n_epochs=4):
    """A fit with checkpoints, interrupted after some of its four epochs."""
    X, y = rows()
    settings = {"averaging": "ema", "dropout": float(dropout), "checkpoint_dir": folder}
    net = metadata_net(max_epochs=4, callbacks=[Interrupt(int(n_epochs))], **settings)
    try:
        net.fit(X, y)
    except KeyboardInterrupt:
        return None
    return net, net.predict_proba(X)


def pipeline():
    """Images and metadata in a Pipeline; some images are missing, on one side more often."""
    X, y = lesions(0.3)
    X = X.assign(image=[None if i % 4 == 1 else cell for i, cell in enumerate(X["image"])])
    X["image"] = X["image"].astype(lesions()[0]["image"].dtype)
    net = image_net(
        JointIndividualFusionClassifier,
        allow_missing_images=True,
        lr=1e-3,
        branch_weights="search",
        validation_fraction=0.3,
    )
    pipe = make_pipeline(make_lesion_transformer(), net).fit(X, y)
    return pipe[-1], pipe.predict_proba(X)


def drawn():
    """A loss of pictures beside that of labels."""
    X, y = lesions()
    X = make_lesion_transformer().fit_transform(X)
    net = image_net(SuperResolutionFusionClassifier, max_epochs=1, dropout=0.0).fit(X, y)
    return net, net.predict_proba(X)


def frozen(cache_dir):
    X, y = lesions()
    net = image_net(ImageClassifier, freeze="backbone", cache_dir=cache_dir).fit(X[["image"]], y)
    return net, net.predict_proba(X[["image"]])


def refused(fit):
    """Return the error of a fit, and whether one after it works."""
    try:
        fit()
    except BaseException as error:
        metadata_net(max_epochs=1).fit(*rows())
        return type(error).__name__, str(error)
    return None


def failures():
    """Each way in which processes fail, alone or together, in a group of the user's."""
    dist.init_process_group("gloo")
    X, y = rows()
    infinite = X.copy()
    infinite[3, 0] = 1e30
    found = {
        "one": lambda: metadata_net(callbacks=[Interrupt(1, 1, OSError)]).fit(X, y),
        "within": lambda: metadata_net(callbacks=[InterruptWithin(1, 1, OSError)]).fit(X, y),
        "interrupted": lambda: metadata_net(callbacks=[Interrupt(1, 1)]).fit(X, y),
        "infinite": lambda: metadata_net(lr=1e30, optimizer="sgd").fit(infinite, y),
        "rows": lambda: metadata_net().fit(X, np.roll(y, RANK)),
        "settings": lambda: metadata_net(max_epochs=3 + RANK).fit(X, y),
        "metadata": lambda: metadata_net().fit(X + RANK, y),
        "batch_size": lambda: metadata_net(batch_size=1).fit(X, y),
    }
    errors = {name: refused(fit) for name, fit in found.items()}
    child = os.fork()
    if not child:
        # It has a copy of the group and no part in it.
        os._exit(_is_one_of_several())
    errors["forked"] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    # The user's group is as it was.
    count = torch.ones(1)
    dist.all_reduce(count)
    return errors | {"processes": int(count)}


def summary(case):
    """Return what a case has learnt, as arrays; None of an interrupted fit."""
    name, *arguments = case.split(",")
    found = globals()[name](*arguments)
    if found is None or isinstance(found, dict):
        return found
    net, predictions = found
    callbacks = [callback for _, callback in net.net_.callbacks_]
    weights = [value.numpy().ravel() for value in net.module_.state_dict().values()]
    history = pd.DataFrame(net.history_).drop(columns=["dur", "event_lr"], errors="ignore")
    return {
        "weights": np.concatenate(weights).astype(float),
        "history": history.to_numpy(float),
        "branches": np.array(list(net.branch_weights_.values())),
        "predictions": predictions,
        "seeds": [callback.seed for callback in callbacks if isinstance(callback, Interrupt)],
        "callbacks": [type(callback).__name__ for callback in callbacks],
    }


if __name__ == "__main__":
    results = {case: summary(case) for case in sys.argv[2:]}
    Path(sys.argv[1], f"{RANK}.pkl").write_bytes(pickle.dumps(results))
