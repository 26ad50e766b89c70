"""A fitted network and the rows to explain, behind whatever wraps the network."""

from contextlib import contextmanager

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from sklearn_skin.neural_network import BaseNetwork
from sklearn_skin.utils import check_choice, row_names, split_pipeline


def find_network(estimator):
    """Return the fitted network inside `estimator`, and the transformers before it.

    Parameters
    ----------
    estimator : network classifier, Pipeline that ends in one, or fitted search over either
        The model.

    Returns
    -------
    network : BaseNetwork
    transformers : list of transformers

    Raises
    ------
    TypeError
        If there is no network of this package.
    """
    network, transformers = split_pipeline(estimator)
    if not isinstance(network, BaseNetwork):
        raise TypeError(
            "`estimator` must be a network of sklearn_skin.neural_network or a Pipeline "
            f"that ends in one; got {type(network).__name__}."
        )
    check_is_fitted(network)
    return network, transformers


@contextmanager
def explaining(module):
    """Put `module` in evaluation mode with gradients on, and leave it as it was."""
    # Part by part: a frozen backbone stays in evaluation mode while the rest trains.
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.enable_grad():
            yield module
    finally:
        for part, training in modes:
            part.training = training


class ExplainedRows:
    """Rows of X as the network sees them: no augmentation, no TTA, no stored features.

    Parameters
    ----------
    estimator : network classifier or Pipeline that ends in one
        The fitted model.
    X : DataFrame or array-like of shape (n, p)
        Rows as `estimator.predict` takes them.
    """

    def __init__(self, estimator, X):
        self.network, self.transformers = find_network(estimator)
        for transformer in self.transformers:
            X = transformer.transform(X)
        self.row_names = row_names(X)
        # Made once: several passes over the rows read them from memory.
        self.batches = self.network.iter_batches(X)
        self.module = self.network.module_
        self.device = self.batches.device
        self.image_columns = self.network.image_columns_
        self.metadata_names = self.network.metadata_names_

    def __len__(self):
        return len(self.row_names)

    @property
    def metadata(self):
        """Metadata features (n, p)."""
        return np.concatenate([batch.metadata.cpu().numpy() for batch in self.batches])

    def pixels(self, column):
        """Return the pixels (n, h, w, 3) of an image column, and which rows have one."""
        position = self.image_columns.index(column)
        batches = list(self.batches)
        pixels = np.concatenate([batch.pixels[:, position].numpy() for batch in batches])
        present = np.concatenate([batch.present[:, position].cpu().numpy() for batch in batches])
        return pixels, present

    def image_column(self, name):
        """Return the name of the image column to explain; None means the first."""
        if not self.image_columns:
            raise ValueError(f"{type(self.network).__name__} was fitted without image columns.")
        if name is None:
            return self.image_columns[0]
        return check_choice(name, self.image_columns, "image_column")

    def check_task(self, task):
        """Return the position of a task, or raise a ValueError."""
        return check_choice(task, list(range(len(self.classes))), "task")

    @property
    def classes(self):
        """Labels per task."""
        classes = self.network.classes_
        return classes if isinstance(classes, list) else [classes]

    def branch(self, name):
        """Return the name of the branch to explain; None means the final one."""
        names = list(self.module.branches)
        return names[-1] if name is None else check_choice(name, names, "branch")

    def combined(self, outputs, task):
        """Return the probabilities (n, C) of `task`, averaged over branches as in predict."""
        weights = self.network.branch_weights_
        return sum(
            weight * outputs[name][task].detach().double().softmax(1)
            for name, weight in weights.items()
        )

    def targets(self, target, task):
        """Return the codes (n,) of the classes to explain; None means the predicted ones."""
        if target is None:
            return self.probabilities(task).argmax(axis=1)
        classes = self.classes[task]
        labels = np.asarray(target)
        labels = np.broadcast_to(labels, len(self)) if labels.ndim == 0 else labels
        if labels.shape != (len(self),):
            raise ValueError(
                f"`target` must be a label or one per row ({len(self)}); got shape {labels.shape}."
            )
        codes = [np.flatnonzero(classes == label) for label in labels.tolist()]
        unknown = sorted({str(x) for x, code in zip(labels.tolist(), codes) if len(code) == 0})
        if unknown:
            raise ValueError(
                f"`target` has unknown classes {unknown}; known are {classes.tolist()}."
            )
        return np.array([code[0] for code in codes], dtype=np.int64)

    def probabilities(self, task):
        """Return the probabilities (n, C) of one task, without TTA."""
        with explaining(self.module), torch.no_grad():
            parts = [
                self.combined(self.run(batch.images, batch.metadata, batch.present), task)
                for batch in self.batches
            ]
        return torch.cat(parts).cpu().numpy()

    def run(self, images, metadata, present):
        """Return the network's outputs for a batch, in the arithmetic of its predictions."""
        with self.network.net_.arithmetic():
            return self.module(images, metadata, present)
