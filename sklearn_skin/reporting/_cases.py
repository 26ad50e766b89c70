"""The test rows, and what the models say about them: checked and aligned."""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sklearn_skin.datasets import age_bands
from sklearn_skin.image import ImageDtype, as_images
from sklearn_skin.utils import known_task_labels, list_names, split_pipeline

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
    estimators : iterable of estimator
        The models: they know further classes; networks, which columns are images or groups.

    Attributes
    ----------
    tasks : list of Task
    table : DataFrame
        X, its columns named by text.
    metadata : DataFrame
        Its columns that are neither images nor groups.
    images : dict of str to ImageArray
    row_names : ndarray of shape (n,)
        Index of X, or positions.
    groups : ndarray of shape (n,)
    has_groups : bool
        Whether groups were given.
    subgroups : DataFrame
        Text, with "missing" as its own group.
    missing_share : ndarray of shape (n,), or None
        Share of the metadata that is missing in each row.
    """

    def __init__(self, X, y, groups, subgroups, estimators):
        labels = known_task_labels(y)
        check_consistent_length(X, labels[0].values, groups)
        self.X = X
        self.tasks = _tasks(y, labels, [classes_per_task(model) for model in estimators])
        networks = [net for net in map(find_network, estimators) if net is not None]
        self._hidden = {network.group_column for network in networks}
        paths = {name for network in networks for name in network.image_columns_}
        self.table = self.as_table(X)
        self.images = {
            name: as_images(column)
            for name, column in self.table.items()
            if isinstance(column.dtype, ImageDtype) or name in paths
        }
        self.metadata = self.table.drop(columns=list(self.images))
        self.row_names = np.asarray(X.index if isinstance(X, pd.DataFrame) else range(len(y)))
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


def _tasks(y, labels, known):
    if isinstance(y, pd.DataFrame):
        names = [str(name) for name in y.columns]
    elif len(labels) == 1:
        names = [str(getattr(y, "name", None) or "target")]
    else:
        names = [f"task {task}" for task in range(len(labels))]
    tasks = []
    for position, (name, found) in enumerate(zip(names, labels)):
        others = [classes[position] for classes in known if len(classes) > position]
        classes = sorted_union(found.classes, *others)
        codes = np.full(len(found.values), -1)
        codes[found.known] = codes_of(found.labels, classes)
        tasks.append(Task(name, classes, codes))
    return tasks


def sorted_union(*parts):
    """Return the different labels of several arrays; of mixed kinds they are sorted as text."""
    labels = {label for part in parts for label in np.asarray(part).tolist()}
    try:
        ordered = sorted(labels)  # not as text: 10 comes after 9
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
        # "age_approx", but not "stage" or "percentage".
        if "age" in re.split(r"[\W_]+", str(values.name).lower()):
            values = age_bands(values)
        else:
            values = pd.qcut(values, 4, duplicates="drop")
        order = [str(level) for level in values.cat.categories]
    else:
        order = [str(level) for level in sorted_union(values.dropna())]
    text = values.astype("object").map(str, na_action="ignore").fillna(MISSING)
    order = [level for level in dict.fromkeys([*order, MISSING]) if (text == level).any()]
    return pd.Categorical(text, categories=order, ordered=True)


class Prediction(NamedTuple):
    """A model's answer to a task: codes (n,), and per class scores and probabilities, or None.

    `scores` rank the rows; they are the probabilities where the model has them.
    """

    codes: np.ndarray
    scores: np.ndarray | None
    proba: np.ndarray | None

    @property
    def confidence(self):
        """The probability (n,) of the predicted class."""
        return np.take_along_axis(self.proba, self.codes[:, None], axis=1)[:, 0]


def named_estimators(estimators):
    """Return {name: fitted estimator}, or raise an error that names the model.

    Parameters
    ----------
    estimators : estimator, list of (str, estimator), or dict of str to estimator
        The models.
    """
    if hasattr(estimators, "predict"):
        estimators = {type(estimators).__name__: estimators}
    elif isinstance(estimators, list | tuple):
        names = [pair[0] for pair in estimators if isinstance(pair, list | tuple)]
        if len(names) != len(estimators) or len(set(names)) != len(names):
            raise ValueError(
                "`estimators` must be an estimator, a dict, or a list of (name, estimator) with "
                f"different names; got {estimators!r}."
            )
        estimators = dict(estimators)
    if not isinstance(estimators, dict) or not estimators:
        raise ValueError(f"`estimators` must hold at least one estimator; got {estimators!r}.")
    for name, estimator in estimators.items():
        if not hasattr(estimator, "predict") or isinstance(estimator, type):
            raise TypeError(
                f"`estimators` must hold fitted classifiers; {name!r} is {estimator!r}."
            )
        try:
            check_is_fitted(estimator)
        except NotFittedError as error:
            raise NotFittedError(
                f"`estimators`: {name!r} is not fitted. X and y are test rows: fit every model "
                "on other rows first."
            ) from error
    return {str(name): estimator for name, estimator in estimators.items()}


def classes_per_task(estimator):
    """Return the classes of an estimator as a list over tasks, empty if it does not tell."""
    classes = getattr(estimator, "classes_", None)
    if classes is None or len(classes) == 0:
        return []
    return list(classes) if np.ndim(classes[0]) == 1 else [np.asarray(classes)]


def find_network(estimator):
    """Return the fitted network of this package inside Pipelines and searches, or None."""
    network = split_pipeline(estimator)[0]
    # Ensembles of networks have branches too, but only a network has a history of epochs.
    is_network = hasattr(network, "predict_branches") and hasattr(network, "history_")
    return network if is_network else None


def predict(name, estimator, cases):
    """Return the Prediction of every task.

    Parameters
    ----------
    name : str
        The model's name in messages.
    estimator : estimator
        The fitted model.
    cases : Cases
        The test rows.

    Raises
    ------
    ValueError
        If the model has another number of tasks.
    """
    classes = classes_per_task(estimator)
    proba = scores = None
    if hasattr(estimator, "predict_proba"):
        proba = scores = _aligned(estimator.predict_proba(cases.X), classes, cases)
    elif hasattr(estimator, "decision_function") and len(cases.tasks) == 1:
        scores = _aligned(estimator.decision_function(cases.X), classes, cases)
    if proba is not None and find_network(estimator) is not None:
        # Our networks predict the most probable class: no second pass over the images.
        codes = [table.argmax(axis=1) for table in proba]
    else:
        codes = _codes(name, estimator.predict(cases.X), cases)
    if len(codes) != len(cases.tasks):
        raise ValueError(
            f"`estimators`: {name!r} predicts {len(codes)} tasks, but y has {len(cases.tasks)}."
        )
    empty = [None] * len(codes)
    return [Prediction(*parts) for parts in zip(codes, scores or empty, proba or empty)]


def _codes(name, predicted, cases):
    predicted = np.asarray(predicted)
    columns = predicted.reshape(len(cases), -1).T
    if len(columns) != len(cases.tasks):
        return list(columns)
    codes = [codes_of(labels, task.classes) for labels, task in zip(columns, cases.tasks)]
    for found, labels, task in zip(codes, columns, cases.tasks):
        if (found < 0).any():
            unknown = list_names(sorted(set(labels[found < 0].tolist()), key=str))
            raise ValueError(
                f"`estimators`: {name!r} predicts labels that are not among its classes_ or in y "
                f"({task.name}): {unknown}."
            )
    return codes


def _aligned(tables, classes, cases):
    """Return scores per task with a column for each class of the task."""
    tables = list(tables) if isinstance(tables, list | tuple) else [np.asarray(tables)]
    if len(tables) == 1 and tables[0].ndim == 1:
        # Of two classes decision_function scores the second alone.
        tables = [np.column_stack([-tables[0], tables[0]])]
    if len(tables) != len(cases.tasks) or len(classes) != len(tables):
        return None
    aligned = []
    for table, known, task in zip(tables, classes, cases.tasks):
        if table.shape[1] != len(known):
            return None  # one against one: scores of pairs of classes
        # A class that the model does not know is the least likely one.
        lowest = min(0.0, float(table.min()))
        full = np.full((len(table), len(task.classes)), lowest)
        full[:, codes_of(known, task.classes)] = table
        aligned.append(full)
    return aligned


class Evaluation:
    """Cases, bootstrap draws and what every model predicts.

    Parameters
    ----------
    cases : Cases
        The test rows.
    draws : GroupBootstrap
        Draws of patients.
    predictions : dict of str to list of Prediction
        Per model, one for each task.
    scores : dict of str to list of dict
        Per model and task, {metric: values (1 + B,)}.
    """

    def __init__(self, cases, draws, predictions, scores):
        self.cases = cases
        self.draws = draws
        self.predictions = predictions
        self.scores = scores
        self.tables = {}

    @property
    def models(self):
        """Names of the models."""
        return list(self.predictions)

    def keep(self, name, columns, rows):
        """Store rows of numbers for the caller, as a DataFrame."""
        old = self.tables.get(name)
        new = pd.DataFrame(rows, columns=columns)
        self.tables[name] = new if old is None else pd.concat([old, new], ignore_index=True)
