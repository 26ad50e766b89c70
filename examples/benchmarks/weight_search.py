"""
Searching the weights of three and more branches
================================================

FusionM4Net weighs three predictions by trying 50 x 50 x 50 weights in a triple loop. This
script runs the plain loop on a share of the candidates (and scales its time up), the same
candidates vectorised, and the exact search, on a validation set of 203 cases and 8 tasks.
Then it searches the weights of more branches, and says whether they are proven to be the best.

    python examples/benchmarks/weight_search.py [--full | --smallest]

``--full`` runs the whole loop, ``--smallest`` one of 8 x 8 x 8 weights and four branches
at most.
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


def triple_loop(branches, y, n_grid, share):
    """Try the first `share` of all candidates one by one; return the score and the candidates."""
    values = np.linspace(0, 1, n_grid)
    best, tried, limit = 0.0, 0, int(share * n_grid**3)
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
    """Return the result and the CPU time."""
    start = time.process_time()
    result = function(*args, **kwargs)
    return result, time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("--full", action="store_true", help="run the whole triple loop")
    parser.add_argument("--smallest", action="store_true", help="try fewer weights")
    options = parser.parse_args()
    share = 1.0 if options.full else 0.02
    n_grid = 8 if options.smallest else N_GRID
    branches, y = make_branches()

    (loop_score, tried), seconds = timed(triple_loop, branches, y, n_grid, share)
    loop_seconds = seconds * n_grid**3 / tried
    print("| search | CPU (s) | times faster | score | weights |\n| --- | --: | --: | --: | --: |")
    note = "–" if share == 1 else f"of {share:.1%} of the candidates"
    print(f"| triple loop | {loop_seconds:.1f} | 1 | {loop_score:.5f} | {note} |")
    for search in ("grid", "exact"):
        found, seconds = timed(search_simplex_weights, branches, y, search=search, n_grid=n_grid)
        print(
            f"| {search} | {seconds:.2f} | {loop_seconds / seconds:.0f} | {found.score:.5f} "
            f"| {', '.join(f'{weight:.4f}' for weight in found.weights)} |"
        )
    print("\n| branches | CPU (s) | proven | score |\n| --- | --: | --: | --: |")
    for n_branches in (4,) if options.smallest else (4, 5, 6):
        branches, y = make_branches([0.7, 1.0, 1.2, 0.8, 0.9, 1.1][:n_branches])
        found, seconds = timed(search_simplex_weights, branches, y)
        print(f"| {n_branches} | {seconds:.1f} | {found.proven} | {found.score:.5f} |")


if __name__ == "__main__":
    main()
