"""What a user writes in a module of their own."""

from sklearn.base import BaseEstimator, TransformerMixin
from torch.nn.functional import interpolate

from sklearn_skin.modules import MetadataNet
from sklearn_skin.neural_network import BaseNetwork


class Doubler(TransformerMixin, BaseEstimator):
    """Double everything."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return 2 * X


def halve(X):
    """Halve everything."""
    return X / 2


def twice(images):
    """Enlarge images."""
    return interpolate(images, scale_factor=2)


class WideClassifier(BaseNetwork):
    """Classify metadata by a wide layer."""

    def make_module(self, shapes, recipe):
        return MetadataNet(shapes.n_metadata, shapes.n_classes, hidden=(64,))
