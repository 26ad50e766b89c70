"""The parameters that networks share: constraints, documentation, signature."""

import inspect
import re
from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions

from sklearn_skin.neural_network._optimisers import AVERAGES, LOSSES, LR_SCHEDULES, OPTIMIZERS
from sklearn_skin.utils import did_you_mean

_SECTION = "Parameters\n    ----------\n"
CHANCE = Interval(Real, 0, 1, closed="left")
COUNT = Interval(Integral, 1, None, closed="left")


class _Widths(Options):
    """A constraint: widths of layers, which may be none."""

    def __init__(self):
        super().__init__(int, set())

    def is_satisfied_by(self, val):
        """Whether `val` is a sequence of ints of at least 1."""
        is_sequence = isinstance(val, Sequence | np.ndarray)
        return is_sequence and all(COUNT.is_satisfied_by(width) for width in val)

    def __str__(self):
        return "a sequence of ints of at least 1"


WIDTHS = _Widths()


class NetworkParameters:
    """What every network takes: documentation, and constraints by name.

    Parameters
    ----------
    group_column : str, default=None
        Column of X that names the patient or lesion. The inner validation split keeps its
        groups whole, and it is never a feature.
    optimizer : {"adam", "adamw", "sgd"} or dict, default="adam"
        Optimiser; "sgd" has a momentum of 0.9. A dict gives a ``"name"`` and options.
    lr : float, default=1e-3
        Initial learning rate.
    lr_schedule : {"cosine", "step", "plateau"} or dict, default=None
        Learning rate over epochs. "cosine" falls to 0 at `max_epochs`, "step" is divided by 10
        every 15 epochs, "plateau" is divided by 10 after 5 epochs without a better `monitor`.
        A dict gives a ``"name"`` and options of the torch schedule.
    batch_size : int, default=32
        Rows per batch, in all processes together where torchrun starts several. A last batch of
        one row joins the one before it.
    max_epochs : int, default=50
        Passes over the training rows.
    class_weight : "balanced", dict or list, default=None
        Weight of each label in the loss; "balanced" is n / (C · n_c). With several tasks, a list
        with one entry per task, or "balanced".
    loss : {"cross_entropy", "focal"} or dict, default="cross_entropy"
        Loss per row; "focal" has γ = 2, ``{"name": "focal", "gamma": 3.0}`` another.
    sampler : "balanced", default=None
        Draw training rows with replacement, every class equally often; with several tasks, by the
        mean over the tasks of 1 / (rows of the row's class).
    early_stopping : bool, default=False
        Stop after `patience` epochs in which `monitor` got no better on held-out rows, and
        bring back the best epoch's weights.
    patience : int, default=10
        Epochs without improvement after which training stops.
    monitor : str or callable, default="valid_loss"
        "valid_loss", or a scorer (scikit-learn's names, `sklearn_skin.metrics.SCORERS`, or a
        callable), where more is better. A scorer is given what `predict` would return after the
        epoch: branches weighed, views averaged, with the rows' sample weights.
    validation_fraction : float, default=0.1
        Share of rows held out where training needs a validation set and `X_val` is not given.
    averaging : {"swa", "ema"} or dict, default=None
        Average weights: "swa" those after each of the last quarter of the epochs (stochastic weight
        averaging of :ref:`Izmailov et al. (2018) <izmailov2018>`),
        ``{"name": "swa", "epochs": 50}`` after the last 50; "ema" those of all steps with a decay
        of 0.99, ``{"name": "ema", "decay": 0.999}`` with another. The average takes the place of
        the best epoch that `early_stopping` brings back.
    precision : {"auto", "fp32", "bf16"}, default="auto"
        Arithmetic of the forward pass; weights, metadata, classifiers and losses are in fp32.
        "auto" is "bf16" where that is faster: images of 64 pixels or more on a GPU with bf16, or,
        unless the network is full of depthwise convolutions, on a CPU whose flags tell of AMX or
        of fast AVX-512 bf16.
    compile : bool or dict, default=False
        Train through `torch.compile`: for long fits on a GPU, since compiling takes a minute. A
        dict gives its options, such as ``{"mode": "reduce-overhead"}`` for CUDA graphs. Prediction
        is not compiled.
    device : str, default="auto"
        A torch device; "auto" is the GPU where there is one.
    num_workers : int, default=0
        Processes that prepare batches.
    checkpoint_dir : path, default=None
        Where the state of training is kept after every epoch. A fit with the same settings and
        data goes on from it.
    callbacks : list, default=None
        Further skorch callbacks.
    net_params : dict, default=None
        Further parameters of the skorch net, such as ``{"optimizer__weight_decay": 1e-4}``.
    classes : array-like, or list of array-like, default=None
        All labels (per task), where some may be absent from the training rows.
    warm_start : bool, default=False
        Go on from the weights of the last fit.
    random_state : int, RandomState instance or None, default=None
        Decides initial weights, order, augmentation, dropout and splits.
    verbose : int, default=0
        1 shows a progress bar.
    """

    constraints: dict[str, list] = {
        "group_column": [str, None],
        "optimizer": [StrOptions(set(OPTIMIZERS)), dict],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions(set(LR_SCHEDULES)), dict, None],
        "batch_size": [COUNT],
        "max_epochs": [COUNT],
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
        "loss": [StrOptions(set(LOSSES)), dict],
        "sampler": [StrOptions({"balanced"}), None],
        "early_stopping": ["boolean"],
        "patience": [COUNT],
        "monitor": [str, callable],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "averaging": [StrOptions(set(AVERAGES)), dict, None],
        "precision": [StrOptions({"auto", "fp32", "bf16"})],
        "compile": ["boolean", dict],
        "device": [str],
        "num_workers": [Interval(Integral, 0, None, closed="left")],
        "checkpoint_dir": [str, HasMethods("__fspath__"), None],
        "callbacks": [list, None],
        "net_params": [dict, None],
        "classes": ["array-like", None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }


class ImageParameters:
    """What every network of images takes besides.

    Parameters
    ----------
    image_columns : "auto", str or list of str, default="auto"
        Columns of X that hold images. "auto" takes the columns of dtype `image`, of which there
        must be one; a text column of paths may be named; ``[]`` learns from metadata alone. All
        other numeric columns are metadata.
    backbone : str, default="resnet18"
        Name of a timm model, "dermiresnet" or "dermiresnet_bn".
    weights : "imagenet", path or None, default="imagenet"
        Initial weights of the backbone: downloaded by timm, read from a local safetensors or
        torch file, or random.
    freeze : {"backbone"} or int, default=None
        Parts that are not trained: the whole backbone, or that many of its first stages. What
        comes before anything that is trained runs once per image, not once per epoch, and is
        kept in the cache; with `augment` see `frozen_views`.
    adapt : {"lora"} or dict, default=None
        Low-rank adapters (:ref:`Hu et al. (2022) <hu2022>`) beside the attention layers of a
        transformer backbone, whose own weights stay as they are: a small part of the weights is
        trained. A dict gives a ``"name"`` and options; see `sklearn_skin.modules.make_backbone`.
    image_size : int or (int, int), default=224
        Height and width in pixels that images are resized to.
    augment : str, dict or list of str, default=None
        Random changes of training images; see `sklearn_skin.modules.make_augmentation`.
    frozen_views : int, default=None
        With `augment`, how many augmented views of every image pass the frozen part and are kept;
        each epoch draws one of them per row. They follow from the image and their number alone,
        whatever `random_state` is. None augments anew in every epoch.
    tta : {1, 4, 6}, default=1
        Views per image in prediction: itself; flips; and turns by ±90°.
    branch_weights : {"mean", "search", "fusion"}, sequence or dict, default="mean"
        Weights of the branches' probabilities: equal, found on held-out rows, the final branch
        alone, or given.
    allow_missing_images : bool, default=False
        Replace a missing image by a learned token. Otherwise a row that lacks one is an error.
    on_error : {"raise", "missing"}, default="raise"
        What to do about images that cannot be read: raise, or take them for missing and warn with
        their number, which needs `allow_missing_images`. Several images of a column of which not
        one can be read are an error in either case.
    modality_dropout : float, default=0.0
        Chance in [0, 1) that training hides an image, or a group of metadata, of a row where
        something else is known.
    cache_dir : "auto", path or None, default="auto"
        Where decoded pixels and frozen features are kept; with None pixels are decoded in every
        fit and stay in memory, up to 2 GB.
    """

    constraints: dict[str, list] = {
        "image_columns": [str, "array-like"],
        "backbone": [str],
        "weights": [StrOptions({"imagenet"}), str, HasMethods("__fspath__"), None],
        "freeze": [StrOptions({"backbone"}), Interval(Integral, 0, None, closed="left"), None],
        "adapt": [StrOptions({"lora"}), dict, None],
        "image_size": [COUNT, tuple, list],
        "augment": [str, dict, "array-like", None],
        "frozen_views": [COUNT, None],
        "tta": [Options(Integral, {1, 4, 6})],
        "branch_weights": [StrOptions({"mean", "search", "fusion"}), "array-like", dict],
        "allow_missing_images": ["boolean"],
        "on_error": [StrOptions({"raise", "missing"})],
        "modality_dropout": [CHANCE],
        "cache_dir": [str, HasMethods("__fspath__"), None],
    }


class FittedAttributes:
    """What every network has after a fit.

    Parameters
    ----------
    net_ : skorch.NeuralNet
        The trained net.
    module_ : torch.nn.Module
        The trained network.
    history_ : list of dict
        Losses, scores and seconds per epoch.
    classes_ : ndarray, or list of ndarray
        Labels (per task).
    n_features_in_ : int
        Columns seen in fit.
    feature_names_in_ : ndarray of str
        Their names, where X had names.
    image_columns_ : list of str
        Image columns.
    metadata_names_ : list of str
        Metadata features, in the network's order; positions for an X without names.
    branch_weights_ : dict of str to float
        Weight of each branch in `predict_proba`; they sum to 1.
    precision_ : {"fp32", "bf16"}
        Arithmetic that was used.
    """


def inherit_common_parameters(cls):
    """Give `cls` the whole signature and documentation of its ``__init__(…, **common)``.

    What it leaves to ``**common`` comes from its parent, whose signature is complete already.

    Parameters
    ----------
    cls : type
        A network classifier.
    """
    redefined = _complete_signature(cls) if "__init__" in cls.__dict__ else set()
    # A base has its own; any other class has what the nearest documented parent says.
    parents = [parent for parent in cls.__mro__[1:] if _SECTION in (parent.__doc__ or "")]
    described = cls.__dict__.get("_described", parents[:1])
    for key, sources in {"common": described, "fitted": [FittedAttributes]}.items():
        # A class that says itself what a common parameter means says it alone.
        kept = [text for names, text in _entries(sources) if not names & redefined]
        if cls.__doc__:
            cls.__doc__ = cls.__doc__.replace(f"%({key})s", "\n    ".join(kept))


def _complete_signature(cls):
    """Put the parents' parameters in the place of ``**common``; return the names it has anew."""
    own = inspect.signature(cls.__init__)
    parameters = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
    names = {p.name for p in parameters}
    inherited: dict[str, inspect.Parameter] = {}
    for parent in cls.__mro__[1:-1]:
        if "__init__" in parent.__dict__:
            found = list(inspect.signature(parent.__init__).parameters.values())[1:]
            inherited |= {p.name: p for p in found if p.name not in inherited}
            # A network's is complete; a mixin's own ``**kwargs`` go on to who comes after it.
            if not any(p.kind is p.VAR_KEYWORD for p in found):
                break
    if len(parameters) < len(own.parameters):
        further = [p for p in inherited.values() if p.kind is not p.VAR_KEYWORD]
        parameters += [p for p in further if p.name not in names]
    cls.__init__.__signature__ = own.replace(parameters=parameters)
    return names & set(inherited)


def _entries(sources):
    """Yield the names and the text of each entry of the docstrings' first section."""
    for source in sources:
        section = source.__doc__.split(_SECTION, 1)[1]
        # The next section begins with a title and its line.
        section = re.split(r"\n\n +\w+\n +-", section + "\n")[0].strip()
        for entry in re.split(r"\n    (?=\w[\w, ]* :)", section):
            yield set(entry.partition(" :")[0].split(", ")), entry


def refuse_parameter(estimator, name):
    """Say by the name of the class that was called that it has no such parameter."""
    raise TypeError(f"{type(estimator).__name__} has no parameter {name!r}{_hint(estimator, name)}")


def check_names(estimator, names):
    """Raise the error of scikit-learn's `set_params`, with the nearest name instead of all."""
    for name in names:
        if name.partition("__")[0] not in estimator._get_param_names():
            cls, hint = type(estimator).__name__, _hint(estimator, name)
            raise ValueError(f"Invalid parameter {name!r} for estimator {cls}{hint}")


def _hint(estimator, name):
    return did_you_mean(name, type(estimator)._get_param_names())
