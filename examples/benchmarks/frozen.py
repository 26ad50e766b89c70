"""
======================================
Training a head on a frozen backbone
======================================

Seconds of 20 epochs of a classifier on a frozen backbone, of photographs in files: with an empty
cache, with the features of the fit before, and of a plain PyTorch loop in fp32 whose backbone
sees all pictures in every epoch, as tensors that lie in memory already. The fits alternate;
``python examples/benchmarks/frozen.py``. Prints medians, and the ratios with their range.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from sklearn_skin.image import as_images
from sklearn_skin.modules import make_backbone
from sklearn_skin.neural_network import ImageClassifier
from sklearn_skin.utils import tune_allocator

SIZE, BATCH_SIZE, EPOCHS = 224, 32, 20


def draw(folder, n_rows):
    """Write photographs of 600 × 450 pixels; return a table of them, and three classes."""
    rng = np.random.default_rng(0)
    for row in range(n_rows):
        pixels = rng.integers(256, size=(45, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((600, 450)).save(folder / f"{row}.jpg")
    paths = sorted(folder.glob("*.jpg"))
    return pd.DataFrame({"image": as_images(paths)}), np.arange(n_rows) % 3


def train_plain(backbone, images, labels, epochs):
    """Train a linear layer on what a frozen backbone gives anew in every epoch; return seconds."""
    head = torch.nn.Linear(backbone.vector_features, 3)
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)
    loss_function = torch.nn.CrossEntropyLoss()
    start = time.perf_counter()
    for _ in range(epochs):
        for rows in torch.randperm(len(images)).split(BATCH_SIZE):
            with torch.no_grad():
                vectors = backbone.pool(backbone(images[rows]))
            optimizer.zero_grad()
            loss_function(head(vectors), labels[rows]).backward()
            optimizer.step()
    return time.perf_counter() - start


def train_ours(name, X, y, cache_dir, epochs):
    """Fit an ImageClassifier; return seconds."""
    network = ImageClassifier(
        backbone=name,
        weights=None,
        freeze="backbone",
        image_size=SIZE,
        batch_size=BATCH_SIZE,
        max_epochs=epochs,
        cache_dir=cache_dir,
        random_state=0,
    )
    start = time.perf_counter()
    network.fit(X, y)
    return time.perf_counter() - start


def measure(name, n_rows, rounds, epochs):
    """Return name -> seconds of every round."""
    seconds = {"plain": [], "first": [], "second": []}
    backbone = make_backbone(name, freeze="backbone").eval()
    with tempfile.TemporaryDirectory() as folder:
        X, y = draw(Path(folder), n_rows)
        time.sleep(2.1)  # a file's times tell that it has not changed after two seconds
        images, labels = torch.rand(n_rows, 3, SIZE, SIZE), torch.from_numpy(y)
        for turn in range(rounds):
            # Two epochs stand for all: each is the same work.
            part = min(epochs, 2)
            spent = train_plain(backbone, images, labels, part)
            seconds["plain"].append(spent * epochs / part)
            for which in ("first", "second"):
                cache_dir = f"{folder}/cache{turn}"
                seconds[which].append(train_ours(name, X, y, cache_dir, epochs))
    return seconds


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[2])
    parser.add_argument("--backbones", nargs="+", default=["efficientnet_b0", "resnet18"])
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--smallest", action="store_true", help="few rows, one round")
    options = parser.parse_args()
    epochs = EPOCHS
    if options.smallest:
        options.backbones, options.rows, options.rounds, epochs = ["test_resnet"], 4, 1, 1
    tune_allocator()
    print("| backbone | every epoch (s) | first fit (s) | ratio | second fit (s) | ratio |")
    print("| --- | --: | --: | --: | --: | --: |")
    found = {}
    for name in options.backbones:
        seconds = found[name] = measure(name, options.rows, options.rounds, epochs)
        cells = [f"{statistics.median(seconds['plain']):.1f}"]
        for which in ("first", "second"):
            ratios = [plain / ours for plain, ours in zip(seconds["plain"], seconds[which])]
            spread = f"{min(ratios):.0f} to {max(ratios):.0f}"
            cells.append(f"{statistics.median(seconds[which]):.2f}")
            cells.append(f"{statistics.median(ratios):.0f}x ({spread})")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
