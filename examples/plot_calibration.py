"""
==========================================================
How sure is it: calibration, prediction sets, abstaining
==========================================================

A network that was trained for long is too sure of itself. Three remedies, all of which take
rows that training has not seen, and all pictures of a lesion on one side:

1. temperature scaling by scikit-learn's ``CalibratedClassifierCV`` around the fitted network,
2. sets of classes that hold the true one in 90 % of the cases, by MAPIE, which reads the
   probabilities: it knows tables of numbers only,
3. leaving the least sure cases to somebody else: the risk against the coverage.

The guarantee of a prediction set asks for rows that could be exchanged. Pictures of one lesion
are not, so one picture of each lesion is kept for them.
"""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline

from sklearn_skin.datasets import make_lesions
from sklearn_skin.metrics import risk_coverage_curve
from sklearn_skin.neural_network import ImageClassifier
from sklearn_skin.preprocessing import make_lesion_transformer


class Predicted(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose X are the probabilities that another one predicted."""

    def __init__(self, classes):
        self.classes = classes
        self.classes_ = np.asarray(classes)
        self.n_features_in_ = len(classes)

    def fit(self, X, y):
        """Do nothing."""
        return self

    def predict(self, X):
        """Return the most probable labels."""
        return self.classes_[np.asarray(X).argmax(axis=1)]

    def predict_proba(self, X):
        """Return X."""
        return np.asarray(X)


def split(groups, shares, random_state=0):
    """Return positions of rows per part; a lesion lies in one part only."""
    rest, parts = np.arange(len(groups)), []
    for number, share in enumerate(shares[:-1]):
        splitter = GroupShuffleSplit(
            1, train_size=share / sum(shares[number:]), random_state=random_state
        )
        taken, left = next(splitter.split(rest, groups=groups[rest]))
        parts.append(rest[taken])
        rest = rest[left]
    return [*parts, rest]


def one_per_group(rows, groups, random_state=0):
    """Return one of the rows of each group, drawn at random."""
    drawn = pd.Series(rows).sample(frac=1, random_state=random_state)
    return drawn[~pd.Series(groups[drawn]).duplicated().to_numpy()].to_numpy()


def prediction_sets(model, X_calibration, y_calibration, X, confidence_level=0.9):
    """Return which classes (n, C) belong to the set of each row of X."""
    conformal = SplitConformalClassifier(
        Predicted(model.classes_), confidence_level=confidence_level, prefit=True
    )
    conformal.conformalize(model.predict_proba(X_calibration), np.asarray(y_calibration))
    _, members = conformal.predict_set(model.predict_proba(X))
    return members[:, :, 0]


def draw_reliability(ax, curves, y, classes):
    """Draw how often the predicted class is right against how probable it was said to be."""
    ax.plot([0, 1], [0, 1], ":", color="0.5")
    for name, proba in curves.items():
        sure, right = proba.max(axis=1), classes[proba.argmax(axis=1)] == y
        bins = np.digitize(sure, np.linspace(0.3, 1, 8)[1:-1])
        table = pd.DataFrame({"sure": sure, "right": right}).groupby(bins)
        table = table.mean()[table.size() >= 10]
        ax.plot(table["sure"], table["right"], "o-", label=name)
    ax.set(xlabel="Probability of the predicted class", ylabel="Share right", title="Reliability")
    ax.legend(frameon=False)


def draw_sets(ax, sizes, covered):
    """Draw how many classes a set holds."""
    values, counts = np.unique(sizes, return_counts=True)
    ax.bar(values, counts / counts.sum(), color="tab:green")
    ax.set(xlabel="Classes in the set", ylabel="Share of rows", xticks=values)
    ax.set_title(f"90 % prediction sets: {covered:.0%} hold the true class")


def draw_abstaining(ax, curves, y, classes):
    """Draw the error rate among the rows that are answered."""
    for name, proba in curves.items():
        coverage, risk, _ = risk_coverage_curve(y, proba, classes=classes)
        ax.plot(coverage, risk, label=name)
    ax.set(xlabel="Coverage", ylabel="Risk", title="Abstaining", xlim=(0, 1.02))
    ax.legend(frameon=False)


if __name__ == "__main__":
    lesions = make_lesions(900, image_size=32, images_per_lesion=2, random_state=0)
    X, y, groups = lesions.data, lesions.target, np.asarray(lesions.groups)
    train, calibration, sets, test = split(groups, [0.35, 0.15, 0.25, 0.25])
    net = ImageClassifier(
        backbone="resnet10t",
        weights=None,
        image_size=32,
        max_epochs=10,
        optimizer="adamw",
        cache_dir=None,
        random_state=0,
    )
    model = make_pipeline(make_lesion_transformer(), net).fit(X.iloc[train], y.iloc[train])
    calibrated = CalibratedClassifierCV(FrozenEstimator(model), method="temperature")
    # scikit-learn 1.9 reads y[0], which a Series with names for rows does not have.
    calibrated.fit(X.iloc[calibration], y.iloc[calibration].to_numpy())
    curves = {
        "network": model.predict_proba(X.iloc[test]),
        "with temperature": calibrated.predict_proba(X.iloc[test]),
    }
    for name, proba in curves.items():
        print(f"{name:17s} log loss {log_loss(y.iloc[test], proba):.3f}")

    sets = one_per_group(sets, groups)
    members = prediction_sets(calibrated, X.iloc[sets], y.iloc[sets], X.iloc[test])
    true = members[np.arange(len(test)), np.searchsorted(model.classes_, y.iloc[test])]
    size = members.sum(axis=1).mean()
    print(f"sets of {size:.2f} classes on average; {true.mean():.2f} hold the true one")

    figure, axes = plt.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    truth = y.iloc[test].to_numpy()
    draw_reliability(axes[0], curves, truth, model.classes_)
    draw_sets(axes[1], members.sum(axis=1), true.mean())
    draw_abstaining(axes[2], curves, truth, model.classes_)
    path = sys.argv[1] if len(sys.argv) > 1 else "calibration.png"
    figure.savefig(path, dpi=100)
    print(f"saved {path}")
