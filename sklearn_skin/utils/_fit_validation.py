"""Fitting with validation rows, through Pipelines."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import (
    _routing_enabled,
    get_routing_for_object,
    process_routing,
)
from sklearn.utils.validation import has_fit_parameter

from sklearn_skin.utils._pipelines import split_pipeline


def check_validation_rows(X_val, y_val):
    """Check that validation rows come with labels, and labels with rows.

    Parameters
    ----------
    X_val : DataFrame or array-like of m rows, or None
        Rows to validate on.
    y_val : array-like of shape (m,) or (m, T), or None
        Their labels.

    Raises
    ------
    ValueError
        If only one of them is given.

    Examples
    --------
    >>> from sklearn_skin.utils import check_validation_rows
    >>> check_validation_rows([[1.0]], None)
    Traceback (most recent call last):
        ...
    ValueError: `X_val` and `y_val` must be given together.
    """
    if (X_val is None) != (y_val is None):
        raise ValueError("`X_val` and `y_val` must be given together.")


def check_labelled(codes, name):
    """Check that every task has a label.

    Parameters
    ----------
    codes : ndarray of shape (n, T)
        Class codes, -1 where missing.
    name : str
        What they are called, for the message.

    Raises
    ------
    ValueError
        If all labels of a task are missing.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.utils import check_labelled
    >>> check_labelled(np.array([[0, -1], [1, -1]]), "y_val")
    Traceback (most recent call last):
        ...
    ValueError: y_val has no label of task 1: every value is missing.
    """
    empty = np.flatnonzero((codes < 0).all(axis=0))
    if len(empty):
        where = f" of task {empty[0]}" if codes.shape[1] > 1 else ""
        raise ValueError(f"{name} has no label{where}: every value is missing.")


def fit_with_validation(estimator, X, y, X_val, y_val, **params):
    """Fit an estimator with rows to validate on; of a Pipeline, its last step gets them.

    The steps before the last are fitted on X alone and transform `X_val` as they transform X;
    samplers leave it as it is. scikit-learn's own ``transform_input=["X_val"]`` does the same
    where metadata routing is enabled and no step is a sampler. A Pipeline's `memory` is not used.

    Parameters
    ----------
    estimator : estimator or Pipeline
        Fitted in place. Where its `fit` has no parameter `X_val` or it does not request it, as the
        classifiers of this package do by themselves, it is fitted on X alone. So are searches and
        other meta-estimators of scikit-learn, which would take `X_val` for values of the rows of X:
        networks in them hold rows of their own out.
    X : DataFrame or array-like of n rows
        Rows to train on.
    y : array-like of shape (n,) or (n, T)
        Their labels.
    X_val : DataFrame or array-like of m rows, or None
        Rows to validate on; None fits on X alone.
    y_val : array-like of shape (m,) or (m, T), or None
        Their labels.
    **params
        Further parameters of `fit`, as `metadata_for_fit` returns them.

    Returns
    -------
    estimator : estimator or Pipeline
        The same object, fitted.

    Raises
    ------
    ValueError
        If only one of `X_val` and `y_val` is given, or a parameter names no step of a Pipeline.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_skin.neural_network import MetadataClassifier
    >>> from sklearn_skin.utils import fit_with_validation
    >>> X, y = make_classification(random_state=0)
    >>> model = make_pipeline(StandardScaler(), MetadataClassifier(max_epochs=1, random_state=0))
    >>> model = fit_with_validation(model, X[:80], y[:80], X[80:], y[80:])
    >>> "valid_loss" in model[-1].history_[0]
    True
    """
    check_validation_rows(X_val, y_val)
    if X_val is None or not _takes_validation(split_pipeline(estimator)[0]):
        return estimator.fit(X, y, **params)
    valid = {"X_val": X_val, "y_val": y_val}
    if not isinstance(estimator, Pipeline):
        return estimator.fit(X, y, **valid, **params)
    return _fit_steps(estimator, X, y, X_val, y_val, _params_of_steps(estimator, params))


def _takes_validation(final):
    # Others have the parameter but take it only with some settings, or request it of parts whose
    # X_val they would cut to folds.
    requests = get_routing_for_object(final)
    return has_fit_parameter(final, "X_val") and bool(requests.consumes("fit", ["X_val"]))


def _params_of_steps(pipeline, params):
    """Return by step and method what it is given."""
    if _routing_enabled():
        return process_routing(pipeline, "fit", **params)
    own = {name: {} for name, _ in pipeline.steps}
    for key, value in params.items():
        name, _, parameter = key.partition("__")
        if name not in own or not parameter:
            raise ValueError(
                f"`{key}` must begin with the name of a step and '__', as in "
                f"'{pipeline.steps[-1][0]}__sample_weight'; the steps are {list(own)}."
            )
        own[name][parameter] = value
    methods = ("fit", "fit_transform", "fit_resample")
    return {name: dict.fromkeys(methods, given) for name, given in own.items()}


def _fit_steps(pipeline, X, y, X_val, y_val, params):
    for name, step in pipeline.steps[:-1]:
        if hasattr(step, "fit_resample"):
            X, y = step.fit_resample(X, y, **params[name].get("fit_resample", {}))
        elif step is not None and step != "passthrough":
            if hasattr(step, "fit_transform"):
                X = step.fit_transform(X, y, **params[name]["fit_transform"])
            else:
                X = step.fit(X, y, **params[name]["fit"]).transform(X)
            X_val = step.transform(X_val)
    name, final = pipeline.steps[-1]
    fit_with_validation(final, X, y, X_val, y_val, **params[name]["fit"])
    return pipeline
