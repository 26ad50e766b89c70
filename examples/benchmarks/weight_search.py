"""
Searching the weights of three and more branches
================================================

FusionM4Net weighs three predictions by trying 50 x 50 x 50 weights in a triple loop. This
script runs the plain loop on a share of the candidates (and scales its time up), the same
candidates vectorised, and the exact search, on a validation set of 203 cases and 8 tasks.
Then it searches the weights of more branches, and says whether they are proven to be the best.

    python examples/benchmarks/weight_search.py [--full]

``--full`` runs the whole loop.
"""

import argparse
import time

import numpy as np

from sklearn_skin.ensemble import search_simplex_weights

N_CASES = 203
N_CLASSES = (5, 2, 3, 3, 2, 3, 3, 3)
N_GRID = 50


def make_branches(signals=(0.7, 1.0, 1.2), random_state=0):
    """Return labels (n, T) and branches of different quality."""
    rng = np.random.default_rng(random_state)
    y = np.column_stack([rng.integers(c, size=N_CASES) for c in N_CLASSES])
    branches = []
    for signal in signals:
        tables = []
        for task, n_classes in enumerate(N_CLASSES):
            logits = rng.normal(size=(N_CASES, n_classes))
            logits[np.arange(N_CASES), y[:, task]] += signal
            exp = np.exp(logits)
            tables.append(exp / exp.sum(axis=1, keepdims=True))
        branches.append(tables)
    return branches, y


def triple_loop(branches, y, share):
    """Try the first `share` of all candidates one by one; return the score and the candidates."""
    values = np.linspace(0, 1, N_GRID)
    best, tried, limit = 0.0, 0, int(share * N_GRID**3)
    for i in values:
        for j in values:
            for z in values:
                tried += 1
                if tried > limit:
                    return best, limit
                total = i + j + z
                if total == 0:
                    continue
                accuracy = np.mean(
                    [
                        ((i * a + j * b + z * c) / total).argmax(axis=1) == y[:, task]
                        for task, (a, b, c) in enumerate(zip(*branches))
                    ]
                )
                best = max(best, accuracy)
    return best, tried


def timed(function, *args, **kwargs):
    start = time.perf_counter()
    result = function(*args, **kwargs)
    return result, time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("--full", action="store_true", help="run the whole triple loop")
    share = 1.0 if parser.parse_args().full else 0.02
    branches, y = make_branches()

    (loop_score, tried), seconds = timed(triple_loop, branches, y, share)
    loop_seconds = seconds * N_GRID**3 / tried
    print(f"{'search':<22}{'seconds':>10}{'times faster':>14}{'score':>10}")
    note = "" if share == 1 else f"   ({share:.0%} of the candidates)"
    print(f"{'triple loop':<22}{loop_seconds:>10.1f}{1:>14}{loop_score:>10.5f}{note}")
    for search in ("grid", "exact"):
        found, seconds = timed(search_simplex_weights, branches, y, search=search)
        print(
            f"{search:<22}{seconds:>10.3f}{loop_seconds / seconds:>14.0f}{found.score:>10.5f}"
            f"   weights {found.weights.round(4)}"
        )
    print(f"\n{'branches':<22}{'seconds':>10}{'proven':>14}{'score':>10}")
    for n_branches in (4, 5, 6):
        branches, y = make_branches([0.7, 1.0, 1.2, 0.8, 0.9, 1.1][:n_branches])
        found, seconds = timed(search_simplex_weights, branches, y)
        print(f"{n_branches:<22}{seconds:>10.3f}{found.proven!s:>14}{found.score:>10.5f}")


if __name__ == "__main__":
    main()
