"""Weights of classes in the loss, and of rows in the sampler."""

import numpy as np
import torch


def class_weight_tensors(class_weight, codes, codec):
    """Return one tensor (C_t,) per task, or None without class weights.

    "balanced" is n / (C · n_c), over the rows that have a label of the task.
    """
    if class_weight is None:
        return None
    n_tasks = codes.shape[1]
    per_task = class_weight if isinstance(class_weight, list) else [class_weight] * n_tasks
    if len(per_task) != n_tasks:
        raise ValueError(
            f"`class_weight` must hold one entry per task ({n_tasks}); got {len(per_task)}."
        )
    weights = [
        _task_weights(choice, column[column >= 0], classes)
        for choice, column, classes in zip(per_task, codes.T, codec.classes_)
    ]
    return [torch.from_numpy(weight.astype(np.float32)) for weight in weights]


def _task_weights(choice, codes, classes):
    if choice is None:
        return np.ones(len(classes))
    if choice == "balanced":
        counts = np.bincount(codes, minlength=len(classes))
        # A class without rows has no part in the loss, whatever its weight.
        return len(codes) / (np.count_nonzero(counts) * np.maximum(counts, 1))
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


def balanced_row_weights(codes):
    """Return weights (n,) with which every class of every task is drawn equally often.

    A row's weight is the mean over its labelled tasks of 1 / (rows of its class).
    """
    weights = np.full(codes.shape, np.nan)
    for task, column in enumerate(codes.T):
        here = column >= 0
        counts = np.bincount(column[here])
        weights[here, task] = 1.0 / counts[column[here]]
    # A row without any label teaches nothing, and is never drawn.
    labelled = ~np.isnan(weights).all(axis=1)
    result = np.zeros(len(codes))
    result[labelled] = np.nanmean(weights[labelled], axis=1)
    return result
