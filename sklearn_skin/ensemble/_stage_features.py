"""Features of the second stage: the first stage's probabilities beside the metadata."""

import numpy as np
import pandas as pd

from sklearn_skin.image import ImageDtype
from sklearn_skin.utils import list_names


class MetadataColumns:
    """Choose and encode the metadata columns that the second stage sees.

    Parameters
    ----------
    columns : "all", None or list of str or int
        Columns of X; "all" takes those that are no images.
    excluded : set of str
        Names that are never metadata: image columns and the group column.
    """

    def __init__(self, columns, excluded):
        self.columns = columns
        self.excluded = excluded

    def fit(self, X):
        """Choose the columns, and learn to encode texts and gaps where there are any."""
        self.encoder_ = None
        if isinstance(X, pd.DataFrame):
            self.names_ = self._choose(X)
        else:
            self.names_ = _positions(self.columns, X.shape[1])
        chosen = self._table(X)
        numeric = all(pd.api.types.is_numeric_dtype(dtype) for dtype in chosen.dtypes)
        # Plain numbers stay as they are, so that the second stage's features have X's own scale.
        if self.names_ and (not numeric or chosen.isna().to_numpy().any()):
            from sklearn_skin.preprocessing import make_lesion_transformer

            self.encoder_ = make_lesion_transformer(image_columns=[]).fit(chosen)
        else:
            self.medians_ = np.median(chosen.to_numpy(dtype=np.float64), axis=0)
        return self

    def transform(self, X):
        """Return the metadata as floats (n, p)."""
        table = self._table(X)
        if self.encoder_ is not None:
            return self.encoder_.transform(table).to_numpy(dtype=np.float64)
        matrix = table.to_numpy(dtype=np.float64, na_value=np.nan)
        bad = np.argwhere(np.isinf(matrix))
        if len(bad):
            row, column = bad[0]
            raise ValueError(
                f"Input X contains infinity: row {list_names(table.index[[row]])}, column "
                f"{self.names_[column]!r}."
            )
        # Gaps where fit saw none.
        return np.where(np.isnan(matrix), self.medians_, matrix)

    def _table(self, X):
        if isinstance(X, pd.DataFrame):
            return X[self.names_]
        return pd.DataFrame(X[:, self.names_], columns=[f"x{name}" for name in self.names_])

    def feature_names(self):
        """Return the names of the encoded metadata."""
        if self.encoder_ is not None:
            return list(self.encoder_.get_feature_names_out())
        return [name if isinstance(name, str) else f"x{name}" for name in self.names_]

    def _choose(self, X):
        if self.columns is None:
            return []
        if not isinstance(self.columns, str):
            missing = [name for name in self.columns if name not in X.columns]
            if missing:
                raise ValueError(
                    f"`passthrough_features` names columns that X lacks: {missing}; "
                    f"it has {list(X.columns)}."
                )
            return list(self.columns)
        return [
            name
            for name, dtype in X.dtypes.items()
            if name not in self.excluded and not isinstance(dtype, ImageDtype)
        ]


def probability_names(tasks, classes):
    """Return a name for each probability of P1."""
    if len(tasks) == 1:
        return [f"P1_{label}" for label in classes[0]]
    return [f"P1_{task}_{label}" for task, labels in zip(tasks, classes) for label in labels]


def _positions(columns, n_columns):
    if columns is None:
        return []
    if isinstance(columns, str):
        return list(range(n_columns))
    wrong = [c for c in columns if not isinstance(c, int | np.integer) or not 0 <= c < n_columns]
    if wrong:
        raise ValueError(
            f"`passthrough_features` must be positions in [0, {n_columns}) for an array X; "
            f"got {wrong}."
        )
    return list(columns)
