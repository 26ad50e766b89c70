"""Everything that skorch does for the networks, and where its habits differ from ours."""

from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping
from skorch.helper import predefined_split

from sklearn_skin.exceptions import NonFiniteLossError
from sklearn_skin.modules import RoundedTwin, tta_views
from sklearn_skin.neural_network._batches import (
    Batch,
    Batches,
    as_floats,
    columns_of,
    make_loader,
)
from sklearn_skin.neural_network._callbacks import ProgressBar
from sklearn_skin.neural_network._shared_batches import SharedRows
from sklearn_skin.utils import list_names


class TrainingStopped(KeyboardInterrupt):
    """A callback ended training; skorch has no other way to say so."""


class TrainingNet(NeuralNet):
    """A skorch net over `LesionDataset` batches.

    While several processes train together, `ranks` tells of them.

    Parameters
    ----------
    module : LesionNetwork
        Network.
    criterion : torch.nn.Module
        Loss of (outputs, codes, sample_weight).
    augment : callable or None
        Random change of float images (n, k, 3, h, w) in [0, 1].
    precision : {"fp32", "bf16"}
        Arithmetic of the forward pass.
    row_weights : ndarray of shape (n,) or None
        Chances with which training rows are drawn; None takes every row once.
    seed : int
        Seed of the order of the batches.
    workers : int
        Processes that load batches.
    backbone : str or None
        Name of the backbone, for messages.
    **kwargs
        Passed to `skorch.NeuralNet`.
    """

    ranks: Any = None

    def __init__(
        self,
        module,
        criterion,
        *,
        augment=None,
        precision="fp32",
        row_weights=None,
        seed=0,
        workers=0,
        backbone=None,
        **kwargs,
    ):
        super().__init__(module, criterion, **kwargs)
        self.backbone = backbone
        self.augment = augment
        self.precision = precision
        self.row_weights = row_weights
        self.seed = seed
        self.workers = workers
        self.rounded = RoundedTwin()

    def get_iterator(self, dataset, training=False):
        """Return the batches of `dataset`; the order of training batches follows `seed`."""
        return make_loader(
            dataset if self.ranks is None else SharedRows(dataset, self.ranks.share),
            self.batch_size,
            training=training,
            generator=self.order_ if training else None,
            row_weights=self.row_weights if training else None,
            # Kept features take no work to load.
            workers=0 if dataset.features is not None else self.workers,
        )

    def batches(self, dataset):
        """Return the batches of `dataset` in the order of its rows, on the net's device."""
        return Batches(dataset, self.batch_size, self.device, self.workers)

    def _set_training(self, training=True):
        """Set modules and losses to training or evaluation, where they are not: it takes long."""
        for name in self._modules + self._criteria:
            part = getattr(self, f"{name}_")
            if isinstance(part, torch.nn.Module) and part.training != training:
                part.train(training)

    def infer(self, x, **fit_params):
        """Return the network's outputs for one batch of inputs, as training asks for them."""
        batch, run = Batch(x, self.device), self.run
        if self.ranks is not None and self.module_.training:
            run = partial(self.ranks.run, self, counts=bool(x["counts"].all()))
        if batch.pixels is None or self.augment is None or not self.module_.training:
            return run(batch, batch.images)
        images = as_floats(batch.pixels, self.device)
        return run(batch, columns_of(self._augmented(images, x["repeated"].to(self.device))))

    def features(self, images):
        """Return what the network computes of images alone, (n, 3, h, w) per column."""
        with self.arithmetic():
            return self._predictor().features(images)

    def _predictor(self):
        """Return the network, or what computes the same in half precision sooner."""
        return self.rounded.of(self.module_) if self.precision == "bf16" else self.module_

    def arithmetic(self):
        """Return the context in which the network computes: single or half precision."""
        kind = torch.device(self.device).type
        return torch.autocast(kind, torch.bfloat16, enabled=self.precision == "bf16")

    def run(self, batch, images, module=None):
        """Return the outputs of the network, or a copy, for a batch with images or features."""
        module = self.module_ if module is None else module
        with self.arithmetic():
            if batch.features is not None:
                return module.forward_features(batch.features, batch.metadata, batch.present)
            return module(images, batch.metadata, batch.present)

    def _augmented(self, images, repeated):
        # Where a sampler has marked repetitions, the original rows stay as they are.
        if not self.only_repeated_:
            return self.augment(images)
        if repeated.any():
            images = images.clone()
            images[repeated] = self.augment(images[repeated])
        return images

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Return the loss; a NaN or infinite one is an error that names the rows."""
        if self.ranks is not None:
            y_pred, y_true, X = self.ranks.whole(y_pred, y_true)
        weight = X.get("sample_weight")
        loss = self.criterion_(
            y_pred,
            y_true.to(self.device),
            None if weight is None else weight.to(self.device),
        )
        # One synchronisation per batch, for an error that names the rows instead of a dead network.
        if not torch.isfinite(loss):
            self._raise_non_finite(loss, X, training)
        return loss

    def _raise_non_finite(self, loss, x, training):
        batches = self.history[-1]["batches"] if len(self.history) else []
        rows = list_names(self.row_names_(x["rows"].numpy(), training), n_shown=8)
        raise NonFiniteLossError(
            f"the {'training' if training else 'validation'} loss became {loss.item()} in epoch "
            f"{len(self.history)}, batch {len(batches)}, with rows {rows}. "
            "A smaller `lr` or a look at these rows may help."
        )

    def notify(self, method_name, **cb_kwargs):
        """Call the callbacks; a stop by skorch's EarlyStopping is told from Ctrl-C."""
        try:
            super().notify(method_name, **cb_kwargs)
        except TrainingStopped:
            raise
        except KeyboardInterrupt as interrupt:
            # EarlyStopping raises the very exception that Ctrl-C does; where it was raised tells.
            trace: Any = interrupt.__traceback__
            while trace.tb_next is not None:
                trace = trace.tb_next
            if trace.tb_frame.f_code is EarlyStopping.on_epoch_end.__code__:
                raise TrainingStopped from interrupt
            raise

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        """Train; unlike skorch, Ctrl-C goes on to the caller."""
        if not self.initialized_:
            self.initialize()
        self.notify("on_train_begin", X=X, y=y)
        try:
            with _explained_out_of_memory(self, X):
                self.fit_loop(X, y, epochs=fit_params.pop("epochs", None))
        except TrainingStopped:
            pass
        except BaseException:
            # A fit that failed has no end to celebrate: only the bar is closed.
            for _, callback in self.callbacks_:
                if isinstance(callback, ProgressBar):
                    callback.on_train_end(self)
            raise
        self.notify("on_train_end", X=X, y=y)
        return self

    def train(self, dataset, valid=None, epochs=None):
        """Train on one data set and measure on another, leaving no data behind in the net."""
        tables = {True: dataset.table, False: (valid or dataset).table}
        self.row_names_ = lambda rows, training: tables[training].row_names[rows]
        self.only_repeated_ = bool(dataset.repeated.any())
        self.train_split = None if valid is None else predefined_split(valid)
        self.order_ = torch.Generator().manual_seed(self.seed)
        try:
            self.partial_fit(dataset, epochs=epochs)
        finally:
            # A net is pickled with the estimator, and must not take the training rows along.
            self.train_split = None
            del self.row_names_, self.order_

    def branch_probabilities(self, dataset, n_views=1):
        """Return branch -> probabilities per task (n, C_t), the mean over `n_views` views."""
        if self.module_.training:
            self.module_.eval()
        predict = partial(self._branch_probabilities, views=tta_views(n_views))
        with _explained_out_of_memory(self, dataset), torch.inference_mode():
            if self.ranks is not None:
                return self.ranks.over_rows(predict, dataset)
            return predict(dataset)

    def _branch_probabilities(self, dataset, views):
        parts: dict[str, list[list[np.ndarray]]] = {name: [] for name in self.module_.branches}
        for batch in self.batches(dataset):
            for name, tasks in self._mean_over_views(batch, views).items():
                parts[name].append(tasks)
        return {
            name: [np.concatenate(task).astype(np.float64) for task in zip(*batches)]
            for name, batches in parts.items()
        }

    def _mean_over_views(self, batch, views):
        images = batch.images
        module = self._predictor()
        outputs = [self.run(batch, columns_of_view(images, view), module) for view in views]
        return {
            name: [
                # In float64: probabilities of a row must sum to 1 after averaging, too.
                torch.stack([task.double().softmax(1) for task in tasks]).mean(0).cpu().numpy()
                for tasks in zip(*(output[name] for output in outputs))
            ]
            for name in self.module_.branches
        }


def columns_of_view(images, view):
    """Return a view of every image column."""
    return [view(column).contiguous(memory_format=torch.channels_last) for column in images]


@contextmanager
def _explained_out_of_memory(net, dataset):
    try:
        yield
    except torch.OutOfMemoryError as error:
        module = type(net.module_).__name__
        raise torch.OutOfMemoryError(
            f"{net.device} ran out of memory with batch_size={net.batch_size}, "
            f"image_size={dataset.size} and backbone {net.backbone!r} in {module}; "
            f"try batch_size={max(net.batch_size // 2, 1)}."
        ) from error
