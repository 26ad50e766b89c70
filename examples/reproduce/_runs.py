"""Long comparisons that can be killed at any time: one line of a CSV file per finished run."""

import csv
import json
import os
from pathlib import Path

import pandas as pd


class Runs:
    """Finished runs and their scores, in a CSV file.

    Parameters
    ----------
    path : path-like
        The file; it is made by the first record.
    keys : sequence of str
        Names of the parts of a run's key.
    settings : dict, default=None
        What all runs of the file have in common, as JSON in a file beside it. Runs of other
        settings are refused, so that a table never mixes them.

    Examples
    --------
    >>> import tempfile
    >>> runs = Runs(tempfile.mkdtemp() + "/runs.csv")
    >>> runs.record(("focal", 0), accuracy=0.8)
    >>> runs.record(("focal", 1), accuracy=0.9)
    >>> runs.done(("focal", 1)), runs.done(("focal", 2))
    (True, False)
    >>> runs.frame()["accuracy"].tolist()
    [0.8, 0.9]
    """

    def __init__(self, path, keys=("variant", "fold"), settings=None):
        self.path = Path(path)
        self.keys = list(keys)
        if settings is not None:
            self._check_settings(json.loads(json.dumps(settings)))

    def _check_settings(self, settings):
        beside = self.path.with_suffix(".json")
        if beside.exists() and self.path.exists():
            before = json.loads(beside.read_text())
            if before != settings:
                raise ValueError(
                    f"{self.path} holds runs of other settings: {before}; got {settings}. "
                    "Choose another file."
                )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(settings))

    def frame(self):
        """Return the finished runs, one per row."""
        if not self.path.exists():
            return pd.DataFrame(columns=self.keys)
        text = self.path.read_text()
        lines = list(csv.reader(text[: text.rfind("\n") + 1].splitlines()))  # not a cut line
        frame = pd.DataFrame(lines[1:], columns=lines[0] if lines else self.keys)
        scores = frame.columns.difference(self.keys, sort=False)
        return frame.astype(dict.fromkeys(scores, float))

    def done(self, key):
        """Return whether the run of this key has finished."""
        frame = self.frame()
        return bool((frame[self.keys] == [str(part) for part in key]).all(axis=1).any())

    def record(self, key, **scores):
        """Append the scores of a finished run."""
        frame = self.frame()
        names = [*self.keys, *scores]
        if len(frame) and list(frame.columns) != names:
            raise ValueError(f"{self.path} has the columns {list(frame.columns)}; got {names}.")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        start = self._cut_unfinished_line()
        with open(self.path, "a", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if start == 0:
                writer.writerow(names)
            writer.writerow([*key, *scores.values()])
            file.flush()
            os.fsync(file.fileno())

    def _cut_unfinished_line(self):
        """Cut what a killed process left of its last line; return the length of the file."""
        if not self.path.exists():
            return 0
        content = self.path.read_bytes()
        length = content.rfind(b"\n") + 1
        if length < len(content):
            os.truncate(self.path, length)
        return length
