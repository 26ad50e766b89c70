"""Cheap stand-ins for networks."""

from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB


class TwoBranches(ClassifierMixin, BaseEstimator):
    """A classifier of several tasks with branches, whose fits are counted in a file."""

    __metadata_request__fit = {"X_val": True, "y_val": True}

    def __init__(self, base=None, *, log=None, weight=0.5):
        self.base = base
        self.log = log
        self.weight = weight

    def fit(self, X, y, *, sample_weight=None, groups=None, X_val=None, y_val=None):
        self.valid_ = X_val, y_val
        if self.log is not None:
            with Path(self.log).open("a") as file:
                file.write(f"{len(X)}\n")
        self.groups_, self.weight_ = groups, sample_weight
        y = np.asarray(y)
        self.multi_ = y.ndim == 2
        columns = y.T if self.multi_ else [y]
        self.models_ = []
        for column in columns:
            known = np.array([label is not None for label in column])
            labels = np.array(column[known].tolist())
            weight = None if sample_weight is None else sample_weight[known]
            bases = (self.base or LogisticRegression(max_iter=300), GaussianNB())
            data = _numbers(X)[known]
            self.models_.append(
                [clone(base).fit(data, labels, sample_weight=weight) for base in bases]
            )
        classes = [pair[0].classes_ for pair in self.models_]
        self.classes_ = classes if self.multi_ else classes[0]
        return self

    def predict_branches(self, X):
        branches = {
            name: [pair[i].predict_proba(_numbers(X)) for pair in self.models_]
            for i, name in enumerate(["clinical", "dermoscopy"])
        }
        pairs = zip(*branches.values())
        branches["fusion"] = [self.weight * a + (1 - self.weight) * b for a, b in pairs]
        if self.multi_:
            return branches
        return {name: tables[0] for name, tables in branches.items()}

    def predict_proba(self, X):
        return self.predict_branches(X)["fusion"]

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _numbers(X):
    return np.asarray(X.select_dtypes("number") if hasattr(X, "select_dtypes") else X)


def blobs(n=120, n_classes=3, seed=0, spread=1.0):
    rng = np.random.default_rng(seed)
    y = rng.integers(n_classes, size=n)
    X = rng.normal(size=(n, 4)) * spread
    X[:, 0] += y
    X[:, 1] += y == 1
    return X, np.array(["A", "B", "C", "D"])[y]


def two_tasks(n=120, seed=0):
    """Return X, and two tasks with gaps: three classes, and two."""
    X, first = blobs(n, seed=seed)
    second = np.where(X[:, 2] > 0, "present", "absent")
    y = np.column_stack([first, second]).astype(object)
    y[::7, 1] = None
    y[3::11, 0] = None
    return X, y


def twins(n_pairs=60, seed=0):
    """Return pairs of nearly equal rows with one random label, and the pair of each row."""
    rng = np.random.default_rng(seed)
    X = np.repeat(rng.normal(size=(n_pairs, 6)), 2, axis=0)
    X += 0.01 * rng.normal(size=X.shape)
    y = np.repeat(rng.permutation(np.arange(n_pairs) % 2), 2)
    return X, y, np.repeat(np.arange(n_pairs), 2)
