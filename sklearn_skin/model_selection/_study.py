"""Optuna studies in a file, which survive being killed."""

import threading
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed, parallel_config

_FAILURE = "failure"
_SURPLUS = "surplus"
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
        Where trials are kept: a SQLite file (None: ``<name>.db`` in the current folder), a
        database's URL, or ":memory:" for none.
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


def run_study(study, objective, n_trials, *, n_jobs=1, progress_bar=False, timeout=None):
    """Run trials until the study has `n_trials` finished ones.

    A trial whose objective raises is recorded as failed, with the reason in its user attribute
    "failure", and counts as finished. A killed one does not: it is tried again. So a study that
    was killed is completed by running the same script again. Several processes, here or
    elsewhere, may run the same study at the same time; together they make `n_trials`.

    Parameters
    ----------
    study : optuna.study.Study
        As from :func:`make_study`.
    objective : callable
        ``objective(trial)`` -> value, such as :class:`StudyObjective`.
    n_trials : int
        Finished trials in the end, those of earlier runs included.
    n_jobs : int, default=1
        Processes, with one thread each. More than one needs a study that is not in memory.
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
        If several processes were to share a study in memory.

    Examples
    --------
    >>> from sklearn_skin.model_selection import make_study, run_study
    >>> study = make_study("example", ":memory:", random_state=0)
    >>> study = run_study(study, lambda trial: trial.suggest_float("x", 0, 1), 3)
    >>> len(run_study(study, lambda trial: trial.suggest_float("x", 0, 1), 5).trials)
    5
    """
    import optuna

    end = None if timeout is None else time.monotonic() + timeout
    in_memory = isinstance(study._storage, optuna.storages.InMemoryStorage)
    if n_jobs != 1 and in_memory:
        raise ValueError("`n_jobs` > 1 needs a study in a file or database; got one in memory.")
    with _progress(study, n_trials, progress_bar):
        if n_jobs == 1:
            _work(study, objective, n_trials, end)
        else:
            left = None if end is None else end - time.monotonic()
            with parallel_config(backend="loky", inner_max_num_threads=1):
                workers = Parallel(n_jobs=n_jobs)
                workers(
                    delayed(_work_elsewhere)(study, objective, n_trials, left, worker)
                    for worker in range(workers._effective_n_jobs())
                )
    return study


def _make_storage(name, storage, heartbeat_interval, grace_period, max_retry):
    import optuna

    if storage is not None and not isinstance(storage, str | Path):
        return storage
    if storage == ":memory:":
        return optuna.storages.InMemoryStorage()
    url = f"{name}.db" if storage is None else str(storage)
    options = {}
    if "://" not in url:
        Path(url).parent.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{url}"
    if url.startswith("sqlite"):
        # Writers of other processes wait for each other instead of giving up.
        options = {"connect_args": {"timeout": _LOCK_SECONDS}}
    return _retry_while_locked(
        lambda: optuna.storages.RDBStorage(
            url,
            engine_kwargs=options,
            heartbeat_interval=heartbeat_interval,
            grace_period=grace_period,
            heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(
                max_retry=max_retry
            ),
        )
    )


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


def _work_elsewhere(study, objective, n_trials, seconds, worker):
    # Every worker has a copy of the sampler; they must not draw the same values.
    for _ in range(worker + 1):
        study.sampler.reseed_rng()
    _work(study, objective, n_trials, None if seconds is None else time.monotonic() + seconds)


def _work(study, objective, n_trials, end):
    import optuna
    from optuna.storages._heartbeat import is_heartbeat_enabled

    def guarded(trial):
        return _run_one(study, objective, trial, n_trials)

    while end is None or time.monotonic() < end:
        with _quiet():
            optuna.storages.fail_stale_trials(study)
        finished, running, waiting = _count(study)
        if finished >= n_trials:
            return
        if not waiting and finished + running >= n_trials:
            # Others are at the last trials; if one was killed, it comes back as waiting.
            if not is_heartbeat_enabled(study._storage):
                return
            time.sleep(0.5)
            continue
        with _quiet():
            study.optimize(guarded, n_trials=1, catch=(Exception,))


def _run_one(study, objective, trial, n_trials):
    from optuna import TrialPruned

    # Numbers are given out one at a time, so of processes that both began a last trial, one
    # sees that it is not needed.
    earlier = sum(_counts(other) for other in study.get_trials(deepcopy=False)[: trial.number])
    if earlier >= n_trials:
        trial.set_user_attr(_SURPLUS, True)
        raise RuntimeError(f"other processes are at the last of {n_trials} trials already")
    try:
        return objective(trial)
    except TrialPruned:
        raise
    except Exception as error:
        trial.set_user_attr(_FAILURE, f"{type(error).__name__}: {error}")
        raise


def _counts(trial):
    """Whether a trial is one of the wanted ones: not killed, not a surplus one."""
    from optuna.trial import TrialState

    if _SURPLUS in trial.user_attrs:
        return False
    return trial.state != TrialState.FAIL or _FAILURE in trial.user_attrs


def _count(study):
    from optuna.trial import TrialState

    trials = [trial for trial in study.get_trials(deepcopy=False) if _counts(trial)]
    running = sum(trial.state == TrialState.RUNNING for trial in trials)
    waiting = sum(trial.state == TrialState.WAITING for trial in trials)
    return len(trials) - running - waiting, running, waiting


@contextmanager
def _progress(study, n_trials, shown):
    if not shown:
        yield
        return
    from tqdm.auto import tqdm

    stop = threading.Event()
    with tqdm(total=n_trials, unit="trial", desc=study.study_name) as bar:

        def update():
            finished = min(_count(study)[0], n_trials)
            if finished == bar.n:
                return
            bar.n = finished
            try:
                bar.set_postfix(best=f"{study.best_value:.4g}", refresh=False)
            except ValueError:
                pass
            bar.refresh()

        def watch():
            while not stop.wait(1.0):
                update()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            update()


@contextmanager
def _quiet():
    """Silence Optuna's notes that heartbeats and retries are experimental."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
