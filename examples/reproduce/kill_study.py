"""
=========================
Killing a study, thrice
=========================

A study of tuning trials is run to its end undisturbed, and once more in processes that are
killed (SIGKILL) several times in the middle of a trial and started again. Both end with the
same number of completed trials, none that was completed is lost, and every killed trial comes
back with its parameters. Prints the counts; ``python kill_study.py [--smallest]``.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import optuna
from optuna.trial import TrialState
from sklearn.datasets import load_iris
from sklearn.svm import SVC

from sklearn_skin.model_selection import StudyObjective, make_study, run_study

optuna.logging.set_verbosity(optuna.logging.WARNING)


class HeldObjective(StudyObjective):
    """Cross-validation that waits, to be killed, once a number of trials is completed."""

    hold = None

    def __call__(self, trial):
        """Return the mean score."""
        score = super().__call__(trial)
        if self.hold is not None and len(completed(trial.study)) >= self.hold:
            time.sleep(600)
        return score


def open_study(path):
    """Return the study in the file; signs of life every second, so that waits are short."""
    return make_study("iris", path, heartbeat_interval=1, grace_period=2, random_state=0)


def run(path, n_trials, hold=None):
    """Run the study to its end: what each process does, killed or not."""
    objective = HeldObjective(SVC(), *load_iris(return_X_y=True), cv=3)
    objective.hold = hold
    run_study(open_study(path), objective, n_trials)


def start(path, n_trials, *hold):
    """Start a process that runs the study."""
    arguments = map(str, [path, n_trials, *hold])
    return subprocess.Popen([sys.executable, __file__, "--run", *arguments])


def completed(study):
    """Return number -> value of the completed trials."""
    trials = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return {trial.number: trial.value for trial in trials}


def kill_in_a_trial(path, n_trials, goal):
    """Start a process, kill it in the trial after the `goal`-th; return what was completed."""
    process = start(path, n_trials, goal)
    study = open_study(path)
    while not _holds(study, goal):
        if process.poll() is not None:
            raise RuntimeError(f"the process ended by itself, with status {process.returncode}")
        time.sleep(0.1)
    process.kill()
    process.wait()
    return completed(study)


def _holds(study, goal):
    trials = study.get_trials(deepcopy=False)
    done = sum(trial.state == TrialState.COMPLETE for trial in trials)
    return done >= goal and trials[-1].state == TrialState.RUNNING and len(trials[-1].params) == 2


def compare(n_trials, n_kills):
    """Return the counts of both studies, and what became of the killed trials."""
    with tempfile.TemporaryDirectory() as folder:
        calm, killed = Path(folder) / "calm.db", Path(folder) / "killed.db"
        run(calm, n_trials)
        kept = []
        for kill in range(1, n_kills + 1):
            kept.append(kill_in_a_trial(killed, n_trials, kill * n_trials // (n_kills + 1)))
        run(killed, n_trials)
        final = open_study(killed)
        stale = [t for t in final.trials if t.state == TrialState.FAIL]
        retried = [t.params for t in final.trials if "failed_trial" in t.system_attrs]
        counts = {
            "undisturbed": len(completed(open_study(calm))),
            "killed": len(completed(final)),
            "lost": sum(not before.items() <= completed(final).items() for before in kept),
            "killed in a trial": len(stale),
            "retried": sum(t.params in retried for t in stale),
            "running": sum(t.state == TrialState.RUNNING for t in final.trials),
        }
        return counts


def main():
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[2])
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--smallest", action="store_true", help="two trials, one kill")
    options = parser.parse_args()
    if options.smallest:
        options.trials, options.kills = 2, 1
    counts = compare(options.trials, options.kills)
    print("| trials | number |\n| --- | --: |")
    for name, count in counts.items():
        print(f"| {name} | {count} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run(sys.argv[2], *map(int, sys.argv[3:]))
    else:
        main()
