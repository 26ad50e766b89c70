"""Columns that give the label away: by name, by what they predict, by their gaps."""

import re

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.tree import DecisionTreeClassifier

from sklearn_skin.utils import grouped_folds

# Words of column names that are known only after, or because of, the diagnosis.
LEAKY_NAMES = (
    r"\bdx\b",
    "diagnos",
    "biops",
    r"histo(?!r)",
    "patholog",
    "benign",
    "malignan",
    "excis",
    "breslow",
    "invasion",
    "thickness",
    "mitotic",
    "confirm",
    "prognos",
    "seven point score",
    r"\bmanagement\b",
    r"\btreatment\b",
    r"\boutcome\b",
    r"\bfollow ?up\b",
    r"^labels?$",
    r"^target$",
    r"^class$",
)
_MIN_ROWS = 20  # of a class, for a score of that class to mean something
_N_FOLDS = 5
_MAX_NUMBER = 1e30  # sums of such numbers still fit into float32, in which trees compute
_PERFECT = 0.999  # AUC of one class that no honest column has
_SIGNIFICANCE = 0.001


def leaky_names(columns, patterns=LEAKY_NAMES):
    """Return those columns whose name tells that they hold the diagnosis, or come after it.

    Parameters
    ----------
    columns : sequence of str
        Column names.
    patterns : sequence of str
        Names; or regular expressions, searched in the name in lower case with spaces for
        anything that is no letter or digit.

    Returns
    -------
    found : list of str
    """
    words = {c: re.sub(r"[\W_]+", " ", str(c)).strip().lower() for c in columns}
    return [c for c in columns if c in patterns or any(re.search(p, words[c]) for p in patterns)]


def predictive_columns(table, tasks, groups, threshold):
    """Score what each column alone predicts, cross-validated.

    Parameters
    ----------
    table : DataFrame
        Metadata.
    tasks : dict of str to TaskLabels
        Labels.
    groups : ndarray of shape (n,) or None
        Kept whole by the folds.
    threshold : float
        Least mean AUC of the classes against the others, or balanced accuracy, to report.

    Returns
    -------
    found : DataFrame
        `column`, `reason`, `task`, `balanced_accuracy`, `auc`, and `class_auc` of the `class`
        told apart best.
    """
    rows = []
    for task, labels in tasks.items():
        known = labels.known
        codes, y = np.unique(labels.labels, return_inverse=True)
        folds = _folds(y, None if groups is None else groups[known])
        for column in table if folds else ():
            proba = _out_of_fold(table[column][known], y, len(codes), folds)
            accuracy = balanced_accuracy_score(y, proba.argmax(axis=1))
            auc, label, best = _class_aucs(proba, y, codes)
            if max(auc, accuracy) >= threshold or best >= _PERFECT:
                rows.append((column, "predicts the label", task, accuracy, auc, label, best))
    names = ["column", "reason", "task", "balanced_accuracy", "auc", "class", "class_auc"]
    return pd.DataFrame(rows, columns=names)


def _folds(y, groups):
    """Return folds of rows that have a label; none if there are too few rows to tell."""
    counts = np.bincount(y)
    too_few = len(counts) < 2 or counts.max() < _MIN_ROWS
    # Among fewer groups many an honest column happens to tell the labels apart.
    if too_few or (groups is not None and len(np.unique(groups)) < _N_FOLDS):
        return []
    return grouped_folds(y, groups, _N_FOLDS, random_state=0)


def _out_of_fold(column, y, n_classes, folds):
    """Return the probabilities (n, C) that the column alone gives each row from other folds."""
    proba = np.zeros((len(y), n_classes))
    if column.dtype.kind in "iuf":  # booleans are categories
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)[:, None]
        # Trees take gaps, but not infinity.
        values = values.clip(-_MAX_NUMBER, _MAX_NUMBER)
        for train, test in folds:
            tree = DecisionTreeClassifier(max_leaf_nodes=64, min_samples_leaf=3, random_state=0)
            tree.fit(values[train], y[train])
            proba[np.ix_(test, tree.classes_)] = tree.predict_proba(values[test])
        return proba
    codes = pd.factorize(column.astype("str"), use_na_sentinel=False)[0]
    for train, test in folds:
        # A value that other folds lack predicts the frequencies of the classes.
        prior = np.bincount(y[train], minlength=n_classes) / len(train)
        counts = np.zeros((codes.max() + 1, n_classes))
        np.add.at(counts, (codes[train], y[train]), 1)
        proba[test] = (counts + prior)[codes[test]]
    return proba / proba.sum(axis=1, keepdims=True).clip(1e-12)


def _class_aucs(proba, y, codes):
    """Return the mean AUC of a class against the others, the best class, and its AUC."""
    scores = {
        label: roc_auc_score(y == k, proba[:, k])
        for k, label in enumerate(codes)
        if _MIN_ROWS <= (y == k).sum() <= len(y) - _MIN_ROWS
    }
    if not scores:
        return 0.0, None, 0.0
    label = max(scores, key=scores.get)
    return float(np.mean(list(scores.values()))), label, scores[label]


def predictive_gaps(missing, tasks, groups, threshold):
    """Score how well a column's being missing predicts the label.

    Parameters
    ----------
    missing : DataFrame of bool
        Where values are missing.
    tasks : dict of str to TaskLabels
        Labels.
    groups : ndarray of shape (n,) or None
        A row counts one over the size of its group, for a patient's rows share their gaps.
    threshold : float
        Least AUC of a class against the others to report; 0.5 is no relation.

    Returns
    -------
    found : DataFrame
        `column`, `task`, `class`, `n_missing`, `auc` and `p_value` (chi-squared test, times
        the number of tests).
    """
    some = [column for column in missing if 0 < missing[column].sum() < len(missing)]
    weight = np.ones(len(missing))
    if groups is not None:
        weight = 1 / pd.Series(groups).groupby(groups).transform("size").to_numpy()
    rows = []
    for task, labels in tasks.items():
        codes, y = np.unique(labels.labels, return_inverse=True)
        for column in some if len(codes) > 1 else ():
            gap, w = missing[column].to_numpy()[labels.known], weight[labels.known]
            counts = np.array([np.bincount(y, w * (gap == g), len(codes)) for g in (0, 1)])
            if not counts.any(axis=1).all():
                continue
            p = min(1.0, chi2_contingency(counts).pvalue * len(some) * len(tasks))
            auc, label = _gap_auc(counts, np.bincount(y), codes)
            if auc >= threshold and p < _SIGNIFICANCE:
                rows.append((column, task, label, int(gap.sum()), auc, p))
    names = ["column", "task", "class", "n_missing", "auc", "p_value"]
    return pd.DataFrame(rows, columns=names)


def _gap_auc(counts, sizes, codes):
    """Return the highest AUC by which a gap, or its absence, tells one class, and the class."""
    totals, gaps = counts.sum(axis=0), counts[1]
    inside = gaps / totals
    outside = (gaps.sum() - gaps) / (totals.sum() - totals)
    auc = np.where(sizes >= _MIN_ROWS, 0.5 + np.abs(inside - outside) / 2, 0.5)
    return float(auc.max()), codes[auc.argmax()]
