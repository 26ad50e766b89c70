"""The section on the data: what the test rows are, and what leaks."""

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_consistent_length

from sklearn_skin.audit import check_data, check_leakage
from sklearn_skin.reporting._page import Cell, Facts, Heading, Section, Table, Text, percent

_MAX_COLUMNS = 60
_MAX_FINDINGS = 100


def data_section(cases, leakage):
    """Return the section that says what the test rows are.

    Parameters
    ----------
    cases : Cases
        The test rows.
    leakage : list of blocks
        What was found about leakage.
    """
    blocks = [Facts(_facts(cases))]
    blocks += [_class_table(task, len(cases.tasks) > 1) for task in cases.tasks]
    if cases.metadata.shape[1]:
        blocks.append(_column_table(cases.metadata))
    return Section("data", "Data and leakage", [*blocks, Heading("Leakage"), *leakage])


def _facts(cases):
    facts = [("Test rows", f"{len(cases):,}")]
    if cases.has_groups:
        sizes = pd.Series(cases.groups).value_counts()
        facts.append(("Patients (groups)", f"{len(sizes):,}, with 1 to {sizes.max()} rows"))
    else:
        facts.append(("Patients (groups)", "not given: every row counts as a patient of its own"))
    for name, images in cases.images.items():
        there = len(images) - int(images.isna().sum())
        facts.append((f"Images in “{name}”", f"{there:,} of {len(images):,}"))
    facts.append(("Metadata columns", f"{cases.metadata.shape[1]}"))
    if cases.missing_share is not None:
        facts.append(("Missing metadata values", percent(cases.missing_share.mean())))
    return facts


def _class_table(task, several):
    counts = pd.Series(task.codes[task.known]).value_counts()
    rows = []
    for code, name in enumerate(task.names):
        count = int(counts.get(code, 0))
        share = count / max(1, int(task.known.sum()))
        rows.append([name, count, Cell(percent(share), value=share)])
    unknown = int((~task.known).sum())
    if unknown:
        rows.append([Cell("no label"), unknown, Cell("–", value=float("nan"))])
    caption = f"Classes of {task.name}" if several else "Classes"
    return Table(caption, ["Class", "Rows", "Share"], rows)


def _column_table(metadata):
    rows = []
    for name in list(metadata.columns)[:_MAX_COLUMNS]:
        column = metadata[name]
        missing = float(column.isna().mean())
        rows.append([str(name), Cell(percent(missing), value=missing), _values(column)])
    more = metadata.shape[1] - len(rows)
    caption = "Metadata columns" + (f" (the first {len(rows)}; {more} more)" if more else "")
    return Table(caption, ["Column", "Missing", "Values"], rows)


def _values(column):
    known = column.dropna()
    if not len(known):
        return "none"
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return f"{known.min():g} to {known.max():g}, median {known.median():g}"
    counts = known.astype("str").value_counts()
    listed = ", ".join(f"{name} ({count})" for name, count in counts.head(5).items())
    return listed + (f", and {len(counts) - 5} more" if len(counts) > 5 else "")


def leakage_blocks(cases, y, X_train, groups_train):
    """Return what was found about leakage, as blocks.

    Parameters
    ----------
    cases : Cases
        The test rows.
    y : array-like of shape (n,) or (n, T)
        True labels.
    X_train : DataFrame or array-like, or None
        The rows that the models were fitted on.
    groups_train : array-like or None
        Their patients.
    """
    if not (cases.images or cases.metadata.shape[1]):
        return [Text("X is no table; nothing was checked.")]
    report = check_data(cases.table, y, image_columns=list(cases.images), on_leak="ignore")
    blocks = _findings(
        report.to_frame(),
        "the test rows: unreadable or identical images, columns or gaps that give the label away",
    )
    if X_train is None:
        text = "Training rows were not given (`X_train`): overlap with them was not checked."
        return [*blocks, Text(text, "warning")]
    return blocks + _overlap(cases, X_train, groups_train)


def _overlap(cases, X_train, groups_train):
    check_consistent_length(X_train, groups_train)
    train = cases.as_table(X_train)
    both = pd.concat([train, cases.table])
    groups = None
    if groups_train is not None and cases.has_groups:
        groups = np.concatenate([np.asarray(groups_train, dtype=object), cases.groups])
    # Rows of both may have the same index: positions tell them apart.
    split = np.arange(len(train)), np.arange(len(train), len(both))
    report = check_leakage(
        both, None, groups, [split], image_columns=list(cases.images), on_leak="ignore"
    )
    found = report.to_frame()
    # Names and unreadable images of the test rows were told before.
    found = found[found["check"].isin(["rows", "groups", "images"])]
    what = "patients or nearly identical images" if groups is not None else "identical images"
    blocks = _findings(found, f"{len(train):,} training rows and the test rows: shared {what}")
    if groups is None:
        text = "Patients of the training rows were not compared: that needs both groups."
        blocks.append(Text(text, "warning"))
    return blocks


def _findings(found, where):
    if not len(found):
        return [Text(f"✓ Nothing found in {where}.")]
    shown = found.head(_MAX_FINDINGS)
    more = f" (the first {_MAX_FINDINGS})" if len(found) > _MAX_FINDINGS else ""
    return [
        Text(f"⚠ {len(found):,} finding{'s' * (len(found) > 1)} in {where}.", "warning"),
        Table(f"Findings{more}", ["Check", "Finding"], shown.to_numpy().tolist(), n_names=2),
    ]
