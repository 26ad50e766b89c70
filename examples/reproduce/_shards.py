"""Long comparisons by several processes, and their Markdown tables."""

import argparse
import atexit
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from _runs import Runs
from sklearn.model_selection import train_test_split

from sklearn_skin.datasets import make_lesions

# What changes where, how and which fits run, not what they are.
_INDIFFERENT = {"root", "csv", "table", "shard", "cache_dir", "device", "operators"}


class ShardedRuns(Runs):
    """Finished fits of processes that share the work, each with a CSV file of its own.

    Parameters
    ----------
    options : argparse.Namespace
        Parsed by a parser of `make_parser`.
    keys : list of str
        Names of the parts of a fit's key.
    """

    def __init__(self, options, keys):
        self.mine, self.n_shards = map(int, options.shard.split("/"))
        settings = {k: v for k, v in vars(options).items() if k not in _INDIFFERENT}
        super().__init__(options.csv, keys, None if options.table else settings)
        self.whole = self.path
        if self.n_shards > 1:
            shard = f".{self.mine}-of-{self.n_shards}.csv"
            self.path = self.path.with_name(self.path.stem + shard)

    def frame(self):
        """Return the finished fits of all processes."""
        files = [self.whole, *sorted(self.whole.parent.glob(f"{self.whole.stem}.*-of-*.csv"))]
        frames = [Runs(path, self.keys).frame() for path in files if path.exists()]
        if not frames:
            return pd.DataFrame(columns=self.keys)
        return pd.concat(frames, ignore_index=True)

    def pending(self, keys):
        """Yield those of `keys` that are this process's and not recorded yet."""
        for number, key in enumerate(keys):
            if number % self.n_shards == self.mine and not self.done(key):
                yield key


def make_parser(description, csv):
    """Return an argument parser with the options that all scripts share."""
    parser = argparse.ArgumentParser(description=description.strip().splitlines()[0])
    parser.add_argument("root", nargs="?", help="folder of the unpacked data set")
    parser.add_argument(
        "--smallest", action="store_true", help="a few drawn lesions instead of ROOT, in seconds"
    )
    parser.add_argument("--csv", default=csv, help="CSV file of finished fits")
    parser.add_argument("--table", action="store_true", help="print the tables and fit nothing")
    parser.add_argument("--shard", default="0/1", help="i/n: do every n-th fit from the i-th")
    parser.add_argument("--rows", type=int, help="use the first rows only, to try the script")
    parser.add_argument("--cache-dir", default="auto", help="where decoded pixels are kept")
    return parser


def parse(parser, **smallest):
    """Return the options; with --smallest those that `smallest` gives, and no file is kept."""
    options = parser.parse_args()
    if options.smallest:
        folder = tempfile.mkdtemp()
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        vars(options).update(smallest, csv=str(Path(folder) / "fits.csv"), cache_dir=None)
    elif options.root is None and not options.table:
        parser.error("give ROOT, or --smallest, or --table")
    return options


def load(loader, options, *, image_columns=("image",), n_tasks=1, **more):
    """Return what `loader` finds in ROOT, or with --smallest drawn lesions of such columns."""
    if not options.smallest:
        return loader(options.root, **more)
    return make_lesions(
        60,
        image_columns=image_columns,
        n_tasks=n_tasks,
        image_size=32,
        images_per_lesion=2,
        random_state=0,
    )


def split_rows(labels, seed, *, trying=False):
    """Return row numbers of 80 % for training and 20 % for testing, stratified by label.

    With `trying`, on a few rows where some classes have one row, not stratified.
    """
    strata = None if trying else labels
    return train_test_split(
        np.arange(len(labels)), test_size=0.2, stratify=strata, random_state=seed
    )


def markdown(lines):
    """Return a Markdown table: the first line is its head, the first column is text."""
    head, *rows = [list(map(str, line)) for line in lines]
    rule = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *rows])


def spread(values, digits=3):
    """Return "mean ± sd" (ddof=1), the mean alone where values do not differ, or a dash for NaN."""
    if np.isnan(values).all():
        return "–"
    text = f"{values.mean():.{digits}f}"
    # What follows from the model alone, such as its size, has no spread.
    if len(values) < 2 or np.ptp(values) == 0:
        return text
    return f"{text} ± {values.std(ddof=1):.{digits}f}"


def score_table(frame, by, scores, notes=None):
    """Return a Markdown table with a line per value of the column `by`.

    `scores` maps columns to headings; `notes` maps a heading to {value of `by`: text}.
    """
    notes = notes or {}
    lines = [[by, *scores.values(), "fits", *notes]]
    for name, part in frame.groupby(by, sort=False):
        cells = [spread(part[score]) for score in scores]
        texts = [texts.get(name, "") for texts in notes.values()]
        lines.append([name, *cells, len(part), *texts])
    return markdown(lines)
