"""Sensible ranges for the parameters of Pipelines."""

from typing import NamedTuple

import numpy as np

_FLAVORS = ("optuna", "grid", "random")
_WIDTHS = (
    ("test_resnet", "resnet10t", "resnet18"),
    ("resnet10t", "resnet18", "resnet34"),
    ("resnet18", "resnet34", "resnet50"),
    ("resnet34", "resnet50", "resnet101"),
    ("mobilenetv3_small_050", "mobilenetv3_small_075", "mobilenetv3_small_100"),
    ("mobilenetv3_small_100", "mobilenetv3_large_100"),
    ("mobilenetv2_100", "mobilenetv2_140"),
    ("efficientnet_b0", "efficientnet_b1", "efficientnet_b2"),
    ("efficientnet_b4", "efficientnet_b3"),
    ("densenet121", "densenet169"),
    ("vgg13", "vgg16"),
    ("swin_tiny_patch4_window7_224", "swin_small_patch4_window7_224"),
    ("convnext_atto", "convnext_femto", "convnext_pico"),
    ("convnext_tiny", "convnext_small"),
)


class Range(NamedTuple):
    """Numbers in [low, high]; `log` spreads them evenly over orders of magnitude."""

    low: float
    high: float
    log: bool = False


class Choice(NamedTuple):
    """One of some values."""

    values: tuple


# Class (or a parent's) name -> parameter -> what to try. Only what matters in practice and
# stays valid whatever the other parameters are.
_SPACES = {
    "BaseLesionClassifier": {
        "lr": Range(1e-5, 1e-2, log=True),
        "batch_size": Choice((16, 32, 64)),
        "lr_schedule": Choice((None, "cosine")),
        "loss": Choice(("cross_entropy", "focal")),
        "dropout": Range(0.0, 0.5),
        "image_dropout": Range(0.0, 0.5),
    },
    "JointIndividualFusionClassifier": {"beta": Range(0.0, 1.0)},
    "SuperResolutionFusionClassifier": {
        "alpha": Range(0.0, 1.0),
        "sr_weight": Range(0.1, 2.0),
    },
    "SharedFusionClassifier": {
        "attention": Choice(("shared", "cross", "none")),
        "clinical_weight": Range(0.01, 0.5, log=True),
    },
    "AsymmetricFusionClassifier": {"attention": Choice(("aab", "bab", "none"))},
    "FusionM4NetClassifier": {"space": Choice(("proba", "logits"))},
    "WeightedFusionClassifier": {"space": Choice(("proba", "logits"))},
    "SVC": {"C": Range(1e-2, 1e2, log=True), "gamma": Range(1e-3, 1.0, log=True)},
    "LinearSVC": {"C": Range(1e-3, 1e2, log=True)},
    "LogisticRegression": {"C": Range(1e-3, 1e2, log=True)},
    "MLPClassifier": {
        "alpha": Range(1e-5, 1e-1, log=True),
        "learning_rate_init": Range(1e-4, 1e-2, log=True),
    },
    "HistGradientBoostingClassifier": {
        "learning_rate": Range(0.02, 0.3, log=True),
        "max_leaf_nodes": Choice((7, 15, 31)),
        "l2_regularization": Range(1e-3, 10.0, log=True),
    },
    "RandomForestClassifier": {
        "min_samples_leaf": Choice((1, 2, 5, 10)),
        "max_features": Choice(("sqrt", 0.3, 0.6)),
    },
    "KNeighborsClassifier": {
        "n_neighbors": Choice((3, 5, 9, 15, 25)),
        "weights": Choice(("uniform", "distance")),
    },
    "ShadesOfGray": {"power": Choice((1, 2, 4, 6, 8))},
    "CLAHE": {"clip_limit": Range(1.0, 4.0)},
}


def search_space(estimator, flavor="optuna"):
    """Return ranges for the parameters of an estimator and of all that it is made of.

    Parameters
    ----------
    estimator : estimator
        A network, meta-estimator or Pipeline; nested parameters get their prefix.
    flavor : {"optuna", "grid", "random"}, default="optuna"
        What the values are: Optuna's distributions, as `OptunaSearchCV` and
        :class:`StudyObjective` take them; lists, as GridSearchCV does (three values of each
        range); or SciPy distributions and lists, as RandomizedSearchCV does.

    Returns
    -------
    space : dict of str to object
        By the parameter's name in ``estimator.get_params()``. Delete or replace entries at
        will: a grid of all of them is large.

    Raises
    ------
    ValueError
        If `flavor` is unknown.

    Notes
    -----
    Networks that see images get `backbone`, the next wider ones of the same family, and
    `augment`; where class weights or a sampler may be chosen freely, `class_weight`. A
    network whose `weights` are a file keeps its backbone. A second stage given by name becomes
    a choice of names.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn.svm import SVC
    >>> from sklearn_skin.model_selection import search_space
    >>> pipe = make_pipeline(StandardScaler(), SVC())
    >>> grid = search_space(pipe, "grid")
    >>> {name: [float(v) for v in values] for name, values in grid.items()}
    {'svc__C': [0.01, 1.0, 100.0], 'svc__gamma': [0.001, 0.0316..., 1.0]}
    """
    if flavor not in _FLAVORS:
        raise ValueError(f"`flavor` must be one of {list(_FLAVORS)}; got {flavor!r}.")
    convert = {"optuna": _to_optuna, "grid": _to_list, "random": _to_random}[flavor]
    space = {}
    for prefix, part in _parts(estimator):
        for name, values in _own_space(part).items():
            space[prefix + name] = convert(values)
    return space


def _parts(estimator):
    yield "", estimator
    for name, value in sorted(estimator.get_params(deep=True).items()):
        if hasattr(value, "get_params") and not isinstance(value, type):
            yield f"{name}__", value


def _own_space(part):
    own = part.get_params(deep=False)
    names = [cls.__name__ for cls in type(part).__mro__]
    space = {}
    for name in reversed(names):
        space |= _SPACES.get(name, {})
    if "BaseLesionClassifier" in names:
        space |= _network_space(part, own)
    if "FusionM4NetClassifier" in names and isinstance(own["second_stage"], str | None):
        from sklearn_skin.ensemble._second_stage import SECOND_STAGES

        space["second_stage"] = Choice(tuple(SECOND_STAGES))
    if "SimpleImputer" in names and own["strategy"] in ("mean", "median"):
        space["strategy"] = Choice(("median", "mean"))
    if "SVC" in names and own["kernel"] == "linear":
        del space["gamma"]
    return {name: values for name, values in space.items() if name in own}


def _network_space(net, own):
    space = {}
    if own["sampler"] is None:
        space["class_weight"] = Choice((None, "balanced"))
    if isinstance(own["lr_schedule"], dict):
        space["lr_schedule"] = Choice((own["lr_schedule"], None))
    if "fusion" in own:
        from sklearn_skin.modules.fusion import FUSIONS

        space["fusion"] = Choice(tuple(sorted(FUSIONS)))
    if not net._uses_images:
        return space
    if own["freeze"] is None:
        space["augment"] = Choice((None, "flips", "geometric", "full"))
    if own["weights"] in (None, "imagenet"):
        widths = next((w for w in _WIDTHS if w[0] == own["backbone"]), (own["backbone"],))
        space["backbone"] = Choice(widths)
    return space


def _to_optuna(values):
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(values, Choice):
        return CategoricalDistribution(values.values)
    return FloatDistribution(values.low, values.high, log=values.log)


def _to_list(values):
    if isinstance(values, Choice):
        return list(values.values)
    spaced = np.geomspace if values.log else np.linspace
    return spaced(values.low, values.high, 3).tolist()


def _to_random(values):
    from scipy.stats import loguniform, uniform

    if isinstance(values, Choice):
        return list(values.values)
    if values.log:
        return loguniform(values.low, values.high)
    return uniform(values.low, values.high - values.low)
