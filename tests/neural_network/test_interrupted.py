"""A fit that fails leaves what the one before it learnt."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback

from sklearn_skin.neural_network import MetadataClassifier


class Interrupt(Callback):
    """Ctrl-C in the second epoch."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("warm_start", [False, True])
def test_an_interrupted_second_fit_changes_nothing(X, y, make_net, warm_start):
    net = make_net(MetadataClassifier, warm_start=warm_start).fit(X, y)
    before, classes, history = net.predict_proba(X), net.classes_, net.history_
    other = y if warm_start else np.where(y == "A", "melanoma", "nevus")
    net.set_params(callbacks=[Interrupt()], max_epochs=5, lr=0.1)
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, other)
    assert_array_equal(net.predict_proba(X), before)
    assert_array_equal(net.classes_, classes)
    assert net.history_ == history
