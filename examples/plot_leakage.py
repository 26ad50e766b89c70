"""
============================
What leakage does to a score
============================

The same network on the same lesions, scored in three ways: honestly, with all pictures of a
lesion on one side; split by picture, so that it has seen the test lesions before; and with a
column that was filled in after the diagnosis. `check_leakage` names the last two. Prints the
scores and saves ``leakage.png``.
"""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_skin.audit import check_leakage
from sklearn_skin.datasets import make_lesions
from sklearn_skin.neural_network import JointFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer


def make_data(seed=0):
    """Return lesions of four pictures each, and their table with a leaky column.

    In four of five rows `dx_type` is the usual way to diagnose the class; else it is any way.
    """
    lesions = make_lesions(
        240, n_classes=5, image_size=32, images_per_lesion=4, missing_rate=0.0, random_state=seed
    )
    rng = np.random.default_rng(seed)
    kinds = np.array(["follow-up", "consensus", "histology", "confocal", "biopsy"])
    usual = lesions.target.astype("category").cat.codes.to_numpy()
    words = np.where(rng.uniform(size=240) < 0.8, kinds[usual], rng.choice(kinds, 240))
    return lesions, lesions.data.assign(dx_type=words)


def score(X, lesions, folds):
    """Return the balanced accuracies of three folds."""
    net = JointFusionClassifier(
        backbone="resnet10t",
        weights=None,
        image_size=32,
        max_epochs=8,
        optimizer="adamw",
        lr=2e-3,
        lr_schedule="cosine",
        random_state=0,
    )
    return cross_val_score(
        make_pipeline(make_lesion_transformer(), net),
        X,
        lesions.target,
        groups=lesions.groups if isinstance(folds, StratifiedGroupKFold) else None,
        cv=folds,
        scoring="balanced_accuracy",
        error_score="raise",
    )


def draw(lesions, scores, path):
    """Save one lesion's pictures beside the three scores."""
    fig = plt.figure(figsize=(9, 3.6), layout="constrained")
    left, right = fig.subfigures(1, 2, width_ratios=[1, 1.4])
    left.suptitle("One lesion, four rows")
    for ax, cell in zip(left.subplots(2, 2).flat, lesions.data["image"][:4]):
        ax.imshow(cell.pixels)
        ax.axis("off")
    ax = right.subplots()
    names = list(scores)
    means = [scores[name].mean() for name in names]
    ax.barh(
        names,
        means,
        xerr=[scores[name].std(ddof=1) for name in names],
        color=["tab:blue", "tab:red", "tab:red"],
        capsize=4,
    )
    for k, mean in enumerate(means):
        ax.text(0.02, k, f"{mean:.2f}", va="center", color="white", weight="bold")
    ax.axvline(1 / len(lesions.target_names), color="black", linestyle=":")
    ax.set(xlabel="balanced accuracy (dotted: chance)", xlim=(0, 1))
    ax.invert_yaxis()
    fig.savefig(path, dpi=110)
    print(f"saved {path}")


def main():
    lesions, leaky = make_data()
    by_lesion = StratifiedGroupKFold(3, shuffle=True, random_state=0)
    by_picture = StratifiedKFold(3, shuffle=True, random_state=0)
    cases = {
        "by lesion (honest)": (lesions.data, by_lesion),
        "by picture": (lesions.data, by_picture),
        "with dx_type": (leaky, by_lesion),
    }
    scores = {}
    for name, (X, folds) in cases.items():
        print(f"\n{name}")
        print(check_leakage(X, lesions.target, lesions.groups, folds, on_leak="ignore"))
        scores[name] = score(X, lesions, folds)
        print(f"balanced accuracy {scores[name].mean():.3f} ± {scores[name].std(ddof=1):.3f}")
    draw(lesions, scores, sys.argv[1] if len(sys.argv) > 1 else "leakage.png")


if __name__ == "__main__":
    main()
