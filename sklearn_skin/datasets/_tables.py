"""Reading the tables of published data sets, and making their columns uniform."""

from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_skin.utils import warn_user

# What the owners write where they do not know.
UNKNOWN = ("", "unknown", "unk", "nan", "na", "n/a", "none")


def check_root(root, source):
    """Return `root` as a Path that is a folder."""
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(
            f"`root` must be the data set's folder; {folder} is not one. {source.where}"
        )
    return folder


def read_table(source, root, names, columns):
    """Read the first table of `names` that is below `root`, and check its columns.

    Parameters
    ----------
    source : Source
    root : pathlib.Path
    names : sequence of str
        File names to try, in order; ``.tab`` files are tab-separated.
    columns : sequence of str
        Columns that must be there.

    Returns
    -------
    DataFrame
        With these columns first; spaces around column names are gone.
    """
    path = next((root / name for name in names if (root / name).is_file()), None)
    if path is None:
        raise FileNotFoundError(f"{' or '.join(names)} is missing in {root}. {source.where}")
    # "NA" and "None" are words in some columns; `text` decides which of them mean missing.
    table = pd.read_csv(
        path,
        sep="\t" if path.suffix == ".tab" else ",",
        na_values=[""],
        keep_default_na=False,
        # In chunks pandas would guess the type of a column anew each time, and mix them.
        low_memory=False,
    )
    table.columns = table.columns.str.strip()
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(
            f"{path} must have the columns {missing}; it has {list(table.columns)}. {source.where}"
        )
    return table


def text(values, *, case="lower", rename=None):
    """Return a column of text: trimmed, in one case, words for "unknown" as NaN."""
    # pandas' str keeps NaN, where Python's makes the word "nan" of it.
    values = values.astype("str").str.strip()
    values = values.mask(values.str.lower().isin(UNKNOWN))
    values = getattr(values.str, case)() if case else values
    return values.replace(rename) if rename else values


def truth(values):
    """Return a column of "True", "False" and NaN from the ways these are written."""
    words = text(values)
    words = words.replace(
        {"1": "true", "1.0": "true", "0": "false", "0.0": "false", "yes": "true", "no": "false"}
    )
    _check_words(words, ["true", "false"])
    return words.str.capitalize()


def number(values, *, zero_is_missing=False):
    """Return a column of float64 with NaN for what is unknown."""
    words = text(values)
    numbers = pd.to_numeric(words, errors="coerce").astype(np.float64)
    # to_numeric would raise by itself, without the row.
    wrong = words[numbers.isna() & words.notna()]
    if len(wrong):
        raise ValueError(
            f"column {values.name!r} must hold numbers; "
            f"row {wrong.index[0]!r} has {wrong.iloc[0]!r}."
        )
    return numbers.mask(numbers == 0) if zero_is_missing else numbers


def labels(values, groups):
    """Return a column of class names.

    Parameters
    ----------
    values : Series of str
    groups : dict of str to tuple of str
        Class -> the published words, in lower case, that it comprises.
    """
    words = text(values)
    _check_words(words, [word for group in groups.values() for word in group])
    if words.isna().any():
        raise ValueError(
            f"column {values.name!r} must hold a label in every row; "
            f"row {words.index[words.isna()][0]!r} has none."
        )
    return words.replace({word: name for name, group in groups.items() for word in group})


def read_one_hot(source, root, name, ids, index_name):
    """Return the target of a table with a column of ids, `ids`, and a 0/1 column per class."""
    table = read_table(source, root, (name,), [ids, *source.counts])
    table = set_row_names(table, table[ids], index_name)
    classes = sorted(source.counts)
    hot = np.column_stack([number(table[column]).to_numpy() for column in classes]) > 0.5
    wrong = np.flatnonzero(hot.sum(axis=1) != 1)
    if len(wrong):
        raise ValueError(
            f"each row must have exactly one of {classes} set; row {table.index[wrong[0]]!r} "
            f"has {int(hot[wrong[0]].sum())} (as have {len(wrong)} rows)."
        )
    return pd.Series(np.asarray(classes)[hot.argmax(axis=1)], table.index, "str", "diagnosis")


def check_rows(source, name, index, rows):
    """Raise where the labelled rows `index` are not all among the `rows` of the table `name`."""
    unknown = index.difference(pd.Index(rows))
    if len(unknown):
        raise ValueError(
            f"{name} must have a row for each one that is labelled; {len(unknown)} have none, "
            f"first {unknown[0]!r}. {source.where}"
        )


def set_row_names(table, ids, name):
    """Return `table` with unique row labels."""
    ids = ids.astype("str").str.strip()
    if ids.isna().any() or ids.duplicated().any():
        wrong = ids[ids.isna() | ids.duplicated()].iloc[0]
        raise ValueError(f"column {ids.name!r} must name each row once; {wrong!r} does not.")
    return table.set_axis(pd.Index(ids, name=name, dtype="str"))


def warn_of_counts(target, source):
    """Warn where the classes are not as frequent as in the published table."""
    found = target.value_counts().to_dict()
    wrong = {
        name: (count, found.get(name, 0))
        for name, count in source.counts.items()
        if found.get(name, 0) != count
    }
    if wrong:
        table = ", ".join(f"{name} {has} of {wants}" for name, (wants, has) in wrong.items())
        warn_user(
            f"The table's class counts are not the published ones: {table}. "
            f"Is it a part of the data set, or another version? {source.where}",
        )


def _check_words(words, allowed):
    wrong = words[words.notna() & ~words.isin(allowed)]
    if len(wrong):
        raise ValueError(
            f"column {words.name!r} must hold {sorted(allowed)}; "
            f"row {wrong.index[0]!r} has {wrong.iloc[0]!r}."
        )
