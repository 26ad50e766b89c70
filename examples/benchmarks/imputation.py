"""Compare imputers on the gaps of PAD-UFES-20, by hiding values that are known.

Values are hidden in two ways. In blocks: each row gets the gaps of another row on top of its
own, so what is hidden together is what is really missing together, and little is left to guess
it from. Scattered: a fifth of the known values, each on its own. Every imputer is fitted on what
is left, and scored on what was hidden: numbers by their mean absolute and root mean squared error
in standard deviations, categories by their error rate; each is a mean over columns.

    python examples/benchmarks/imputation.py ROOT [--seeds 5]
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_skin.datasets import load_pad_ufes_20
from sklearn_skin.preprocessing import NeuralImputer


def hide(X, how, seed):
    """Return X with values hidden, and the mask of what was hidden."""
    rng = np.random.RandomState(seed)
    if how == "blocks":
        hidden = X.isna().to_numpy()[rng.permutation(len(X))]
    else:
        hidden = rng.uniform(size=X.shape) < 0.2
    hidden &= X.notna().to_numpy()
    return X.mask(pd.DataFrame(hidden, index=X.index, columns=X.columns)), hidden


def fill_simple(X, numbers, texts, seed, strategy="median"):
    filled = X.copy()
    filled[numbers] = SimpleImputer(strategy=strategy).fit_transform(X[numbers])
    modes = SimpleImputer(strategy="most_frequent").fit_transform(X[texts].astype(object))
    filled[texts] = modes
    return filled


def fill_mean(X, numbers, texts, seed):
    return fill_simple(X, numbers, texts, seed, strategy="mean")


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
    "mean and mode": fill_mean,
    "IterativeImputer": fill_iterative,
    "NeuralImputer": fill_neural,
}


def score(X, filled, hidden, numbers, texts):
    """Return MAE and RMSE of numbers in standard deviations, and error rate of categories."""
    absolute, squared, wrong = [], [], []
    for j, name in enumerate(X.columns):
        rows = hidden[:, j]
        if not rows.any():
            continue
        truth, guess = X[name][rows], filled[name][rows]
        if name in numbers:
            error = (guess.astype(float) - truth) / X[name].std()
            absolute.append(error.abs().mean())
            squared.append(np.sqrt((error**2).mean()))
        else:
            wrong.append((guess.astype(str) != truth.astype(str)).mean())
    return np.mean(absolute), np.mean(squared), np.mean(wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", help="folder of PAD-UFES-20")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    bunch = load_pad_ufes_20(arguments.root)
    X = bunch.data[bunch.metadata_columns]
    numbers = list(X.select_dtypes("number").columns)
    texts = [name for name in X.columns if name not in numbers]
    print(f"{len(X)} rows, {len(numbers)} numbers, {len(texts)} categories")
    for how in ("blocks", "scattered"):
        print(f"\n{how:18}{'MAE / sd':>18}{'RMSE / sd':>18}{'error rate':>18}{'seconds':>10}")
        for title, fill in IMPUTERS.items():
            compare(X, how, title, fill, numbers, texts, arguments.seeds)


def compare(X, how, title, fill, numbers, texts, n_seeds):
    """Print one imputer's line: mean ± standard deviation over seeds."""
    scores, start = [], time.perf_counter()
    for seed in range(n_seeds):
        masked, hidden = hide(X, how, seed)
        scores.append(score(X, fill(masked, numbers, texts, seed), hidden, numbers, texts))
    seconds = (time.perf_counter() - start) / n_seeds
    cells = "".join(
        f"{mean:>10.3f} ± {spread:.3f}"
        for mean, spread in zip(np.mean(scores, axis=0), np.std(scores, axis=0, ddof=1))
    )
    print(f"{title:18}{cells}{seconds:>10.1f}", flush=True)


if __name__ == "__main__":
    main()
