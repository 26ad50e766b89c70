"""scikit-learn's scorers, asked about predictions that are there already."""

import inspect

from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer, get_scorer_names


def find_scorer(monitor):
    """Return a scorer for the name or callable in `monitor`."""
    if callable(monitor):
        return monitor
    from sklearn_skin.metrics import SCORERS

    if monitor in SCORERS:
        return SCORERS[monitor]
    if monitor not in get_scorer_names():
        raise ValueError(
            f"`monitor` must be 'valid_loss', 'train_loss', a scorer's name such as "
            f"'balanced_accuracy' or {sorted(SCORERS)}, or a callable; got {monitor!r}."
        )
    return get_scorer(monitor)


def takes_weights(scorer):
    """Whether a scorer's metric knows sample weights; scikit-learn's scorers all say so."""
    function = getattr(scorer, "_score_func", scorer)
    return "sample_weight" in inspect.signature(function).parameters


class KnownPredictions(ClassifierMixin, BaseEstimator):
    """Predictions at hand, in the form that scikit-learn's scorers ask for.

    Parameters
    ----------
    classes : ndarray, or list of ndarray
        Labels (per task).
    labels : ndarray of shape (n,) or (n, T)
        Predicted labels.
    probabilities : ndarray of shape (n, C), or list of ndarray
        Predicted probabilities.
    """

    def __init__(self, classes, labels, probabilities):
        self.classes = classes
        self.labels = labels
        self.probabilities = probabilities

    @property
    def classes_(self):
        """The classes."""
        return self.classes

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y):
        """Do nothing; scikit-learn takes only what can be fitted for an estimator."""
        return self

    def predict(self, X):
        """Return the labels."""
        return self.labels

    def predict_proba(self, X):
        """Return the probabilities."""
        return self.probabilities
