"""
========================================
Which operators use an interaction
========================================

Accuracy of every fusion operator on drawn lesions whose class is told by image and metadata
only together (`make_lesions(interaction=True)`): an additive classifier stays at chance. The
backbone is frozen at random weights, so that only the fusion learns.
``python examples/reproduce/interaction.py [--seeds 5]``.
"""

import argparse
import warnings

import numpy as np
from sklearn.pipeline import make_pipeline

from sklearn_skin.datasets import make_lesions
from sklearn_skin.modules.fusion import FUSIONS
from sklearn_skin.neural_network import JointFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

N_TRAIN = 450
SETTINGS = {
    "backbone": "resnet10t",
    "freeze": "backbone",
    "weights": None,
    "image_size": 32,
    "metadata_hidden": (64, 64),
    "optimizer": "adamw",
    "lr": 3e-3,
    "lr_schedule": "cosine",
    "batch_size": 64,
    "max_epochs": 60,
}


def accuracy(fusion, seed, n_test=250):
    """Return the accuracy on held-out lesions of one operator, one seed."""
    lesions = make_lesions(
        N_TRAIN + n_test,
        n_classes=2,
        image_size=32,
        interaction=True,
        missing_rate=0,
        random_state=seed,
    )
    net = JointFusionClassifier(fusion=fusion, random_state=seed, **SETTINGS)
    model = make_pipeline(make_lesion_transformer(), net)
    model.fit(lesions.data.iloc[:N_TRAIN], lesions.target.iloc[:N_TRAIN])
    return model.score(lesions.data.iloc[N_TRAIN:], lesions.target.iloc[N_TRAIN:])


def main():
    """Print a row per operator."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[3])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--operators", nargs="*", default=sorted(FUSIONS))
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message=".*131.072|Tensor fusion")
    print("| operator | accuracy | margin over concat |\n|---|---|---|")
    base = np.array([accuracy("concat", seed) for seed in range(options.seeds)])
    for name in options.operators:
        scores = np.array([accuracy(name, seed) for seed in range(options.seeds)])
        margin = scores - base
        print(
            f"| {name} | {scores.mean():.3f} ± {scores.std(ddof=1):.3f} "
            f"| {margin.mean():+.3f} (least {margin.min():+.3f}) |",
            flush=True,
        )


if __name__ == "__main__":
    main()
