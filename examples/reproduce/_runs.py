"""Long comparisons that can be killed at any time: one line of a CSV file per finished run."""

import argparse
import csv
import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score


class Runs:
    """Finished runs and their scores, in a CSV file.

    Parameters
    ----------
    path : path-like
        The file; it is made by the first record.
    keys : sequence of str
        Names of the parts of a run's key. The table averages over the last one.
    settings : dict, default=None
        What all runs of the file have in common, as JSON in a file beside it. Runs of other
        settings are refused, so that a table never mixes them.

    Examples
    --------
    >>> import tempfile
    >>> runs = Runs(tempfile.mkdtemp() + "/runs.csv")
    >>> runs.record(("focal", 0), accuracy=0.8)
    >>> runs.record(("focal", 1), accuracy=0.9)
    >>> runs.done(("focal", 1)), runs.done(("focal", 2))
    (True, False)
    >>> print(runs.table())
                accuracy  runs
    variant
    focal  0.850 ± 0.071     2
    """

    def __init__(self, path, keys=("variant", "fold"), settings=None):
        self.path = Path(path)
        self.keys = list(keys)
        if settings is not None:
            self._check_settings(json.loads(json.dumps(settings)))

    def _check_settings(self, settings):
        beside = self.path.with_suffix(".json")
        if beside.exists() and self.path.exists():
            before = json.loads(beside.read_text())
            if before != settings:
                raise ValueError(
                    f"{self.path} holds runs of other settings: {before}; got {settings}. "
                    "Choose another file."
                )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(settings))

    def frame(self):
        """Return the finished runs, one per row."""
        if not self.path.exists():
            return pd.DataFrame(columns=self.keys)
        text = self.path.read_text()
        lines = list(csv.reader(text[: text.rfind("\n") + 1].splitlines()))  # not a cut line
        frame = pd.DataFrame(lines[1:], columns=lines[0] if lines else self.keys)
        scores = frame.columns.difference(self.keys, sort=False)
        return frame.astype(dict.fromkeys(scores, float))

    def done(self, key):
        """Return whether the run of this key has finished."""
        frame = self.frame()
        return bool((frame[self.keys] == [str(part) for part in key]).all(axis=1).any())

    def record(self, key, **scores):
        """Append the scores of a finished run."""
        frame = self.frame()
        names = [*self.keys, *scores]
        if len(frame) and list(frame.columns) != names:
            raise ValueError(f"{self.path} has the columns {list(frame.columns)}; got {names}.")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        start = self._cut_unfinished_line()
        with open(self.path, "a", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if start == 0:
                writer.writerow(names)
            writer.writerow([*key, *scores.values()])
            file.flush()
            os.fsync(file.fileno())

    def _cut_unfinished_line(self):
        """Cut what a killed process left of its last line; return the length of the file."""
        if not self.path.exists():
            return 0
        content = self.path.read_bytes()
        length = content.rfind(b"\n") + 1
        if length < len(content):
            os.truncate(self.path, length)
        return length

    def table(self, *scores):
        """Return mean ± standard deviation of the named scores (all by default)."""
        frame = self.frame()
        scores = list(scores) or [name for name in frame if name not in self.keys]
        groups = frame.groupby(self.keys[:-1], sort=False)
        mean, deviation = groups[scores].mean(), groups[scores].std(ddof=1)
        cells = {
            name: [f"{m:.3f} ± {s:.3f}" for m, s in zip(mean[name], deviation[name])]
            for name in scores
        }
        return pd.DataFrame(cells, index=mean.index).assign(runs=groups.size())


def parser(description, results):
    """Return an argument parser with what the scripts have in common."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("root", help="folder of the data set")
    options.add_argument("--results", default=results, help="CSV file of finished runs")
    options.add_argument("--rows", type=int, help="take about this many rows, to try it out")
    options.add_argument("--folds", type=int, default=5)
    options.add_argument("--image-size", type=int, default=32)
    options.add_argument("--epochs", type=int, default=20)
    options.add_argument("--backbone", default="resnet10t")
    options.add_argument("--device", default="auto")
    options.add_argument("--seed", type=int, default=0)
    return options


def network_settings(options):
    """Return the parameters of a small network that is trained from scratch."""
    return {
        "backbone": options.backbone,
        "weights": None,
        "image_size": options.image_size,
        "max_epochs": options.epochs,
        "batch_size": 64,
        "optimizer": "adamw",
        "lr": 2e-3,
        "lr_schedule": "cosine",
        "augment": "flips",
        "device": options.device,
        "random_state": options.seed,
    }


def shared_settings(options):
    """Return what all runs of a file must have in common."""
    return {k: v for k, v in vars(options).items() if k not in ("root", "results", "device")}


def take_rows(bunch, n_rows, seed):
    """Return data, target and groups: all, or whole groups with about `n_rows` rows."""
    if n_rows is None:
        return bunch.data, bunch.target, bunch.groups
    groups = bunch.groups.to_numpy()
    order = np.random.default_rng(seed).permutation(pd.unique(groups))
    sizes = pd.Series(groups).value_counts().loc[order].cumsum()
    keep = np.isin(groups, order[: int((sizes <= n_rows).sum())])
    return bunch.data[keep], bunch.target[keep], bunch.groups[keep]


def evaluate(model, X, y, train, test):
    """Fit a clone on one side of a split and return its scores on the other side."""
    start = time.perf_counter()
    model = clone(model).fit(X.iloc[train], y.iloc[train])
    seconds = time.perf_counter() - start
    proba, truth = model.predict_proba(X.iloc[test]), y.iloc[test].to_numpy()
    predicted = model.classes_[proba.argmax(axis=1)]
    areas = [
        roc_auc_score(truth == label, proba[:, k])
        for k, label in enumerate(model.classes_)
        if (truth == label).any()
    ]
    return {
        "balanced_accuracy": balanced_accuracy_score(truth, predicted),
        "accuracy": accuracy_score(truth, predicted),
        "auc": float(np.mean(areas)),
        "fit_seconds": seconds,
    }


def run(runs, variants, X, y, splits_of):
    """Run every variant on every fold, skip those that are done, and print the table.

    `variants` is {name: (model, columns of X)}, and `splits_of` maps a name to its list of
    (train, test).
    """
    for name, (model, columns) in variants.items():
        for fold, (train, test) in enumerate(splits_of(name)):
            if runs.done((name, fold)):
                continue
            scores = evaluate(model, X[columns], y, train, test)
            runs.record((name, fold), **scores)
            shown = ", ".join(f"{key} {value:.3f}" for key, value in scores.items())
            print(f"{name}, fold {fold}: {shown}", flush=True)
    print(runs.table().to_string())
