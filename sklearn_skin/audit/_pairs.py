"""Tables of the images that are the same."""

import numpy as np
import pandas as pd

from sklearn_skin.audit._images import (
    full_picture,
    identical_pairs,
    near_pairs,
    read_thumbnails,
    same_pixels,
)
from sklearn_skin.audit._splits import crossing


def add_images(report, table, sides, max_distance, cache, n_jobs):
    """Add the tables `unreadable`, `images` and `labels`.

    `sides` None asks what a split by groups may part; an empty list keeps every pair.
    """
    thumbnails, rows, columns, report.unreadable = read_thumbnails(
        table.X, table.images, cache=cache, n_jobs=n_jobs
    )
    report.n_images = len(rows)
    number = same_pixels(thumbnails, lambda i: full_picture(table.images[columns[i]], rows[i]))
    pairs = pd.DataFrame(identical_pairs(number), columns=["i", "j"]).assign(
        kind="identical", distance=0, similarity=1.0, orientation="as it is"
    )
    report.labels = _different_labels(_with_rows(pairs, rows, columns), table)
    if max_distance is not None:
        near = near_pairs(thumbnails, number, max_distance).assign(kind="near")
        pairs = pd.concat([part for part in (pairs, near) if len(part)] or [pairs])
    pairs = _with_rows(pairs, rows, columns)
    first, second = pairs["row_1"].to_numpy(), pairs["row_2"].to_numpy()
    pairs["same_group"] = _equal(table.groups, first, second)
    pairs["same_label"] = _same_label(table.tasks, first, second)
    pairs["splits"] = crossing(first, second, sides or [], len(table.X))
    report.images = _name_rows(pairs[_parted(pairs, sides)], table.X.index)


def _with_rows(pairs, rows, columns):
    """Put rows and columns in place of positions; two pictures of one row are no pair."""
    i, j = pairs["i"].to_numpy(), pairs["j"].to_numpy()
    located = {"row_1": rows[i], "row_2": rows[j], "column_1": columns[i], "column_2": columns[j]}
    pairs = pd.DataFrame(located).join(pairs.drop(columns=["i", "j"]).reset_index(drop=True))
    return pairs[pairs["row_1"] != pairs["row_2"]].reset_index(drop=True)


def _parted(pairs, sides):
    if sides is None:
        return pairs["same_group"].ne(True)  # also where there are no groups
    return pairs["splits"].ne("") if sides else np.ones(len(pairs), dtype=bool)


def _equal(values, first, second):
    """Return whether two rows have the same value; None where it is not known."""
    if values is None:
        return np.full(len(first), None, dtype=object)
    return (values[first] == values[second]).astype(object)


def _same_label(tasks, first, second):
    if not tasks:
        return np.full(len(first), None, dtype=object)
    same = np.ones(len(first), dtype=bool)
    for labels in tasks.values():
        known = labels.known[first] & labels.known[second]
        same &= ~known | (labels.values[first] == labels.values[second])
    return same.astype(object)


def _different_labels(pairs, table):
    found = []
    for task, labels in table.tasks.items():
        first, second = pairs["row_1"].to_numpy(), pairs["row_2"].to_numpy()
        known = labels.known[first] & labels.known[second]
        part = pairs[known & (labels.values[first] != labels.values[second])]
        found.append(
            part[["row_1", "row_2", "column_1", "column_2"]].assign(
                task=task,
                label_1=labels.values[part["row_1"]],
                label_2=labels.values[part["row_2"]],
            )
        )
    names = ["row_1", "row_2", "column_1", "column_2", "task", "label_1", "label_2"]
    some = [part for part in found if len(part)]
    return _name_rows(pd.concat(some) if some else pd.DataFrame(columns=names), table.X.index)


def _name_rows(pairs, index):
    for name in ("row_1", "row_2"):
        pairs = pairs.assign(**{name: index[pairs[name].to_numpy(dtype=np.intp)].to_numpy()})
    return pairs.reset_index(drop=True)
