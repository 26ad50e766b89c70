"""Integrated gradients of the metadata features."""

import numpy as np
import pandas as pd
import torch
from sklearn.utils import Bunch

from sklearn_skin.inspection._rows import ExplainedRows, explaining
from sklearn_skin.preprocessing import feature_groups
from sklearn_skin.utils import optional_import, warn_user

# Doublings of `n_steps` before the attributions are given as they are.
_MAX_DOUBLINGS = 4


def integrated_gradients(
    estimator,
    X,
    *,
    target=None,
    task=0,
    branch=None,
    baseline="zero",
    n_steps=50,
    tolerance=0.01,
):
    r"""Attribute a network's output to its metadata features.

    .. math:: a_j = (m_j - m'_j) \int_0^1
        \frac{\partial s_c(m' + t\,(m - m'))}{\partial m_j}\,dt

    with metadata features m, a baseline m' and the logit s of class c; the images of the row
    stay as they are. The attributions of a row sum to s(m) - s(m'). They are computed after
    the Pipeline's transformers, per feature, and summed over the features of each raw column.

    Parameters
    ----------
    estimator : network classifier, or Pipeline that ends in one
        Fitted model.
    X : DataFrame or array-like of shape (n, p)
        Rows as `estimator.predict` takes them.
    target : label or array-like of shape (n,), default=None
        Class to explain, for all rows or per row; None takes the predicted class.
    task : int, default=0
        Task to explain.
    branch : str, default=None
        Branch whose logit is explained; None takes the final one.
    baseline : {"zero", "mean"} or array-like of shape (p,), default="zero"
        Features that stand for "nothing known": zeros (after scaling and one-hot encoding the
        mean number and no category), the mean over the rows of X, or these values.
    n_steps : int, default=50
        Points of the Gauss-Legendre rule for the integral.
    tolerance : float or None, default=0.01
        Largest completeness error over the rows together: where ReLUs bend the output,
        `n_steps` is doubled, up to four times, until it is kept. None takes exactly `n_steps`.

    Returns
    -------
    result : Bunch
        ``attributions`` and ``raw_attributions``: signed DataFrames, rows by features and rows
        by raw columns. ``relevance`` and ``raw_relevance``: their absolute values divided by
        each row's maximum, in [0, 1]. ``class_relevance`` and ``raw_class_relevance``: means of
        absolute values over the rows of each explained class, divided by the class's maximum.
        ``target`` (n,); ``baseline`` Series; ``change`` (n,), s(m) - s(m'); ``delta`` (n,), the
        sum of a row's attributions minus its change; ``completeness_error``, the sum of
        absolute deltas by the sum of absolute changes; ``n_steps``, the points it took.

    Raises
    ------
    ValueError
        If the network has no metadata, or an option is out of range.
    ImportError
        If captum is not installed.

    Warns
    -----
    UserWarning
        If the completeness error exceeds `tolerance` (5 % for None).

    References
    ----------
    .. [1] :ref:`Sundararajan et al. (2017) <sundararajan2017>`, "Axiomatic attribution for deep
       networks".

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn_skin.inspection import integrated_gradients
    >>> from sklearn_skin.neural_network import MetadataClassifier
    >>> X, y = make_classification(random_state=0)
    >>> net = MetadataClassifier(max_epochs=5, random_state=0).fit(X, y)
    >>> result = integrated_gradients(net, X[:10])
    >>> result.relevance.shape, result.completeness_error < 0.01
    ((10, 20), True)
    """
    attr = optional_import("captum.attr", "explain")
    rows = ExplainedRows(estimator, X)
    if not rows.metadata_names:
        raise ValueError(f"{type(rows.network).__name__} was fitted without metadata features.")
    if n_steps < 1:
        raise ValueError(f"`n_steps` must be at least 1; got {n_steps!r}.")
    task = rows.check_task(task)
    codes = rows.targets(target, task)
    start = _baseline(baseline, rows.metadata)
    # ReLUs bend the path, so how many points it takes is only known afterwards.
    for doubling in range(_MAX_DOUBLINGS + 1):
        n_points = n_steps * 2**doubling
        values, change = _attribute(attr, rows, codes, task, branch, start, n_points)
        error = _completeness_error(values, change)
        if tolerance is None or error <= tolerance:
            break
    _warn_if_incomplete(error, n_points, tolerance)
    result = _as_bunch(rows, values, rows.classes[task][codes])
    result.update(
        baseline=pd.Series(start, index=rows.metadata_names),
        change=change,
        delta=values.sum(axis=1) - change,
        completeness_error=error,
        n_steps=n_points,
    )
    return result


def _warn_if_incomplete(error, n_steps, tolerance):
    if error > (0.05 if tolerance is None else tolerance):
        warn_user(
            f"integrated gradients with {n_steps} steps miss the change of the output by "
            f"{error:.1%}; a larger `n_steps` makes them complete.",
        )


def _attribute(attr, rows, codes, task, branch, start, n_steps):
    """Return attributions (n, p) and changes of the logit (n,)."""
    values, changes = [], []
    with explaining(rows.module):
        for batch in rows.batches:
            forward, fixed = _metadata_function(rows, batch, task, branch)
            metadata = batch.metadata
            wanted = torch.from_numpy(codes[batch.rows]).to(rows.device)
            here = torch.from_numpy(start).to(rows.device).expand_as(metadata)
            value = attr.IntegratedGradients(forward).attribute(
                metadata,
                here,
                target=wanted,
                additional_forward_args=fixed,
                n_steps=n_steps,
                # captum would expand the whole batch by all steps at once.
                internal_batch_size=max(rows.batches.batch_size, len(metadata)),
            )
            with torch.no_grad():
                change = forward(metadata, *fixed) - forward(here, *fixed)
            values.append(value.detach().cpu().numpy())
            changes.append(change.gather(1, wanted[:, None])[:, 0].cpu().numpy())
    return np.concatenate(values).astype(np.float64), np.concatenate(changes).astype(np.float64)


def _completeness_error(values, change):
    # Over all rows together: one whose output hardly changes would have a huge error of its own.
    missed, total = np.abs(values.sum(axis=1) - change).sum(), np.abs(change).sum()
    return float(missed / max(total, np.finfo(np.float64).tiny)) if missed else 0.0


def _baseline(baseline, metadata):
    if isinstance(baseline, str):
        if baseline == "zero":
            return np.zeros(metadata.shape[1], dtype=np.float32)
        if baseline == "mean":
            return metadata.mean(axis=0)
        raise ValueError(f"`baseline` must be 'zero', 'mean' or an array; got {baseline!r}.")
    values = np.asarray(baseline, dtype=np.float32)
    if values.shape != metadata.shape[1:]:
        raise ValueError(
            f"`baseline` must have one value per metadata feature ({metadata.shape[1]}); got "
            f"shape {values.shape}."
        )
    return values


def _metadata_function(rows, batch, task, branch):
    """Return (function of metadata -> logits (n, C), its fixed further arguments)."""
    module, branch = rows.module, rows.branch(branch)
    # The images stay as they are, so their features are computed once and not at every step.
    with torch.no_grad():
        features = module.features(batch.images)

    def forward(metadata, *fixed):
        # captum repeats fixed tensors along with the metadata; it takes no lists.
        return module.forward_features(list(fixed[:-1]), metadata, fixed[-1])[branch][task]

    return forward, (*features, batch.present)


def _as_bunch(rows, values, target):
    attributions = pd.DataFrame(values, index=rows.row_names, columns=rows.metadata_names)
    groups = feature_groups(rows.metadata_names)
    raw = pd.DataFrame({name: attributions[m].sum(axis=1) for name, m in groups.items()})
    return Bunch(
        attributions=attributions,
        raw_attributions=raw,
        relevance=_relevance(attributions),
        raw_relevance=_relevance(raw),
        class_relevance=_relevance(attributions.abs().groupby(target).mean()),
        raw_class_relevance=_relevance(raw.abs().groupby(target).mean()),
        target=target,
    )


def _relevance(table):
    """Return absolute values divided by the row's maximum."""
    size = table.abs()
    return size.div(size.max(axis=1).replace(0.0, 1.0), axis=0)
