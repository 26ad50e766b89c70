"""Variants of one network on HAM10000, cross-validated on small images."""

import time

import numpy as np
import pandas as pd
from _shards import ShardedRuns, make_parser, parse, score_table
from sklearn.base import clone
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score

SCORES = {"balanced_accuracy": "balanced accuracy", "accuracy": "accuracy", "auc": "AUC (ovr)"}


def parse_options(description, csv):
    """Return the options that the scripts have in common."""
    parser = make_parser(description, csv)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--backbone", default="resnet10t")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    return parse(parser, folds=2, epochs=1, backbone="test_resnet")


def network_settings(options, target):
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
        # A class may be absent from a fold of a small part of the rows.
        "classes": sorted(target.unique()),
        "cache_dir": options.cache_dir,
        "device": options.device,
        "random_state": options.seed,
    }


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


def run(options, make_variants, load_rows):
    """Run the variants and folds that are this process's and not done; print the table.

    `load_rows()` returns X, y and {name of a split: list of (train, test)};
    `make_variants(y)` returns {name: (model, columns of X, name of the split)}.
    """
    runs = ShardedRuns(options, ["variant", "fold"])
    if not options.table:
        X, y, splits = load_rows()
        variants = make_variants(y)
        for name, fold in runs.pending(
            [(name, fold) for name in variants for fold in range(options.folds)]
        ):
            model, columns, split = variants[name]
            scores = evaluate(model, X[columns], y, *splits[split][fold])
            runs.record((name, fold), **scores)
            shown = ", ".join(f"{key} {value:.3f}" for key, value in scores.items())
            print(f"{name}, fold {fold}: {shown}", flush=True)
    print(score_table(runs.frame(), "variant", SCORES))
