"""Compare imputers on the gaps of PAD-UFES-20, by hiding values that are known.

Values are hidden in two ways. In blocks: each row gets the gaps of another row on top of its
own, so what is hidden together is what is really missing together, and little is left to guess
it from. Scattered: a fifth of the known values, each on its own. Every imputer is fitted on what
is left, and scored on what was hidden: numbers by their mean absolute error in standard
deviations, categories by their error rate; each is a mean over columns.

    python examples/benchmarks/imputation.py ROOT [--seeds 5]

With --smallest, on a few drawn patients.
"""

import argparse
import warnings

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_skin.datasets import load_pad_ufes_20, make_lesions
from sklearn_skin.preprocessing import NeuralImputer

HOW = ("blocks", "scattered")


def hide(X, how, seed):
    """Return X with values hidden, and the mask of what was hidden."""
    rng = np.random.RandomState(seed)
    if how == "blocks":
        hidden = X.isna().to_numpy()[rng.permutation(len(X))]
    else:
        hidden = rng.uniform(size=X.shape) < 0.2
    hidden &= X.notna().to_numpy()
    return X.mask(pd.DataFrame(hidden, index=X.index, columns=X.columns)), hidden


def fill_simple(X, numbers, texts, seed):
    filled = X.copy()
    filled[numbers] = SimpleImputer(strategy="median").fit_transform(X[numbers])
    modes = SimpleImputer(strategy="most_frequent").fit_transform(X[texts].astype(object))
    filled[texts] = modes
    return filled


def fill_iterative(X, numbers, texts, seed):
    """Regress standardised numbers and one-hot columns on each other; take the largest one-hot.

    The first category is left out: a whole one-hot block determines each of its columns, which
    would then never leave their initial means.
    """
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    scaler = StandardScaler().set_output(transform="pandas").fit(X[numbers])
    blocks = {}
    for name in texts:
        known = X[[name]].dropna().astype(object)
        encoder = OneHotEncoder(sparse_output=False, drop="first").fit(known)
        codes = pd.DataFrame(encoder.transform(known), known.index).reindex(X.index)
        blocks[name] = codes.add_prefix(f"{name}="), encoder.categories_[0]
    wide = pd.concat([scaler.transform(X[numbers]), *(b for b, _ in blocks.values())], axis=1)
    # Guesses are kept in the range seen, as NeuralImputer's are; without it some run away.
    limits = {"min_value": wide.min().to_numpy(), "max_value": wide.max().to_numpy()}
    imputer = IterativeImputer(max_iter=10, random_state=seed, **limits)
    imputer.set_output(transform="pandas")
    wide = imputer.fit_transform(wide)
    filled = X.copy()
    filled[numbers] = scaler.inverse_transform(wide[numbers])
    for name, (codes, categories) in blocks.items():
        others = wide[codes.columns].to_numpy()
        first = 1 - others.sum(axis=1, keepdims=True)
        best = categories[np.hstack([first, others]).argmax(axis=1)]
        filled[name] = X[name].where(X[name].notna(), pd.Series(best, X.index))
    return filled


def fill_neural(X, numbers, texts, seed):
    return NeuralImputer(random_state=seed).fit_transform(X)


IMPUTERS = {
    "median and mode": fill_simple,
    "IterativeImputer": fill_iterative,
    "NeuralImputer": fill_neural,
}


def score(X, filled, hidden, numbers, texts):
    """Return the error of numbers in standard deviations, and the error rate of categories."""
    absolute, wrong = [], []
    for j, name in enumerate(X.columns):
        rows = hidden[:, j]
        if not rows.any():
            continue
        truth, guess = X[name][rows], filled[name][rows]
        if name in numbers:
            absolute.append(((guess.astype(float) - truth) / X[name].std()).abs().mean())
        else:
            wrong.append((guess.astype(str) != truth.astype(str)).mean())
    return np.mean(absolute), np.mean(wrong)


def compare(X, how, fill, n_seeds):
    """Return the errors of numbers and of categories, mean ± standard deviation over seeds."""
    numbers = list(X.select_dtypes("number").columns)
    texts = [name for name in X.columns if name not in numbers]
    scores = []
    for seed in range(n_seeds):
        masked, hidden = hide(X, how, seed)
        scores.append(score(X, fill(masked, numbers, texts, seed), hidden, numbers, texts))
    means, deviations = np.mean(scores, axis=0), np.std(scores, axis=0, ddof=1)
    return [f"{mean:.3f} ± {deviation:.3f}" for mean, deviation in zip(means, deviations)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", nargs="?", help="folder of PAD-UFES-20")
    parser.add_argument("--smallest", action="store_true", help="a few drawn patients instead")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    if options.smallest:
        bunch, options.seeds = make_lesions(60, image_size=8, random_state=0), 2
    elif options.root is None:
        parser.error("give ROOT, or --smallest")
    else:
        bunch = load_pad_ufes_20(options.root)
    warnings.simplefilter("ignore", ConvergenceWarning)
    X = bunch.data[bunch.metadata_columns]
    names = [f"{how}: {kind}" for how in HOW for kind in ("numbers", "categories")]
    print(f"{len(X)} rows\n")
    print("| imputer | " + " | ".join(names) + " |\n| --- |" + " --: |" * len(names))
    for title, fill in IMPUTERS.items():
        cells = sum((compare(X, how, fill, options.seeds) for how in HOW), [])
        print(f"| {title} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
