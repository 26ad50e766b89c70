"""
===========
Import time
===========

Milliseconds to import this package and its networks in a fresh interpreter, beside what they
build on; medians of pairs of runs: ``python examples/benchmarks/import_time.py``. Importing
makes Python's garbage collector go over all objects there are, torch's above all: the last column
is without it.
"""

import argparse
import statistics
import subprocess
import sys
import time

NETWORK = "from sklearn_skin.neural_network import ImageClassifier"
PAIRS = [
    ("import sklearn", "import sklearn_skin"),
    ("import torch, sklearn, pandas", NETWORK),
    # What a script with a Pipeline imports anyway.
    ("import torch, pandas, sklearn.compose, sklearn.model_selection, sklearn.pipeline", NETWORK),
]


def measure(statement):
    """Return the milliseconds of a fresh interpreter that runs a statement."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return 1e3 * (time.perf_counter() - start)


def differences(before, after, repeats):
    """Return the milliseconds before, and how many more each round takes with what comes after."""
    base = [(measure(before), measure(f"{before}; {after}")) for _ in range(repeats)]
    return statistics.median(first for first, _ in base), [b - a for a, b in base]


def middle(found):
    """Return the median of some differences, and half of the range of their middle half."""
    if len(found) == 1:
        return f"{found[0]:.0f}"
    low, median, high = statistics.quantiles(found)
    return f"{median:.0f} ± {(high - low) / 2:.0f}"


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[1])
    parser.add_argument("--smallest", action="store_true", help="the first pair, once")
    smallest = parser.parse_args().smallest
    print("| before | ms | then | ms more | uncollected |")
    print("| --- | --: | --- | --: | --: |")
    for before, after in PAIRS[:1] if smallest else PAIRS:
        repeats = 1 if smallest else 11
        base, more = differences(before, after, repeats)
        _, bare = differences(f"import gc; gc.disable(); {before}", after, repeats)
        print(f"| `{before}` | {base:.0f} | `{after}` | {middle(more)} | {middle(bare)} |")


if __name__ == "__main__":
    main()
