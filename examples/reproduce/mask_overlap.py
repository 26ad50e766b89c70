"""
==================================
Does Grad-CAM point at the lesion?
==================================

Grad-CAM of a network trained from scratch on HAM10000 against expert lesion masks, beside the
same network with random weights, a bump in the middle of every picture (lesions are mostly
there), and a flat map. None of the pictures with masks, nor another picture of their lesions,
is trained on where the whole data set is at hand.

``python examples/reproduce/mask_overlap.py ROOT [--train TRAIN_ROOT] [--output PNG]``: ROOT
holds ``HAM10000_metadata.csv``, pictures ``*.jpg`` and masks ``*_expert.png``; TRAIN_ROOT the
data set to train on. Without it half of the lesions in ROOT train the network and the other
half are measured. ``--smallest`` draws lesions instead, with a disc in the middle as their mask.
"""

import argparse
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
import pandas as pd
import torch
from _shards import markdown
from PIL import Image

from sklearn_skin.datasets import load_ham10000, make_lesions
from sklearn_skin.inspection import GradCAMDisplay, grad_cam, mask_overlap
from sklearn_skin.neural_network import ImageClassifier


def read_masks(root, names):
    """Return the masks of these pictures as boolean arrays; without a root, discs."""
    if root is None:
        rows, columns = np.mgrid[-1:1:64j, -1:1:64j]
        return [rows**2 + columns**2 < 0.25] * len(names)
    files = [Path(root) / f"{name}_expert.png" for name in names]
    return [np.asarray(Image.open(file).convert("L")) > 127 for file in files]


def choose_training_rows(data, measured_groups, per_class, seed):
    """Return up to `per_class` rows of each class, none of a lesion that is measured."""
    free = ~pd.Series(data.groups).isin(measured_groups).to_numpy()
    rows = pd.Series(np.flatnonzero(free))
    rows = rows.sample(frac=1, random_state=seed)
    return rows.groupby(data.target.iloc[rows].to_numpy()).head(per_class).to_numpy()


def fit(data, rows, image_size, epochs, seed):
    """Train an image network from scratch."""
    net = ImageClassifier(
        backbone="resnet10t",
        weights=None,
        image_size=image_size,
        max_epochs=epochs,
        optimizer="adamw",
        lr=2e-3,
        lr_schedule="cosine",
        augment="flips",
        class_weight="balanced",
        cache_dir=None,
        random_state=seed,
    )
    return net.fit(data.data[data.image_columns].iloc[rows], data.target.iloc[rows])


def random_network(net, X, y, seed):
    """Return a network like `net` that was not trained."""
    net = ImageClassifier(**net.get_params() | {"max_epochs": 1, "lr": 1e-12, "random_state": seed})
    with torch.random.fork_rng():
        return net.fit(X, y)


def centre_prior(n, size, width=0.25):
    """Return heat maps with a Gaussian bump of `width` times the size in the middle."""
    rows, columns = (np.linspace(-0.5, 0.5, length) for length in size)
    bump = np.exp(-(rows[:, None] ** 2 + columns[None] ** 2) / (2 * width**2))
    return np.broadcast_to(bump, (n, *size))


def load_sets(options):
    """Return the pictures with masks, which of them are measured, and those to train on."""
    if options.smallest:
        masked = make_lesions(40, image_size=64, images_per_lesion=2, random_state=0)
        vars(options).update(root=None, train=None, image_size=64, epochs=1)
    else:
        masked = load_ham10000(options.root, on_missing="drop")
    if options.train is not None:
        return masked, np.arange(len(masked.data)), load_ham10000(options.train)
    lesions = pd.unique(masked.groups)
    drawn = np.random.RandomState(options.seed).permutation(lesions)
    halves = pd.Series(masked.groups).isin(drawn[: len(drawn) // 2]).to_numpy()
    return masked, np.flatnonzero(halves), masked


def make_maps(net, X, data, rows):
    """Return what Grad-CAM finds, and {name: heat maps} of it and of what it is compared with."""
    found = grad_cam(net, X)
    maps = {"Grad-CAM, trained": found.heatmaps}
    few = pd.Series(rows).groupby(data.target.iloc[rows].to_numpy()).head(4)
    images, labels = data.data[data.image_columns].iloc[few], data.target.iloc[few]
    for seed in (1, 2):
        other = random_network(net, images, labels, seed)
        maps[f"Grad-CAM, random weights {seed}"] = grad_cam(other, X).heatmaps
    maps["centre of the image"] = centre_prior(len(X), found.heatmaps.shape[1:])
    maps["flat"] = np.ones_like(found.heatmaps)
    return found, maps


def overlap_table(maps, masks):
    """Return a Markdown table of means and standard errors."""
    lines = [["heat map", "inside", "pointing", "pictures"]]
    for name, heatmaps in maps.items():
        known = mask_overlap(heatmaps, masks).dropna()
        scores = [known["inside"], known["pointing"]]
        cells = [f"{v.mean():.3f} ± {v.std() / np.sqrt(len(known)):.3f}" for v in scores]
        lines.append([name, *cells, len(known)])
    return markdown(lines)


def draw(found, X, y, masks, path):
    """Save nine pictures with their heat map and mask."""
    shown = np.linspace(0, len(X) - 1, 9).astype(int)
    display = GradCAMDisplay(
        found.pixels[shown],
        found.heatmaps[shown],
        titles=[f"{X.index[i]}\n{y.iloc[i]}, predicted {found.target[i]}" for i in shown],
    )
    display.plot(masks=[masks[i] for i in shown]).figure_.savefig(path, dpi=110)
    print(f"saved {path}")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[2])
    parser.add_argument("root", nargs="?", help="folder with pictures and masks")
    parser.add_argument("--smallest", action="store_true", help="a few drawn lesions instead")
    parser.add_argument("--train", help="folder of HAM10000 to train on")
    parser.add_argument("--output", default="mask_overlap.png")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--per-class", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.root is None and not options.smallest:
        parser.error("give ROOT, or --smallest")
    return options


def main():
    """Train, measure, print and draw."""
    options = parse_options()
    masked, measured, data = load_sets(options)
    groups = np.asarray(masked.groups)[measured]
    rows = choose_training_rows(data, groups, options.per_class, options.seed)
    start = time.perf_counter()
    net = fit(data, rows, options.image_size, options.epochs, options.seed)
    print(f"trained on {len(rows)} pictures in {time.perf_counter() - start:.0f} s")
    X, y = masked.data[masked.image_columns].iloc[measured], masked.target.iloc[measured]
    masks = read_masks(options.root, X.index)
    found, maps = make_maps(net, X, data, rows)
    print(
        f"measured on {len(X)} pictures of {len(set(groups))} lesions, accuracy "
        f"{net.score(X, y):.2f}; map of {found.map_size} positions; mean area of a mask "
        f"{np.mean([mask.mean() for mask in masks]):.3f}"
    )
    print(overlap_table(maps, masks))
    draw(found, X, y, masks, options.output)


if __name__ == "__main__":
    main()
