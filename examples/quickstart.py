"""
====================================
Images and metadata in one Pipeline
====================================

Lesions whose image tells some of the classes apart and whose metadata tells others: metadata
alone, the image alone, and both, each cross-validated with all pictures of a lesion on one
side. Prints the table and saves ``quickstart.png``.
"""

import argparse
import time

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_skin.datasets import make_lesions
from sklearn_skin.neural_network import ImageClassifier, JointFusionClassifier, MetadataClassifier
from sklearn_skin.preprocessing import make_lesion_transformer
from sklearn_skin.utils import tune_allocator

TRAINING = {"optimizer": "adamw", "lr": 2e-3, "lr_schedule": "cosine", "random_state": 0}
IMAGES = {"backbone": "lcnet_050", "weights": None, "image_size": 32, "augment": "flips"}
MODELS = {
    "metadata only": MetadataClassifier(max_epochs=40, **TRAINING),
    "image only": ImageClassifier(max_epochs=20, **IMAGES, **TRAINING),
    "both": JointFusionClassifier(fusion="concat", max_epochs=20, **IMAGES, **TRAINING),
}


def compare(lesions):
    """Print balanced accuracy, mean and sd over three folds, of every model."""
    folds = StratifiedGroupKFold(3, shuffle=True, random_state=0)
    print("| model | balanced accuracy |\n| --- | --: |")
    for name, net in MODELS.items():
        model = make_pipeline(make_lesion_transformer(), net)
        scores = cross_val_score(
            model,
            lesions.data,
            lesions.target,
            groups=lesions.groups,
            cv=folds,
            scoring="balanced_accuracy",
            error_score="raise",
        )
        print(f"| {name} | {scores.mean():.3f} ± {scores.std(ddof=1):.3f} |", flush=True)


def draw(lesions, path):
    """Save twelve test lesions with their label and the prediction of the fused model."""
    splitter = GroupShuffleSplit(1, test_size=0.25, random_state=0)
    train, test = next(splitter.split(lesions.data, groups=lesions.groups))
    model = make_pipeline(make_lesion_transformer(), clone(MODELS["both"]))
    model.fit(lesions.data.iloc[train], lesions.target.iloc[train])
    shown = np.random.default_rng(0).choice(test, 12, replace=False)
    X, y = lesions.data.iloc[shown], lesions.target.iloc[shown]
    predicted, proba = model.predict(X), model.predict_proba(X).max(axis=1)
    fig, axes = plt.subplots(3, 4, figsize=(9, 8), layout="constrained")
    for ax, cell, label, guess, p in zip(axes.flat, X["image"], y, predicted, proba):
        ax.imshow(cell.pixels)
        ax.set_title(
            f"{label}\npredicted {guess} ({p:.2f})",
            fontsize=9,
            color="black" if label == guess else "tab:red",
        )
        ax.axis("off")
    fig.suptitle("Held-out lesions (red: wrong)")
    fig.savefig(path, dpi=110)
    print(f"saved {path}")


def main():
    """Compare and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[2])
    parser.add_argument("output", nargs="?", default="quickstart.png")
    parser.add_argument("--smallest", action="store_true", help="few lesions, one epoch")
    options = parser.parse_args()
    tune_allocator()
    start = time.perf_counter()
    if options.smallest:
        for net in MODELS.values():
            net.set_params(max_epochs=1)
    n_rows = 60 if options.smallest else 400
    lesions = make_lesions(n_rows, image_size=64, images_per_lesion=2, random_state=0)
    compare(lesions)
    print(f"{time.perf_counter() - start:.0f} s")
    draw(lesions, options.output)


if __name__ == "__main__":
    main()
