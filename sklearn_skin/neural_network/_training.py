"""Everything that skorch does for the networks, and where its habits differ from ours."""

from contextlib import contextmanager

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping
from skorch.helper import predefined_split

from sklearn_skin.exceptions import NonFiniteLossError
from sklearn_skin.modules import tta_views
from sklearn_skin.neural_network._batches import make_loader
from sklearn_skin.neural_network._callbacks import ProgressBar


class TrainingStopped(KeyboardInterrupt):
    """A callback ended training; skorch has no other way to say so."""


class TrainingNet(NeuralNet):
    """A skorch net over `LesionDataset` batches.

    Parameters
    ----------
    module : torch.nn.Module
        Network: ``module(images, metadata, present)`` -> branch -> logits per task.
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
    backbone : str
        Name of the backbone, for messages.
    **kwargs
        Passed to `skorch.NeuralNet`.
    """

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

    def get_iterator(self, dataset, training=False):
        """Return the batches of `dataset`; the order of training batches follows `seed`."""
        return make_loader(
            dataset,
            self.batch_size,
            training=training,
            generator=self.order_ if training else None,
            row_weights=self.row_weights if training else None,
            workers=self.workers,
        )

    def infer(self, x, view=None, **fit_params):
        """Return the network's outputs for one batch of inputs."""
        metadata = x["metadata"].to(self.device)
        present = x["present"].to(self.device) if "present" in x else None
        with torch.autocast(
            torch.device(self.device).type, torch.bfloat16, enabled=self.precision == "bf16"
        ):
            if "features" in x:
                features = [feature.to(self.device) for feature in x["features"]]
                return self.module_.forward_features(features, metadata, present)
            images = self.prepare_images(x, view) if "images" in x else []
            return self.module_(images, metadata, present)

    def prepare_images(self, x, view=None):
        """Return the images as a list per column of float tensors (n, 3, h, w) in [0, 1]."""
        images = x["images"].to(self.device, non_blocking=True)
        images = images.permute(0, 1, 4, 2, 3).float().div_(255.0)
        if self.augment is not None and self.module_.training:
            images = self._augmented(images, x["repeated"].to(self.device))
        columns = list(images.unbind(1))
        if view is not None:
            columns = [view(column) for column in columns]
        return [c.contiguous(memory_format=torch.channels_last) for c in columns]

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
        weight = X.get("sample_weight")
        loss = self.criterion_(
            y_pred,
            y_true.to(self.device),
            None if weight is None else weight.to(self.device),
        )
        if not torch.isfinite(loss):
            self._raise_non_finite(loss, X, training)
        return loss

    def _raise_non_finite(self, loss, x, training):
        batches = self.history[-1]["batches"] if len(self.history) else []
        labels = self.row_labels_(x["rows"].numpy(), training)
        labels = [repr(label.item() if hasattr(label, "item") else label) for label in labels]
        shown = ", ".join(labels[:8]) + (", …" if len(labels) > 8 else "")
        raise NonFiniteLossError(
            f"the {'training' if training else 'validation'} loss became {loss.item()} in epoch "
            f"{len(self.history)}, batch {len(batches)}, with rows {shown}. "
            "A smaller `lr` or a look at these rows may help."
        )

    def notify(self, method_name, **cb_kwargs):
        """Call the callbacks; a stop by skorch's EarlyStopping is told from Ctrl-C."""
        try:
            super().notify(method_name, **cb_kwargs)
        except TrainingStopped:
            raise
        except KeyboardInterrupt as interrupt:
            trace = interrupt.__traceback__
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
        """Train on one dataset and measure on another, leaving no data behind in the net."""
        parts = {True: dataset, False: valid}
        self.row_labels_ = lambda rows, training: parts[training].table.labels[rows]
        self.only_repeated_ = bool(dataset.repeated.any())
        self.train_split = None if valid is None else predefined_split(valid)
        self.order_ = torch.Generator().manual_seed(self.seed)
        try:
            return self.partial_fit(dataset, epochs=epochs)
        finally:
            self.train_split = None
            del self.row_labels_, self.order_

    def branch_probabilities(self, dataset, n_views=1):
        """Return branch -> probabilities per task (n, C_t), the mean over `n_views` views."""
        views = tta_views(n_views) if n_views > 1 else [None]
        parts = {}
        self.module_.eval()
        with _explained_out_of_memory(self, dataset), torch.inference_mode():
            for inputs, _ in self.get_iterator(dataset):
                for name, tasks in self._mean_over_views(inputs, views).items():
                    parts.setdefault(name, []).append(tasks)
        return {
            name: [np.concatenate(task).astype(np.float64) for task in zip(*batches)]
            for name, batches in parts.items()
        }

    def _mean_over_views(self, inputs, views):
        total = {}
        for view in views:
            for name, tasks in self.infer(inputs, view=view).items():
                if not isinstance(tasks, list):
                    continue
                probabilities = [task.double().softmax(1) / len(views) for task in tasks]
                seen = total.get(name)
                total[name] = (
                    probabilities if seen is None else [a + b for a, b in zip(seen, probabilities)]
                )
        return {name: [t.cpu().numpy() for t in tasks] for name, tasks in total.items()}


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


def resolve_device(device):
    """Return a torch device name; "auto" takes the GPU where there is one."""
    if device != "auto":
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise ValueError(
                f"`device` must be 'auto' or a torch device that is there; got {device!r}: {error}"
            ) from error
        return str(torch.device(device))
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "cpu"
