"""How good the models are: scores of all bootstrap draws, and the sections that show them."""

import numpy as np
import pandas as pd

from sklearn_skin.metrics import GroupBootstrap, risk_coverage_curve
from sklearn_skin.reporting._cases import Evaluation, predict
from sklearn_skin.reporting._page import (
    Figures,
    Section,
    Table,
    Text,
    interval_cell,
    number,
    per_task,
)
from sklearn_skin.reporting._plots import (
    calibration_figure,
    confusion_figure,
    risk_figure,
    roc_figure,
)

METRICS = ("Balanced accuracy", "Accuracy", "Mean specificity", "Macro F1", "AUC", "Brier score")
# The metric of subgroups and headlines: it does not reward leaving out rare classes.
MAIN_METRIC = "Balanced accuracy"
CLASS_METRICS = ("Sensitivity", "Specificity", "Positive predictive value", "AUC")
_DEFINITIONS = (
    "Balanced accuracy is the mean sensitivity over the classes. Mean specificity, macro F1 and "
    "AUC (area under the ROC curve) are means over the classes, each against the rest. The "
    "Brier score is the mean squared error of the probabilities; smaller is better."
)


def evaluate(estimators, cases, n_resamples, confidence_level, random_state):
    """Return the Evaluation of all models.

    Parameters
    ----------
    estimators : dict of str to estimator
        The models.
    cases : Cases
        The test rows.
    n_resamples, confidence_level, random_state
        Of `GroupBootstrap`.
    """
    draws = GroupBootstrap(
        pd.Series(cases.groups, cases.row_names),
        n_resamples=n_resamples,
        confidence_level=confidence_level,
        random_state=random_state,
    )
    predictions = {name: predict(name, model, cases) for name, model in estimators.items()}
    scores = {
        name: [task_scores(draws, *parts) for parts in zip(cases.tasks, tasks)]
        for name, tasks in predictions.items()
    }
    return Evaluation(cases, draws, predictions, scores)


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


def metrics_section(evaluation):
    """Return the section of metrics with intervals."""
    several = len(evaluation.cases.tasks) > 1
    blocks = _about_intervals(evaluation)
    if several:
        means = {
            name: {metric: _mean(tasks, metric) for metric in METRICS}
            for name, tasks in evaluation.scores.items()
        }
        blocks.append(_metric_table(evaluation, "Mean over the tasks", "all tasks", means))

    def build(position):
        task = evaluation.cases.tasks[position]
        scores = {name: tasks[position] for name, tasks in evaluation.scores.items()}
        caption = f"Metrics of {task.name}" if several else "Metrics"
        return [_metric_table(evaluation, caption, task.name, scores)]

    blocks += per_task(evaluation.cases, build)
    return Section("metrics", "Metrics", [*blocks, Text(_DEFINITIONS, "note")])


def _about_intervals(evaluation):
    level = f"{100 * evaluation.draws.confidence_level:g} %"
    unit = "patients" if evaluation.cases.has_groups else "rows"
    text = (
        f"{level} intervals by bootstrap: {len(evaluation.draws.weights) - 1:,} draws of whole "
        f"{unit}, the same for all models."
    )
    if evaluation.cases.has_groups:
        return [Text(text)]
    doubt = "No groups were given. If patients have several rows, these intervals are too narrow."
    return [Text(text), Text(doubt, "warning")]


def _mean(tasks, metric):
    return np.mean([scores[metric] for scores in tasks], axis=0)


def _metric_table(evaluation, caption, task, scores):
    rows, kept = [], []
    for name, found in scores.items():
        intervals = [evaluation.draws.interval(found[metric]) for metric in METRICS]
        rows.append([name, *map(interval_cell, intervals)])
        kept += [[task, name, metric, *interval] for metric, interval in zip(METRICS, intervals)]
    evaluation.keep("metrics", ["task", "model", "metric", "estimate", "low", "high"], kept)
    return Table(caption, ["Model", *METRICS], rows)


def classes_section(evaluation):
    """Return the section of sensitivity and specificity per class."""

    def build(position):
        task, rows, kept = evaluation.cases.tasks[position], [], []
        for model, tasks in evaluation.predictions.items():
            scores = class_scores(evaluation.draws, task, tasks[position])
            for code, name in enumerate(task.names):
                count = int((task.codes == code).sum())
                intervals = [
                    evaluation.draws.interval(scores[metric][:, code])
                    if metric in scores
                    else evaluation.draws.interval(np.full(2, np.nan))
                    for metric in CLASS_METRICS
                ]
                rows.append([name, model, count, *map(interval_cell, intervals)])
                kept += [
                    [task.name, model, name, count, metric, *interval]
                    for metric, interval in zip(CLASS_METRICS, intervals)
                ]
        columns = ["task", "model", "class", "n_rows", "metric", "estimate", "low", "high"]
        evaluation.keep("classes", columns, kept)
        head = ["Class", "Model", "Rows", *CLASS_METRICS]
        return [Table("Each class against the rest", head, rows, n_names=2)]

    intro = Text(
        "Sensitivity: share of the rows of a class that are found. Specificity: share of the "
        "other rows that are not called it. The positive predictive value holds for the class "
        "frequencies of these rows only."
    )
    blocks = [intro, *per_task(evaluation.cases, build)]
    return Section("classes", "Sensitivity and specificity per class", blocks)


def roc_section(evaluation):
    """Return the section of ROC curves."""

    def build(position):
        task = evaluation.cases.tasks[position]
        curves = {
            model: _class_curves(task, tasks[position])
            for model, tasks in evaluation.predictions.items()
            if tasks[position].scores is not None
        }
        if len(task.classes) == 2:
            # Both classes have the same curve, turned over: one plot for all models.
            curves = {
                f"{task.names[1]} against {task.names[0]}": [
                    (model, *parts[-1][1:]) for model, parts in curves.items()
                ]
            }
        figures = [roc_figure(parts, name) for name, parts in curves.items() if parts]
        figures = [figure for figure in figures if figure is not None]
        without = [m for m, t in evaluation.predictions.items() if t[position].scores is None]
        return [*_figures(figures), *_lacking(without, "probabilities or scores")]

    return Section("roc", "ROC curves", per_task(evaluation.cases, build))


def _class_curves(task, prediction):
    return [
        (name, (task.codes == code)[task.known], prediction.scores[task.known, code])
        for code, name in enumerate(task.names)
    ]


def calibration_section(evaluation):
    """Return the section of reliability and of error against coverage."""

    def build(position):
        task = evaluation.cases.tasks[position]
        sure = {
            model: tasks[position]
            for model, tasks in evaluation.predictions.items()
            if tasks[position].proba is not None
        }
        without = [model for model in evaluation.models if model not in sure]
        plots = [_reliability(task, sure), _doubt(task, sure)] if sure else []
        return [*_figures(plots), *_lacking(without, "probabilities")]

    return Section("calibration", "Calibration and doubt", per_task(evaluation.cases, build))


def _reliability(task, predictions):
    curves = [
        (model, (found.codes == task.codes)[task.known], found.confidence[task.known])
        for model, found in predictions.items()
    ]
    return calibration_figure(
        curves,
        "Calibration: how often the predicted class is right, in ten bins of equal size.",
        "Probability of the predicted class",
        "Share that is right",
    )


def _doubt(task, predictions):
    codes, classes = task.codes[task.known], np.arange(len(task.classes))
    risks = []
    for model, found in predictions.items():
        coverage, risk, _ = risk_coverage_curve(codes, found.proba[task.known], classes=classes)
        risks.append((model, coverage, risk))
    return risk_figure(
        risks, "Error rate if only the cases that the model is surest of are answered."
    )


def confusion_section(evaluation):
    """Return the section of confusion matrices."""

    def build(position):
        task = evaluation.cases.tasks[position]
        figures = []
        for model, tasks in evaluation.predictions.items():
            counts = np.zeros((len(task.classes),) * 2, dtype=int)
            # counts[...] += 1 would count a cell once, however often it is named.
            np.add.at(counts, (task.codes[task.known], tasks[position].codes[task.known]), 1)
            right = np.trace(counts) / counts.sum()
            caption = f"{model}: {number(right)} of the rows are on the diagonal."
            figures.append(confusion_figure(counts, task.names, caption))
        return [Figures(figures)]

    intro = Text("Counts, and shares of the true class.")
    return Section("confusion", "Confusion matrices", [intro, *per_task(evaluation.cases, build)])


def _figures(figures):
    return [Figures(figures)] if figures else []


def _lacking(models, what):
    if not models:
        return []
    return [Text(f"Left out, for they give no {what}: {', '.join(models)}.", "note")]
