"""
===================================
One fit in one and in two processes
===================================

Every network below is fitted by torchrun in one process and in two, which share the rows of each
batch; nothing else differs. Prints how far the losses per epoch, the weights and the probabilities
differ, and beside it how far those of one process differ where torch rounds otherwise, without the
processor's vector instructions: deep networks enlarge what is rounded. Then the seconds per epoch,
for which two processes share the cores that one has: ``python data_parallel.py [--smallest]``.
"""

import argparse
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline

from sklearn_skin.datasets import make_lesions
from sklearn_skin.neural_network import (
    ImageClassifier,
    JointIndividualFusionClassifier,
    MetadataClassifier,
)
from sklearn_skin.preprocessing import make_lesion_transformer


def make_networks(options):
    """Return name -> network; Adam would enlarge the rounding of small gradients."""
    training = {"optimizer": "sgd", "lr": 1e-3, "precision": "fp32", "random_state": 0}
    training |= {"batch_size": options.batch_size, "max_epochs": options.epochs}
    images = {"backbone": options.backbone, "weights": None, "image_size": options.image_size}
    images["allow_missing_images"] = True
    stops = {"early_stopping": True, "monitor": "balanced_accuracy", "validation_fraction": 0.3}
    return {
        "MetadataClassifier": MetadataClassifier(**training),
        "MetadataClassifier, class weights, early stopping": MetadataClassifier(
            class_weight="balanced", **training | stops
        ),
        "ImageClassifier": ImageClassifier(**training, **images),
        "JointIndividualFusionClassifier, EMA": JointIndividualFusionClassifier(
            averaging="ema", **training, **images
        ),
    }


def fit(options):
    """Fit every network; the first process writes what it has learnt."""
    photos = {"image_size": options.image_size, "missing_rate": 0.2, "random_state": 0}
    lesions = make_lesions(options.rows, **photos)
    found = {}
    for name, network in make_networks(options).items():
        model = make_pipeline(make_lesion_transformer(), network).fit(lesions.data, lesions.target)
        history = model[-1].history_
        weights = [value.double().ravel() for value in model[-1].module_.state_dict().values()]
        found[name] = {
            "loss": np.array([row["train_loss"] for row in history]),
            "weights": np.concatenate(weights),
            "probabilities": model.predict_proba(lesions.data),
            "seconds": statistics.median(row["dur"] for row in history),
        }
    if os.environ["RANK"] == "0":
        Path(options.fit).write_bytes(pickle.dumps(found))


def run(n_processes, **environment):
    """Return what torchrun's processes have learnt, with this script's own options."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "found.pkl"
        launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
        script = [__file__, *sys.argv[1:], "--fit", str(place)]
        cores = len(os.sched_getaffinity(0))
        own = {"XDG_CACHE_HOME": folder, "OMP_NUM_THREADS": str(max(cores // n_processes, 1))}
        command = [sys.executable, *launch, str(n_processes), *script]
        subprocess.run(command, env=os.environ | own | environment, check=True)
        return pickle.loads(place.read_bytes())


def distance(one, other, part):
    """Return the largest difference in losses, weights or probabilities."""
    if len(one["loss"]) != len(other["loss"]):
        raise RuntimeError("one of two fits was stopped earlier than the other")
    return np.abs(one[part] - other[part]).max()


def compare():
    """Print the table."""
    one, two, rounded = run(1), run(2), run(1, ATEN_CPU_CAPABILITY="default")
    parts = ("loss", "weights", "probabilities")
    far = " | ".join(f"{part}, two processes / rounding" for part in parts)
    print(f"| network | epochs | last loss | {far} | s per epoch, one process | two processes |")
    print(f"| --- |{' --: |' * 7}")
    for name, alone in one.items():
        cells = [name, len(alone["loss"]), f"{alone['loss'][-1]:.4f}"]
        for part in parts:
            shared, other = (distance(alone, found[name], part) for found in (two, rounded))
            cells.append(f"{shared:.0e} / {other:.0e}")
        cells += [f"{found[name]['seconds']:.2f}" for found in (one, two)]
        print(f"| {' | '.join(map(str, cells))} |")


def main():
    """Compare, or be one of the processes that are compared."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[2])
    parser.add_argument("--rows", type=int, default=203)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--fit", help=argparse.SUPPRESS)
    parser.add_argument("--smallest", action="store_true", help="a tiny backbone, few rows")
    options = parser.parse_args()
    if options.smallest:
        small = {"rows": 21, "epochs": 2, "batch_size": 8}
        vars(options).update(small, backbone="test_resnet", image_size=32)
    if options.fit:
        fit(options)
    else:
        compare()


if __name__ == "__main__":
    main()
