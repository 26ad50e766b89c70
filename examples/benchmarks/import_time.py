"""
===========
Import time
===========

Milliseconds to import scikit-learn and this package in a fresh interpreter, medians:
``python examples/benchmarks/import_time.py``.
"""

import statistics
import subprocess
import sys
import time


def seconds(statement, repeats=9):
    """Return the median time of a fresh interpreter that runs `statement`."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    base = seconds("import sklearn")
    ours = seconds("import sklearn, sklearn_skin")
    print(f"import sklearn {base * 1e3:.0f} ms, with sklearn_skin {ours * 1e3:.0f} ms")
    print(f"difference {(ours - base) * 1e3:.0f} ms")
