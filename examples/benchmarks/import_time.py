"""
===========
Import time
===========

Milliseconds to import this package and its networks in a fresh interpreter, beside what they
build on; medians of alternating runs: ``python examples/benchmarks/import_time.py``. Importing
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


def medians(statements, repeats):
    """Return the median milliseconds of a fresh interpreter for each statement, run in turn."""
    times = {statement: [] for statement in statements}
    for _ in range(repeats):
        for statement, found in times.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True)
            found.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(found) for found in times.values()]


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[1])
    parser.add_argument("--smallest", action="store_true", help="the first pair, once")
    smallest = parser.parse_args().smallest
    print("| before | ms | then | ms more | uncollected |")
    print("| --- | --: | --- | --: | --: |")
    for before, after in PAIRS[:1] if smallest else PAIRS:
        both = [before, f"{before}; {after}"]
        both += [f"import gc; gc.disable(); {statement}" for statement in both]
        base, ours, bare, bare_ours = medians(both, 1 if smallest else 9)
        more, bare_more = ours - base, bare_ours - bare
        print(f"| `{before}` | {base:.0f} | `{after}` | {more:.0f} | {bare_more:.0f} |")


if __name__ == "__main__":
    main()
