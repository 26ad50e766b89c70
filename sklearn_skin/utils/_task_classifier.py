"""Predictions of labels, for one task or several, from probabilities."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score

from sklearn_skin.utils._doc_link import DocLinkMixin
from sklearn_skin.utils._targets import mean_over_tasks


class TaskClassifierMixin(DocLinkMixin, ClassifierMixin):
    """Give a classifier of one or several tasks `predict`, `predict_proba` and `score`.

    A class needs the method ``_task_probabilities(X)`` -> list of T arrays (n, C_t), and after
    fit the attribute ``_codec``, a :class:`LabelCodec`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.base import BaseEstimator
    >>> from sklearn_skin.utils import LabelCodec, TaskClassifierMixin
    >>> class Coin(TaskClassifierMixin, BaseEstimator):
    ...     def fit(self, X, y):
    ...         self._codec = LabelCodec().fit(y)
    ...         return self
    ...     def _task_probabilities(self, X):
    ...         return [np.full((len(X), len(c)), 1 / len(c)) for c in self._codec.classes_]
    >>> coin = Coin().fit([[0], [1]], ["nevus", "melanoma"])
    >>> coin.predict_proba([[0]]).tolist(), coin.predict([[0]]).tolist()
    ([[0.5, 0.5]], ['melanoma'])
    """

    # With metadata routing, what keeps a score honest is asked for, as scikit-learn's splitters
    # ask for groups; weights stay the user's choice.
    __metadata_request__fit = {"groups": True, "X_val": True, "y_val": True}

    def predict(self, X):
        """Return the most probable labels.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.

        Returns
        -------
        y : ndarray of shape (n,) or (n, T)
            Labels.
        """
        # Before `_codec` is asked for: an estimator that is not fitted has none.
        proba = self._task_probabilities(X)
        return self._codec.most_probable(proba)

    def predict_proba(self, X):
        """Return probabilities of the classes, in the order of `classes_`.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.

        Returns
        -------
        proba : ndarray of shape (n, C), or list of T arrays of shape (n, C_t)
            Rows sum to 1.
        """
        proba = self._task_probabilities(X)
        return self._codec.public(proba)

    def predict_log_proba(self, X):
        """Return the logarithms of the probabilities.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.

        Returns
        -------
        log_proba : ndarray of shape (n, C), or list of T arrays of shape (n, C_t)
            In the order of `classes_`; minus infinity where a probability is 0.
        """
        tables = self._task_probabilities(X)
        with np.errstate(divide="ignore"):
            return self._codec.public([np.log(proba) for proba in tables])

    def score(self, X, y, sample_weight=None):
        """Return the accuracy, with several tasks its mean over the tasks.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.
        y : array-like of shape (n,) or (n, T)
            True labels.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.

        Returns
        -------
        score : float
            In [0, 1].
        """
        return mean_over_tasks(accuracy_score, y, self.predict(X), sample_weight)

    def __sklearn_tags__(self):
        """Return scikit-learn's tags."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
