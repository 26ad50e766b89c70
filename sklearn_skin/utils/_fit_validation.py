"""Fitting with validation rows, through Pipelines."""

from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import _routing_enabled
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


def fit_with_validation(estimator, X, y, X_val, y_val, **params):
    """Fit an estimator with rows to validate on; of a Pipeline, its last step gets them.

    The steps before the last are fitted on X alone and transform `X_val` as they transform X;
    samplers leave it as it is. With metadata routing enabled this is scikit-learn's own
    ``transform_input=["X_val"]``, and without it the same by hand, where a Pipeline's `memory`
    is not used.

    Parameters
    ----------
    estimator : estimator or Pipeline
        Fitted in place. Where its `fit` takes no `X_val`, it is fitted on X alone.
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
        If only one of `X_val` and `y_val` is given.

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
    if X_val is None or not has_fit_parameter(split_pipeline(estimator)[0], "X_val"):
        return estimator.fit(X, y, **params)
    valid = {"X_val": X_val, "y_val": y_val}
    if not isinstance(estimator, Pipeline):
        return estimator.fit(X, y, **valid, **params)
    if _routing_enabled():
        transformed = {"X_val", *(estimator.transform_input or ())}
        return estimator.set_params(transform_input=sorted(transformed)).fit(
            X, y, **valid, **params
        )
    return _fit_steps(estimator, X, y, X_val, y_val, params)


def _fit_steps(pipeline, X, y, X_val, y_val, params):
    own = {name: {} for name, _ in pipeline.steps}
    for key, value in params.items():
        name, _, parameter = key.partition("__")
        own[name][parameter] = value
    for name, step in pipeline.steps[:-1]:
        if hasattr(step, "fit_resample"):
            X, y = step.fit_resample(X, y, **own[name])
        elif step is not None and step != "passthrough":
            X = step.fit_transform(X, y, **own[name])
            X_val = step.transform(X_val)
    name, final = pipeline.steps[-1]
    fit_with_validation(final, X, y, X_val, y_val, **own[name])
    return pipeline
