"""A fitted network, with what prepares its rows, as one file that needs no torch."""

from numbers import Real
from pathlib import Path

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_skin.modules.views import view_steps
from sklearn_skin.neural_network import BaseNetwork
from sklearn_skin.persistence._onnx_classifier import OnnxClassifier, transform_rows
from sklearn_skin.persistence._onnx_file import ExportedModel, write_model
from sklearn_skin.persistence._onnx_graph import example_inputs, make_graph
from sklearn_skin.persistence._onnx_int8 import count_products, quantize_graph
from sklearn_skin.persistence._onnx_network import OUTPUT
from sklearn_skin.persistence._parts import dump_part
from sklearn_skin.utils import optional_import, split_pipeline, warn_user

# Converting the activations takes as long as this many multiplications, or longer.
_FEWEST_PRODUCTS = 10**6


@validate_params(
    {
        "overwrite": ["boolean"],
        "tolerance": [Interval(Real, 0, None, closed="neither")],
        "quantize": ["boolean", StrOptions({"auto"})],
        "trusted": [list, tuple],
    },
    prefer_skip_nested_validation=True,
)
def export_onnx(
    estimator, X_sample, path, *, overwrite=False, tolerance=1e-4, quantize=False, trusted=()
):
    """Write a fitted network as one file, for `OnnxClassifier` to predict with and without torch.

    The file is a zip of ``network.onnx`` (uint8 pixels and metadata in, logits out, for any number
    of rows), ``about.json`` (columns, labels, weights of branches, views) and, where transformers
    come before the network, ``preprocessing.skops``. Pixels are decoded, corrected and resized at
    prediction by the code that did it in training.

    The graph computes in fp32, also where the network was trained and predicts in bf16, and is
    compared with the network's probabilities in fp32. `estimator` stays as it is, on its device.

    Parameters
    ----------
    estimator : estimator
        A fitted classifier of `sklearn_skin.neural_network`, or a Pipeline or a fitted search that
        ends in one.
    X_sample : DataFrame, or array-like of shape (n, p)
        Rows as `predict_proba` takes them, by which the file is checked before it is written.
    path : path-like
        File to write, such as ``"model.zip"``.
    overwrite : bool, default=False
        Whether to replace a file that is there.
    tolerance : float, default=1e-4
        Greatest difference of any branch's probability from the network's that is accepted.
    quantize : bool or "auto", default=False
        Turn weight matrices into int8, which makes transformers smaller and faster, and changes
        probabilities in the third digit: a warning tells by how much on `X_sample`. "auto" does so
        where dense layers do at least half of the multiplications, and a million of them per row;
        elsewhere, in convolutional networks above all, it would take longer, and True is an error.
    trusted : sequence of str or type, default=()
        Types of your own among the transformers; who opens the file must trust them, too.

    Returns
    -------
    classifier : OnnxClassifier
        What the file holds.

    Raises
    ------
    FileExistsError
        If the file is there and `overwrite` is False.
    TypeError
        If `estimator` is no network, such as an ensemble, or holds something that cannot be saved
        as data.
    ValueError
        If the network cannot be a graph of one file, or the graph differs from it by more than
        `tolerance`; nothing is written then.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import make_classification
    >>> from sklearn_skin.neural_network import MetadataClassifier
    >>> from sklearn_skin.persistence import export_onnx
    >>> X, y = make_classification(random_state=0)
    >>> net = MetadataClassifier(max_epochs=1, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     exported = export_onnx(net, X[:10], Path(folder, "model.zip"))
    ...     bool(abs(exported.predict_proba(X) - net.predict_proba(X)).max() < 1e-4)
    True
    """
    if not overwrite and Path(path).exists():
        raise FileExistsError(f"'{path}' is there already; overwrite=True replaces it.")
    network, transformers = split_pipeline(estimator)
    _check_is_network(network)
    network = network.to_cpu()
    as_int8 = _decide_int8(quantize, network)
    model = _make_model(network, transformers)
    expected = _as_tables(network.predict_branches(transform_rows(transformers, X_sample)))
    classifier = OnnxClassifier(path, trusted=trusted)
    difference = _difference(_probabilities(classifier, model, X_sample), expected)
    if not difference <= tolerance:
        raise ValueError(
            f"the graph's probabilities differ from the network's by up to {difference:.2g} on "
            f"`X_sample`, and `tolerance` is {tolerance:g}; nothing was written."
        )
    if as_int8:
        model = model._replace(network=quantize_graph(model.network))
        found = _probabilities(classifier, model, X_sample)
        difference = _difference(found, expected)
        _warn_of_int8(found, expected, difference)
    model.about["info"] |= {"quantized": as_int8, "max_difference": difference}
    write_model(model, path)
    return classifier.fit()


def _check_is_network(network):
    if not isinstance(network, BaseNetwork):
        raise TypeError(
            "`estimator` must be a network classifier of sklearn_skin.neural_network, or a "
            f"Pipeline or a search that ends in one; got a {type(network).__name__}. Of an "
            "ensemble each fitted network can be exported, to a file of its own."
        )


def _decide_int8(quantize, network):
    """Whether weights become int8: never where that takes longer."""
    if not quantize:
        return False
    inputs = example_inputs(network.describe_fit())
    dense, convolutions = count_products(network.module_, inputs)
    helps = dense >= max(convolutions, _FEWEST_PRODUCTS)
    if quantize is True and not helps:
        raise ValueError(
            "`quantize=True` would make this network slower, which has "
            f"{dense:.1e} multiplications per row in dense layers and {convolutions:.1e} in "
            "convolutions; use quantize=False."
        )
    return helps


def _make_model(network, transformers):
    """Return everything that the file is to hold."""
    fit, module = network.describe_fit(), network.module_
    n_tasks, branches = len(fit["classes"]), list(module.branches)
    outputs = [OUTPUT.format(branch=branch, task=t) for branch in branches for t in range(n_tasks)]
    about = {"fit": fit, "branches": branches, "views": _choose_views(network, fit["rows"]["size"])}
    graph = make_graph(module, example_inputs(fit), outputs)
    packages = ("sklearn_skin", "torch", "onnx", "onnxscript", "onnxruntime")
    info = {name: optional_import(name, "export").__version__ for name in packages}
    about["info"] = {"estimator": type(network).__name__} | info
    return ExportedModel(about, graph, dump_part(transformers) if transformers else None)


def _choose_views(network, size):
    n_views = int(network.get_params(deep=False).get("tta", 1)) if size else 1
    views = view_steps(n_views)
    if any(turns for _, turns in views) and size[0] != size[1]:
        raise ValueError(
            f"tta={n_views} turns images of {size[0]} by {size[1]} pixels, and a graph takes one "
            "size; set_params(tta=4) only flips them."
        )
    return views


def _probabilities(classifier, model, X):
    """Return what a classifier would predict from a model that is not yet in its file."""
    return _as_tables(classifier._open_model(model).predict_branches(X))


def _as_tables(branches):
    """Return all branches' probabilities, task by task, as one list."""
    return [
        table
        for tasks in branches.values()
        for table in (tasks if isinstance(tasks, list) else [tasks])
    ]


def _difference(found, expected):
    return max(float(np.abs(a - b).max()) for a, b in zip(found, expected, strict=True))


def _warn_of_int8(found, expected, difference):
    labels = [a.argmax(axis=1) != b.argmax(axis=1) for a, b in zip(found, expected)]
    warn_user(
        f"in int8 probabilities differ from the network's by up to {difference:.2g} on `X_sample`, "
        f"and {np.mean(labels):.1%} of its branches' labels are others."
    )
