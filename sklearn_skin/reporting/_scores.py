"""Scores of one model in one task, for all bootstrap draws."""

import numpy as np

from sklearn_skin.reporting._draws import divide, mean_of_defined

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
        divide(hits, of_class),
        divide(rejected, total - of_class),
        divide(hits, called),
        divide(2 * hits, of_class + called),
    )


def task_scores(draws, task, prediction, rows):
    """Return {metric: values (1 + B,)} of a model's prediction of a task.

    Parameters
    ----------
    draws : GroupDraws
        Bootstrap draws.
    task : Task
        True codes and classes.
    prediction : Prediction
        What the model says about the task.
    rows : bool ndarray of shape (n,)
        Rows that count; those without a label are left out in any case.
    """
    rows = rows & task.known
    tables = draws.confusions(task.codes, prediction.codes, len(task.classes), rows)
    sensitivity, specificity, _, f1 = class_rates(tables)
    undefined = np.full(len(draws.weights), np.nan)
    found = {
        "Balanced accuracy": mean_of_defined(sensitivity),
        "Accuracy": divide(np.trace(tables, axis1=1, axis2=2), tables.sum(axis=(1, 2))),
        "Mean specificity": mean_of_defined(specificity),
        "Macro F1": mean_of_defined(f1),
        "AUC": undefined,
        "Brier score": undefined,
    }
    if prediction.scores is not None:
        found["AUC"] = mean_of_defined(class_areas(draws, task, prediction, rows))
    if prediction.proba is not None:
        truth = task.codes[:, None] == np.arange(len(task.classes))
        # As in scikit-learn: one of two classes counts, or all of more.
        scale = 2 if len(task.classes) == 2 else 1
        error = ((prediction.proba - truth) ** 2).sum(axis=1) / scale
        found["Brier score"] = draws.means(error, rows)
    return found


def main_score(draws, task, prediction, rows):
    """Return the values (1 + B,) of `MAIN_METRIC`, without computing the others."""
    tables = draws.confusions(task.codes, prediction.codes, len(task.classes), rows & task.known)
    return mean_of_defined(class_rates(tables)[0])


def class_scores(draws, task, prediction):
    """Return {metric: values (1 + B, C)} of each class against the rest."""
    tables = draws.confusions(task.codes, prediction.codes, len(task.classes), task.known)
    found = dict(zip(CLASS_METRICS, class_rates(tables)[:3]))
    if prediction.scores is not None:
        found["AUC"] = class_areas(draws, task, prediction, task.known)
    return found


def class_areas(draws, task, prediction, rows):
    """Return areas under the ROC curve (1 + B, C), each class against the rest."""
    return np.column_stack(
        [
            draws.areas(task.codes == code, prediction.scores[:, code], rows)
            for code in range(len(task.classes))
        ]
    )
