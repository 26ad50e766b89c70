"""Labels of one or many tasks to class codes and back."""

import numpy as np
import pandas as pd
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y, column_or_1d

from sklearn_skin.utils._targets import as_array, narrow_dtype
from sklearn_skin.utils._warnings import warn_user

MISSING = -1


class LabelCodec:
    """Encode y of shape (n,) or (n, T) into codes of shape (n, T), -1 where missing.

    Parameters
    ----------
    classes : array-like, list of array-like or None, default=None
        All classes (per task); None learns them from y.

    Attributes
    ----------
    classes_ : list of ndarray
        Sorted labels per task.
    multi_task : bool
        Whether y had several columns.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.utils import LabelCodec
    >>> codec = LabelCodec().fit(["nevus", "melanoma", "nevus"])
    >>> codec.transform(["nevus", "melanoma"]).tolist()
    [[1], [0]]
    >>> codec.decode(np.array([[1]])).tolist()
    ['nevus']
    """

    def __init__(self, classes=None):
        self.classes = classes

    def fit(self, y):
        """Learn the classes, and whether there are several tasks."""
        columns, self.multi_task = as_columns(y)
        given = self._given(len(columns))
        self.classes_ = [
            self._learn(task, column, classes)
            for task, (column, classes) in enumerate(zip(columns, given))
        ]
        return self

    def _given(self, n_tasks):
        if self.classes is None:
            return [None] * n_tasks
        given = list(self.classes) if self.multi_task else [self.classes]
        if len(given) != n_tasks:
            raise ValueError(
                f"`classes` must hold one array of labels per task ({n_tasks}); got {len(given)}."
            )
        return [np.sort(np.asarray(classes)) for classes in given]

    def _learn(self, task, column, classes):
        where = f" in task {task}" if self.multi_task else ""
        known = _sorted_labels(column[~missing_labels(column)], where)
        if len(known) == 0:
            raise ValueError(f"y has no label{where}: every value is missing.")
        known = narrow_dtype(known)
        if not self.multi_task:
            _check_y(known, multi_output=False, y_numeric=False)
        check_classification_targets(known)
        if classes is None:
            if len(known) < 2:
                raise ValueError(
                    f"Classifier can't train when only one class is present{where}; "
                    f"got {known.tolist()}."
                )
            return known
        unknown = [label for label in known.tolist() if label not in classes.tolist()]
        if unknown:
            raise ValueError(f"y has labels that `classes` lacks{where}: {unknown}.")
        absent = [label for label in classes.tolist() if label not in known.tolist()]
        if absent:
            warn_user(
                f"no row has the class{'es' * (len(absent) > 1)} {absent}{where}; their "
                "probabilities are untrained.",
                once=("absent classes", task, *absent),
            )
        return classes

    def transform(self, y, name="y"):
        """Return the codes (n, T); an unknown label is an error."""
        columns, multi_task = as_columns(y)
        if multi_task != self.multi_task or len(columns) != len(self.classes_):
            raise ValueError(
                f"{name} has {len(columns)} tasks; the network was made for {len(self.classes_)}."
            )
        codes = [
            self._encode(column, classes, name) for column, classes in zip(columns, self.classes_)
        ]
        return np.stack(codes, axis=1)

    def _encode(self, column, classes, name):
        codes = np.full(len(column), MISSING, dtype=np.int64)
        here = ~missing_labels(column)
        values = narrow_dtype(column[here])
        index = pd.Index(classes).get_indexer(values)
        if (index < 0).any():
            unknown = np.unique(values[index < 0]).tolist()
            raise ValueError(
                f"{name} has labels that were not there in fit: {unknown}; known are "
                f"{classes.tolist()}."
            )
        codes[here] = index
        return codes

    def name_absent(self, estimator, y):
        """Set the `classes` of the networks within an estimator where rows of y lack some."""
        codes = self.transform(y)
        found = [len(np.unique(column[column != MISSING])) for column in codes.T]
        if any(n < len(classes) for n, classes in zip(found, self.classes_)):
            params = estimator.get_params()
            names = [n for n, v in params.items() if n.split("__")[-1] == "classes" and v is None]
            estimator.set_params(**dict.fromkeys(names, self.public(self.classes_)))

    def public(self, tasks):
        """Return arrays per task as scikit-learn shows them: a list, or the one task's array."""
        return list(tasks) if self.multi_task else tasks[0]

    def most_probable(self, proba):
        """Return labels (n,) or (n, T) for probabilities (n, C_t) per task."""
        return self.decode(np.stack([table.argmax(axis=1) for table in proba], axis=1))

    def decode(self, codes):
        """Return labels (n,) or (n, T) for codes (n, T)."""
        columns = [classes[codes[:, task]] for task, classes in enumerate(self.classes_)]
        if not self.multi_task:
            return columns[0]
        if len({column.dtype.kind for column in columns}) > 1:
            columns = [column.astype(object) for column in columns]
        return np.stack(columns, axis=1)


def as_columns(y):
    """Split y into columns of labels, and say whether it has several tasks."""
    if y is None:
        raise ValueError("This classifier requires y to be passed, but the target y is None.")
    if isinstance(y, pd.DataFrame):
        columns = [y[name].to_numpy() for name in y.columns]
    else:
        y = as_array(y)
        if y.ndim < 2:
            return [column_or_1d(y)], False
        if y.ndim > 2:
            raise ValueError(f"y must have shape (n,) or (n, n_tasks); got {y.shape}.")
        columns = list(y.T)
    if len(columns) == 1:
        warn_user(
            "A column-vector y was passed when a 1d array was expected.",
            DataConversionWarning,
            once="column vector",
        )
        return columns, False
    return columns, True


def missing_labels(column):
    """Return where a column of labels is NaN, None or NA."""
    return np.asarray(pd.isna(column), dtype=bool)


def _sorted_labels(values, where):
    try:
        return np.unique(values)
    except TypeError as error:
        kinds = sorted({type(value).__name__ for value in values})
        raise TypeError(f"y must hold labels of one type{where}; got {kinds}.") from error
