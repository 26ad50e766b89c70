"""
============================
Peak memory of fits by rows
============================

Largest resident memory of a process that trains an epoch on image files and predicts them, for a
number of rows, ten times as many, and forty: ``python examples/benchmarks/memory.py``. The files
are noise, and the cache is empty at first, so that every picture is decoded.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

SETTINGS = {"backbone": "test_resnet", "weights": None, "batch_size": 64, "max_epochs": 1}


def write_files(folder, n_files, size):
    """Write pictures of noise and return their paths."""
    rng = np.random.default_rng(0)
    paths = [Path(folder) / f"{i:06d}.jpg" for i in range(n_files)]
    for path in paths:
        Image.fromarray(rng.integers(256, size=(size, size, 3), dtype=np.uint8)).save(path)
    return paths


def fit(folder, n_rows, size):
    """Train and predict in this process; print its peak in MB."""
    from sklearn_skin.image import as_images
    from sklearn_skin.neural_network import ImageClassifier

    paths = sorted(Path(folder).glob("*.jpg"))[:n_rows]
    X = pd.DataFrame({"image": as_images(paths)})
    with tempfile.TemporaryDirectory() as cache:
        network = ImageClassifier(**SETTINGS, image_size=size, cache_dir=cache, random_state=0)
        network.fit(X, np.arange(n_rows) % 2).predict(X)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main():
    """Print the table, or the peak of one fit."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[1])
    parser.add_argument("--fit", nargs=3, metavar=("FOLDER", "ROWS", "PIXELS"))
    parser.add_argument("--pixels", type=int, default=64)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--json", type=Path, help="file for the peaks in MB by rows")
    parser.add_argument("--smallest", action="store_true", help="four rows and forty")
    args = parser.parse_args()
    if args.fit:
        return fit(args.fit[0], *map(int, args.fit[1:]))
    times, rows = ((1, 10), 4) if args.smallest else ((1, 10, 40), args.rows)
    peaks = {}
    print("| rows | pixels | peak (MB) | times the first |")
    print("| --: | --: | --: | --: |")
    with tempfile.TemporaryDirectory() as folder:
        write_files(folder, rows * times[-1], args.pixels)
        for factor in times:
            given = [folder, str(factor * rows), str(args.pixels)]
            command = [sys.executable, __file__, "--fit", *given]
            peak = float(subprocess.run(command, capture_output=True, check=True).stdout)
            peaks[factor * rows] = peak
            times_first = peak / peaks[rows]
            print(f"| {factor * rows:,} | {args.pixels} | {peak:.0f} | {times_first:.2f} |")
    if args.json:
        args.json.write_text(json.dumps(peaks), encoding="utf-8")


if __name__ == "__main__":
    main()
