"""A model judged as its source was: the source's parts, repeats and scores, in one call."""

import os
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.utils import Bunch, check_random_state

from sklearn_skin.model_selection._protocols import PROTOCOLS
from sklearn_skin.model_selection._scoring import KeptPredictions, find_scorer
from sklearn_skin.utils import (
    call_in_worker,
    fit_with_validation,
    mean_over_tasks,
    metadata_for_fit,
    one_thread_each,
    replacing,
    task_names,
)

KEY = ("repeat", "fold")


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
    the test rows. No group lies in two parts, unless the owners of the data set have parted it so.

    Parameters
    ----------
    model : classifier or Pipeline
        Unfitted, such as ``make_preset("pemm")``.
    data : Bunch
        What a loader returns: `data`, `target`, `groups`, and `splits` for "derm7pt".
    protocol : str or list of tuples, default="5-fold"
        - "derm7pt": the published 413 training, 203 validation and 395 test rows, five times;
        - "5-fold": five folds by group, stratified by the first task;
        - "80:10:10": by group, ten per cent each to validate and to test on;
        - "70:30": by group, 30 per cent to test on;
        - a list of (train, test) or (train, valid, test) row positions.
    n_repeats : int, default=None
        Repeats with other seeds of model and parts; None takes what the protocol's sources do.
    scoring : str, list of str, dict of str to scorer, or None, default=None
        Names of scikit-learn or of ``sklearn_skin.metrics.SCORERS``, or callables. None takes
        accuracy, balanced accuracy and AUC (means over tasks), and the accuracy of each task.
    path : path-like, default=None
        CSV file that takes the scores of a run as soon as it has finished. Called again with the
        same model, data and protocol, finished runs are read from it.
    n_jobs : int, default=None
        Runs at the same time, in processes of one thread each.
    random_state : int, RandomState instance or None, default=0
        Seeds of parts and models. With None, or a model that has no `random_state`, a run that
        goes on from a file cannot be told from one that begins.
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
    ValueError
        If the protocol is unknown or needs parts that `data` lacks, or the file holds runs of
        another model, protocol or data set.

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
    scoring = _named_scoring(scoring, data.target)
    chosen = _find_protocol(protocol)
    n_repeats = chosen.n_repeats if n_repeats is None else n_repeats
    seeds = check_random_state(random_state).randint(2**31 - 1, size=n_repeats)
    content = (model, protocol, scoring, data.data, data.target, data.get("groups"), random_state)
    runs = _Runs(path, joblib.hash(content))
    todo = [
        ((repeat, fold), parts, int(seed))
        for repeat, seed in enumerate(seeds)
        for fold, parts in enumerate(chosen.parts(data, int(seed)))
        if not runs.has((repeat, fold))
    ]
    with one_thread_each(n_jobs):
        results = Parallel(n_jobs, return_as="generator_unordered")(
            delayed(call_in_worker)(os.getpid(), _run, model, data, scoring, *job) for job in todo
        )
        for row in results:
            runs.add(row)
            if verbose:
                print(", ".join(f"{k} {_short(v)}" for k, v in row.items()), flush=True)
    return _summarise(runs.frame(n_repeats), list(scoring))


def _find_protocol(protocol):
    if not isinstance(protocol, str):
        parts = [(part[0], part[1] if len(part) == 3 else None, part[-1]) for part in protocol]
        return Bunch(parts=lambda data, seed: parts, n_repeats=1)
    if protocol not in PROTOCOLS:
        raise ValueError(
            f"`protocol` must be one of {list(PROTOCOLS)} or a list of row positions; "
            f"got {protocol!r}."
        )
    return PROTOCOLS[protocol]


def _named_scoring(scoring, target):
    if isinstance(scoring, str):
        return {scoring: scoring}
    if scoring is not None:
        return dict(scoring) if isinstance(scoring, dict) else {name: name for name in scoring}
    names = task_names(target)
    if len(names) == 1:
        return {
            "accuracy": "mean_task_accuracy",
            "balanced_accuracy": "mean_task_balanced_accuracy",
            "auc": "mean_task_auc",
        }
    means = ("mean_task_accuracy", "mean_task_balanced_accuracy", "mean_task_auc")
    tasks = {f"accuracy_{name}": TaskAccuracy(task) for task, name in enumerate(names)}
    return {name: name for name in means} | tasks


class TaskAccuracy:
    """The accuracy of one task, as a scorer."""

    def __init__(self, task):
        self.task = task

    def __call__(self, model, X, y):
        """Return the accuracy of the task's known rows."""
        one = slice(self.task, self.task + 1)
        predicted = np.asarray(model.predict(X), dtype=object)[:, one]
        return mean_over_tasks(accuracy_score, np.asarray(y, dtype=object)[:, one], predicted)


def _run(model, data, scoring, key, parts, seed):
    """Return the key, sizes and scores of a run."""
    model = clone(model)
    names = [name for name in model.get_params() if name.split("__")[-1] == "random_state"]
    model.set_params(**dict.fromkeys(names, seed))
    X, y, groups = data.data, data.target, data.get("groups")
    train, valid, test = parts
    groups = None if groups is None else np.asarray(groups)[train]
    held = (None, None) if valid is None else (X.iloc[valid], y.iloc[valid])
    params = metadata_for_fit(model, groups=groups)
    start = time.perf_counter()
    fit_with_validation(model, X.iloc[train], y.iloc[train], *held, **params)
    sizes = {f"n_{k}": 0 if rows is None else len(rows) for k, rows in _named(parts)}
    seconds = {"fit_seconds": time.perf_counter() - start}
    fitted, X, y = KeptPredictions(model), X.iloc[test], y.iloc[test]
    scores = {name: float(find_scorer(model, s)(fitted, X, y)) for name, s in scoring.items()}
    return dict(zip(KEY, key)) | sizes | seconds | scores


def _named(parts):
    return zip(("train", "valid", "test"), parts)


class _Runs:
    """The rows of finished runs, in memory and, where a path is given, in a CSV file."""

    def __init__(self, path, fingerprint):
        self.path = None if path is None else Path(path)
        self.fingerprint = fingerprint
        self.rows = []
        if self.path is not None and self.path.exists():
            frame = pd.read_csv(self.path)
            if set(frame.get("fingerprint", ["none"])) != {fingerprint}:
                raise ValueError(
                    f"`path`: {self.path} holds runs of another model, protocol or data set; "
                    "choose another file."
                )
            self.rows = frame.drop(columns="fingerprint").to_dict("records")

    def has(self, key):
        return any((row["repeat"], row["fold"]) == key for row in self.rows)

    def add(self, row):
        self.rows.append(row)
        if self.path is not None:
            with replacing(self.path) as file:
                self._sorted().assign(fingerprint=self.fingerprint).to_csv(file, index=False)

    def _sorted(self):
        return pd.DataFrame(self.rows).sort_values(list(KEY), ignore_index=True)

    def frame(self, n_repeats):
        frame = self._sorted()
        return frame[frame["repeat"] < n_repeats].reset_index(drop=True)


def _short(value):
    return f"{value:.3f}" if isinstance(value, float) else value


def _summarise(runs, names):
    scores = runs[names]
    summary = pd.DataFrame(
        {"mean": scores.mean(), "std": scores.std(ddof=1), "n_runs": scores.count()}
    )
    table = summary.apply(lambda row: f"{row['mean']:.3f} ± {row['std']:.3f}", axis=1)
    return Bunch(runs=runs, summary=summary, table=table)
