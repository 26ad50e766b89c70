"""Which of the rows' weights and groups an estimator's fit is given."""

from sklearn import config_context
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import _routing_enabled, get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from sklearn_skin.utils._warnings import warn_user


def metadata_for_fit(estimator, *, sample_weight=None, groups=None):
    """Return what `estimator.fit` is given of these, under the names that it takes.

    With metadata routing enabled these are the ones that the estimator requests. Without it,
    they go to the final step of a Pipeline, ``step__groups``: weights always, groups where
    its `fit` takes them. A fit that splits nothing ignores groups.

    Parameters
    ----------
    estimator : estimator or Pipeline
        Unfitted.
    sample_weight : array-like of shape (n,), default=None
        Weight of each row.
    groups : array-like of shape (n,), default=None
        Patients or lesions.

    Returns
    -------
    params : dict of str to array-like
        Keywords for ``estimator.fit(X, y, **params)``.

    Raises
    ------
    ValueError
        If weights are given, routing is off, and the final step does not support them or comes
        after a sampler, which changes the rows.

    Warns
    -----
    UserWarning
        If groups cannot reach the final step, since a sampler before it changes the rows.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_skin.utils import metadata_for_fit
    >>> pipe = make_pipeline(StandardScaler(), LogisticRegression())
    >>> metadata_for_fit(pipe, sample_weight=[1, 2], groups=["p1", "p2"])
    {'logisticregression__sample_weight': [1, 2]}
    """
    given = {"sample_weight": sample_weight, "groups": groups}
    given = {name: values for name, values in given.items() if values is not None}
    if _routing_enabled():
        routing = get_routing_for_object(estimator)
        return {name: given[name] for name in routing.consumes("fit", given)}
    prefix, final, sampler = "", estimator, None
    while isinstance(final, Pipeline):
        resampling = [step for _, step in final.steps[:-1] if hasattr(step, "fit_resample")]
        sampler = [sampler, *resampling][-1]
        prefix, final = f"{prefix}{final.steps[-1][0]}__", final.steps[-1][1]
    if "sample_weight" in given and not has_fit_parameter(final, "sample_weight"):
        raise ValueError(
            f"`sample_weight` was given, and {type(final).__name__} does not support it."
        )
    if "sample_weight" in given and sampler is not None:
        raise ValueError(
            f"`sample_weight` was given, and {type(sampler).__name__} before "
            f"{type(final).__name__} changes the rows, whose weights it does not know."
        )
    if "groups" in given and not _takes_groups(final, sampler):
        del given["groups"]
    return {f"{prefix}{name}": values for name, values in given.items()}


def request_weights(estimator, requested=True):
    """Say for an estimator that its `fit` is given weights of rows, or is not.

    Parameters
    ----------
    estimator : estimator
        Changed in place; one whose `fit` takes no weights stays as it is.
    requested : bool, default=True
        Whether scikit-learn's metadata routing is to give it `sample_weight`. Without routing this
        changes nothing.

    Returns
    -------
    estimator : estimator
        The same.

    Examples
    --------
    >>> from sklearn import config_context
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn.utils.metadata_routing import get_routing_for_object
    >>> from sklearn_skin.utils import request_weights
    >>> get_routing_for_object(request_weights(StandardScaler())).consumes("fit", ["sample_weight"])
    {'sample_weight'}
    """
    if has_fit_parameter(estimator, "sample_weight"):
        # It can only be said while routing is on.
        with config_context(enable_metadata_routing=True):
            estimator.set_fit_request(sample_weight=requested)
    return estimator


def _takes_groups(final, sampler):
    if not has_fit_parameter(final, "groups"):
        return False
    # After a sampler there are other rows than `groups` has values; a column goes with its rows.
    if sampler is not None and getattr(final, "group_column", None) is None:
        warn_user(
            f"`groups` do not reach {type(final).__name__} behind {type(sampler).__name__}, which "
            "changes the rows: name a `group_column` if it holds rows out.",
            once=("groups", type(final).__name__, type(sampler).__name__),
        )
    return sampler is None
