"""A model judged as its source was: the source's parts, repeats and scores, in one call."""

import time
from collections.abc import Sequence
from numbers import Integral

import joblib
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.utils import Bunch, _safe_indexing, check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from sklearn_skin.model_selection._protocols import find_parts
from sklearn_skin.model_selection._runs import COLUMNS, KEY, SIZES, FinishedRuns, fingerprint
from sklearn_skin.model_selection._scoring import KeptPredictions, find_scorer
from sklearn_skin.utils import (
    LabelCodec,
    call_each,
    check_labelled,
    fit_with_validation,
    mean_over_tasks,
    metadata_for_fit,
    task_names,
)


@validate_params(
    {
        "n_repeats": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def evaluate(
    model,
    data,
    *,
    protocol="5-fold",
    n_repeats=None,
    scoring=None,
    path=None,
    n_jobs=None,
    random_state=0,
    verbose=0,
):
    r"""Fit and score a model on the parts of a published protocol, as often as it repeats.

    Every run fits a clone on the training rows, with groups, and with the validation rows where
    the protocol has some and the model takes them (see `fit_with_validation`), and scores it on
    the test rows. The protocols that have a name keep groups whole, but for the parts that the
    owners of a data set publish.

    Parameters
    ----------
    model : classifier or Pipeline
        Unfitted, such as ``make_preset("pemm")``.
    data : Bunch
        What a loader returns: `data` and `target`, perhaps `groups`, and `splits` for "derm7pt".
    protocol : str or list of tuples, default="5-fold"
        - "derm7pt": the published 413 training, 203 validation and 395 test rows, five times;
        - "5-fold": five folds by group, stratified by the first task;
        - "80:10:10": by group, ten per cent each to validate and to test on;
        - "70:30": by group, 30 per cent to test on;
        - a list of (train, test) or (train, valid, test) row positions, which share no rows.
    n_repeats : int, default=None
        Repeats with other seeds of model and parts; None takes five of a single split, one of
        folds.
    scoring : str, callable, list of str, dict of str to str or callable, or None, default=None
        Names of scikit-learn or of ``sklearn_skin.metrics.SCORERS``, or scorers. None takes
        accuracy, balanced accuracy and, of a model with `predict_proba`, AUC (means over tasks),
        and the accuracy of each task.
    path : path-like, default=None
        CSV file that takes the scores of a run as soon as it has finished. Called again with the
        same model, data and protocol, finished runs are read from it; other code is not noticed.
    n_jobs : int, default=None
        Runs at the same time, in processes of one thread each.
    random_state : int, RandomState instance or None, default=0
        Seeds of parts and models: in every repeat each `random_state` of the model is set anew.
        With `path` it must be given, since a call that goes on needs the same.
    verbose : int, default=0
        1 prints every run.

    Returns
    -------
    result : Bunch
        - `runs`: DataFrame, one row per run: `repeat`, `fold`, `n_train`, `n_valid`, `n_test`,
          `fit_seconds`, and the scores.
        - `summary`: DataFrame, one row per score: `mean`, `std` (over runs, ddof=1), `n_runs`.
        - `table`: Series of "mean ± std" by score.

    Raises
    ------
    TypeError
        If `data` is not what a loader returns, or `protocol` or `scoring` is no such thing.
    ValueError
        If the protocol is unknown, needs parts that `data` lacks or more groups than there are,
        has rows in two parts, or a part without a label of some task; if a score has the name of
        a column of `runs`; or if the file holds runs of another model, protocol or data set.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_skin.datasets import make_lesions
    >>> from sklearn_skin.model_selection import evaluate
    >>> from sklearn_skin.preprocessing import make_lesion_transformer
    >>> lesions = make_lesions(60, random_state=0)
    >>> lesions.data = lesions.data[lesions.metadata_columns]
    >>> model = make_pipeline(make_lesion_transformer(), LogisticRegression())
    >>> result = evaluate(model, lesions, protocol="80:10:10", n_repeats=3)
    >>> result.summary.index.tolist(), result.runs[["n_train", "n_valid", "n_test"]].shape
    (['accuracy', 'balanced_accuracy', 'auc'], (3, 3))
    """
    _check_data(data)
    if path is not None and random_state is None:
        raise ValueError("`path` needs a `random_state`: without one no run can be gone on with.")
    scoring = _named_scoring(scoring, model, data["target"])
    seeds, repeats = find_parts(protocol, data, n_repeats, check_random_state(random_state))
    jobs = [
        ((repeat, fold), parts, seed)
        for repeat, (seed, folds) in enumerate(zip(seeds, repeats))
        for fold, parts in enumerate(folds)
    ]
    _check_labels(data["target"], jobs)
    runs = FinishedRuns(path)
    # Contents are hashed only where a file is to be compared with them.
    prints = [""] * len(jobs) if path is None else _fingerprints(model, data, scoring, jobs)
    todo = [(job, one) for job, one in zip(jobs, prints) if not runs.has(job[0], one)]
    tasks = [(model, data, scoring, *job, one) for job, one in todo]
    for row in call_each(_run, tasks, n_jobs, return_as="generator_unordered"):
        runs.add(row)
        if verbose:
            shown = {k: _short(v) for k, v in row.items() if k != "fingerprint"}
            print(", ".join(f"{k} {v}" for k, v in shown.items()), flush=True)
    return _summarise(runs.frame([key for key, *_ in jobs]), list(scoring))


def _check_data(data):
    if not isinstance(data, dict) or not {"data", "target"} <= set(data):
        raise TypeError(
            "`data` must be a Bunch with `data` and `target`, as loaders return; "
            f"got {type(data).__name__}."
        )


def _named_scoring(scoring, model, target):
    if isinstance(scoring, str):
        scoring = {scoring: scoring}
    elif callable(scoring):
        scoring = {"score": scoring}
    elif scoring is None:
        scoring = _default_scoring(model, task_names(target))
    elif isinstance(scoring, Sequence):
        scoring = {name: name for name in scoring}
    elif not isinstance(scoring, dict):
        raise TypeError(
            "`scoring` must be a name, a scorer, or a list or dict of them; "
            f"got {type(scoring).__name__}."
        )
    clash = sorted(set(scoring) & set(COLUMNS))
    if clash or not scoring:
        raise ValueError(
            f"`scoring` must name at least one score, and none of {list(COLUMNS)}; "
            f"got {list(scoring)}."
        )
    return scoring


def _default_scoring(model, tasks):
    several = len(tasks) > 1
    means = {"accuracy": "mean_task_accuracy", "balanced_accuracy": "mean_task_balanced_accuracy"}
    if hasattr(model, "predict_proba"):
        means["auc"] = "mean_task_auc"
    if not several:
        return means
    own = {f"accuracy_{name}": TaskAccuracy(task) for task, name in enumerate(tasks)}
    return {scorer: scorer for scorer in means.values()} | own


class TaskAccuracy:
    """The accuracy of one task, as a scorer."""

    def __init__(self, task):
        self.task = task

    def __call__(self, model, X, y):
        """Return the accuracy of the task's known rows."""
        one = slice(self.task, self.task + 1)
        predicted = np.asarray(model.predict(X), dtype=object)[:, one]
        return mean_over_tasks(accuracy_score, np.asarray(y, dtype=object)[:, one], predicted)


def _check_labels(target, jobs):
    """Raise an error, before the first fit, where a part has no label of a task."""
    codes = LabelCodec().fit(target).transform(target)
    for (repeat, fold), parts, _ in jobs:
        for name, rows in zip(SIZES, parts):
            if rows is not None:
                where = f"repeat {repeat}, fold {fold}: the target of the {name[2:]} rows"
                check_labelled(codes[rows], where)


def _fingerprints(model, data, scoring, jobs):
    shared = fingerprint(model, (scoring, data["data"], data["target"], data.get("groups")))
    return [joblib.hash((shared, *job)) for job in jobs]


def _run(model, data, scoring, key, parts, seed, print_):
    """Return the key, sizes and scores of a run."""
    X, y, groups = data["data"], data["target"], data.get("groups")
    train, valid, test = parts
    model = _prepare(model, y, train, seed)
    groups = None if groups is None else np.asarray(groups)[train]
    held = (None, None) if valid is None else (_safe_indexing(X, valid), _safe_indexing(y, valid))
    params = metadata_for_fit(model, groups=groups)
    start = time.perf_counter()
    fit_with_validation(model, _safe_indexing(X, train), _safe_indexing(y, train), *held, **params)
    row = dict(zip(KEY, key))
    row |= {name: 0 if rows is None else len(rows) for name, rows in zip(SIZES, parts)}
    row["fit_seconds"] = time.perf_counter() - start
    fitted, X, y = KeptPredictions(model), _safe_indexing(X, test), _safe_indexing(y, test)
    row |= {name: float(find_scorer(model, s)(fitted, X, y)) for name, s in scoring.items()}
    # Last, so that a line that was cut has none.
    return row | {"fingerprint": print_}


def _prepare(model, y, train, seed):
    """Return a clone with the repeat's seed, that knows of classes which the rows lack."""
    model = clone(model)
    names = [name for name in model.get_params() if name.split("__")[-1] == "random_state"]
    model.set_params(**dict.fromkeys(names, seed))
    LabelCodec().fit(y).name_absent(model, _safe_indexing(y, train))
    return model


def _short(value):
    return f"{value:.3f}" if isinstance(value, float) else value


def _summarise(runs, names):
    scores = runs[names]
    summary = pd.DataFrame(
        {"mean": scores.mean(), "std": scores.std(ddof=1), "n_runs": scores.count()}
    )
    table = summary.apply(lambda row: f"{row['mean']:.3f} ± {row['std']:.3f}", axis=1)
    return Bunch(runs=runs, summary=summary, table=table)
