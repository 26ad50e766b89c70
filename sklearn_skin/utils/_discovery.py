"""Find the estimators of this package."""

import importlib
import inspect

_PACKAGES = (
    "ensemble",
    "neural_network",
    "preprocessing",
    "sampling",
)


def all_estimators(type_filter=None):
    """Return all public estimators.

    Parameters
    ----------
    type_filter : {"classifier", "transformer", "sampler"}, default=None
        Kind of estimator; None takes all.

    Returns
    -------
    estimators : list of (str, type)
        Name and class, by name.

    Raises
    ------
    ValueError
        If `type_filter` is not one of the kinds.

    Examples
    --------
    >>> from sklearn_skin.utils import all_estimators
    >>> "JointFusionClassifier" in dict(all_estimators("classifier"))
    True
    """
    from imblearn.base import BaseSampler
    from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin

    kinds = {
        None: BaseEstimator,
        "classifier": ClassifierMixin,
        "transformer": TransformerMixin,
        "sampler": BaseSampler,
    }
    if type_filter not in kinds:
        raise ValueError(
            f"`type_filter` must be one of {list(kinds)[1:]} or None; got {type_filter!r}."
        )
    found = {}
    for package in _PACKAGES:
        module = importlib.import_module(f"sklearn_skin.{package}")
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value) and issubclass(value, kinds[type_filter]):
                if not name.startswith("Base"):
                    found[name] = value
    return sorted(found.items())
