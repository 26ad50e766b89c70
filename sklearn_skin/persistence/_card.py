"""What a model says of itself: training data, recipe, seeds, scores, what it is for."""

import textwrap
from datetime import UTC, datetime

import numpy as np

from sklearn_skin.image import check_no_images
from sklearn_skin.persistence._archive import open_archive
from sklearn_skin.persistence._digest import describe_data, find_ranges_left
from sklearn_skin.persistence._recipe import as_plain, describe_recipe
from sklearn_skin.utils import warn_user

MODEL, CARD = "model.json", "card.json"
_WIDTH = 100


class ModelCard(dict):
    """What a saved model says of itself, as a dict that prints well.

    Parameters
    ----------
    entries : dict
        "estimator", "saved", "intended_use", "scores", "classes", "training_data", "recipe",
        "seeds", "notes" and "versions".

    See Also
    --------
    model_card : Read it from a file.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_skin.persistence import ModelCard
    >>> age = {"kind": "number", "dtype": "float64", "missing": 0, "range": [18.0, 90.0]}
    >>> card = ModelCard({"estimator": "Pipeline", "training_data": {"columns": {"age": age}}})
    >>> print(card)
    Pipeline
    Training data
      columns
        age: number (float64), 18 to 90, 0 missing
    >>> card.check(pd.DataFrame({"sex": ["male"]}))
    Traceback (most recent call last):
        ...
    ValueError: X lacks columns that the model was trained on: ['age']; it has ['sex'].
    """

    def __init__(self, entries):
        super().__init__(entries)

    def check(self, X):
        """Compare a table with the rows that the model was trained on.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, p)
            Rows to predict. An array has no names, and is only counted.

        Raises
        ------
        ValueError
            If columns are missing, or an array has another number of them.

        Warns
        -----
        UserWarning
            If numbers lie outside the range that was there in training; one warning names the
            columns, the ranges and the number of rows.
        """
        check_no_images(X)
        columns = self["training_data"]["columns"]
        if not hasattr(X, "columns"):
            width = np.shape(X)[1] if np.ndim(X) == 2 else None
            if columns and width != len(columns):
                raise ValueError(
                    f"X must be a table of {len(columns)} columns; got shape {np.shape(X)}."
                )
            return
        # A group is needed to split rows, not to predict them.
        needed = [name for name, column in columns.items() if column["kind"] != "group"]
        lacking = [name for name in needed if name not in X.columns]
        if lacking:
            raise ValueError(
                f"X lacks columns that the model was trained on: {lacking}; it has "
                f"{list(X.columns)}."
            )
        left = find_ranges_left(X, columns)
        if left:
            warn_user(
                f"numbers that the model has never seen: {'; '.join(left)}. What it says of these "
                "rows was not learnt from rows like them."
            )

    def __str__(self):
        entries = {key: value for key, value in self.items() if key != "estimator" and value}
        if "training_data" in entries:
            data = entries["training_data"]
            columns = {name: _column_text(column) for name, column in data["columns"].items()}
            entries["training_data"] = data | {"columns": columns}
        lines = [line for key, value in entries.items() for line in _lines(key, value)]
        return "\n".join([str(self.get("estimator", "model")), *lines])

    __repr__ = __str__


def model_card(path):
    """Read what a saved model says of itself; nothing of the model is made.

    Parameters
    ----------
    path : path-like
        File that :func:`save_model` wrote.

    Returns
    -------
    card : ModelCard
        A dict that prints well, and checks new tables (:meth:`ModelCard.check`).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is no model, or not as it was written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_skin.persistence import model_card, save_model
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "iris.skin")
    ...     save_model(LogisticRegression(C=10).fit(X, y), path, X=X, y=y, scores={"auc": 0.9})
    ...     card = model_card(path)
    >>> card["scores"], card["recipe"], card["training_data"]["rows"]
    ({'auc': 0.9}, {'C': 10}, 150)
    >>> card["training_data"]["columns"]["petal width (cm)"]["range"]
    [0.1, 2.5]
    """
    with open_archive(path) as archive:
        return ModelCard(archive.read_json(CARD) | archive.read_json(MODEL))


def describe_model(
    estimator, *, X=None, y=None, groups=None, scores=None, intended_use=None, notes=None
):
    """Return the card of an estimator as what JSON can hold; see `save_model`."""
    for name, value in (("scores", scores), ("notes", notes)):
        if value is not None and not isinstance(value, dict):
            raise TypeError(f"`{name}` must be a dict; got {type(value).__name__}.")
    if intended_use is not None and not isinstance(intended_use, str):
        raise TypeError(f"`intended_use` must be a text; got {type(intended_use).__name__}.")
    recipe, seeds = describe_recipe(estimator)
    card = {
        "estimator": type(estimator).__name__,
        "saved": datetime.now(UTC).isoformat(timespec="seconds"),
        "intended_use": intended_use,
        "scores": as_plain(scores, "scores"),
        "classes": as_plain(getattr(estimator, "classes_", None), "classes_"),
        "training_data": describe_data(estimator, X, y, groups),
        "recipe": recipe,
        "seeds": seeds,
        "notes": as_plain(notes, "notes"),
    }
    return {key: value for key, value in card.items() if value not in (None, {}, [])}


def _lines(key, value, depth=0):
    """Return an entry as lines of text."""
    indent, title = "  " * depth, str(key).replace("_", " ") if depth == 0 else str(key)
    title = title.capitalize() if depth == 0 else title
    if isinstance(value, dict):
        inner = [line for k, v in value.items() for line in _lines(k, v, depth + 1)]
        return [f"{indent}{title}", *inner]
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return textwrap.wrap(
        f"{title}: {text}", _WIDTH, initial_indent=indent, subsequent_indent=f"{indent}    "
    )


def _column_text(column):
    """Return what is known of a column in one line."""
    text = f"{column['kind']} ({column['dtype']})" if "dtype" in column else column["kind"]
    if "range" in column:
        low, high = column["range"]
        text += f", {low:g} to {high:g}"
    if "categories" in column:
        text += f", {', '.join(column['categories'])}"
    if column.get("others"):
        text += f" and {column['others']} rarer"
    return text + (f", {column['missing']} missing" if "missing" in column else "")
