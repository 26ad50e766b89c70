"""
==========================================
Real lesions, cross-validated by patient
==========================================

Grouped 3-fold cross-validation of metadata, image and both on HAM10000, PAD-UFES-20 or
MILK10k, trained from scratch on small images: ``python examples/ham10000.py ROOT
[--dataset ham10000]``. ROOT is the folder that the data set was unpacked into; ``--smallest``
takes a few drawn lesions instead.
"""

import argparse
import time

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, cross_validate
from sklearn.pipeline import make_pipeline

from sklearn_skin import datasets
from sklearn_skin.neural_network import ImageClassifier, JointFusionClassifier, MetadataClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

LOADERS = {
    "ham10000": datasets.load_ham10000,
    "pad_ufes_20": datasets.load_pad_ufes_20,
    "milk10k": datasets.load_milk10k,
}


def make_models(backbone, image_size, epochs, seed):
    """Return the three rows of the table, trained alike."""
    training = {
        "max_epochs": epochs,
        "batch_size": 64,
        "optimizer": "adamw",
        "lr": 2e-3,
        "lr_schedule": "cosine",
        "class_weight": "balanced",
        "random_state": seed,
    }
    images = {
        "backbone": backbone,
        "weights": None,
        "image_size": image_size,
        "augment": "flips",
    }
    return {
        "metadata only": MetadataClassifier(**training),
        "image only": ImageClassifier(**images, **training),
        "both": JointFusionClassifier(fusion="concat", **images, **training),
    }


def main():
    """Print one row per model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[2])
    parser.add_argument("root", nargs="?", help="folder of the data set")
    parser.add_argument("--smallest", action="store_true", help="a few drawn lesions instead")
    parser.add_argument("--dataset", choices=sorted(LOADERS), default="ham10000")
    parser.add_argument("--backbone", default="lcnet_050")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n-jobs", type=int, default=1)
    options = parser.parse_args()
    if options.smallest:
        lesions = datasets.make_lesions(48, image_size=32, random_state=0)
        vars(options).update(backbone="test_resnet", image_size=32, epochs=1, folds=2)
    elif options.root is None:
        parser.error("give ROOT, or --smallest")
    else:
        lesions = LOADERS[options.dataset](options.root)
    folds = StratifiedGroupKFold(options.folds, shuffle=True, random_state=options.seed)
    scoring = {"bacc": "balanced_accuracy", "acc": "accuracy", "auc": "roc_auc_ovr"}
    n_groups = len(np.unique(lesions.groups))
    print(f"{options.dataset}: {len(lesions.data)} rows, {n_groups} groups, {options.folds} folds")
    print("| model | balanced accuracy | accuracy | AUC (ovr) | seconds |")
    print("| --- | --: | --: | --: | --: |")
    models = make_models(options.backbone, options.image_size, options.epochs, options.seed)
    for name, net in models.items():
        start = time.perf_counter()
        scores = cross_validate(
            make_pipeline(make_lesion_transformer(), net),
            lesions.data,
            lesions.target,
            groups=lesions.groups,
            cv=folds,
            scoring=scoring,
            n_jobs=options.n_jobs,
            error_score="raise",
        )
        cells = [scores[f"test_{key}"] for key in scoring]
        shown = " | ".join(f"{cell.mean():.3f} ± {cell.std(ddof=1):.3f}" for cell in cells)
        print(f"| {name} | {shown} | {time.perf_counter() - start:.0f} |", flush=True)


if __name__ == "__main__":
    main()
