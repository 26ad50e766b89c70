"""Early stopping watches the model that the user gets."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, make_scorer
from skorch.callbacks import Callback

from sklearn_skin.neural_network import (
    JointIndividualFusionClassifier,
    MetadataClassifier,
)


@pytest.mark.parametrize(
    "settings",
    [{"branch_weights": "fusion"}, {"branch_weights": [5, 1, 0]}, {"tta": 4}],
    ids=str,
)
def test_monitor_scores_what_predict_returns(X, y, make_net, settings):
    net = make_net(
        JointIndividualFusionClassifier, fusion="concat", monitor="neg_log_loss", **settings
    )
    net.fit(X[:32], y[:32], X_val=X[32:], y_val=y[32:])
    expected = -log_loss(y[32:], net.predict_proba(X[32:]), labels=net.classes_)
    assert net.history_[-1]["neg_log_loss"] == pytest.approx(expected, rel=1e-5)
    # The settings matter: the plain mean of the branches scores otherwise.
    plain = net.set_params(tta=1).predict_branches(X[32:])
    mean = -log_loss(y[32:], sum(plain.values()) / 3, labels=net.classes_)
    assert abs(expected - mean) > 1e-4


class HeldOut(Callback):
    """Remember the names of the rows held out."""

    def on_epoch_end(self, net, dataset_valid=None, **kwargs):
        self.names = dataset_valid.table.row_names


def test_monitor_weighs_rows(X, y, make_net):
    weight, seen = np.random.default_rng(0).uniform(0.1, 5.0, len(X)), HeldOut()
    net = make_net(
        MetadataClassifier, monitor="neg_log_loss", early_stopping=True, max_epochs=1
    ).set_params(validation_fraction=0.3, callbacks=[seen])
    net.fit(X, y, sample_weight=weight)
    rows = X.index.get_indexer(seen.names)
    proba = net.predict_proba(X.iloc[rows])
    weighted, plain = (
        -log_loss(y.iloc[rows], proba, labels=net.classes_, sample_weight=w)
        for w in (weight[rows], None)
    )
    assert net.history_[-1]["neg_log_loss"] == pytest.approx(weighted, rel=1e-5)
    assert abs(weighted - plain) > 1e-4


def test_a_scorer_that_knows_no_weights_is_called_without(X, y, make_net):
    rows = []

    def share_of_a(y_true, y_pred):
        rows.append(len(y_true))
        return float(np.mean(y_pred == "A"))

    net = make_net(MetadataClassifier, monitor=make_scorer(share_of_a), early_stopping=True)
    net.set_params(validation_fraction=0.25).fit(X, y, sample_weight=np.ones(len(X)))
    assert rows == [len(X) // 4] * len(net.history_)
