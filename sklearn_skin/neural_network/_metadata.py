"""A perceptron over metadata alone."""

from sklearn_skin.modules import MetadataNet
from sklearn_skin.neural_network._base import BaseNetwork
from sklearn_skin.neural_network._parameters import CHANCE, WIDTHS


class MetadataClassifier(BaseNetwork):
    """Classify lesions by their metadata alone.

    The network is Linear(p, 128), BatchNorm, ReLU, Linear(128, 256), BatchNorm, ReLU and one
    linear classifier per task. Image columns are ignored, so that it stands beside the other
    networks in a comparison on the same table.

    Parameters
    ----------
    hidden : sequence of int, default=(128, 256)
        Width of each hidden layer.
    dropout : float, default=0.0
        Chance in [0, 1) of dropping a hidden unit.
    %(common)s

    Attributes
    ----------
    %(fitted)s

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn_skin.neural_network import MetadataClassifier
    >>> X, y = make_classification(random_state=0)
    >>> MetadataClassifier(max_epochs=5, random_state=0).fit(X, y).predict_proba(X).shape
    (100, 2)
    """

    _parameter_constraints = BaseNetwork._parameter_constraints | {
        "hidden": [WIDTHS],
        "dropout": [CHANCE],
    }

    def __init__(self, *, hidden=(128, 256), dropout=0.0, **common):
        super().__init__(**common)
        self.hidden = hidden
        self.dropout = dropout

    def make_module(self, shapes, recipe):
        """Return a `MetadataNet`."""
        return MetadataNet(
            shapes.n_metadata, shapes.n_classes, hidden=recipe.hidden, dropout=recipe.dropout
        )
