"""
========================================
Which operators use an interaction
========================================

Fusion operators on drawn lesions whose class is told by image and metadata only together
(`make_lesions(interaction=True)`): a network whose logits are a sum g(image) + h(metadata) stays
at chance. The backbone is frozen at random weights, so that only the fusion learns. Each operator
is fitted with the same learning rates, judged on a third of the training rows; the best one is
fitted on all of them and judged on the test rows.

``python examples/reproduce/interaction.py`` takes about 25 minutes on one core; add
``--operators concat --seeds 1 --epochs 1`` to try it out.
"""

import argparse
import warnings
from copy import deepcopy
from functools import cache

import numpy as np
import torch
from _shards import markdown, spread
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit
from sklearn.pipeline import Pipeline

from sklearn_skin.datasets import make_lesions
from sklearn_skin.modules.fusion import FUSIONS
from sklearn_skin.neural_network import JointFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

N_TRAIN, N_TEST = 450, 250
IMAGE_SIZE = 48  # the smallest whose last map has several positions, which are tokens
RATES = [3e-4, 1e-3, 5e-3, 2e-2, 1e-1]
SETTINGS = {
    "backbone": "resnet10t",
    "freeze": "backbone",
    "weights": None,
    "image_size": IMAGE_SIZE,
    "metadata_hidden": (64, 64),
    "optimizer": "adamw",
    "lr_schedule": "cosine",
    "batch_size": 64,
}
# Narrower than by default where that makes a fit slow.
WIDTHS = {
    "bilinear": {"out_features": 16},
    "self_attention": {"token_dim": 64},
    "cross_attention": {"token_dim": 64},
    "mutual_attention": {"dim": 64},
    "mmfa": {"dim": 64},
}
# Rows beside the operators with default options: operator, its options, the classifier's.
VARIANTS = {
    "concat, hidden layer": ("concat", {}, {"classifier_hidden": (64,)}),
    "mmfa, heads=split": ("mmfa", {"heads": "split"}, {}),
    "mmfa, product=elementwise": ("mmfa", {"product": "elementwise"}, {}),
    "mmfa, tokens=modality": ("mmfa", {"tokens": "modality"}, {}),
}
ROWS = {name: (name, {}, {}) for name in FUSIONS} | VARIANTS
HEADER = ["operator", "second difference", "accuracy", "margin over concat", "learning rates"]


@cache
def draw(seed):
    """Return data and target of the rows to learn from, and of those to judge by."""
    X, y = make_lesions(
        N_TRAIN + N_TEST,
        n_classes=2,
        image_size=IMAGE_SIZE,
        interaction=True,
        missing_rate=0,
        return_X_y=True,
        random_state=seed,
    )
    return (X.iloc[:N_TRAIN], y.iloc[:N_TRAIN]), (X.iloc[N_TRAIN:], y.iloc[N_TRAIN:])


def make_model(row, seed, **parameters):
    """Return the pipeline of a key of `ROWS`."""
    fusion, options, own = ROWS[row]
    options = WIDTHS.get(fusion, {}) | options
    net = JointFusionClassifier(
        fusion=fusion, fusion_options=options, random_state=seed, **SETTINGS, **own, **parameters
    )
    return Pipeline([("table", make_lesion_transformer()), ("net", net)])


def tune(row, seed, epochs, n_jobs=None):
    """Return the search, fitted on all training rows with the rate that is best on inner ones."""
    inner = StratifiedShuffleSplit(1, test_size=N_TRAIN // 3, random_state=seed)
    model = make_model(row, seed, max_epochs=epochs)
    return GridSearchCV(model, {"net__lr": RATES}, cv=inner, n_jobs=n_jobs).fit(*draw(seed)[0])


def second_difference(model, X):
    """Return max |f(i, m) - f(i, m') - f(i', m) + f(i', m')| / max |f|, f the logits in float64.

    0 if and only if f(image, metadata) is a sum g(image) + h(metadata) on the first batch of X.
    """
    net = model["net"]
    module = deepcopy(net.module_).double().eval()
    batch = next(iter(net.iter_batches(model["table"].transform(X))))
    with torch.inference_mode():
        maps = module.features([images.double() for images in batch.images])
        metadata = batch.metadata.double()
        swapped = [part.flip(0) for part in maps], metadata.flip(0)
        parts = [
            module.forward_features(image, patient)["fusion"][0]
            for image in (maps, swapped[0])
            for patient in (metadata, swapped[1])
        ]
    difference = parts[0] - parts[1] - parts[2] + parts[3]
    return (difference.abs().max() / parts[0].abs().max()).item()


def judge(row, options):
    """Return the accuracy, the second difference and the chosen rate of a row, by seed."""
    found = []
    for seed in range(options.seeds):
        search = tune(row, seed, options.epochs, options.n_jobs)
        X, y = draw(seed)[1]
        rate = search.best_params_["net__lr"]
        found.append([search.score(X, y), second_difference(search.best_estimator_, X), rate])
    return np.array(found).T


def describe(row, found, base):
    """Return a line of the table."""
    accuracy, difference, rates = found
    margin = accuracy - base
    return [
        row,
        f"{np.median(difference):.0e}",
        spread(accuracy),
        f"{margin.mean():+.3f} (least {margin.min():+.3f})",
        ", ".join(f"{rate:g}" for rate in rates),
    ]


def main():
    """Print a row per operator."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[2])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--operators", nargs="*", choices=list(FUSIONS), default=list(FUSIONS))
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--smallest", action="store_true", help="one operator, seed, rate, epoch")
    options = parser.parse_args()
    if options.smallest:
        vars(options).update(operators=["hadamard"], seeds=1, epochs=1)
        del RATES[1:]
    warnings.filterwarnings("ignore", message="Tensor fusion")
    base = judge("concat", options)
    print(markdown([HEADER]))
    for row, (fusion, *_) in ROWS.items():
        if fusion in options.operators:
            found = base if row == "concat" else judge(row, options)
            print("|", " | ".join(describe(row, found, base[0])), "|", flush=True)


if __name__ == "__main__":
    main()
