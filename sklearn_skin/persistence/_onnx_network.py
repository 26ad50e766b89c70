"""A network as an ONNX graph: rows in, probabilities of branches out; no torch."""

import numpy as np
from scipy.special import softmax

from sklearn_skin.neural_network import BaseBranchClassifier
from sklearn_skin.utils import optional_import

OUTPUT = "{branch}/{task}"


class OnnxNetwork(BaseBranchClassifier):
    """The network of an exported model, which takes what its transformers return.

    Parameters
    ----------
    batch_size, cache_dir, n_threads, providers
        As in `OnnxClassifier`.
    """

    def __init__(self, batch_size, cache_dir, n_threads, providers):
        self.batch_size = batch_size
        self.cache_dir = cache_dir
        self.n_threads = n_threads
        self.providers = providers

    def load(self, model):
        """Take the graph of an `ExportedModel`, and what was learnt beside it."""
        runtime = optional_import("onnxruntime", "export")
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = self.n_threads or 0
        providers = list(self.providers)
        self.session_ = runtime.InferenceSession(model.network, options, providers=providers)
        self.restore_fit(model.about["fit"])
        self._views = model.about["views"]
        self._outputs = {
            branch: [OUTPUT.format(branch=branch, task=t) for t in range(len(self._codec.classes_))]
            for branch in model.about["branches"]
        }
        self._inputs = [each.name for each in self.session_.get_inputs()]
        return self

    def _branches(self, X):
        """Return branch -> probabilities (n, C_t) per task."""
        rows = self.read_rows(X, self.cache_dir)
        starts = range(0, len(rows), self.batch_size)
        parts = [
            self._mean_over_views(rows, np.arange(start, min(start + self.batch_size, len(rows))))
            for start in starts
        ]
        found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return {branch: [found[name] for name in names] for branch, names in self._outputs.items()}

    def _mean_over_views(self, rows, batch):
        """Return output -> probabilities of a batch of positions."""
        feed = {"metadata": rows.table.metadata[batch]}
        pixels = None
        if rows.readers:
            pixels, feed["present"] = rows.pixels(batch), rows.present[batch]
        names = sum(self._outputs.values(), [])
        found = []
        for flips, turns in self._views:
            if pixels is not None:
                feed["images"] = _view(pixels, flips, turns)
            logits = self.session_.run(names, {name: feed[name] for name in self._inputs})
            # In float64, as networks do: rows must sum to 1.
            found.append([softmax(values.astype(np.float64), axis=1) for values in logits])
        return {name: np.mean(views, axis=0) for name, views in zip(names, zip(*found))}


def _view(pixels, flips, turns):
    """Flip and turn pixels (n, k, h, w, 3)."""
    channels_first = np.moveaxis(pixels, -1, 2)
    turned = np.rot90(np.flip(channels_first, flips), turns, (-2, -1))
    return np.ascontiguousarray(np.moveaxis(turned, 2, -1))
