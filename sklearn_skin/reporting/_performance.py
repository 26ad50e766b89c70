"""Sections on how good the models are."""

import numpy as np
import pandas as pd

from sklearn_skin.metrics import risk_coverage_curve
from sklearn_skin.reporting._blocks import (
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
from sklearn_skin.reporting._scores import CLASS_METRICS, METRICS, class_scores

_DEFINITIONS = (
    "Balanced accuracy is the mean sensitivity over the classes. Mean specificity, macro F1 and "
    "AUC (area under the ROC curve) are means over the classes, each against the rest. The "
    "Brier score is the mean squared error of the probabilities; smaller is better."
)


class Evaluation:
    """Cases, bootstrap draws and what every model predicts.

    Parameters
    ----------
    cases : Cases
        The test rows.
    draws : GroupBootstrap
        Draws of patients.
    predictions : dict of str to list of Prediction
        Per model, one for each task.
    scores : dict of str to list of dict
        Per model and task, {metric: values (1 + B,)}.
    """

    def __init__(self, cases, draws, predictions, scores):
        self.cases = cases
        self.draws = draws
        self.predictions = predictions
        self.scores = scores
        self.tables = {}

    @property
    def models(self):
        """Names of the models."""
        return list(self.predictions)

    def keep(self, name, columns, rows):
        """Store rows of numbers for the caller, as a DataFrame."""
        old = self.tables.get(name)
        new = pd.DataFrame(rows, columns=columns)
        self.tables[name] = new if old is None else pd.concat([old, new], ignore_index=True)


def metrics_section(evaluation):
    """Return the section of metrics with intervals."""
    draws, several = evaluation.draws, len(evaluation.cases.tasks) > 1
    level = f"{100 * draws.confidence_level:g} %"
    unit = "patients" if evaluation.cases.has_groups else "rows"
    blocks = [
        Text(
            f"{level} intervals by bootstrap: {len(draws.weights) - 1:,} draws of whole {unit}, "
            "the same for all models."
        )
    ]
    if not evaluation.cases.has_groups:
        blocks.append(
            Text(
                "No groups were given. If patients have several rows, these intervals are too "
                "narrow.",
                "warning",
            )
        )
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
        known = task.known
        sure = {
            model: tasks[position]
            for model, tasks in evaluation.predictions.items()
            if tasks[position].proba is not None
        }
        blocks = []
        if sure:
            curves, risks = [], []
            for model, found in sure.items():
                right = (found.codes == task.codes)[known]
                curves.append((model, right, found.confidence[known]))
                coverage, risk, _ = risk_coverage_curve(
                    task.codes[known], found.proba[known], classes=np.arange(len(task.classes))
                )
                risks.append((model, coverage, risk))
            reliability = calibration_figure(
                curves,
                "Calibration: how often the predicted class is right, in ten bins of equal size.",
                "Probability of the predicted class",
                "Share that is right",
            )
            doubt = risk_figure(
                risks, "Error rate if only the cases that the model is surest of are answered."
            )
            blocks.append(Figures([reliability, doubt]))
        without = [model for model in evaluation.models if model not in sure]
        return blocks + _lacking(without, "probabilities")

    return Section("calibration", "Calibration and doubt", per_task(evaluation.cases, build))


def confusion_section(evaluation):
    """Return the section of confusion matrices."""

    def build(position):
        task = evaluation.cases.tasks[position]
        figures = []
        for model, tasks in evaluation.predictions.items():
            counts = np.zeros((len(task.classes),) * 2, dtype=int)
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
