"""Runs of an evaluation that have finished, in memory and in a CSV file."""

import pickle
from pathlib import Path

import joblib
import pandas as pd

from sklearn_skin.utils import as_content, replacing

KEY = ("repeat", "fold")
SIZES = ("n_train", "n_valid", "n_test")
#: Columns of a run that are no scores.
COLUMNS = (*KEY, *SIZES, "fit_seconds", "fingerprint")


class FinishedRuns:
    """Rows of finished runs, each with the fingerprint of what it is a run of.

    Parameters
    ----------
    path : path-like or None
        CSV file; its runs are read, and every finished run is added at once.

    Raises
    ------
    ValueError
        If the file holds something else than runs.
    FileNotFoundError, IsADirectoryError
        If there is no such folder, or the path is one.
    """

    def __init__(self, path):
        self.path = None if path is None else Path(path)
        if self.path is not None and not self.path.parent.is_dir():
            raise FileNotFoundError(f"`path`: there is no folder {str(self.path.parent)!r}.")
        if self.path is not None and self.path.is_dir():
            raise IsADirectoryError(f"`path`: {str(self.path)!r} is a folder.")
        self.rows = self._read()

    def _read(self):
        if self.path is None or not self.path.exists():
            return []
        try:
            frame = pd.read_csv(self.path)
            missing = set(COLUMNS) - set(frame)
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            raise ValueError(f"`path`: {self.path} holds no runs: {error}") from error
        if missing or frame.isna()[list(COLUMNS)].any(axis=None):
            raise ValueError(
                f"`path`: {self.path} holds no runs, or was cut: it lacks values of "
                f"{sorted(missing) or list(COLUMNS)}. Choose another file."
            )
        return frame.to_dict("records")

    def has(self, key, fingerprint):
        """Return whether the run of this key has finished; a run of something else is an error."""
        for row in self.rows:
            if (row["repeat"], row["fold"]) == key:
                if row["fingerprint"] != fingerprint:
                    raise ValueError(
                        f"`path`: {self.path} holds runs of another model, protocol or data set; "
                        "choose another file."
                    )
                return True
        return False

    def add(self, row):
        """Keep a finished run."""
        self.rows.append(row)
        if self.path is None:
            return
        # Another process may have added its runs since.
        known = {(other["repeat"], other["fold"]) for other in self.rows}
        self.rows += [r for r in self._read() if (r["repeat"], r["fold"]) not in known]
        with replacing(self.path) as file:
            self._sorted().to_csv(file, index=False)

    def _sorted(self):
        return pd.DataFrame(self.rows).sort_values(list(KEY), ignore_index=True)

    def frame(self, keys):
        """Return the runs of these keys, one per row, without fingerprints."""
        frame = self._sorted()
        chosen = [pair in set(keys) for pair in zip(frame["repeat"], frame["fold"])]
        return frame[chosen].drop(columns="fingerprint").reset_index(drop=True)


def fingerprint(model, content):
    """Return the hash of a model's parameters and of everything else that a run follows from.

    Parameters
    ----------
    model : estimator
    content : object
        Anything that joblib can hash.
    """
    parts = {
        name: type(value).__name__ if hasattr(value, "get_params") else as_content(value)
        for name, value in model.get_params().items()
        if name != "steps"
    }
    for name, value in parts.items():
        _check_hashable(name, value)
    return joblib.hash((type(model).__name__, parts, content))


def _check_hashable(name, value):
    try:
        joblib.hash(value)
    except pickle.PicklingError as error:
        raise ValueError(
            f"`path` compares the model's parameters, and `{name}` cannot be: {error}. Make it a "
            "function of a module, or leave `path` out."
        ) from error
