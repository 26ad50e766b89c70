"""
======================================
Cross-validation on two Dask workers
======================================

Seconds of a 4-fold cross-validation of a Pipeline with an image network, in this process with all
cores, and through joblib's Dask backend on two workers that are processes of their own, as on two
machines: images are paths, each worker has a cache of its own, and no pixel is sent. The runs
alternate; medians: ``python examples/benchmarks/dask_cv.py``. Needs the extra ``scale``.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from distributed import Client
from distributed.comm.tcp import TCP
from joblib import parallel_config
from sklearn.model_selection import StratifiedGroupKFold, cross_validate
from sklearn.pipeline import make_pipeline

from sklearn_skin.datasets import make_lesions
from sklearn_skin.neural_network import JointFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer


def make_model(backbone, epochs):
    """Return a Pipeline; `weights=None`, so that it runs without a download."""
    network = JointFusionClassifier(
        backbone=backbone,
        weights=None,
        image_size=64,
        batch_size=32,
        max_epochs=epochs,
        random_state=0,
    )
    return make_pipeline(make_lesion_transformer(), network)


@contextmanager
def cluster(folder, n_workers):
    """Start a scheduler and workers with one thread each; give a client."""
    place = f"{folder}/scheduler.json"
    common = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with ExitStack() as stack:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        scheduler = ["scheduler", "--port", "0", "--scheduler-file", place, "--no-dashboard"]
        commands = [scheduler]
        for number in range(n_workers):
            local = ["--local-directory", f"{folder}/{number}", "--no-dashboard"]
            worker = ["worker", "--scheduler-file", place, "--nthreads", "1", *local]
            commands.append([*worker, "--name", str(number), "--no-nanny"])
        for number, command in enumerate(commands):
            own = {"XDG_CACHE_HOME": f"{folder}/cache{number}"}
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *command], env=environment | own, **common
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        while not Path(place).exists():
            time.sleep(0.1)
        client = stack.enter_context(Client(scheduler_file=place))
        client.wait_for_workers(n_workers)
        yield client


def run(lesions, options, client=None):
    """Return the scores and the seconds of a cross-validation."""
    start = time.perf_counter()
    # More cores than folds would stand still: torch takes them all in this process.
    backend = {"backend": "dask", "n_jobs": -1} if client else {"backend": "sequential"}
    with parallel_config(**backend):
        found = cross_validate(
            make_model(options.backbone, options.epochs),
            lesions.data,
            lesions.target,
            groups=lesions.groups,
            cv=StratifiedGroupKFold(4),
            scoring="balanced_accuracy",
        )
    return found["test_score"], time.perf_counter() - start


@contextmanager
def count_sent():
    """Give a list that grows by the bytes of every message that this process sends."""
    sent, write = [], TCP.write

    async def counted(self, *args, **kwargs):
        n_bytes = await write(self, *args, **kwargs)
        sent.append(n_bytes)
        return n_bytes

    TCP.write = counted
    try:
        yield sent
    finally:
        TCP.write = write


def measure(options):
    """Return medians and ranges of seconds, the bytes sent, those of the pixels, and the scores."""
    with tempfile.TemporaryDirectory() as folder, cluster(folder, 2) as client:
        photos = {"image_size": 64, "folder": f"{folder}/photos", "random_state": 0}
        lesions = make_lesions(options.rows, **photos)
        seconds, scores = {"serial": [], "dask": []}, {}
        with count_sent() as sent:
            for turn in range(options.rounds + 1):
                for name, where in {"serial": None, "dask": client}.items():
                    scores[name], spent = run(lesions, options, where)
                    # The first round decodes the pictures and imports torch in the workers.
                    seconds[name] += [spent] if turn else []
            n_dask = options.rounds + 1
        # One thread rounds otherwise than two, which decides rows of a hardly trained network.
        means = [np.mean(scores[name]) for name in ("dask", "serial")]
        np.testing.assert_allclose(*means, atol=0.1)
        return {
            "serial": statistics.median(seconds["serial"]),
            "dask": statistics.median(seconds["dask"]),
            "seconds": seconds,
            "ratios": [a / b for a, b in zip(seconds["serial"], seconds["dask"])],
            "sent": sum(sent) / n_dask,
            "pixels": len(lesions.data) * 64 * 64 * 3,
            "scores": {name: float(np.mean(values)) for name, values in scores.items()},
        }


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[2])
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--rows", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--smallest", action="store_true", help="a few rows, one round")
    options = parser.parse_args()
    if options.smallest:
        options.rows, options.epochs, options.rounds = 40, 1, 1
    found = measure(options)
    ratios = found["ratios"]
    ratio = f"{statistics.median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})"
    print("| rows | serial (s) | two workers (s) | ratio | kB sent | kB of pixels | scores |")
    print("| --: | --: | --: | --: | --: | --: | --: |")
    scores = " and ".join(f"{score:.3f}" for score in found["scores"].values())
    print(
        f"| {options.rows} | {found['serial']:.1f} | {found['dask']:.1f} | {ratio} "
        f"| {found['sent'] / 1e3:.0f} | {found['pixels'] / 1e3:.0f} | {scores} |"
    )
    if options.json:
        options.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
