"""
=====================================
From a table of paths to the first step
=====================================

Seconds and peak memory of everything between a CSV file of a million rows and the first steps of a
network: reading, lifting paths, encoding, splitting, taking a fold, hashing and pickling, and the
fit until a few batches are trained: ``python examples/benchmarks/million_rows.py``. A few hundred
files stand under as many paths, which repeat; `--links` gives each row a name of its own. Each part
has a process of its own, whose peak stands beside what it had before. With `--profile` it prints
where the time of one part goes.
"""

import argparse
import cProfile
import json
import os
import pickle
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from PIL import Image

SIZE = 64


def write_table(folder, n_rows, n_files, links=False):
    """Write pictures of noise and a table that names them; return the table's path."""
    rng = np.random.default_rng(0)
    files = [Path(folder) / "photos" / f"{i:04d}.jpg" for i in range(n_files)]
    files[0].parent.mkdir()
    for path in files:
        pixels = rng.integers(256, size=(SIZE, SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    names = [files[i % n_files].name for i in range(n_rows)]
    if links:
        names = [f"{i:07d}.jpg" for i in range(n_files, n_files + n_rows)]
        for i, name in enumerate(names):
            os.link(files[i % n_files], files[0].parent / name)
    table = pd.DataFrame(
        {
            "photo": names,
            "age": rng.integers(20, 90, n_rows).astype(float),
            "sex": rng.choice(["male", "female"], n_rows),
            "site": rng.choice(["arm", "back", "face", "hand", "leg"], n_rows),
            "patient": [f"P{i}" for i in rng.integers(max(n_rows // 3, 10), size=n_rows)],
            "diagnosis": rng.choice(["benign", "malignant"], n_rows, p=[0.8, 0.2]),
        }
    )
    table.loc[rng.random(n_rows) < 0.1, "age"] = np.nan
    table.to_csv(Path(folder) / "lesions.csv", index=False)


class Parts:
    """The parts, in order; each needs what those before it have made."""

    def __init__(self, folder, n_batches):
        self.folder, self.n_batches = Path(folder), n_batches

    def read_csv(self):
        """Read the file."""
        table = pd.read_csv(self.folder / "lesions.csv", index_col=False)
        self.y, self.groups = table.pop("diagnosis"), table["patient"]
        self.table = table

    def as_images(self):
        """Lift the paths."""
        from sklearn_skin.image import as_images

        self.images = as_images(self.table["photo"], root=self.folder / "photos")

    def transform(self):
        """Encode the table, images included."""
        from sklearn_skin.preprocessing import make_lesion_transformer

        options = {"image_root": self.folder / "photos", "group_column": "patient"}
        self.transformer = make_lesion_transformer(image_columns="photo", **options)
        self.X = self.transformer.fit_transform(self.table)

    def split(self):
        """Make scikit-learn's folds, and take the first."""
        from sklearn.model_selection import StratifiedGroupKFold

        self.fold = next(StratifiedGroupKFold(5).split(self.table, self.y, self.groups))

    def grouped_folds(self):
        """Make the folds of the splits inside estimators."""
        from sklearn_skin.utils import grouped_folds

        self.folds = grouped_folds(pd.factorize(self.y)[0], self.groups.to_numpy(), 5, 0)

    def take(self):
        """Take four fifths of the rows."""
        rows = np.flatnonzero(np.arange(len(self.X)) % 5)
        self.taken, self.y_taken = self.X.iloc[rows], self.y.iloc[rows]

    def pickle_table(self):
        """Send the encoded table to a worker and back."""
        pickle.loads(pickle.dumps(self.X))

    def hash_table(self):
        """Hash the encoded table, as a checkpoint does."""
        joblib.hash(self.X)

    def check_columns(self):
        """Check the metadata for columns that give the label away."""
        from sklearn_skin.audit import check_data

        metadata = self.table.drop(columns=["photo"])
        check_data(metadata, self.y, group_column="patient", on_leak="ignore")

    def start(self):
        """Train a few batches, then stop as a callback may."""
        from skorch.callbacks import Callback

        from sklearn_skin.neural_network import JointFusionClassifier

        class Stop(Exception):
            pass

        class StopEarly(Callback):
            def on_batch_end(self, net, training=False, **kwargs):
                if len(net.history[-1]["batches"]) >= n_batches:
                    raise Stop

        n_batches = self.n_batches
        network = JointFusionClassifier(
            backbone="test_resnet",
            weights=None,
            image_size=SIZE,
            group_column="patient",
            cache_dir=self.folder / "cache",
            callbacks=[StopEarly()],
            random_state=0,
        )
        try:
            network.fit(self.taken, self.y_taken)
        except Stop:
            return
        raise RuntimeError("the network was not stopped")


NEEDS = {
    "read_csv": [],
    "as_images": ["read_csv"],
    "transform": ["read_csv"],
    "split": ["read_csv"],
    "grouped_folds": ["read_csv"],
    "take": ["read_csv", "transform"],
    "pickle_table": ["read_csv", "transform"],
    "hash_table": ["read_csv", "transform"],
    "check_columns": ["read_csv"],
    "start": ["read_csv", "transform", "take"],
}


def peak():
    """Return this process's largest resident memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(folder, name, n_batches, profile):
    """Do one part in this process, after what it needs; print seconds and both peaks as JSON."""
    from sklearn_skin.neural_network import JointFusionClassifier  # noqa: F401  no part's cost

    parts = Parts(folder, n_batches)
    for needed in NEEDS[name]:
        getattr(parts, needed)()
    before, start = peak(), time.perf_counter()
    if profile:
        with cProfile.Profile() as profiler:
            getattr(parts, name)()
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(40)
        return
    getattr(parts, name)()
    spent = time.perf_counter() - start
    print(json.dumps({"seconds": spent, "before": before, "peak": peak()}))


def main():
    """Print the table, or the profile of one part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[2])
    parser.add_argument("--rows", type=int, default=10**6)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--links", action="store_true", help="a file name for each row")
    parser.add_argument("--batches", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=list(NEEDS), default=list(NEEDS))
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--smallest", action="store_true", help="five hundred rows")
    parser.add_argument("--measure", nargs=2, metavar=("FOLDER", "PART"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        return measure(*options.measure, options.batches, options.profile)
    if options.smallest:
        options.rows, options.files = 500, 20
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        write_table(folder, options.rows, options.files, options.links)
        print("| part | rows | seconds | peak before (MB) | peak (MB) |")
        print("| :-- | --: | --: | --: | --: |")
        for name in options.parts:
            command = [sys.executable, __file__, "--measure", folder, name]
            command += ["--batches", str(options.batches)]
            if options.profile:
                subprocess.run([*command, "--profile"], check=True)
                continue
            printed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
            found[name] = json.loads(printed.splitlines()[-1])
            seconds, before, most = found[name].values()
            print(
                f"| {name} | {options.rows:,} | {seconds:.2f} | {before:.0f} | {most:.0f} |",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps({"rows": options.rows, "parts": found}))


if __name__ == "__main__":
    main()
