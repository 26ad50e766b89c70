"""Comparison of several models over the same folds."""

from itertools import combinations
from numbers import Real

import numpy as np
import pandas as pd
from scipy.stats import friedmanchisquare, rankdata, studentized_range, wilcoxon
from sklearn.utils import Bunch

from sklearn_skin.utils import list_names


def compare_models(scores, *, alpha=0.05, greater_is_better=True):
    r"""Test whether models differ, given their scores on the same folds.

    The Friedman test asks whether any model differs; two-sided Wilcoxon signed-rank tests, with
    Holm's correction for the number of pairs, ask which do; Nemenyi's critical difference of
    average ranks is what a critical-difference diagram draws.

    Parameters
    ----------
    scores : DataFrame of shape (n_folds, n_models), or dict of str to array-like
        Model name -> its score on every fold (or data set). All models share the folds, in the
        same order.
    alpha : float, default=0.05
        Level of the tests, in (0, 1).
    greater_is_better : bool, default=True
        Whether the best model, with rank 1, has the largest score.

    Returns
    -------
    result : Bunch
        - `summary`: DataFrame, one row per model, best first: `mean`, `std` (over folds,
          ddof=1), `rank` (average).
        - `pairs`: DataFrame, one row per pair: `model_a`, `model_b`, `difference` (mean of a
          minus b), `statistic`, `p_value`, `p_holm`, `significant`.
        - `p_matrix`: DataFrame (n_models, n_models) of `p_holm`, 1 on the diagonal.
        - `friedman_statistic`, `friedman_p_value`: float, NaN for two models.
        - `critical_difference`: float, Nemenyi's, in ranks.
        - `groups`: list of lists of names that differ by less than it: the bars of the diagram.
        - `alpha`, `n_folds`.

    Raises
    ------
    ValueError
        If there are fewer than two models, scores differ in length or are not finite, or there
        are so few folds that no Wilcoxon test can reach `alpha`.

    Notes
    -----
    With n folds the smallest possible two-sided p-value is :math:`2^{1-n}`, so that 0.05 needs
    six folds. Folds of one cross-validation share training rows and are not independent:
    p-values are too small rather than too large.

    With k models and average ranks over n folds the critical difference is
    :math:`q_\alpha \sqrt{k (k + 1) / (6 n)}`, where :math:`q_\alpha` is the studentized range
    over :math:`\sqrt 2`.

    ``scikit_posthocs.critical_difference_diagram(result.summary["rank"], result.p_matrix)``
    draws the diagram.

    References
    ----------
    .. [1] :ref:`Demšar (2006) <demsar2006>`, "Statistical comparisons of classifiers over multiple
       data sets".

    Examples
    --------
    >>> from sklearn_skin.metrics import compare_models
    >>> result = compare_models({
    ...     "fusion": [0.80, 0.82, 0.79, 0.84, 0.81, 0.83],
    ...     "image": [0.75, 0.76, 0.77, 0.78, 0.74, 0.79],
    ...     "metadata": [0.60, 0.66, 0.61, 0.62, 0.63, 0.59],
    ... })
    >>> result.summary["rank"].to_dict()
    {'fusion': 1.0, 'image': 2.0, 'metadata': 3.0}
    >>> round(result.friedman_p_value, 4)
    0.0025
    >>> result.pairs["p_value"].tolist()
    [0.03125, 0.03125, 0.03125]
    """
    if not isinstance(alpha, Real) or not 0 < alpha < 1:
        raise ValueError(f"`alpha` must lie in (0, 1); got {alpha!r}.")
    table = _check_scores(scores, alpha)
    n_folds, n_models = table.shape
    losses = -table.to_numpy() if greater_is_better else table.to_numpy()
    ranks = pd.Series(rankdata(losses, axis=1).mean(axis=0), index=table.columns)
    summary = pd.DataFrame({"mean": table.mean(), "std": table.std(ddof=1), "rank": ranks})
    summary = summary.sort_values("rank", kind="stable")
    pairs = _compare_pairs(table, alpha)
    friedman = (np.nan, np.nan)
    if n_models > 2:
        friedman = friedmanchisquare(*table.to_numpy().T)
    quantile = studentized_range.ppf(1 - alpha, n_models, np.inf) / np.sqrt(2)
    difference = float(quantile * np.sqrt(n_models * (n_models + 1) / (6 * n_folds)))
    return Bunch(
        summary=summary,
        pairs=pairs,
        p_matrix=_as_matrix(pairs, table.columns),
        friedman_statistic=float(friedman[0]),
        friedman_p_value=float(friedman[1]),
        critical_difference=difference,
        groups=_groups(summary["rank"], difference),
        alpha=alpha,
        n_folds=n_folds,
    )


def _check_scores(scores, alpha):
    lengths = {name: len(scores[name]) for name in scores}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"`scores` must hold as many folds for every model; got {lengths}.")
    table = pd.DataFrame({name: np.asarray(scores[name], dtype=float) for name in scores})
    if table.shape[1] < 2:
        raise ValueError(f"`scores` must hold at least two models; got {list(table.columns)}.")
    broken = table.columns[~np.isfinite(table).all()].tolist()
    if broken:
        raise ValueError(
            f"`scores` must be finite; NaN or infinity in models {list_names(broken)}."
        )
    # With n folds the least two-sided p-value is 2 ** (1 - n).
    needed = int(np.ceil(1 - np.log2(alpha)))
    if len(table) < needed:
        raise ValueError(
            f"`scores` has {len(table)} folds; with fewer than {needed} no two-sided Wilcoxon "
            f"test can reach alpha={alpha}. Repeat the cross-validation (RepeatedStratifiedKFold) "
            "or compare over several data sets."
        )
    return table


def _compare_pairs(table, alpha):
    rows = []
    for first, second in combinations(table.columns, 2):
        difference = (table[first] - table[second]).to_numpy()
        # Without any difference the test has nothing to rank.
        test = wilcoxon(difference) if np.any(difference) else (0.0, 1.0)
        rows.append([first, second, difference.mean(), float(test[0]), float(test[1])])
    pairs = pd.DataFrame(rows, columns=["model_a", "model_b", "difference", "statistic", "p_value"])
    pairs["p_holm"] = _holm(pairs["p_value"].to_numpy())
    pairs["significant"] = pairs["p_holm"] <= alpha
    return pairs


def _holm(p_values):
    """Return Holm's adjusted p-values: the i-th smallest of m times m - i + 1, made monotone."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    return adjusted


def _as_matrix(pairs, names):
    matrix = pd.DataFrame(np.eye(len(names)), index=names, columns=names)
    for pair in pairs.itertuples():
        matrix.loc[pair.model_a, pair.model_b] = pair.p_holm
        matrix.loc[pair.model_b, pair.model_a] = pair.p_holm
    return matrix


def _groups(ranks, difference):
    """Return the longest runs of ranks (ascending) within the critical difference."""
    groups, reached = [], 0
    for start in range(len(ranks)):
        stop = int((ranks <= ranks.iloc[start] + difference).sum())
        if stop > reached and stop - start > 1:
            groups.append(ranks.index[start:stop].tolist())
        reached = max(reached, stop)
    return groups
