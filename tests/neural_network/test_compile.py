"""Training through torch.compile."""

import pickle

import numpy as np
import pytest

from sklearn_skin.neural_network import MetadataClassifier

# The graph is captured and differentiated; nothing is handed to a C++ compiler.
CAPTURED = {"backend": "aot_eager"}


def test_a_compiled_fit_learns_the_same(make_net, X, y):
    plain = make_net(averaging="ema").fit(X, y)
    compiled = make_net(averaging="ema", compile=CAPTURED).fit(X, y)
    np.testing.assert_allclose(compiled.predict_proba(X), plain.predict_proba(X), atol=1e-4)


def test_the_module_is_compiled_while_it_trains_and_never_after(make_net, X, y):
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    net = make_net(compile={"backend": backend}).fit(X, y)
    seen = len(graphs)
    assert seen
    net.predict_proba(X.iloc[:5])
    assert len(graphs) == seen
    again = pickle.loads(pickle.dumps(net.module_))
    assert again._compiled_call_impl is None and net.module_._compiled_call_impl is None


def test_a_fit_that_fails_leaves_nothing_compiled(make_net, X, y):
    def backend(graph, inputs):
        raise OSError("no compiler")

    net = make_net(cls=MetadataClassifier, compile={"backend": backend}, warm_start=True)
    numbers = X.select_dtypes("number")
    net.set_params(compile=False).fit(numbers, y)
    with pytest.raises(Exception, match="no compiler"):
        net.set_params(compile={"backend": backend}).fit(numbers, y)
    net.predict_proba(numbers)


def test_what_is_neither_true_nor_options_is_named(make_net, X, y):
    with pytest.raises(ValueError, match="The 'compile' parameter"):
        make_net(compile="yes").fit(X, y)
