"""Probabilities of a trained network, per branch and combined."""

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_skin.neural_network._branch_weights import combine_branches
from sklearn_skin.neural_network._fitting import keep_features, make_dataset, seeded
from sklearn_skin.neural_network._table import read_columns, read_features
from sklearn_skin.utils import TaskClassifierMixin


class PredictionMixin(TaskClassifierMixin):
    """What a network does with what `fit` left: its recipe, columns, codec, net and weights."""

    def predict_branches(self, X):
        """Return the probabilities of every branch.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.

        Returns
        -------
        branches : dict of str to ndarray (n, C), or to list of T arrays (n, C_t)
            The final branch is the last one.
        """
        return {name: self._codec.public(tasks) for name, tasks in self._branches(X).items()}

    def iter_batches(self, X):
        """Return rows as the network takes them: no augmentation, no views, no kept features.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.

        Returns
        -------
        batches : iterable
            Batches on its `device`, of `batch_size` rows, as often as asked: `rows` (positions),
            `images` (list of Tensors (n, 3, h, w) in [0, 1]), `metadata`, `present`, `pixels`.

        Examples
        --------
        >>> from sklearn.datasets import make_classification
        >>> from sklearn_skin.neural_network import MetadataClassifier
        >>> X, y = make_classification(random_state=0)
        >>> net = MetadataClassifier(max_epochs=1, random_state=0).fit(X, y)
        >>> [len(batch.rows) for batch in net.iter_batches(X)]
        [32, 32, 32, 4]
        """
        check_is_fitted(self)
        return self.net_.batches(self._dataset(X, self._recipe.for_prediction(self)))

    def _dataset(self, X, recipe):
        if self._columns.by_name:
            table = read_columns(X, self._columns)
        else:
            table = read_features(X, validate_data(self, X, reset=False, dtype=np.float32))
        return make_dataset(table, recipe)

    def _branches(self, X):
        """Return branch -> probabilities (n, C_t) per task."""
        check_is_fitted(self)
        recipe = self._recipe.for_prediction(self)
        dataset = self._dataset(X, recipe)
        with seeded(0):
            if recipe.tta == 1:
                keep_features(self.net_, dataset)
            return self.net_.branch_probabilities(dataset, int(recipe.tta))

    def _task_probabilities(self, X):
        return combine_branches(self._branches(X), self.branch_weights_)
