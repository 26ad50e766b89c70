"""Sections that compare: subgroups, missing metadata, models."""

from itertools import combinations

import numpy as np
import pandas as pd

from sklearn_skin.metrics import compare_models
from sklearn_skin.reporting._page import (
    Cell,
    Figures,
    Heading,
    Section,
    Table,
    Text,
    interval_cell,
    number,
    per_task,
)
from sklearn_skin.reporting._performance import MAIN_METRIC, METRICS, main_score
from sklearn_skin.reporting._plots import forest_figure

# Fewer rows than this say little about a subgroup.
SMALL = 30
_TEXTS = {
    "subgroups": (MAIN_METRIC, ["Attribute", "Group"], f"{MAIN_METRIC} per subgroup"),
    "missingness": ("Accuracy", ["Missing"], "Accuracy by missing share"),
}
# Few columns have few different shares: up to so many are shown as they are.
_MAX_SHARES = 6
# From below 0, for pd.cut leaves out the left edge of a band.
_EDGES = [-0.01, 0.0, 0.1, 0.25, 0.5, 1.0]
_BANDS = ["none", "up to 10 %", "10 to 25 %", "25 to 50 %", "over 50 %"]


def subgroups_section(evaluation):
    """Return the section of scores per subgroup."""
    subgroups = evaluation.cases.subgroups
    if not subgroups.shape[1]:
        text = "No subgroups were given, so nothing is known about differences between them."
        return Section("subgroups", "Subgroups", [Text(text, "warning")])

    def build(position):
        found = [
            (attribute, level, (subgroups[attribute] == level).to_numpy())
            for attribute in subgroups
            for level in subgroups[attribute].cat.categories
        ]
        return _breakdown(evaluation, position, found, "subgroups", main_score)

    intro = Text(
        f"{MAIN_METRIC} in each subgroup, over the classes that occur in it. Rows whose "
        f"attribute is missing are a group of their own. Groups under {SMALL} rows, marked *, "
        "say little."
    )
    return Section("subgroups", "Subgroups", [intro, *per_task(evaluation.cases, build)])


def missingness_section(evaluation):
    """Return the section of accuracy against the share of missing metadata."""
    share = evaluation.cases.missing_share
    title = "Missing metadata"
    if share is None:
        return Section("missingness", title, [Text("X has no metadata columns.")])
    if not share.any():
        return Section("missingness", title, [Text("No metadata value is missing in X.")])
    bands = _share_bands(share)

    def build(position):
        found = [
            ("missing share", str(level), (bands == level).to_numpy())
            for level in bands.cat.categories
        ]
        return _breakdown(evaluation, position, found, "missingness", _accuracy)

    intro = Text("Accuracy against the share of a row's metadata values that are missing.")
    return Section("missingness", title, [intro, *per_task(evaluation.cases, build)])


def _share_bands(share):
    """Return each row's band of missing share; few different shares stay as they are."""
    values = pd.Series(share.round(6))
    if values.nunique() <= _MAX_SHARES:
        levels = {value: f"{100 * value:.0f} %" for value in sorted(values.unique())}
        names = list(dict.fromkeys(levels.values()))
        return values.map(levels).astype(pd.CategoricalDtype(names, ordered=True))
    return pd.cut(values, _EDGES, labels=_BANDS).cat.remove_unused_categories()


def _accuracy(draws, task, prediction, rows):
    return draws.means(prediction.codes == task.codes, rows & task.known)


def _breakdown(evaluation, position, found, name, score):
    """Return a plot and a table with a row for each of (attribute, level, rows)."""
    task = evaluation.cases.tasks[position]
    metric, head, caption = _TEXTS[name]
    rows, kept, plotted = [], [], {}
    for attribute, level, mask in found:
        mask = mask & task.known
        counts = [int(mask.sum()), len(pd.unique(evaluation.cases.groups[mask]))]
        intervals = [
            evaluation.draws.interval(score(evaluation.draws, task, tasks[position], mask))
            for tasks in evaluation.predictions.values()
        ]
        shown = level + ("*" if counts[0] < SMALL else "")
        plotted.setdefault(_words(attribute), []).append((shown, intervals))
        # The names of the row, as many as the head has; levels sort as they come.
        names = [_words(attribute), Cell(shown, value=len(rows))][-len(head) :]
        rows.append([*names, *counts, *map(interval_cell, intervals)])
        kept += [
            [task.name, attribute, level, *counts, model, *interval]
            for model, interval in zip(evaluation.models, intervals)
        ]
    columns = ["task", "attribute", "level", "n_rows", "n_groups", "model"]
    evaluation.keep(name, [*columns, "estimate", "low", "high"], kept)
    plots = [
        forest_figure(*zip(*parts), evaluation.models, f"{metric} by {attribute}", metric)
        for attribute, parts in plotted.items()
    ]
    columns = [*head, "Rows", "Patients", *evaluation.models]
    return [Figures(plots), Table(caption, columns, rows, n_names=len(head))]


def _words(attribute):
    return attribute.replace("_", " ")


def comparison_section(evaluation, cv_scores):
    """Return the section that compares the models.

    Parameters
    ----------
    evaluation : Evaluation
        Scores of all draws.
    cv_scores : dict or DataFrame or None
        Scores of each model on the same folds.
    """
    blocks = []
    if len(evaluation.models) < 2:
        blocks.append(Text("There is one model; nothing to compare."))
    else:
        blocks += per_task(evaluation.cases, lambda task: [_differences(evaluation, task)])
        blocks.append(
            Text(
                "Differences on these test rows, first minus second model, on the same draws of "
                "patients. ● marks intervals without 0.",
                "note",
            )
        )
    blocks.append(Heading("Over cross-validation folds"))
    blocks += _fold_blocks(evaluation, cv_scores)
    return Section("comparison", "Model comparison", blocks)


def _differences(evaluation, position):
    task, rows, kept = evaluation.cases.tasks[position], [], []
    for first, second in combinations(evaluation.models, 2):
        row = [first, second]
        for metric in METRICS:
            values = [evaluation.scores[model][position][metric] for model in (first, second)]
            interval = evaluation.draws.interval(values[0] - values[1])
            cell = interval_cell(interval)
            apart = interval.low > 0 or interval.high < 0
            if not np.isnan(interval.estimate):
                cell = cell._replace(text=f"{signed(interval.estimate)}{' ●' if apart else ''}")
            row.append(cell)
            kept.append([task.name, first, second, metric, *interval])
        rows.append(row)
    columns = ["task", "model_a", "model_b", "metric", "difference", "low", "high"]
    evaluation.keep("comparison", columns, kept)
    return Table("Differences of the models", ["Model", "Compared with", *METRICS], rows)


def signed(value):
    """Return a difference as text."""
    return f"{value:+.3f}".replace("-", "−")


def _fold_blocks(evaluation, cv_scores):
    if cv_scores is None:
        return [Text("No scores of cross-validation folds were given (`cv_scores`).")]
    try:
        result = compare_models(cv_scores)
    except ValueError as error:
        return [Text(f"No test was made: {error}", "warning")]
    evaluation.tables["folds"] = result.summary
    return [_fold_text(result), *_fold_tables(result)]


def _fold_text(result):
    friedman = ""
    if len(result.summary) > 2:
        friedman = f"Friedman test: p = {number(result.friedman_p_value)}. "
    return Text(
        f"{friedman}{result.n_folds} folds. Pairs by Wilcoxon's signed-rank test with Holm's "
        f"correction at {result.alpha:g}; average ranks that differ by less than "
        f"{result.critical_difference:.2f} (Nemenyi) are alike. Folds share training rows, so "
        "p-values are too small rather than too large."
    )


def _fold_tables(result):
    summary = [
        [str(name), *(float(value) for value in row)]
        for name, row in zip(result.summary.index, result.summary.to_numpy())
    ]
    pairs = [
        [
            pair.model_a,
            pair.model_b,
            Cell(signed(pair.difference), value=pair.difference),
            float(pair.p_value),
            float(pair.p_holm),
            "yes" if pair.significant else "no",
        ]
        for pair in result.pairs.itertuples()
    ]
    return [
        Table(
            "Scores over the folds",
            ["Model", "Mean", "Standard deviation", "Average rank"],
            summary,
        ),
        Table(
            "Pairs of models",
            ["Model", "Compared with", "Mean difference", "p", "p (Holm)", "Significant"],
            pairs,
        ),
    ]
