"""
============================================================
What rows, pixels, tasks, branches, folds and trials cost
============================================================

Seconds against the number of rows, pixels, tasks, branches, folds and trials, with everything else
held: ``python examples/benchmarks/slopes.py``. It prints, and draws to `--plot`, the cost of one
more and the exponent of the growth, the slope of a line through the logarithms: 1 is linear, less
has a fixed part. The sizes alternate within each round; points are medians. `--plan` extrapolates
to tables of up to 10⁸ rows, as on the page about planning, also from a `--json` of before.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score

from sklearn_skin.datasets import make_lesions
from sklearn_skin.ensemble import search_simplex_weights
from sklearn_skin.image import PixelCache, as_images, load_pixels
from sklearn_skin.model_selection import StudyObjective, make_study, run_study
from sklearn_skin.neural_network import JointFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Cost:
    """Seconds of `run` on what `prepare` has made of a size, by `sizes`.

    `each` says what one more of them is, and `smallest` are the sizes of a trial run.
    """

    name: str
    each: str
    sizes: tuple
    smallest: tuple
    prepare: Callable
    run: Callable


FOLDER = tempfile.TemporaryDirectory()


@cache
def lesions(n_rows=256, size=64, n_tasks=1, n_images=1):
    """Return drawn lesions in files, with groups of a few rows."""
    return make_lesions(
        n_rows,
        image_size=size,
        n_tasks=n_tasks,
        image_columns=[f"image{i}" for i in range(n_images)],
        images_per_lesion=2,
        folder=Path(FOLDER.name) / f"{n_rows}-{size}-{n_tasks}-{n_images}",
        random_state=0,
    )


def network(size=64, kind=JointFusionClassifier, **options):
    """Return a network of one epoch that keeps its pixels beside the pictures."""
    return kind(
        backbone="resnet10t",
        weights=None,
        image_size=size,
        max_epochs=1,
        cache_dir=f"{FOLDER.name}/cache",
        random_state=0,
        **options,
    )


def table(n_rows):
    """Return a table of paths, which nobody opens."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "photo": [f"{i:08d}.jpg" for i in range(n_rows)],
            "age": rng.integers(20, 90, n_rows).astype(float),
            "site": rng.choice(["arm", "back", "face", "hand", "leg"], n_rows),
        }
    )


def transform(table):
    make_lesion_transformer(image_columns="photo", image_root="photos").fit_transform(table)


def split(n_rows):
    rng = np.random.default_rng(0)
    y, groups = rng.integers(2, size=n_rows), rng.integers(max(n_rows // 3, 10), size=n_rows)
    return lambda: next(StratifiedGroupKFold(5).split(y, y, groups))


def fit(n_rows=256, size=64, n_tasks=1, n_images=1, kind=JointFusionClassifier):
    """Return a fit of one epoch, whose pixels are in the cache."""
    data = lesions(n_rows, size, n_tasks, n_images)
    X = make_lesion_transformer().fit_transform(data.data)
    model = network(size, kind)
    for column in data.image_columns:
        load_pixels(X[column].array, size, cache=PixelCache(model.cache_dir))
    return lambda: model.fit(X, data.target)


def predict(n_rows):
    data = lesions(n_rows)
    X = make_lesion_transformer().fit_transform(data.data)
    model = network().fit(X[:64], data.target[:64])
    return lambda: model.predict_proba(X)


def decode(size):
    """Return the decoding of 64 photographs of `size`."""
    images = as_images(lesions(64, size).data["image0"])
    return lambda: load_pixels(images, 64)


def weigh(n_branches):
    """Return the search for exact weights of so many branches, on 100 rows."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=100)
    likely = np.eye(3)[y] * 0.5
    predictions = [likely + rng.dirichlet(np.ones(3), 100) for _ in range(n_branches)]
    return lambda: search_simplex_weights([p / p.sum(1, keepdims=True) for p in predictions], y)


def cross_validate(n_folds):
    data = lesions(128)
    X = make_lesion_transformer().fit_transform(data.data)
    folds = StratifiedGroupKFold(n_folds)
    return lambda: cross_val_score(
        network(), X, data.target, groups=data.groups, cv=folds, error_score="raise"
    )


def study(n_trials):
    data = lesions(64)
    X = make_lesion_transformer().fit_transform(data.data)
    space = {"lr": [1e-4, 1e-3, 1e-2]}
    objective = StudyObjective(network(), X, data.target, space, cv=2, groups=data.groups)
    return lambda: run_study(make_study("slopes", ":memory:", random_state=0), objective, n_trials)


def call(work):
    work()


COSTS = [
    Cost("table", "row", (10**4, 10**5, 10**6), (500, 1000), table, transform),
    Cost("split", "row", (10**4, 3 * 10**4, 10**5), (500, 1000), split, call),
    Cost("epoch", "row", (256, 512, 1024, 2048), (32, 64), fit, call),
    Cost("prediction", "row", (256, 512, 1024, 2048), (64, 96), predict, call),
    Cost("decoding", "side²", (64, 128, 256, 512), (32, 64), decode, call),
    Cost("epoch", "side²", (32, 64, 128, 192), (32, 64), lambda s: fit(128, s), call),
    Cost("epoch", "task", (1, 2, 4, 8), (1, 2), lambda t: fit(32, 64, t), call),
    Cost("epoch", "image", (1, 2, 3, 4), (1, 2), lambda k: fit(128, 64, 1, k), call),
    Cost("exact weights", "branch", (2, 3, 4, 5, 6), (2, 3), weigh, call),
    Cost("cross-validation", "fold", (2, 4, 8), (2, 3), cross_validate, call),
    Cost("study", "trial", (2, 4, 8), (1, 2), study, call),
]


def measure(cost, smallest, rounds):
    """Return the sizes, and the median seconds of each; a first round is not counted."""
    sizes = cost.smallest if smallest else cost.sizes
    made = {size: cost.prepare(size) for size in sizes}
    seconds = {size: [] for size in sizes}
    for turn in range(rounds + 1):
        for size, work in made.items():
            start = time.perf_counter()
            cost.run(work)
            seconds[size] += [time.perf_counter() - start] if turn else []
    medians = [statistics.median(seconds[size]) for size in sizes]
    # Pictures are square: what counts is their number of pixels.
    return [size**2 if cost.each == "side²" else size for size in sizes], medians


def growth(sizes, seconds):
    """Return seconds per further one, seconds for none, and the exponent."""
    each, fixed = np.polyfit(sizes, seconds, 1)
    exponent, _ = np.polyfit(np.log(sizes), np.log(seconds), 1)
    return float(each), float(fixed), float(exponent)


def plan(found):
    """Print what tables of 10⁴ to 10⁸ rows would cost, one process at a time."""
    each = {(cost["name"], cost["unit"]): cost["each"] for cost in found}
    epoch = each["epoch", "row"]
    per_row = {
        "encode the table": each["table", "row"],
        "make folds": each["split", "row"],
        # Of 64 photographs.
        "decode once, 600 x 450": 600 * 450 * each["decoding", "pixel"] / 64,
        "train an epoch": epoch,
        "predict": each["prediction", "row"],
        "5 folds of 20 epochs": 5 * 0.8 * 20 * epoch,
        "study of 50 such": 50 * 5 * 0.8 * 20 * epoch,
    }
    powers = range(4, 9)
    print("\n| part | ms a row |", *(f"10^{power} |" for power in powers))
    print("| :-- | --: |", *("--: |" for _ in powers))
    for name, seconds in per_row.items():
        cells = " | ".join(duration(seconds * 10**power) for power in powers)
        print(f"| {name} | {1e3 * seconds:.3g} | {cells} |")


def duration(seconds):
    """Return seconds in the largest unit of which there is one; a dash where noise hides them."""
    if seconds <= 0:
        return "–"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.2g} s"


def draw(found, path):
    """Draw every cost with logarithmic axes, beside a line of exponent 1."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    n_rows = -(-len(found) // 4)
    figure, axes = plt.subplots(n_rows, 4, figsize=(14, 3 * n_rows), squeeze=False)
    for ax, cost in zip(axes.flat, found):
        sizes, seconds = np.array(cost["sizes"]), np.array(cost["seconds"])
        ax.loglog(sizes, seconds, "o-", label=f"exponent {cost['exponent']:.2f}")
        ax.loglog(sizes, seconds[-1] * sizes / sizes[-1], ":", color="gray", label="linear")
        ax.set(title=cost["name"], xlabel=f"{cost['unit']} (number)", ylabel="seconds")
        ax.legend()
    for ax in axes.flat[len(found) :]:
        ax.set_axis_off()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def measure_all(options):
    """Print a line for every cost, and return what was found."""
    rounds = 1 if options.smallest else options.rounds
    found = []
    print("| cost | of a | from | to | seconds | seconds | one more (ms) | exponent |")
    print("| :-- | :-- | --: | --: | --: | --: | --: | --: |")
    for cost in COSTS:
        sizes, seconds = measure(cost, options.smallest, rounds)
        each, fixed, exponent = growth(sizes, seconds)
        unit = "pixel" if cost.each == "side²" else cost.each
        print(
            f"| {cost.name} | {unit} | {sizes[0]:,} | {sizes[-1]:,} | {seconds[0]:.3g} "
            f"| {seconds[-1]:.3g} | {1e3 * each:.3g} | {exponent:.2f} |",
            flush=True,
        )
        found.append(
            {"name": cost.name, "unit": unit, "sizes": sizes, "seconds": seconds}
            | {"each": each, "fixed": fixed, "exponent": exponent}
        )
    return found


def main():
    """Print the table, and draw the plots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--plot", type=Path, help="a PNG file")
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--smallest", action="store_true", help="two small sizes of each, one round"
    )
    parser.add_argument("--plan", action="store_true", help="extrapolate")
    parser.add_argument("--measured", type=Path, help="a --json of before, instead of measuring")
    options = parser.parse_args()
    if options.measured:
        found = json.loads(options.measured.read_text())
    else:
        found = measure_all(options)
    if options.plan:
        plan(found)
    if options.plot:
        draw(found, options.plot)
    if options.json:
        options.json.write_text(json.dumps(found))


if __name__ == "__main__":
    try:
        main()
    finally:
        FOLDER.cleanup()
