"""
=================
Loading data sets
=================

Seconds that each loader takes the second time, when the file system is warm, and that reading the
table alone takes: the rest is finding and checking the image files.

    python examples/benchmarks/loaders.py FOLDER

FOLDER holds the data sets by name: ``ham10000``, ``pad_ufes_20``, ``milk10k``, …; others are
left out.
"""

import sys
import time
from pathlib import Path

import pandas as pd

from sklearn_skin import datasets


def seconds(function, *args):
    """Return the time of the second call, and its result."""
    function(*args)
    start = time.perf_counter()
    result = function(*args)
    return time.perf_counter() - start, result


def main(folder):
    """Print a line for each data set that is there."""
    print(f"{'data set':<14}{'rows':>8}{'load':>10}{'tables':>10}{'ratio':>8}")
    for loader in datasets.__all__:
        root = folder / loader.removeprefix("load_")
        if not loader.startswith("load_") or not root.is_dir():
            continue
        load, bunch = seconds(getattr(datasets, loader), root)
        tables = sorted([*root.glob("*.csv"), *root.glob("meta/*.csv")])
        read = sum(seconds(pd.read_csv, table)[0] for table in tables)
        ratio = load / read
        print(f"{root.name:<14}{len(bunch.data):>8}{load:>8.2f} s{read:>8.2f} s{ratio:>7.1f}x")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
