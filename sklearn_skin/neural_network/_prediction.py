"""Probabilities of a trained network, per branch and combined."""

import copy

from sklearn.utils.validation import check_is_fitted

from sklearn_skin.neural_network._branch_classifier import BaseBranchClassifier
from sklearn_skin.neural_network._fitting import keep_features, make_dataset, seeded


class PredictionMixin(BaseBranchClassifier):
    """What a network does with what `fit` left: its recipe, columns, codec, net and weights."""

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

    def to_cpu(self):
        """Return a copy of the fitted network that predicts in single precision on the CPU.

        Returns
        -------
        copy : object
            Of the same class, with weights of its own.
        """
        check_is_fitted(self)
        twin = copy.copy(self).set_params(device="cpu", precision="fp32")
        twin.net_ = copy.deepcopy(self.net_)
        twin.precision_ = twin.net_.precision = "fp32"
        twin.net_.device = "cpu"
        # skorch writes and reads its modules in a copy: `module_` of this one would be another.
        twin.module_ = twin.net_.module_.to("cpu").eval()
        return twin

    def _row_settings(self):
        recipe = self._recipe.for_prediction(self)
        return {
            "size": recipe.image_size,
            "missing_ok": recipe.allow_missing_images,
            "on_error": recipe.on_error,
        }

    def _dataset(self, X, recipe):
        return make_dataset(self._read_table(X), recipe)

    def _branches(self, X):
        """Return branch -> probabilities (n, C_t) per task."""
        check_is_fitted(self)
        recipe = self._recipe.for_prediction(self)
        dataset = self._dataset(X, recipe)
        with seeded(0):
            if recipe.tta == 1:
                keep_features(self.net_, dataset)
            return self.net_.branch_probabilities(dataset, int(recipe.tta))
