import re
import runpy
import time
from pathlib import Path

import numpy as np
import optuna
import pytest
from numpy.testing import assert_allclose
from optuna.trial import TrialState
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from sklearn_skin.model_selection import StudyObjective, make_study, run_study

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
optuna.logging.set_verbosity(optuna.logging.ERROR)


def parabola(trial):
    return -(trial.suggest_float("x", -1, 1) ** 2)


class Slow:
    def __call__(self, trial):
        time.sleep(0.02)
        return trial.suggest_float("x", 0, 1)


def states(study):
    return [trial.state for trial in study.trials]


def test_a_study_goes_on_where_it_ended(tmp_path):
    path = tmp_path / "deeper" / "study.db"
    run_study(make_study("a", path, random_state=0), parabola, 4)
    again = make_study("a", path, random_state=0)
    first = [trial.params["x"] for trial in again.trials]
    run_study(again, parabola, 9)
    values = [trial.params["x"] for trial in make_study("a", path).trials]
    assert_allclose(values[:4], first)
    # The sampler does not start over with the values that it has drawn already.
    assert len(set(values)) == 9


def test_the_seed_decides_the_trials():
    runs = [run_study(make_study("a", ":memory:", random_state=3), parabola, 5) for _ in range(2)]
    first, again = ([t.params["x"] for t in run.trials] for run in runs)
    assert_allclose(first, again)


def test_a_failing_trial_is_recorded_with_its_reason_and_the_study_goes_on(tmp_path):
    def fails_below_zero(trial):
        x = trial.suggest_float("x", -1, 1)
        if x < 0:
            raise ZeroDivisionError(f"x is {x:.1f}")
        return x

    study = run_study(make_study("a", tmp_path / "s.db", random_state=0), fails_below_zero, 6)
    # Others take the place of those that failed.
    assert states(study).count(TrialState.COMPLETE) == 6
    failed = [trial for trial in study.trials if trial.state == TrialState.FAIL]
    assert failed
    for trial in failed:
        assert trial.user_attrs["failure"] == f"ZeroDivisionError: x is {trial.params['x']:.1f}"


def fails(trial):
    trial.suggest_float("x", -1, 1)
    raise ZeroDivisionError(f"trial {trial.number}")


def gives_nan(trial):
    return trial.suggest_float("x", -1, 1) * float("nan")


@pytest.mark.parametrize(
    ("objective", "reason"),
    [(fails, "ZeroDivisionError: trial 0"), (gives_nan, "ValueError: the objective gave NaN")],
)
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_study_whose_trials_all_fail_says_why_and_uses_none_up(
    tmp_path, objective, reason, n_jobs
):  # FAILURES 36
    study = make_study("a", tmp_path / "s.db", random_state=0)
    with pytest.raises(RuntimeError, match=f"No trial of study 'a' finished: . trials.*: {reason}"):
        run_study(study, objective, 20, max_failures=3, n_jobs=n_jobs)
    assert 3 <= len(study.trials) <= 4
    # The objective is mended, and the same script run again.
    assert states(run_study(study, parabola, 5)).count(TrialState.COMPLETE) == 5


def test_many_failures_end_a_run_with_a_warning():
    def fails_mostly(trial):
        return parabola(trial) if trial.number == 0 else fails(trial)

    study = make_study("a", ":memory:")
    with pytest.warns(UserWarning, match="study 'a' ended early: 4 trials failed; the first: Zero"):
        run_study(study, fails_mostly, 20, max_failures=4)
    assert len(study.trials) == 5


def test_the_log_names_the_file(tmp_path, caplog):
    optuna.logging.enable_propagation()
    optuna.logging.set_verbosity(optuna.logging.INFO)
    try:
        make_study("lesions", tmp_path / "s.db")
    finally:
        optuna.logging.disable_propagation()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
    assert f"Study 'lesions' is in {tmp_path / 's.db'}" in caplog.text


def test_interrupt_reaches_the_caller_and_does_not_count(tmp_path):
    def interrupted(trial):
        raise KeyboardInterrupt

    study = make_study("a", tmp_path / "s.db")
    with pytest.raises(KeyboardInterrupt):
        run_study(study, interrupted, 3)
    run_study(study, parabola, 3)
    assert states(study).count(TrialState.COMPLETE) == 3


def test_several_processes_share_one_study(tmp_path):
    study = make_study("a", tmp_path / "s.db", random_state=0)
    run_study(study, Slow(), 7, n_jobs=2)
    assert states(study).count(TrialState.COMPLETE) == 7
    values = [t.params["x"] for t in study.trials if t.state == TrialState.COMPLETE]
    assert len(set(values)) == 7


def test_a_trial_that_others_made_superfluous_does_not_count(tmp_path, monkeypatch):
    study, others = (make_study("a", tmp_path / "s.db") for _ in range(2))
    optimize = study.optimize

    def overtaken(*args, **kwargs):
        others.optimize(parabola, n_trials=1)
        optimize(*args, **kwargs)

    monkeypatch.setattr(study, "optimize", overtaken)
    run_study(study, parabola, 1)
    assert states(study) == [TrialState.COMPLETE, TrialState.FAIL]
    assert "failure" not in study.trials[1].user_attrs


def test_progress_shows_trials_and_the_best_value(capsys):
    run_study(make_study("lesions", ":memory:"), lambda trial: 0.5, 3, progress_bar=True)
    assert "lesions: 100%" in (shown := capsys.readouterr().err)
    assert "3/3" in shown and "best=0.5" in shown


def test_several_processes_need_a_file():
    with pytest.raises(ValueError, match="needs a study in a file"):
        run_study(make_study("a", ":memory:"), Slow(), 2, n_jobs=2)


def test_a_folder_is_no_storage(tmp_path):
    message = re.escape(f"`storage` must be a file, and {str(tmp_path)!r} is a folder: give ")
    with pytest.raises(IsADirectoryError, match=message + ".*ab.db'"):
        make_study("ab", tmp_path)
    make_study("ab", tmp_path / "ab.db")


def test_another_direction_is_an_error(tmp_path):
    make_study("a", tmp_path / "s.db")
    with pytest.raises(ValueError, match="`direction` is 'minimize'"):
        make_study("a", tmp_path / "s.db", direction="minimize")


def test_no_trial_begins_after_the_time_is_up(monkeypatch):
    seconds = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: seconds[0])

    def takes_a_second(trial):
        seconds[0] += 1
        return parabola(trial)

    study = run_study(make_study("a", ":memory:"), takes_a_second, 100, timeout=5.5)
    assert states(study) == [TrialState.COMPLETE] * 6


def test_a_study_of_a_pipeline_gets_better_and_gives_the_best(tmp_path):
    X, y = load_iris(return_X_y=True)
    objective = StudyObjective(LogisticRegression(max_iter=500), X, y, cv=3)
    study = run_study(make_study("iris", ":memory:", random_state=0), objective, 6)
    best = objective.make_best(study)
    assert_allclose(best.C, study.best_params["C"])
    assert best.score(X, y) > 0.9
    assert_allclose(np.mean(study.best_trial.user_attrs["fold_scores"]), study.best_value)


@pytest.mark.parametrize("storage", ["sqlite", "journal"])
def test_a_killed_study_ends_as_an_undisturbed_one(storage):
    example = runpy.run_path(str(EXAMPLES / "reproduce" / "kill_study.py"))
    with example["storages"]([storage]) as places:
        counts = example["compare"](6, 1, places[storage])
    assert counts == {
        "undisturbed": 6,
        "killed": 6,
        "lost": 0,
        "killed in a trial": 1,
        "retried": 1,
        "running": 0,
        "by three processes at once": 6,
    }
