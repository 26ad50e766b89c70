"""A fitted network and the rows to explain, behind whatever wraps the network."""

from contextlib import contextmanager

import numpy as np
import torch
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_skin.neural_network import BaseLesionClassifier
from sklearn_skin.neural_network._batches import make_loader


def find_network(estimator):
    """Return the fitted network inside `estimator`, and the steps before it.

    Parameters
    ----------
    estimator : network classifier, Pipeline that ends in one, or fitted search over either
        The model.

    Returns
    -------
    network : BaseLesionClassifier
    steps : list of transformers

    Raises
    ------
    TypeError
        If there is no network of this package.
    """
    steps = []
    while not isinstance(estimator, BaseLesionClassifier):
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            before = [step for _, step in estimator.steps[:-1]]
            # Samplers of imbalanced-learn have no transform: they act in fit only.
            steps += [step for step in before if hasattr(step, "transform")]
            estimator = estimator.steps[-1][1]
        else:
            raise TypeError(
                "`estimator` must be a network of sklearn_skin.neural_network or a Pipeline "
                f"that ends in one; got {type(estimator).__name__}."
            )
    check_is_fitted(estimator)
    return estimator, steps


@contextmanager
def explaining(module):
    """Put `module` in evaluation mode with gradients on, and leave it as it was."""
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
        self.network, self.steps = find_network(estimator)
        for step in self.steps:
            X = step.transform(X)
        settings = self.network._settings()
        settings.image_size = self.network._shapes.image_size
        self.table = self.network._read(X, reset=False)
        self.dataset = self.network._dataset(self.table, settings)
        self.module = self.network.module_
        self.device = self.network.net_.device

    def __len__(self):
        return len(self.table)

    @property
    def image_columns(self):
        """Names of the image columns."""
        return list(self.table.images)

    @property
    def metadata_names(self):
        """Names of the metadata features."""
        return [str(name) for name in self.table.names]

    def batches(self):
        """Yield (positions, images, metadata, present), tensors on the network's device."""
        net = self.network.net_
        for inputs, _ in make_loader(self.dataset, net.batch_size):
            images = net.prepare_images(inputs) if "images" in inputs else []
            present = inputs["present"].to(self.device) if "present" in inputs else None
            yield inputs["rows"].numpy(), images, inputs["metadata"].to(self.device), present

    def pixels(self, column):
        """Return the pixels (n, h, w, 3) of an image column, and which rows have one."""
        position = self.image_columns.index(column)
        pixels, present = self.dataset.pixels or self.dataset._load(self.table)
        return pixels[:, position], present[:, position]

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
        return self.network._codec.classes_

    def branch(self, outputs, name):
        """Return the name of the branch to explain; None means the final one."""
        names = branch_names(outputs)
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
                self.combined(self.module(images, metadata, present), task)
                for _, images, metadata, present in self.batches()
            ]
        return torch.cat(parts).cpu().numpy()


def branch_names(outputs):
    """Return the branches of a network's output, the final one last."""
    return [name for name, value in outputs.items() if isinstance(value, list)]


def check_choice(value, choices, name):
    """Return `value` if it is one of `choices`, or raise a ValueError."""
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {choices}; got {value!r}.")
    return value
