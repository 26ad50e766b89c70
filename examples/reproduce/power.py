"""
How many fits tell apart differences as large as those that the sources report.

``python examples/reproduce/power.py``: for a paired two-sided t-test at ``--alpha`` and
``--power``, the number of folds or seeds from their standard deviation (those of
docs/results.md by default) and from the correlation of two models on the same fold or seed.
Beside it: the least difference that the folds or seeds that were run find, and how many test rows
would do with no more of them, if the deviation falls with the root of the rows. Both needs are
lower bounds: folds of one cross-validation share training rows, and repeating it on the same rows
adds less than a fit of its own.
"""

import argparse

import numpy as np
from scipy.optimize import brentq
from scipy.stats import nct, t

# Differences of balanced accuracy (tables 4.1 and 4.7) and of accuracy (5.9, 5.15 and 5.17).
FOLD_GAPS = {
    "S3, JF: MMFA - concat": 0.749 - 0.742,
    "S3, JIF: MMFA - concat": 0.772 - 0.751,
    "S3, MMFA: JIF - JF": 0.772 - 0.749,
}
SEED_GAPS = {
    "S4, AAB - BAB": 0.001,
    "S5, shared attention - none": 0.002,
    "S5, W = 0.1 - W = 0.4": 0.007,
}
HEAD = ["comparison", "difference", "deviation", "correlation", "found as run"]
HEAD += ["folds or seeds needed", "or test rows"]


def power_of(effect, n, alpha):
    """Return the power of a paired two-sided t-test, `effect` in deviations of the difference.

    The tail of the wrong sign is left out: it adds less than 1e-6 to a power of 0.8.
    """
    return nct.sf(t.ppf(1 - alpha / 2, n - 1), n - 1, effect * np.sqrt(n))


def fits_needed(effect, alpha, power):
    """Return the least number of pairs that reaches the power."""
    low, high = 1, 2
    while power_of(effect, high, alpha) < power:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(effect, middle, alpha) >= power else (middle, high)
    return high


def least_effect(n, alpha, power):
    """Return the smallest effect that `n` pairs find with the power."""
    return brentq(lambda effect: power_of(effect, n, alpha) - power, 1e-9, 100)


def lines_of(gaps, deviation, n_run, n_rows, options):
    """Yield the lines of comparisons whose fits have the deviation."""
    for name, gap in gaps.items():
        for correlation in options.correlations:
            spread = deviation * np.sqrt(2 * (1 - correlation))
            fits = fits_needed(gap / spread, options.alpha, options.power)
            found = spread * least_effect(n_run, options.alpha, options.power)
            rows = f"{n_rows * max(1, found / gap) ** 2:,.0f} with {n_run}"
            line = [name, f"{gap:.3f}", f"{deviation:.3f}", f"{correlation:g}", f"{found:.3f}"]
            yield [*line, f"{fits:,}", rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--fold-deviation", type=float, default=0.040, help="of balanced accuracy")
    parser.add_argument("--folds", type=int, default=5, help="folds that were run")
    parser.add_argument("--fold-rows", type=int, default=2298, help="test rows of all folds")
    parser.add_argument("--seed-deviation", type=float, default=0.005, help="of accuracy")
    parser.add_argument("--seeds", type=int, default=3, help="seeds that were run")
    parser.add_argument("--seed-rows", type=int, default=1048, help="test rows of a seed")
    parser.add_argument("--correlations", type=float, nargs="+", default=[0, 0.5, 0.9])
    parser.add_argument("--alpha", type=float, default=0.05)
    parser.add_argument("--power", type=float, default=0.8)
    parser.add_argument("--smallest", action="store_true", help="one correlation alone")
    options = parser.parse_args()
    if options.smallest:
        options.correlations = [0.5]
    folds = lines_of(FOLD_GAPS, options.fold_deviation, options.folds, options.fold_rows, options)
    seeds = lines_of(SEED_GAPS, options.seed_deviation, options.seeds, options.seed_rows, options)
    print("| " + " | ".join(HEAD) + " |\n| --- |" + " --: |" * (len(HEAD) - 1))
    for line in [*folds, *seeds]:
        print("| " + " | ".join(line) + " |")


if __name__ == "__main__":
    main()
