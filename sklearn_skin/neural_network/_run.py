"""From checked rows and settings to a trained network, and from it to probabilities."""

from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import torch

from sklearn_skin.modules import make_augmentation
from sklearn_skin.neural_network._batches import balanced_row_weights
from sklearn_skin.neural_network._callbacks import (
    OPTIMIZERS,
    ProgressBar,
    ValidationScore,
    WeightAveraging,
    loss_options,
    make_early_stopping,
    make_schedule,
    named_options,
    resolve_scorer,
)
from sklearn_skin.neural_network._checkpoint import TrainingCheckpoint, finished_epochs
from sklearn_skin.neural_network._class_weights import class_weight_tensors
from sklearn_skin.neural_network._features import precompute_features
from sklearn_skin.neural_network._training import TrainingNet, resolve_device

# Settings that change how, not what, a fit computes.
_INDIFFERENT = {"verbose", "checkpoint_dir", "cache_dir", "num_workers", "callbacks", "device"}


@contextmanager
def seeded(seed):
    """Run torch from `seed`, and leave its global generators as they were."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def run_training(estimator, p, data, rng, warm):
    """Train `estimator` with the settings `p`, and set its fitted attributes."""
    seed = rng.randint(2**31 - 1)
    with seeded(seed):
        module = _module(estimator, p, warm)
        train = estimator._dataset(data.table, p, data.codes, data.weight)
        valid = None
        if data.valid_table is not None:
            valid = estimator._dataset(data.valid_table, p, data.valid_codes, data.valid_weight)
        net = _make_net(estimator, p, module, data, seed)
        net.initialize()
        _use_features(net, p, [train, valid])
        epochs = p.max_epochs
        if p.checkpoint_dir is not None:
            epochs -= _add_checkpoint(net, estimator, p, data)
        if epochs > 0 or not net.history:
            net.train(train, valid, epochs=epochs)
    estimator.net_ = net
    estimator.module_ = net.module_
    estimator.history_ = [_plain_row(row) for row in net.history]
    estimator.branch_weights_ = _branch_weights(net, p, train, valid)
    return estimator


def _module(estimator, p, warm):
    if not warm:
        return estimator._make_module(estimator._shapes, p)
    for part in estimator.module_.modules():
        if hasattr(part, "freeze"):
            part.freeze(p.freeze)
    return estimator.module_


def _make_net(estimator, p, module, data, seed):
    options = loss_options(p.loss)
    class_weights = class_weight_tensors(p.class_weight, data.codes, estimator._codec)
    (optimizer, defaults), chosen = named_options(p.optimizer, OPTIMIZERS, "optimizer")
    further = {f"optimizer__{name}": value for name, value in (defaults | chosen).items()}
    augment = make_augmentation(p.augment)
    balanced = balanced_row_weights(data.codes) if p.sampler == "balanced" else None
    return TrainingNet(
        module,
        estimator._make_loss(estimator._shapes, {"class_weights": class_weights, **options}),
        # skorch takes a module in an attribute for one of its own and moves and saves it.
        augment=None if augment is None else augment.forward,
        precision=p.precision,
        row_weights=balanced,
        seed=seed,
        workers=p.num_workers,
        backbone=p.backbone,
        optimizer=optimizer,
        lr=p.lr,
        batch_size=p.batch_size,
        max_epochs=p.max_epochs,
        device=resolve_device(p.device),
        train_split=None,
        verbose=0,
        callbacks=_make_callbacks(estimator, p, data),
        callbacks__print_log=None,
        **(further | (p.net_params or {})),
    )


def _make_callbacks(estimator, p, data):
    watched = data.valid_table is not None
    monitor, is_loss = p.monitor, p.monitor in ("valid_loss", "train_loss")
    callbacks = []
    if not is_loss:
        scorer = resolve_scorer(monitor)
        monitor = monitor if isinstance(monitor, str) else "valid_score"
        if watched:
            callbacks.append(ValidationScore(monitor, scorer, data.valid_y, _Decoder(estimator)))
    if p.lr_schedule is not None:
        callbacks.append(make_schedule(p.lr_schedule, p.max_epochs, monitor, is_loss))
    if p.early_stopping:
        callbacks.append(make_early_stopping(monitor, p.patience, is_loss))
    if p.swa_epochs or p.ema_decay is not None:
        callbacks.append(WeightAveraging(p.swa_epochs, p.ema_decay, p.max_epochs))
    if p.verbose:
        shown = dict.fromkeys(["train_loss", "valid_loss", monitor])
        callbacks.append(ProgressBar(p.max_epochs, type(estimator).__name__, list(shown)))
    return callbacks + list(p.callbacks or [])


class _Decoder:
    """Branch probabilities to what a scorer asks for, with equal branch weights."""

    def __init__(self, estimator):
        self.codec = estimator._codec

    def __call__(self, branches):
        proba = combine_branches(branches, dict.fromkeys(branches, 1 / len(branches)))
        labels = self.codec.decode(np.stack([p.argmax(axis=1) for p in proba], axis=1))
        shown = proba if self.codec.multi_task else proba[0]
        return self.codec.public_classes(), labels, shown


def _use_features(net, p, datasets):
    """Compute the features of a wholly frozen backbone once, where nothing changes images."""
    if net.augment is None and p.tta == 1 and getattr(net.module_, "frozen", False):
        for dataset in datasets:
            if dataset is not None and dataset.table.images:
                precompute_features(net, dataset)


def _add_checkpoint(net, estimator, p, data):
    """Add the checkpoint callback; return how many epochs it has already."""
    settings = {k: v for k, v in vars(p).items() if k not in _INDIFFERENT}
    content = (type(estimator).__name__, settings, data, estimator._codec.classes_)
    fingerprint = joblib.hash(content)
    directory = Path(p.checkpoint_dir) / fingerprint
    net.callbacks_.append(("checkpoint", TrainingCheckpoint(directory, fingerprint)))
    return finished_epochs(directory, fingerprint)


def run_prediction(estimator, dataset, p):
    """Return branch -> probabilities per task."""
    with seeded(0):
        _use_features(estimator.net_, p, [dataset])
        return estimator.net_.branch_probabilities(dataset, int(p.tta))


def combine_branches(branches, weights):
    """Return the weighted average over branches of the probabilities per task."""
    tasks = zip(*(branches[name] for name in weights))
    weights = np.array(list(weights.values()), dtype=np.float64)
    return [np.tensordot(weights, np.stack(task), axes=1) for task in tasks]


def _branch_weights(net, p, train, valid):
    """Return the branches' weights, as a dict whose values sum to 1."""
    names = _branch_names(net, train)
    if isinstance(p.branch_weights, str):
        if p.branch_weights == "mean" or len(names) == 1:
            return dict.fromkeys(names, 1.0 / len(names))
        if p.branch_weights == "fusion":
            return {name: float(name == names[-1]) for name in names}
        return _searched_weights(net, p, valid)
    if isinstance(p.branch_weights, dict):
        unknown = sorted(set(p.branch_weights) - set(names))
        if unknown:
            raise ValueError(f"`branch_weights` has unknown branches {unknown}; known are {names}.")
        values = np.array([p.branch_weights.get(name, 0.0) for name in names], dtype=float)
    else:
        values = np.asarray(p.branch_weights, dtype=float)
    if values.shape != (len(names),) or (values < 0).any() or values.sum() <= 0:
        raise ValueError(
            f"`branch_weights` must give a weight of at least 0 for each of {names}; "
            f"got {p.branch_weights!r}."
        )
    return dict(zip(names, (values / values.sum()).tolist()))


def _searched_weights(net, p, valid):
    from sklearn_skin.utils import search_simplex_weights

    branches = net.branch_probabilities(valid, int(p.tta))
    codes = valid.codes.astype(float)
    codes[codes < 0] = np.nan
    classes = [np.arange(task.shape[1]) for task in next(iter(branches.values()))]
    weights, _ = search_simplex_weights(
        list(branches.values()), codes, classes=classes, sample_weight=valid.sample_weight
    )
    return dict(zip(branches, weights.tolist()))


def _branch_names(net, dataset):
    inputs, _ = dataset.__getitems__([0])
    net.module_.eval()
    with torch.inference_mode():
        outputs = net.infer(inputs)
    return [name for name, value in outputs.items() if isinstance(value, list)]


def _plain_row(row):
    return {
        key: float(value) if isinstance(value, np.floating) else value
        for key, value in row.items()
        if key != "batches"
    }
