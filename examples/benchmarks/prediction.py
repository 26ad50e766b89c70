"""
================================
Prediction beside a bare network
================================

Seconds to predict pictures by an image classifier with its default settings, and by timm's network
alone: a plain fp32 eager loop over the same pictures as tensors. Each is in a process of its own
that the other one waits for; ours calls `tune_allocator` first:
``python examples/benchmarks/prediction.py``. Prints medians, the spread and the ratio.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

from training import alternate, draw

# backbone, pixels, rows
CASES = {
    "resnet50 at 224": ("resnet50", 224, 64),
    "swin_tiny at 224": ("swin_tiny_patch4_window7_224", 224, 64),
    "tiny at 32": ("test_resnet", 32, 64),
}


def make_plain(backbone, size, n_rows):
    """Return a function that predicts by a plain loop and returns its seconds."""
    import torch

    from sklearn_skin.neural_network import ImageClassifier  # repairs torchvision for timm

    import timm  # isort: skip

    pixels, _ = draw(n_rows, size)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    batches = images.split(ImageClassifier().batch_size)
    network = timm.create_model(backbone, num_classes=3).eval()

    def predict():
        start = time.perf_counter()
        with torch.inference_mode():
            torch.cat([network(batch).softmax(dim=1) for batch in batches]).numpy()
        return time.perf_counter() - start

    return predict


def make_ours(backbone, size, n_rows, **options):
    """Return a function that predicts by an `ImageClassifier` and returns its seconds."""
    import pandas as pd

    from sklearn_skin.image import as_images
    from sklearn_skin.neural_network import ImageClassifier
    from sklearn_skin.utils import tune_allocator

    tune_allocator()
    pixels, labels = draw(n_rows, size)
    X = pd.DataFrame({"image": as_images(list(pixels))})
    network = ImageClassifier(
        backbone=backbone, weights=None, image_size=size, max_epochs=1, **options
    )
    # Barely trained: what it answers does not change the work.
    network.fit(X[:4], labels[:4])

    def predict():
        start = time.perf_counter()
        network.predict_proba(X)
        return time.perf_counter() - start

    return predict


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[1])
    parser.add_argument("--smallest", action="store_true", help="the tiny network, once")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES)[:2])
    parser.add_argument("--json", type=Path, help="file for all seconds")
    parser.add_argument("--set", nargs="*", default=[], help="parameters, such as precision=fp32")
    arguments = parser.parse_args()
    if arguments.smallest:
        arguments.cases, arguments.rounds = ["tiny at 32"], 1
    options = dict(item.split("=") for item in arguments.set)
    results = {}
    print("| network | plain loop (s) | here (s) | times as fast |")
    print("| --- | --: | --: | --- |")
    for name in arguments.cases:
        contestants = {
            "plain": (make_plain, CASES[name], {}),
            "here": (make_ours, CASES[name], options),
        }
        found = results[name] = alternate(contestants, arguments.rounds)
        plain, here = (statistics.median(found[side]) for side in ("plain", "here"))
        ratios = [a / b for a, b in zip(found["plain"], found["here"])]
        print(
            f"| {name} | {plain:.2f} | {here:.2f} | {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}) |",
            flush=True,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
