"""Scores of one model in one task, for all bootstrap draws."""

import numpy as np

METRICS = (
    "Balanced accuracy",
    "Accuracy",
    "Mean specificity",
    "Macro F1",
    "AUC",
    "Brier score",
)
# The metric of subgroups and headlines: it does not reward leaving out rare classes.
MAIN_METRIC = "Balanced accuracy"
CLASS_METRICS = ("Sensitivity", "Specificity", "Positive predictive value", "AUC")


def class_rates(confusions):
    """Return sensitivity, specificity, positive predictive value and F1, each (..., C).

    Parameters
    ----------
    confusions : ndarray of shape (..., C, C)
        True classes down, predicted ones across.
    """
    hits = np.diagonal(confusions, axis1=-2, axis2=-1)
    of_class, called = confusions.sum(axis=-1), confusions.sum(axis=-2)
    total = confusions.sum(axis=(-2, -1))[..., None]
    rejected = total - of_class - called + hits
    return (
        _share(hits, of_class),
        _share(rejected, total - of_class),
        _share(hits, called),
        _share(2 * hits, of_class + called),
    )


def task_scores(draws, task, prediction):
    """Return {metric: values (1 + B,)} of a model's prediction of a task.

    Parameters
    ----------
    draws : GroupBootstrap
        Draws of patients.
    task : Task
        True codes and classes.
    prediction : Prediction
        What the model says about the task.
    """
    tables = _confusions(draws, task, prediction, task.known)
    sensitivity, specificity, _, f1 = class_rates(tables)
    undefined = np.full(len(draws.weights), np.nan)
    found = {
        "Balanced accuracy": _class_mean(sensitivity),
        "Accuracy": _share(np.trace(tables, axis1=1, axis2=2), tables.sum(axis=(1, 2))),
        "Mean specificity": _class_mean(specificity),
        "Macro F1": _class_mean(f1),
        "AUC": undefined,
        "Brier score": undefined,
    }
    if prediction.scores is not None:
        found["AUC"] = _class_mean(class_areas(draws, task, prediction))
    if prediction.proba is not None:
        truth = task.codes[:, None] == np.arange(len(task.classes))
        # As in scikit-learn: one of two classes counts, or all of more.
        scale = 2 if len(task.classes) == 2 else 1
        error = ((prediction.proba - truth) ** 2).sum(axis=1) / scale
        found["Brier score"] = draws.means(error, task.known)
    return found


def main_score(draws, task, prediction, rows):
    """Return the values (1 + B,) of `MAIN_METRIC` in some rows, without computing the others."""
    return _class_mean(class_rates(_confusions(draws, task, prediction, rows & task.known))[0])


def class_scores(draws, task, prediction):
    """Return {metric: values (1 + B, C)} of each class against the rest."""
    tables = _confusions(draws, task, prediction, task.known)
    found = dict(zip(CLASS_METRICS, class_rates(tables)[:3]))
    if prediction.scores is not None:
        found["AUC"] = class_areas(draws, task, prediction)
    return found


def class_areas(draws, task, prediction):
    """Return areas under the ROC curve (1 + B, C), each class against the rest."""
    return np.column_stack(
        [
            draws.roc_aucs(task.codes == code, prediction.scores[:, code], task.known)
            for code in range(len(task.classes))
        ]
    )


def _confusions(draws, task, prediction, rows):
    return draws.confusion_matrices(task.codes, prediction.codes, len(task.classes), rows)


def _share(part, whole):
    # Without rows of a class both are 0, and 0 / 0 is the NaN that leaves it out of means.
    with np.errstate(invalid="ignore"):
        return part / whole


def _class_mean(values):
    """Return the mean over the classes (last axis) that are defined; NaN if none is."""
    return _share(np.nansum(values, axis=-1), (~np.isnan(values)).sum(axis=-1))
