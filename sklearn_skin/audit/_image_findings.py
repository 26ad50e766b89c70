"""Tables of the images that are the same."""

import numpy as np
import pandas as pd

from sklearn_skin.audit._image_copies import (
    content_numbers,
    full_picture,
    identical_copies,
    near_copies,
    read_thumbnails,
)
from sklearn_skin.audit._splits import parting_splits


def image_findings(table, sides, max_distance, cache, n_jobs):
    """Return the tables `unreadable`, `images` and `labels`, and the number of images.

    Parameters
    ----------
    table : CheckedTable
        What is examined.
    sides : list of (str, ndarray, ndarray), or None
        Splits as `read_splits` returns them. None asks what a split by groups may part; an
        empty list keeps every pair.
    max_distance : int or None
        Bits in which hashes of nearly identical images may differ; None looks for identical
        images alone.
    cache, n_jobs : PixelCache, int
        As in `load_pixels`.

    Returns
    -------
    findings : dict
        Named as in `LeakageReport`.
    """
    thumbnails, rows, columns, unreadable = read_thumbnails(
        table.X, table.images, cache=cache, n_jobs=n_jobs
    )
    content = content_numbers(thumbnails, lambda i: full_picture(table.images[columns[i]], rows[i]))
    pairs = pd.DataFrame(identical_copies(content), columns=["i", "j"]).assign(
        kind="identical", distance=0, similarity=1.0, orientation="as it is"
    )
    labels = _different_labels(_as_rows(pairs, rows, columns), table)
    if max_distance is not None:
        near = near_copies(thumbnails, content, max_distance).assign(kind="near")
        # An empty part would turn the positions into objects, which index nothing.
        pairs = pd.concat([part for part in (pairs, near) if len(part)] or [pairs])
    pairs = _with_facts(_as_rows(pairs, rows, columns), table, sides or [])
    images = _name_rows(pairs[_is_leak(pairs, sides)], table.X.index)
    return {"unreadable": unreadable, "images": images, "labels": labels, "n_images": len(rows)}


def _with_facts(pairs, table, sides):
    first, second = pairs["row_1"].to_numpy(), pairs["row_2"].to_numpy()
    return pairs.assign(
        same_group=_same_group(table.groups, first, second),
        same_label=_same_label(table.tasks, first, second),
        splits=parting_splits(first, second, sides, len(table.X)),
    )


def _as_rows(pairs, rows, columns):
    """Put rows and columns in place of positions; two pictures of one row are no pair."""
    i, j = pairs["i"].to_numpy(), pairs["j"].to_numpy()
    located = {"row_1": rows[i], "row_2": rows[j], "column_1": columns[i], "column_2": columns[j]}
    pairs = pd.DataFrame(located).join(pairs.drop(columns=["i", "j"]).reset_index(drop=True))
    return pairs[pairs["row_1"] != pairs["row_2"]].reset_index(drop=True)


def _is_leak(pairs, sides):
    """Return whether each pair is one that the splits part, or may part."""
    if sides is None:
        return pairs["same_group"].ne(True)  # also where there are no groups
    return pairs["splits"].ne("") if sides else np.ones(len(pairs), dtype=bool)


def _same_group(groups, first, second):
    if groups is None:
        return np.full(len(first), None, dtype=object)
    return (groups[first] == groups[second]).astype(object)


def _same_label(tasks, first, second):
    """Return whether the labels that both rows have agree; None if there are no labels."""
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
