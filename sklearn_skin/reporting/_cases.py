"""The test rows: tasks, groups, subgroups and metadata, checked and aligned."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils.validation import check_consistent_length

from sklearn_skin.datasets import age_bands
from sklearn_skin.image import ImageDtype, as_images
from sklearn_skin.utils import known_task_labels, list_names

MISSING = "missing"
# More different numbers than this are put into bands.
_MAX_LEVELS = 8


class Task(NamedTuple):
    """A target: its name, classes, and the code of each row (-1 where not known)."""

    name: str
    classes: np.ndarray
    codes: np.ndarray

    @property
    def known(self):
        """Whether each row has a label, shape (n,)."""
        return self.codes >= 0

    @property
    def names(self):
        """The classes as text."""
        return [str(label) for label in self.classes]


class Cases:
    """The rows that a report is about.

    Parameters
    ----------
    X : DataFrame or array-like of n rows
        Test rows as the models take them.
    y : array-like of shape (n,) or (n, T)
        True labels; NaN and None are missing.
    groups : array-like of shape (n,) or None
        Patients; every row on its own by default.
    subgroups : DataFrame, dict, list of str or None
        Attributes to break the evaluation down by, or their columns in X.
    networks : list of BaseLesionClassifier
        Networks among the models: they know which columns are images or groups.
    known_classes : callable
        Takes the position of a task and returns the classes that the models know.

    Attributes
    ----------
    tasks : list of Task
    table : DataFrame
        X, its columns named by text.
    metadata : DataFrame
        Its columns that are neither images nor groups.
    images : dict of str to ImageArray
    labels : ndarray of shape (n,)
        Row labels.
    groups : ndarray of shape (n,)
    has_groups : bool
        Whether groups were given.
    subgroups : DataFrame
        Text, with "missing" as its own group.
    missing_share : ndarray of shape (n,), or None
        Share of the metadata that is missing in each row.
    """

    def __init__(self, X, y, groups, subgroups, networks, known_classes):
        labels = known_task_labels(y)
        check_consistent_length(X, labels[0].values, groups)
        self.X = X
        self.tasks = _tasks(y, labels, known_classes)
        self._hidden = {network.group_column for network in networks}
        paths = {name for network in networks for name in network.image_columns_}
        self.table = self.as_table(X)
        self.images = {
            name: as_images(column)
            for name, column in self.table.items()
            if isinstance(column.dtype, ImageDtype) or name in paths
        }
        self.metadata = self.table.drop(columns=list(self.images))
        self.labels = np.asarray(X.index if isinstance(X, pd.DataFrame) else range(len(y)))
        self.has_groups = groups is not None
        self.groups = np.asarray(range(len(self)) if groups is None else groups, dtype=object)
        self.subgroups = _subgroups(subgroups, X, len(self))
        self.missing_share = None
        if self.metadata.shape[1]:
            self.missing_share = self.metadata.isna().to_numpy().mean(axis=1)

    def __len__(self):
        return len(self.tasks[0].codes)

    def as_table(self, X):
        """Return X, or other rows with its columns, as a DataFrame without group columns."""
        if isinstance(X, pd.DataFrame):
            table = X[[name for name in X if name not in self._hidden]]
            return table.set_axis([str(name) for name in table], axis=1)
        if sparse.issparse(X) or np.ndim(X) != 2:
            return pd.DataFrame(index=range(X.shape[0] if hasattr(X, "shape") else len(X)))
        return pd.DataFrame(np.asarray(X)).rename(columns=lambda j: f"feature {j}")

    @property
    def n_groups(self):
        """Number of patients."""
        return len(pd.unique(self.groups))


def _tasks(y, labels, known_classes):
    if isinstance(y, pd.DataFrame):
        names = [str(name) for name in y.columns]
    elif len(labels) == 1:
        names = [str(getattr(y, "name", None) or "target")]
    else:
        names = [f"task {task}" for task in range(len(labels))]
    tasks = []
    for position, (name, found) in enumerate(zip(names, labels)):
        classes = sorted_union(found.classes, *known_classes(position))
        codes = np.full(len(found.values), -1)
        codes[found.known] = codes_of(found.labels, classes)
        tasks.append(Task(name, classes, codes))
    return tasks


def sorted_union(*parts):
    """Return the different labels of several arrays; of mixed kinds they are sorted as text."""
    labels = {label for part in parts for label in np.asarray(part).tolist()}
    try:
        ordered = sorted(labels)
    except TypeError:
        ordered = sorted(labels, key=str)
    return pd.Index(ordered).to_numpy()


def codes_of(labels, classes):
    """Return the position of each label in `classes`, -1 for an unknown one."""
    return pd.Index(classes).get_indexer(np.asarray(labels).tolist())


def _subgroups(subgroups, X, n_rows):
    """Return attributes as text columns in the order of X's rows."""
    if subgroups is None:
        return pd.DataFrame(index=range(n_rows))
    if isinstance(subgroups, list | tuple):
        unknown = [name for name in subgroups if name not in getattr(X, "columns", [])]
        if unknown:
            raise ValueError(f"`subgroups` names columns that X lacks: {list_names(unknown)}.")
        subgroups = X[list(subgroups)]
    if not isinstance(subgroups, pd.DataFrame):
        columns = {name: np.asarray(subgroups[name]) for name in subgroups}
        check_consistent_length(*columns.values())
        subgroups = pd.DataFrame(columns)
    elif isinstance(X, pd.DataFrame) and not subgroups.index.equals(X.index):
        # The attributes of a whole data set fit the rows that were held out of it.
        if subgroups.index.is_unique and X.index.isin(subgroups.index).all():
            subgroups = subgroups.loc[X.index]
    if len(subgroups) != n_rows:
        raise ValueError(
            f"`subgroups` must have a row for each of the {n_rows} rows of X; got "
            f"{len(subgroups)} rows with other labels."
        )
    return pd.DataFrame(
        {str(name): _levels(subgroups[name].reset_index(drop=True)) for name in subgroups}
    )


def _levels(values):
    """Return an attribute as ordered categories, the missing ones last."""
    if pd.api.types.is_numeric_dtype(values) and values.nunique() > _MAX_LEVELS:
        if "age" in str(values.name).lower():
            values = age_bands(values)
        else:
            values = pd.qcut(values, 4, duplicates="drop")
        order = [str(level) for level in values.cat.categories]
    else:
        order = [str(level) for level in sorted_union(values.dropna())]
    text = values.astype("object").map(str, na_action="ignore").fillna(MISSING)
    order = [level for level in dict.fromkeys([*order, MISSING]) if (text == level).any()]
    return pd.Categorical(text, categories=order, ordered=True)
