"""From a network, a loss, data and a recipe to a trained network."""

from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import torch

from sklearn_skin.image import PixelCache
from sklearn_skin.modules import BranchLoss, make_augmentation
from sklearn_skin.neural_network._batches import LesionDataset
from sklearn_skin.neural_network._branch_weights import weigh_branches
from sklearn_skin.neural_network._callbacks import make_callbacks
from sklearn_skin.neural_network._checkpoint import TrainingCheckpoint, finished_epochs
from sklearn_skin.neural_network._class_weights import (
    balanced_row_weights,
    class_weight_tensors,
    scale_sample_weights,
    weighted_task_weights,
)
from sklearn_skin.neural_network._distributed import on_first
from sklearn_skin.neural_network._features import FeatureMaker
from sklearn_skin.neural_network._precision import choose_precision
from sklearn_skin.neural_network._recipe import INDIFFERENT
from sklearn_skin.neural_network._skorch_net import TrainingNet
from sklearn_skin.utils import as_content


class Fitted(NamedTuple):
    """What training makes: the net, its history and the weight of each branch."""

    net: TrainingNet
    history: list[dict[str, Any]]
    branch_weights: dict[str, float]


@contextmanager
def seeded(seed):
    """Run torch from `seed`, and leave its global generators as they were."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def compiled(module, options):
    """Run a module through `torch.compile`, with these options, until the context ends."""
    if options is False:
        yield
        return
    module.compile(**({} if options is True else options))
    try:
        yield
    finally:
        # It is pickled, copied and predicts as if it had never been compiled.
        module._compiled_call_impl = None


def train(module, criterion, data, recipe, make_train_set, ranks=None):
    """Train a network on the rows of a fit.

    Parameters
    ----------
    module : LesionNetwork
        Network; it is trained in place.
    criterion : torch.nn.Module
        Loss of (outputs, codes, sample_weight).
    data : FitData
        Rows to train on and to validate on.
    recipe : Recipe
        Settings.
    make_train_set : callable
        Makes the data set to train on, as `make_dataset` does.
    ranks : Ranks, default=None
        The processes that train together.

    Returns
    -------
    fitted : Fitted
    """
    net = _net_for(data, module, weigh_classes(criterion, data, recipe), recipe, ranks)
    rows, held_out = data.train, data.valid
    # A sampler draws rows as often as they weigh; the loss must not weigh them again.
    in_loss = None if recipe.sampler == "balanced" else rows.weight
    train_set = make_train_set(rows.table, recipe, rows.codes, in_loss)
    if train_set.readers and not train_set.present.any():
        raise ValueError(f"no row has an image in {list(rows.table.images)}: none can be learnt.")
    valid_set = None
    if held_out is not None:
        valid_set = make_dataset(held_out.table, recipe, held_out.codes, held_out.weight)
    # Before anything is precomputed: it moves the network to its device.
    _initialize(net, ranks)
    if net.augment is None or recipe.frozen_views:
        views = 0 if net.augment is None else recipe.frozen_views
        keep_features(net, train_set, views)
    if valid_set is not None and recipe.tta == 1:
        keep_features(net, valid_set)
    epochs = recipe.max_epochs
    if recipe.checkpoint_dir is not None:
        epochs -= _add_checkpoint(net, data, recipe)
    # With no epoch left this only reads the checkpoint.
    with compiled(net.module_, recipe.compile):
        net.train(train_set, valid_set, epochs=epochs)
    weights = _final_weights(net, data, recipe, valid_set)
    if ranks is not None:
        ranks.finish(net)
    return Fitted(net, _plain_history(net), weights)


def weigh_classes(criterion, data, recipe):
    """Give the loss that `make_loss` made the class weights and the exponent of the recipe."""
    rows = data.train
    class_weights = class_weight_tensors(recipe.class_weight, rows.codes, data.codec, rows.weight)
    if isinstance(criterion, BranchLoss):
        criterion.class_weights, criterion.gamma = class_weights, recipe.focal_gamma
        # The binary loss divides by no class weights.
        if (
            rows.weight is not None
            and class_weights is not None
            and criterion.cross_entropy == "categorical"
        ):
            factors = weighted_task_weights(rows.weight, rows.codes, class_weights)
            given = criterion.task_weights or [1.0] * len(factors)
            criterion.task_weights = [a * b for a, b in zip(given, factors)]
    elif class_weights is not None or recipe.focal_gamma:
        raise ValueError(
            "`class_weight` and `loss` act on a BranchLoss, and make_loss of "
            f"{recipe.estimator_name} made a {type(criterion).__name__}."
        )
    return criterion


def make_dataset(table, recipe, codes=None, sample_weight=None):
    """Return rows as a data set of pixels of the recipe's size, and of weights of mean 1."""
    if sample_weight is not None:
        sample_weight = scale_sample_weights(sample_weight, codes)
    return LesionDataset(
        table,
        recipe.image_size,
        cache=PixelCache(recipe.cache_dir),
        codes=codes,
        sample_weight=sample_weight,
        missing_ok=recipe.allow_missing_images,
        on_error=recipe.on_error,
    )


def keep_features(net, dataset, n_views=0):
    """Compute what comes before anything that is trained once, and keep it.

    Parameters
    ----------
    net : TrainingNet
        Initialised net.
    dataset : LesionDataset
        Rows; their features stand for their pixels from then on.
    n_views : int, default=0
        Augmented views of every image; with 0 images are taken as they are.
    """
    sources = net.module_.feature_sources
    if not (sources and dataset.readers):
        return
    net.module_.eval()
    where = (net.batch_size, net.device, net.workers)
    maker = FeatureMaker(sources, net.features, net.precision, *where)
    if net.ranks is not None and dataset.cache.path is not None:
        # Each process puts its share into the cache, where all then find what they share.
        maker.make(dataset, net.augment, n_views, net.ranks.share)
        net.ranks.wait()
    dataset.features = maker.make(dataset, net.augment, n_views)


def make_net(module, criterion, recipe, *, precision, row_weights=None, callbacks=()):
    """Return the net that trains a network, or predicts with it, by a recipe.

    Parameters
    ----------
    module : LesionNetwork
        Network; it is not copied.
    criterion : torch.nn.Module
        Loss of (outputs, codes, sample_weight).
    recipe : Recipe
        Settings.
    precision : {"fp32", "bf16"}
        Arithmetic of the forward pass.
    row_weights : ndarray of shape (n,), default=None
        Chances with which training rows are drawn.
    callbacks : sequence of Callback, default=()
        What happens between epochs.

    Returns
    -------
    net : TrainingNet
        Not initialised.
    """
    optimizer, options = recipe.optimizer
    further = {f"optimizer__{name}": value for name, value in options.items()}
    augment = make_augmentation(recipe.augment)
    return TrainingNet(
        module,
        criterion,
        # skorch takes a module in an attribute for one of its own and moves and saves it.
        augment=None if augment is None else augment.forward,
        precision=precision,
        row_weights=row_weights,
        seed=recipe.fit_seed,
        workers=recipe.num_workers,
        backbone=recipe.backbone,
        optimizer=optimizer,
        lr=recipe.lr,
        batch_size=recipe.batch_size,
        max_epochs=recipe.max_epochs,
        device=recipe.device,
        # skorch would hold out a fifth of the rows, whatever their groups.
        train_split=None,
        verbose=0,
        callbacks=list(callbacks),
        callbacks__print_log=None,
        **(further | (recipe.net_params or {})),
    )


def _initialize(net, ranks):
    net.initialize()
    # The layout that the images come in; otherwise every batch lays the weights out anew.
    net.module_.to(memory_format=torch.channels_last)
    if ranks is not None:
        ranks.prepare(net)


def _net_for(data, module, criterion, recipe, ranks):
    """Return the net that trains a network on these rows."""
    row_weights = None
    if recipe.sampler == "balanced":
        row_weights = balanced_row_weights(data.train.codes, data.train.weight)
    return make_net(
        module,
        criterion,
        recipe,
        precision=choose_precision(recipe.precision, module, recipe.image_size, recipe.device),
        row_weights=row_weights,
        callbacks=make_callbacks(recipe, data, ranks),
    )


def _add_checkpoint(net, data, recipe):
    """Add the checkpoint callback; return how many epochs it has already."""
    settings = {k: as_content(v) for k, v in recipe.parameters.items() if k not in INDIFFERENT}
    content = (recipe.estimator_name, settings, data.train, data.valid, data.codec.classes_)
    # Settings and rows together: a checkpoint of others is not of this fit.
    fingerprint = on_first(net.ranks, lambda: joblib.hash(content))
    directory = Path(recipe.checkpoint_dir) / fingerprint
    net.callbacks_.append(("checkpoint", TrainingCheckpoint(directory, fingerprint)))
    return on_first(net.ranks, lambda: finished_epochs(directory, fingerprint))


def _final_weights(net, data, recipe, valid_set):
    names = net.module_.branches
    searched = isinstance(recipe.branch_weights, str) and recipe.branch_weights == "search"
    if not searched or len(names) == 1:
        return weigh_branches(dict.fromkeys(names, []), recipe)
    assert valid_set is not None and data.valid is not None
    branches = net.branch_probabilities(valid_set, int(recipe.tta))
    return weigh_branches(branches, recipe, data.valid.codes, data.valid.weight)


def _plain_history(net):
    """Return skorch's history as plain rows, without the batches."""
    return [
        {
            key: float(value) if isinstance(value, np.floating) else value
            for key, value in row.items()
            if key != "batches"
        }
        for row in net.history
    ]
