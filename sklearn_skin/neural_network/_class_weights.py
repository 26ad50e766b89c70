"""Weights of classes and rows in the loss, and of rows in the sampler."""

import numpy as np
import torch


def scale_sample_weights(sample_weight, codes):
    """Return weights (n, T) whose mean over the rows with a label of each task is 1.

    A batch's loss divides by its number of rows, not by their weights, so that a weight of 2 is
    a row that stands twice; only this scale keeps the steps as long as without weights.
    """
    weight, labelled = sample_weight.astype(np.float64)[:, None], codes >= 0
    means = (weight * labelled).sum(axis=0) / np.maximum(labelled.sum(axis=0), 1)
    return (weight / np.where(means > 0, means, 1.0)).astype(np.float32)


def weighted_task_weights(sample_weight, codes, class_weights):
    r"""Return the factor of each task's loss that makes a weight of 2 a row that stands twice.

    A batch's loss divides by the class weights c of its rows, and those of repeated rows would
    count repeatedly: :math:`\sum_i c_{y_i} / \sum_i s_i c_{y_i}` over the rows with a label, with
    the scaled weights s.
    """
    scaled = scale_sample_weights(sample_weight, codes).astype(np.float64)
    factors = []
    for task, column in enumerate(codes.T):
        here = column >= 0
        cost = class_weights[task].numpy().astype(np.float64)[column[here]]
        weighted = (scaled[here, task] * cost).sum()
        factors.append(cost.sum() / weighted if weighted > 0 else 1.0)
    return factors


def class_weight_tensors(class_weight, codes, codec, sample_weight=None):
    """Return one tensor (C_t,) per task, or None without class weights.

    "balanced" is n / (C · n_c), over the rows that have a label of the task; a row counts as
    often as it weighs, as in scikit-learn.
    """
    if class_weight is None:
        return None
    n_tasks = codes.shape[1]
    per_task = class_weight if isinstance(class_weight, list) else [class_weight] * n_tasks
    if len(per_task) != n_tasks:
        raise ValueError(
            f"`class_weight` must hold one entry per task ({n_tasks}); got {len(per_task)}."
        )
    rows = np.ones(len(codes)) if sample_weight is None else sample_weight
    weights = [
        _task_weights(choice, column[column >= 0], classes, rows[column >= 0])
        for choice, column, classes in zip(per_task, codes.T, codec.classes_)
    ]
    return [torch.from_numpy(weight.astype(np.float32)) for weight in weights]


def _task_weights(choice, codes, classes, rows):
    if choice is None:
        return np.ones(len(classes))
    if choice == "balanced":
        counts = np.bincount(codes, weights=rows, minlength=len(classes))
        # A class without rows has no part in the loss, whatever its weight.
        n_classes = max(np.count_nonzero(counts), 1)
        return counts.sum() / (n_classes * np.where(counts > 0, counts, 1.0))
    known = classes.tolist()
    unknown = [label for label in choice if label not in known]
    if unknown:
        raise ValueError(f"`class_weight` names unknown classes {unknown}; known are {known}.")
    weights = np.array([float(choice.get(label, 1.0)) for label in known])
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError(
            f"`class_weight` must hold finite weights of at least 0, not all of them 0; "
            f"got {choice!r}."
        )
    return weights


def balanced_row_weights(codes, sample_weight=None):
    """Return weights (n,) with which every class of every task is drawn equally often.

    A row's weight is the mean over its labelled tasks of 1 / (rows of its class), where rows
    count as often as they weigh.
    """
    rows = np.ones(len(codes)) if sample_weight is None else sample_weight
    weights = np.full(codes.shape, np.nan)
    for task, column in enumerate(codes.T):
        here = (column >= 0) & (rows > 0)
        counts = np.bincount(column[here], weights=rows[here])
        weights[here, task] = rows[here] / counts[column[here]]
    # A row without any label teaches nothing, and is never drawn.
    labelled = ~np.isnan(weights).all(axis=1)
    result = np.zeros(len(codes))
    result[labelled] = np.nanmean(weights[labelled], axis=1)
    return result
