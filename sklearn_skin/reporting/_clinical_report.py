"""One file that says how good models are, for whom, and what they look at."""

from datetime import UTC, datetime
from numbers import Integral

import numpy as np
from sklearn.utils import Bunch

from sklearn_skin.reporting._breakdowns import (
    comparison_section,
    missingness_section,
    subgroups_section,
)
from sklearn_skin.reporting._card import NOTICE, card_section
from sklearn_skin.reporting._cases import Cases, named_estimators
from sklearn_skin.reporting._data import data_section, leakage_blocks
from sklearn_skin.reporting._explanations import gallery_section, relevance_section
from sklearn_skin.reporting._page import Cell, check_output, render
from sklearn_skin.reporting._performance import (
    calibration_section,
    classes_section,
    confusion_section,
    evaluate,
    metrics_section,
    roc_section,
)
from sklearn_skin.utils import optional_import, replacing


def clinical_report(
    estimators,
    X,
    y,
    *,
    output,
    groups=None,
    subgroups=None,
    X_train=None,
    groups_train=None,
    cv_scores=None,
    title="Clinical evaluation report",
    intended_use=None,
    limits=(),
    n_examples=6,
    n_resamples=1000,
    confidence_level=0.95,
    random_state=0,
):
    """Evaluate fitted classifiers on test rows and write an HTML report.

    The report is one file without links to anything else: it opens from disk, loads nothing
    from anywhere, follows the light or dark theme of the system, and can be read on a phone
    and with the keyboard. It holds row labels and pictures: treat it like the data.

    Parameters
    ----------
    estimators : estimator, dict of str to estimator, or list of (str, estimator)
        Fitted classifiers, all for the same targets. Any scikit-learn classifier will do;
        what needs probabilities or an image network is left out for those without, and the
        report says so.
    X : DataFrame or array-like of n rows
        Rows that no model was fitted on, as `predict` takes them.
    y : array-like of shape (n,) or (n, T)
        True labels of one task or of T tasks. NaN and None are missing and left out.
    output : path-like
        HTML file to write. An older one is replaced when the new one is complete.
    groups : array-like of shape (n,), default=None
        Patient of each row. Intervals draw whole patients; without groups they draw rows.
    subgroups : DataFrame, dict of str to array-like or list of str, default=None
        Attributes to break the scores down by, such as ``bunch.subgroups``, or names of columns
        of X. A DataFrame that holds all row labels of X is aligned by them. Numbers with more
        than eight values are put into bands; missing values are a group of their own.
    X_train : DataFrame or array-like, default=None
        Rows that the models were fitted on, to look for what they share with X.
    groups_train : array-like, default=None
        Patients of `X_train`.
    cv_scores : dict of str to array-like, or DataFrame, default=None
        Scores of each model on the same cross-validation folds, six or more, for
        `sklearn_skin.metrics.compare_models`.
    title : str, default="Clinical evaluation report"
        Heading of the report.
    intended_use : str, default=None
        What the models are meant for; by default research only.
    limits : sequence of str, default=()
        Known limits, listed before those that the data show.
    n_examples : int, default=6
        Right cases, and as many wrong ones, in the gallery of each model and task.
    n_resamples : int, default=1000
        Bootstrap draws.
    confidence_level : float, default=0.95
        Level of the intervals, in (0, 1).
    random_state : int, RandomState instance or None, default=0
        Decides bootstrap draws, permutations and the right cases shown.

    Returns
    -------
    report : Bunch
        `path` of the file, and `tables`, a dict of DataFrames: `metrics`, `classes`,
        `subgroups`, `missingness`, `comparison` (differences on the test rows) and `folds`, as
        far as they apply; and `leakage_checked`.

    Raises
    ------
    NotFittedError
        If an estimator is not fitted.
    TypeError
        If an estimator is no classifier object.
    ValueError
        If the lengths of X, y, groups or subgroups differ, a task has no label, or a model has
        other tasks than y.
    OSError
        If `output` cannot be written; what was there before is still there.
    ImportError
        If jinja2 or matplotlib is not installed.

    See Also
    --------
    sklearn_skin.metrics.bootstrap_interval : The intervals.
    sklearn_skin.metrics.compare_models : The tests over folds.
    sklearn_skin.inspection.GradCAMDisplay : The heat maps.

    Notes
    -----
    The bootstrap draws patients from all test rows, also for subgroups, and uses the same draws
    for all models; so the intervals of differences are those of paired models.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_skin.reporting import clinical_report
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> X = X[["mean radius", "mean texture"]]
    >>> tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X[:300], y[:300])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = clinical_report(
    ...         {"tree": tree}, X[300:], y[300:], output=f"{folder}/report.html", n_resamples=50
    ...     )
    >>> metrics = report.tables["metrics"].set_index("metric")
    >>> bool(metrics.loc["AUC", "estimate"] > 0.9)
    True
    """
    if not isinstance(n_examples, Integral) or n_examples < 0:
        raise ValueError(f"`n_examples` must be an int >= 0; got {n_examples!r}.")
    for name in ("jinja2", "matplotlib"):
        optional_import(name, "report")  # before any work is done
    path = check_output(output)
    estimators = named_estimators(estimators)
    cases = Cases(X, y, groups, subgroups, estimators.values())
    evaluation = evaluate(estimators, cases, n_resamples, confidence_level, random_state)
    sections = [
        data_section(cases, leakage_blocks(cases, y, X_train, groups_train)),
        metrics_section(evaluation),
        classes_section(evaluation),
        roc_section(evaluation),
        calibration_section(evaluation),
        confusion_section(evaluation),
        subgroups_section(evaluation),
        missingness_section(evaluation),
        comparison_section(evaluation, cv_scores),
        gallery_section(evaluation, estimators, n_examples, random_state),
        relevance_section(evaluation, estimators, random_state),
        card_section(evaluation, estimators, intended_use, list(limits), X_train is not None),
    ]
    # After the sections: they fill the tables from which the page's head is written.
    with replacing(path) as file:
        file.write(_page(title, evaluation, sections).encode())
    return Bunch(path=path, tables=evaluation.tables, leakage_checked=X_train is not None)


def _page(title, evaluation, sections):
    cases = evaluation.cases
    return render(
        title=title,
        notice=NOTICE,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        summary=_summary(evaluation),
        n_rows=len(cases),
        n_groups=cases.n_groups if cases.has_groups else None,
        sections=sections,
    )


def _summary(evaluation):
    """Return for each model its name, and cells of the scores that matter most."""
    metrics = evaluation.tables["metrics"]
    # The first entry is the only task, or the mean over all.
    shown = metrics[metrics["task"] == metrics["task"].iloc[0]]
    return [
        (
            name,
            [
                (row.metric, Cell(f"{row.estimate:.2f}", f"{row.low:.2f} to {row.high:.2f}"))
                for row in shown[shown["model"] == name].itertuples()
                if row.metric in ("Balanced accuracy", "AUC") and not np.isnan(row.low)
            ],
        )
        for name in evaluation.models
    ]
