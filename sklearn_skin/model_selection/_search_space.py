"""Sensible ranges for the parameters of Pipelines."""

import numpy as np

from sklearn_skin.utils import Choice, Range

_FLAVORS = ("optuna", "grid", "random")

# Of estimators that cannot say it themselves: class (or a parent's) -> parameter -> what to try.
# Only what matters in practice.
_OTHERS = {
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
    "SimpleImputer": {"strategy": Choice(("median", "mean"))},
}
# Parameters that only count, or only fit, where another one allows it.
_UNLESS = {
    ("SVC", "gamma"): lambda svc: svc.kernel == "linear",
    ("SimpleImputer", "strategy"): lambda imputer: imputer.strategy not in ("mean", "median"),
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
    Every part is asked for its `search_ranges()`, a method that returns a dict of
    :class:`~sklearn_skin.utils.Range` and :class:`~sklearn_skin.utils.Choice` by parameter, valid
    for the part as it is; so an estimator of your own takes part by having one. Common
    estimators of scikit-learn, which have none, are known.

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
        for name, values in _ranges(part).items():
            space[prefix + name] = convert(values)
    return space


def _parts(estimator):
    yield "", estimator
    for name, value in sorted(estimator.get_params(deep=True).items()):
        if hasattr(value, "get_params") and not isinstance(value, type):
            yield f"{name}__", value


def _ranges(part):
    if hasattr(part, "search_ranges"):
        return part.search_ranges()
    ranges = {}
    # Parents first: a subclass of SVC is searched like SVC, unless it is known itself.
    for cls in reversed(type(part).__mro__):
        for name, values in _OTHERS.get(cls.__name__, {}).items():
            excludes = _UNLESS.get((cls.__name__, name))
            if excludes is None or not excludes(part):
                ranges[name] = values
    return ranges


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
