"""Optuna studies in a file, which survive being killed."""

import math
import time
import warnings
from contextlib import contextmanager, suppress
from functools import partial
from itertools import repeat, takewhile
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from sklearn_skin.utils import warn_user

_FAILURE = "failure"
_LOCK_SECONDS = 60


def make_study(
    name,
    storage=None,
    *,
    direction="maximize",
    sampler=None,
    pruner=None,
    heartbeat_interval=15,
    grace_period=None,
    max_retry=3,
    random_state=None,
):
    """Make an Optuna study that lives in a file, or go on with the one that is there.

    Parameters
    ----------
    name : str
        Name of the study.
    storage : path, URL or optuna storage, default=None
        Where trials are kept: a SQLite file (None: ``<name>.db`` in the current folder); on a disk
        that machines share, a journal, which is a path that ends in ``.journal``; a database's
        URL; or ":memory:" for none. Optuna's log names the file.
    direction : {"maximize", "minimize"}, default="maximize"
        Which values are better.
    sampler : optuna sampler, default=None
        None takes the tree-structured Parzen estimator.
    pruner : optuna pruner, default=None
        None takes the median pruner, after five trials.
    heartbeat_interval : int, default=15
        Seconds between signs of life of a running trial.
    grace_period : int, default=None
        Seconds without a sign of life after which a trial counts as killed; None takes twice
        the interval.
    max_retry : int, default=3
        How often a killed trial is tried again, with the same parameters.
    random_state : int or None, default=None
        Seed of the default sampler. A study that goes on draws other values than it did from
        its beginning.

    Returns
    -------
    study : optuna.study.Study

    Raises
    ------
    ValueError
        If a study of this name is there with another direction.
    IsADirectoryError
        If `storage` is a folder.

    Examples
    --------
    >>> from sklearn_skin.model_selection import make_study
    >>> study = make_study("example", ":memory:", random_state=0)
    >>> study.optimize(lambda trial: -trial.suggest_float("x", -1, 1) ** 2, n_trials=3)
    >>> len(study.trials)
    3
    """
    import optuna

    with _quiet():
        storage = _make_storage(name, storage, heartbeat_interval, grace_period, max_retry)
        study = _retry_while_locked(
            lambda: optuna.create_study(
                study_name=name, storage=storage, direction=direction, load_if_exists=True
            )
        )
        if study.direction.name.lower() != direction:
            raise ValueError(
                f"`direction` is {direction!r}, and the study {name!r} that is there has "
                f"{study.direction.name.lower()!r}."
            )
        seed = None
        if random_state is not None:
            # A fresh sampler would draw its first values a second time.
            state = np.random.SeedSequence([random_state, len(study.trials)])
            seed = int(state.generate_state(1)[0])
        study.sampler = sampler or optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        study.pruner = pruner or optuna.pruners.MedianPruner(n_startup_trials=5)
    return study


def run_study(
    study,
    objective,
    n_trials,
    *,
    n_jobs=1,
    max_failures=10,
    progress_bar=False,
    timeout=None,
):
    """Run trials until the study has `n_trials` finished ones.

    A trial whose objective raises or gives NaN is recorded as failed, with the reason in its user
    attribute "failure", and another takes its place; a killed one is tried again. So a study that
    was killed, or whose objective was mended, is completed by running the script again. Several
    processes, here or elsewhere, may run the same study at the same time; together they make
    `n_trials`.

    Parameters
    ----------
    study : optuna.study.Study
        As from :func:`make_study`.
    objective : callable
        ``objective(trial)`` -> value, such as :class:`StudyObjective`. If it has a method
        ``check_study(study)``, that is called first.
    n_trials : int
        Finished trials in the end, those of earlier runs included.
    n_jobs : int, default=1
        Processes, which share the cores. More than one needs a study that is not in memory.
    max_failures : int, default=10
        Failed trials after which a run ends.
    progress_bar : bool, default=False
        Whether to show finished trials and the best value.
    timeout : float, default=None
        Seconds after which no further trial begins.

    Returns
    -------
    study : optuna.study.Study
        The same study.

    Raises
    ------
    ValueError
        If several processes were to share a study in memory, or trials of the study were drawn
        from another space than the objective's.
    RuntimeError
        If trials failed and none has finished; it names the first reason.

    Warns
    -----
    UserWarning
        If a run ends at `max_failures`.

    Examples
    --------
    >>> from sklearn_skin.model_selection import make_study, run_study
    >>> study = make_study("example", ":memory:", random_state=0)
    >>> study = run_study(study, lambda trial: trial.suggest_float("x", 0, 1), 3)
    >>> len(run_study(study, lambda trial: trial.suggest_float("x", 0, 1), 5).trials)
    5
    """
    import optuna
    from optuna.storages._heartbeat import is_heartbeat_enabled
    from tqdm.auto import tqdm

    if n_jobs != 1 and isinstance(study._storage, optuna.storages.InMemoryStorage):
        raise ValueError("`n_jobs` needs a study in a file or a database; got one in memory.")
    if hasattr(objective, "check_study"):
        objective.check_study(study)
    limits = _Limits(study, n_trials, max_failures, timeout)
    # One task per trial, sent when a process is free: others may have made the rest by then.
    workers = Parallel(n_jobs, return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1)
    turn = delayed(_run_one)(study, objective, n_trials, n_jobs != 1)
    with tqdm(total=n_trials, desc=study.study_name, unit="trial", disable=not progress_bar) as bar:
        while limits.allow():
            finished, running = _count(study)
            _show(bar, study, min(finished, n_trials))
            missing = n_trials - finished - running
            if missing > 0:
                turns = takewhile(lambda _: limits.want(), repeat(turn, missing))
                for _ in workers(turns):
                    _show(bar, study, min(_count(study)[0], n_trials))
            elif finished < n_trials and is_heartbeat_enabled(study._storage):
                # Other processes are at the last trials; a killed one's comes back as waiting.
                time.sleep(0.5)
                with _quiet():
                    optuna.storages.fail_stale_trials(study)
            else:
                break
    limits.report()
    return study


def best_trial(study):
    """Return the best trial; where no trial has a value, the error names the first reason."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    if any(trial.state == TrialState.COMPLETE for trial in trials):
        return study.best_trial
    reasons = [trial.user_attrs[_FAILURE] for trial in trials if _FAILURE in trial.user_attrs]
    why = f"; the first failure: {reasons[0]}" if reasons else "."
    raise ValueError(
        f"study {study.study_name!r} has no best trial: none of its {len(trials)} has a value{why}"
    )


class _Limits:
    """What ends a run: enough trials, too many failures, or the time."""

    def __init__(self, study, n_trials, max_failures, timeout):
        self.study, self.n_trials, self.max_failures = study, n_trials, max_failures
        self.end = math.inf if timeout is None else time.monotonic() + timeout
        self.first = len(study.get_trials(deepcopy=False))

    def failed(self):
        """Return the trials that have failed since the run began."""
        later = self.study.get_trials(deepcopy=False)[self.first :]
        return [trial for trial in later if _FAILURE in trial.user_attrs]

    def allow(self):
        """Whether a trial may begin."""
        return time.monotonic() < self.end and len(self.failed()) < self.max_failures

    def want(self):
        """Whether a trial may begin, and is one of those that are missing."""
        return self.allow() and sum(_count(self.study)) < self.n_trials

    def report(self):
        """Raise an error where nothing has finished; warn where failures ended the run."""
        failed = self.failed()
        if not failed:
            return
        what = f"{len(failed)} trials failed; the first: {failed[0].user_attrs[_FAILURE]}"
        if _count(self.study)[0] == 0:
            raise RuntimeError(f"No trial of study {self.study.study_name!r} finished: {what}")
        if len(failed) >= self.max_failures:
            warn_user(f"The run of study {self.study.study_name!r} ended early: {what}")


def _make_storage(name, storage, heartbeat_interval, grace_period, max_retry):
    import optuna

    if storage is not None and not isinstance(storage, str | Path):
        return storage
    if storage == ":memory:":
        return optuna.storages.InMemoryStorage()
    url = f"{name}.db" if storage is None else str(storage)
    if "://" not in url:
        _check_file(Path(url), name)
        optuna.logging.get_logger("optuna").info(f"Study {name!r} is in {Path(url).resolve()}")
    life = {
        "heartbeat_interval": heartbeat_interval,
        "grace_period": grace_period,
        "heartbeat_stale_trial_callback": optuna.storages.RetryHeartbeatStaleTrialCallback(
            max_retry=max_retry
        ),
    }
    if "://" not in url and url.endswith(".journal"):
        # Imported late: only a journal needs it.
        from sklearn_skin.model_selection._journal import LivingJournalStorage

        return LivingJournalStorage(url, **life)
    return _retry_while_locked(partial(_open_database, url, life))


def _open_database(url, life):
    import optuna

    if "://" not in url:
        url = f"sqlite:///{url}"
    options = {}
    if url.startswith("sqlite"):
        # Writers of other processes wait for each other instead of giving up.
        options = {"connect_args": {"timeout": _LOCK_SECONDS}}
    return optuna.storages.RDBStorage(url, engine_kwargs=options, **life)


def _check_file(path, name):
    """Make the folder of a study's file; raise an error where the file is one."""
    if path.is_dir():
        raise IsADirectoryError(
            f"`storage` must be a file, and {str(path)!r} is a folder: give "
            f"{str(path / f'{name}.db')!r}, say."
        )
    path.parent.mkdir(parents=True, exist_ok=True)


def _retry_while_locked(make):
    """Call `make`; two processes that create the same tables trip over each other once."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    for attempt in range(5):
        try:
            return make()
        except (SQLAlchemyError, StorageInternalError):
            if attempt == 4:
                raise
            time.sleep(0.2 * 2**attempt)


def _run_one(study, objective, n_trials, reseed):
    if reseed:
        # Every process gets a copy of the sampler; they must not draw the same values.
        study.sampler.reseed_rng()
    study.optimize(partial(_guard, objective, n_trials), n_trials=1, catch=(Exception,))


def _guard(objective, n_trials, trial):
    """Return the objective's value, if the trial is wanted; keep the reason if it raises."""
    from optuna import TrialPruned

    # Numbers are given out one at a time, so of processes that both began a last trial, one sees
    # that it is not needed. MaxTrialsCallback looks after a trial only, when both are done.
    earlier = trial.study.get_trials(deepcopy=False)[: trial.number]
    if sum(map(_counts, earlier)) >= n_trials:
        raise RuntimeError(f"other processes are at the last of {n_trials} trials already")
    try:
        value = objective(trial)
        if np.isnan(value):
            raise ValueError("the objective gave NaN")
        return value
    except TrialPruned:
        raise
    except Exception as error:
        trial.set_user_attr(_FAILURE, f"{type(error).__name__}: {error}")
        raise


def _counts(trial):
    """Whether a trial is one of the wanted ones: not failed, killed or superfluous."""
    from optuna.trial import TrialState

    return trial.state != TrialState.FAIL


def _count(study):
    """Return the numbers of finished and of running trials."""
    from optuna.trial import TrialState

    states = [trial.state for trial in study.get_trials(deepcopy=False) if _counts(trial)]
    running = states.count(TrialState.RUNNING)
    return len(states) - running - states.count(TrialState.WAITING), running


def _show(bar, study, finished):
    bar.update(finished - bar.n)
    with suppress(ValueError):  # no trial is completed yet
        bar.set_postfix(best=f"{study.best_value:.4g}")


@contextmanager
def _quiet():
    """Silence Optuna's notes that heartbeats and retries are experimental."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
