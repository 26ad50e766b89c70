"""
===========
Import time
===========

Milliseconds to import this package and its networks in a fresh interpreter, beside what they
build on; medians of alternating runs: ``python examples/benchmarks/import_time.py``.
"""

import statistics
import subprocess
import sys
import time

PAIRS = [
    ("import sklearn", "import sklearn_skin"),
    ("import torch, sklearn, pandas", "from sklearn_skin.neural_network import ImageClassifier"),
]


def medians(statements, repeats=9):
    """Return the median milliseconds of a fresh interpreter that runs each statement, in turn."""
    times = {statement: [] for statement in statements}
    for _ in range(repeats):
        for statement, found in times.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True)
            found.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(found) for found in times.values()]


if __name__ == "__main__":
    for before, after in PAIRS:
        base, ours = medians([before, f"{before}; {after}"])
        print(f"{before}: {base:.0f} ms; {after} adds {ours - base:.0f} ms")
