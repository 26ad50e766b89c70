"""
What `check_data` and `check_leakage` find in the public data sets.

``python examples/reproduce/flaws.py FOLDER``: FOLDER holds the data sets by name, ``ham10000``,
``pad_ufes_20`` and ``milk10k``; those that are not there are left out. Gaps are judged with every
group counted once, as `check_leakage` does.
"""

import argparse
from pathlib import Path

from _shards import markdown

from sklearn_skin import datasets
from sklearn_skin.audit import check_data, check_leakage

LOADERS = {
    "ham10000": datasets.load_ham10000,
    "pad_ufes_20": datasets.load_pad_ufes_20,
    "milk10k": datasets.load_milk10k,
}
HEAD = [
    "data set",
    "identical pairs",
    "of two groups",
    "with two labels",
    "nearly identical pairs of two groups",
    "columns that tell the label",
    "columns whose gaps tell it",
    "their AUC",
]


def describe(name, bunch):
    """Return a line of the table."""
    alone = check_data(bunch.data, bunch.target, on_leak="ignore")
    split = check_leakage(bunch.data, bunch.target, bunch.groups, on_leak="ignore")
    print(f"{name}: {split}\n", flush=True)
    same, parted = alone.images["kind"] == "identical", split.images
    gaps = split.missingness
    gap = gaps.loc[gaps["auc"].idxmax()] if len(gaps) else None
    return [
        name,
        same.sum(),
        (parted["kind"] == "identical").sum(),
        len(alone.labels),
        (parted["kind"] == "near").sum(),
        split.columns["column"].nunique(),
        len(gaps),
        "–" if gap is None else f"up to {gap['auc']:.2f} for {gap['class']}",
    ]


def find_sets(options):
    if options.smallest:
        return {"drawn": datasets.make_lesions(24, image_size=32, random_state=0)}
    roots = {name: Path(options.folder) / name for name in LOADERS}
    return {
        name: LOADERS[name](root, include_leaky=True)
        for name, root in roots.items()
        if root.is_dir()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("folder", nargs="?", help="folder of the data sets")
    parser.add_argument("--smallest", action="store_true", help="a few drawn lesions instead")
    options = parser.parse_args()
    if options.folder is None and not options.smallest:
        parser.error("give FOLDER, or --smallest")
    print(markdown([HEAD, *(describe(*named) for named in find_sets(options).items())]))


if __name__ == "__main__":
    main()
