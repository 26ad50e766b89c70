"""What a comparison of operators in two structures over folds says, in sentences."""

import numpy as np
import pandas as pd
from scipy.stats import friedmanchisquare, spearmanr, wilcoxon

from sklearn_skin.metrics import compare_models


def print_comparison(frame, source):
    """Print what the page of results states beside its table.

    Parameters
    ----------
    frame : DataFrame
        `structure` ("JF" or "JIF"), `operator`, `fold`, `bacc` and `fit_seconds` of each fit.
    source : dict
        Operator -> balanced accuracy in JF and JIF that the source reports.
    """
    print_structures(frame)
    if source:
        print_agreement(frame, source)
    seconds = frame.groupby("operator", sort=False)["fit_seconds"].median()
    shown = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
    print(f"Median seconds a fit: {shown}.")
    table = frame.assign(model=frame["structure"] + " " + frame["operator"])
    table = table.pivot_table(index="fold", columns="model", values="bacc").dropna()
    if len(table) < 2:
        print("One split: no test over folds.")
        return
    print_spread(table)
    print_tests(table)


def print_structures(frame):
    """Print JIF minus JF over the rows of the table."""
    means = frame.pivot_table(index="operator", columns="structure", values="bacc", sort=False)
    difference = means["JIF"] - means["JF"]
    p_value = wilcoxon(difference).pvalue if difference.any() else 1.0
    shown = ", ".join(f"{name} {value:+.3f}" for name, value in difference.items())
    print(
        f"JIF is above JF for {(difference > 0).sum()} of {len(difference)} operators and level "
        f"for {(difference == 0).sum()}, by {difference.mean():.3f} on average; Wilcoxon over "
        f"operators p = {p_value:.2g}; {shown}."
    )


def print_agreement(frame, source):
    """Print how far our order is the source's, for each kind of MMFA."""
    means = frame.groupby(["operator", "structure"])["bacc"].mean()
    known = set(frame["operator"])
    if set(source) - known - {"mmfa"}:
        return
    for mmfa in sorted(name for name in known if name.startswith("mmfa")):
        ours = {name: mmfa if name == "mmfa" else name for name in source}
        pairs = [
            (means[ours[name], structure], value)
            for name, values in source.items()
            for structure, value in zip(("JF", "JIF"), values)
        ]
        found = spearmanr(*zip(*pairs))
        print(
            f"Spearman's correlation with the source's {len(pairs)} figures, {mmfa}: "
            f"{found.statistic:.2f} (p = {found.pvalue:.2g})."
        )


def print_spread(table):
    """Print how much models vary over the folds, and pairs of them together."""
    pairs = pd.DataFrame({(a, b): table[a] - table[b] for a in table for b in table if a < b})
    upper = np.triu_indices(table.shape[1], 1)
    print(
        f"Over {len(table)} folds, medians: deviation of a model {table.std().median():.3f}, of "
        f"the difference of two {pairs.std().median():.3f}, their correlation "
        f"{np.median(table.corr().to_numpy()[upper]):.2f}."
    )


def print_tests(table):
    """Print the Friedman, Wilcoxon and Nemenyi tests of the models on the folds."""
    for structure in ("", "JF ", "JIF "):
        part = table[[name for name in table if name.startswith(structure)]]
        if part.shape[1] < 3:
            continue
        statistic, p_value = friedmanchisquare(*part.to_numpy().T)
        print(
            f"Friedman over {part.shape[1]} models{f', {structure}alone' if structure else ''}: "
            f"chi2 = {statistic:.1f}, p = {p_value:.2g}."
        )
    try:
        compare_models(table)
    except ValueError as error:
        print("compare_models, alpha = 0.05:", error)
    # The smallest two-sided p-value that so many folds can give.
    least = 2.0 ** (1 - len(table))
    result = compare_models(table, alpha=least)
    print(
        f"Wilcoxon: p >= {least}, reached by {(result.pairs['p_value'] <= least).sum()} of "
        f"{len(result.pairs)} pairs; smallest p after Holm's correction "
        f"{result.pairs['p_holm'].min():.2g}."
    )
    best = result.summary.index[0]
    beaten = table.drop(columns=best).lt(table[best], axis=0).all().sum()
    print(f"The best by rank, {best}, wins on every fold against {beaten} of {table.shape[1] - 1}.")
    reach = result.summary["rank"].iloc[0] + result.critical_difference
    print(
        f"Nemenyi's critical difference at {least}: {result.critical_difference:.1f} ranks of "
        f"{table.shape[1]}; {(result.summary['rank'] <= reach).sum()} models are within it of the "
        "best, itself included."
    )
    print(result.summary.round(3).to_string())
