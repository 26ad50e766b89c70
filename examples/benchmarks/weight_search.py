"""
Searching the weights of three and more branches
================================================

FusionM4Net weighs three predictions by trying 50 x 50 x 50 weights in a triple loop. This
script runs the plain loop on a share of the candidates (and scales its time up), the same
candidates vectorised, and the exact search, on a validation set of 203 cases and 8 tasks.
Then it searches the weights of more branches, and says whether they are proven to be the best.

    python examples/benchmarks/weight_search.py [--full | --growth] [--smallest]

``--full`` runs the whole loop. ``--growth`` instead searches the weights of two to six branches
for one task of three classes and up to 10,000 cases, and draws how the time grows
(``--picture growth.png``). ``--smallest`` tries a loop of 8 x 8 x 8 weights, four branches at most
and few cases; ``--json FILE`` keeps the figures.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np

from sklearn_skin.ensemble import search_simplex_weights

N_CASES = 203
N_CLASSES = (5, 2, 3, 3, 2, 3, 3, 3)
N_GRID = 50
SIGNALS = (0.7, 1.0, 1.2, 0.8, 0.9, 1.1)
SIZES = (200, 500, 1000, 2000, 5000, 10_000)


def make_branches(n_branches=3, n_cases=N_CASES, n_classes=N_CLASSES):
    """Return branches of different quality, and labels (n, T)."""
    rng = np.random.default_rng(0)
    y = np.column_stack([rng.integers(c, size=n_cases) for c in n_classes])
    branches = []
    for signal in SIGNALS[:n_branches]:
        tables = []
        for task, width in enumerate(n_classes):
            logits = rng.normal(size=(n_cases, width))
            logits[np.arange(n_cases), y[:, task]] += signal
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


def compare(options):
    """Print the table of the loop, the grid and the exact search, and that of more branches."""
    share = 1.0 if options.full else 0.02
    n_grid = 8 if options.smallest else N_GRID
    branches, y = make_branches()
    (loop_score, tried), seconds = timed(triple_loop, branches, y, n_grid, share)
    loop_seconds = seconds * n_grid**3 / tried
    found = {"triple loop": loop_seconds}
    print("| search | CPU (s) | times faster | score | weights |\n| --- | --: | --: | --: | --: |")
    note = "–" if share == 1 else f"of {share:.1%} of the candidates"
    print(f"| triple loop | {loop_seconds:.1f} | 1 | {loop_score:.5f} | {note} |")
    for search in ("grid", "exact"):
        result, seconds = repeated(branches, y, 5, search=search, n_grid=n_grid)
        found[search] = seconds
        print(
            f"| {search} | {seconds:.3f} | {loop_seconds / seconds:.0f} | {result.score:.5f} "
            f"| {', '.join(f'{weight:.4f}' for weight in result.weights)} |"
        )
    print("\n| branches | CPU (s) | proven | score |\n| --- | --: | --: | --: |")
    for n_branches in (4,) if options.smallest else (4, 5, 6):
        result, seconds = repeated(*make_branches(n_branches), 1)
        found[f"{n_branches} branches"] = seconds
        print(f"| {n_branches} | {seconds:.1f} | {result.proven} | {result.score:.5f} |")
    return found


def grow(options):
    """Print and draw the time for cases and branches."""
    sizes, numbers = ((50, 100), (2, 3, 4)) if options.smallest else (SIZES, range(2, 7))
    found = []
    print("| cases | branches | margins | CPU (s) | proven | score |")
    print("| --: | --: | --: | --: | --: | --: |")
    for n_branches in numbers:
        for n_cases in sizes:
            branches, y = make_branches(n_branches, n_cases, (3,))
            result, seconds = repeated(branches, y, 5 if n_branches < 4 else 1)
            found.append([n_cases, n_branches, seconds, bool(result.proven), result.score])
            print(
                f"| {n_cases:,} | {n_branches} | {2 * n_cases:,} | {seconds:.3f} "
                f"| {result.proven} | {result.score:.4f} |",
                flush=True,
            )
    if options.picture:
        draw(found, options.picture)
    return found


def draw(found, path):
    """Draw the seconds of each number of branches; hollow where nothing is proven."""
    from matplotlib.figure import Figure

    ax = Figure(figsize=(5.5, 4), layout="constrained").subplots()
    for n_branches in dict.fromkeys(row[1] for row in found):
        cases, _, seconds, proven, _ = zip(*[row for row in found if row[1] == n_branches])
        (line,) = ax.plot(cases, seconds, label=f"{n_branches} branches")
        for case, second, sure in zip(cases, seconds, proven):
            face = line.get_color() if sure else "white"
            ax.plot(case, second, "o", color=line.get_color(), markerfacecolor=face)
    ax.set(xscale="log", yscale="log", xlabel="cases, one task of 3 classes", ylabel="CPU (s)")
    ax.set_title("Search of weights; hollow: not proven")
    ax.legend()
    ax.figure.savefig(path, dpi=110)


def repeated(branches, y, repeats, **options):
    """Return what is found, and the median CPU time."""
    runs = [timed(search_simplex_weights, branches, y, **options) for _ in range(repeats)]
    return runs[0][0], statistics.median(seconds for _, seconds in runs)


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[1])
    parser.add_argument("--full", action="store_true", help="run the whole triple loop")
    parser.add_argument("--growth", action="store_true", help="up to 10,000 cases")
    parser.add_argument("--smallest", action="store_true", help="try fewer weights, fewer cases")
    parser.add_argument("--picture", type=Path, help="where --growth draws")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = grow(options) if options.growth else compare(options)
    if options.json:
        options.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
