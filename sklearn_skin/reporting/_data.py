"""Sections on the data: what the test rows are, and what leaks."""

import pandas as pd

from sklearn_skin.reporting._blocks import Cell, Facts, Heading, Section, Table, percent

_MAX_COLUMNS = 60


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
