"""
===============================
Training beside other libraries
===============================

Seconds of a training epoch of resnet18 from scratch on picture files and ten columns: a plain
PyTorch loop, pytorch-widedeep, AutoGluon MultiModal and this package, each in a process of its
own that the others wait for: ``python examples/benchmarks/peers.py``.

The two libraries are installed into environments of their own, which takes minutes once and 4 GB,
and are kept in ``--environments``. torch is that of ``constraints.txt``: on Linux have pip find a
CPU build of it, else it loads gigabytes of CUDA. All train the same rows from scratch by Adam, at
their own default settings else:

- plain loop: fp32, pictures decoded in every epoch by the process itself, no augmentation;
- pytorch-widedeep: fp32, pictures decoded once and kept in memory, a worker per core makes the
  batches, no augmentation;
- AutoGluon: fp32 on a CPU, pictures decoded and augmented ("trivial augment") in every epoch by
  two workers, a validation (here a batch) and checkpoints twice an epoch, schedule and clipping;
- here: ``precision="auto"``, pictures decoded once into the cache, no augmentation; the script
  calls `tune_allocator` first.

An epoch lasts from the end of the one before it, all in one fit; the first warms up. "Whole fit"
is all epochs, what comes before them, and after; the peak is that of the process without workers.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import numpy as np
import platformdirs
from _contestant import N_CLASSES

from sklearn_skin.datasets import make_lesions

HERE = Path(__file__).parent
CONSTRAINTS = HERE.parents[1] / "constraints.txt"
OURS = "sklearn_skin"
# What runs where this script does, and what is installed for those that do not.
REQUIREMENTS = {
    "plain PyTorch": None,
    "pytorch-widedeep": "pytorch-widedeep==1.7.0",
    "AutoGluon": "autogluon.multimodal==1.6.3",
    OURS: None,
}


class NotRun(Exception):
    """A contestant that cannot be measured; says why."""


def make_environment(folder, requirement):
    """Return the interpreter of an environment that holds a library, which is made if it lacks."""
    python, done = folder / "bin" / "python", folder / "installed.txt"
    pins = [
        line
        for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines()
        if line.startswith(("torch==", "torchvision=="))
    ]
    wanted = "\n".join([requirement, *pins])
    if not done.exists() or done.read_text(encoding="utf-8") != wanted:
        print(f"installing {requirement} in {folder}", file=sys.stderr)
        venv.create(folder, clear=True, with_pip=True)
        command = [python, "-m", "pip", "install", "--quiet", *pins, requirement]
        pip = subprocess.run(command, capture_output=True, text=True)
        if pip.returncode:
            raise NotRun(f"not installed: {last_line(pip.stderr)}")
        done.write_text(wanted, encoding="utf-8")
    return python


def last_line(text):
    """Return the last line of what a process said."""
    return next(reversed(text.strip().splitlines()), "no message")


def draw(folder, n_rows, size):
    """Write pictures and a table of them, ten columns and a label."""
    rng = np.random.default_rng(0)
    lesions = make_lesions(n_rows, image_size=size, missing_rate=0, folder=folder, random_state=0)
    table = lesions.data.assign(image=[Path(cell.path).name for cell in lesions.data["image"]])
    for i in range(3):
        table[f"number_{i}"] = rng.normal(size=n_rows)
        table[f"text_{i}"] = rng.choice(["never", "once", "often"], n_rows)
    table["label"] = rng.permutation(np.arange(n_rows) % N_CLASSES)
    table.to_csv(Path(folder) / "table.csv", index=False)


class Contestant:
    """A process that trains an epoch whenever asked."""

    def __init__(self, name, python, folder, settings, path):
        self.log = open(folder / "log.txt", "w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(
            [python, HERE / "_contestant.py", name, folder, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": path},
        )

    def hear(self):
        """Return what the process says next."""
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.log.seek(0)
            raise NotRun(f"failed: {last_line(self.log.read())}")
        return json.loads(line)

    def turn(self):
        """Have an epoch trained; return what is said of it."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.hear()

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()
        self.log.close()


def start(name, folder, settings, environments):
    """Return a contestant that is ready, in an environment that is made if it needs one."""
    requirement = REQUIREMENTS[name]
    python, path = sys.executable, os.pathsep.join(sys.path)
    if requirement is not None:
        if environments is None:
            raise NotRun("not installed: --smallest makes no environments")
        python, path = make_environment(environments / requirement.split("==")[0], requirement), ""
    contestant = Contestant(name, python, folder, settings, path)
    try:
        return contestant, contestant.hear()["version"]
    except NotRun:
        contestant.close()
        raise


def compete(names, settings, options):
    """Return, by name, the version, the seconds of all epochs, and the rest; or why there is none.

    The contestants train in turn: while one does, the others wait.
    """
    found, running = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        draw(data, options.rows, options.image_size)
        for name in names:
            own = shutil.copytree(data, Path(folder) / name)
            try:
                running[name], told = start(name, own, settings, options.environments)
                found[name] = {"version": told, "turns": []}
            except NotRun as reason:
                found[name] = {"reason": str(reason)}
        # The last turn is what comes after the epochs.
        for _ in range(settings["epochs"] + 1):
            for name, contestant in list(running.items()):
                try:
                    found[name]["turns"].append(contestant.turn())
                except NotRun as reason:
                    found[name] = {"reason": str(reason)}
                    running.pop(name).close()
        for contestant in running.values():
            contestant.close()
    if "reason" in found[OURS]:
        raise SystemExit(f"{OURS} {found[OURS]['reason']}")
    return {
        name: result if "reason" in result else summarise(**result)
        for name, result in found.items()
    }


def summarise(version, turns):
    """Return what is told of a contestant."""
    seconds = [turn["seconds"] for turn in turns]
    return {
        "version": version,
        # Neither the epoch that warms up nor what comes after the last.
        "seconds": seconds[1:-1],
        "fit": sum(seconds),
        "peak_mb": turns[-1]["peak_mb"],
    }


def format_row(name, batch_size, result, ours):
    """Return a line of the table."""
    if "reason" in result:
        cells = [result["reason"], *["–"] * 4]
    else:
        ratios = [theirs / here for theirs, here in zip(result["seconds"], ours["seconds"])]
        cells = [
            result["version"],
            f"{statistics.median(result['seconds']):.2f}",
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
            f"{result['fit']:.1f}",
            f"{result['peak_mb']:.0f}",
        ]
    return f"| {name} | {batch_size} | {' | '.join(cells)} |"


def parse_options():
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[1])
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[32, 64])
    parser.add_argument("--rounds", type=int, default=5, help="epochs after the first")
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--libraries", nargs="+", choices=list(REQUIREMENTS), help="some of them")
    parser.add_argument(
        "--environments",
        type=Path,
        default=Path(platformdirs.user_cache_dir("sklearn_skin")) / "peers",
        help="folder of the libraries' environments",
    )
    parser.add_argument("--set", nargs="*", default=[], help="parameters, such as precision=fp32")
    parser.add_argument("--json", type=Path, help="file for all seconds")
    parser.add_argument("--smallest", action="store_true", help="few rows, nothing is installed")
    options = parser.parse_args()
    if options.smallest:
        small = {"batch_sizes": [8], "rounds": 1, "rows": 24, "image_size": 32}
        vars(options).update(small, environments=None)
    return options


def main():
    """Print the table."""
    options = parse_options()
    # This package is what the others are compared with.
    names = [name for name in REQUIREMENTS if name in (options.libraries or REQUIREMENTS)]
    names = [*(name for name in names if name != OURS), OURS]
    print("| library | batch | version | epoch (s) | times ours | whole fit (s) | peak (MB) |")
    print("| --- | --: | --- | --: | --- | --: | --: |", flush=True)
    results = {}
    for batch_size in options.batch_sizes:
        settings = {
            "epochs": options.rounds + 1,
            "batch_size": batch_size,
            "image_size": options.image_size,
            "options": dict(item.split("=") for item in options.set),
        }
        found = results[batch_size] = compete(names, settings, options)
        for name, result in found.items():
            print(format_row(name, batch_size, result, found[OURS]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
