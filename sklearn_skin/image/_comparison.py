"""How image columns compare, group and sort: by their cells, without reading files."""

from typing import Any, Self

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray
from pandas.api.types import is_list_like

from sklearn_skin.image import _cells
from sklearn_skin.image._steps import ImageStep


class CellComparison(ExtensionArray):
    """The part of `ImageArray` that treats cells as values.

    Cells compare by `cell_key`: paths as text, pictures by their content. The order, paths by
    name and then pictures, serves grouping and sorting only.
    """

    _cells: np.ndarray
    _steps: tuple[ImageStep, ...]

    def _keys(self) -> np.ndarray:
        return _cells.cell_keys(self._cells)

    def __eq__(self, other: Any) -> Any:
        if isinstance(other, (pd.Series, pd.Index, pd.DataFrame)):
            return NotImplemented
        if isinstance(other, CellComparison):
            if len(other) != len(self):
                raise ValueError("Lengths must match to compare")
            if other._steps != self._steps and not (self.isna() & other.isna()).all():
                return np.zeros(len(self), dtype=bool)
            return (self._keys() == other._keys()) & ~self.isna()
        if is_list_like(other) and not _cells.is_picture(other):
            if len(other) != len(self):
                raise ValueError("Lengths must match to compare")
            keys = np.array([_loose_key(value, self._steps) for value in other], dtype=object)
            return (self._keys() == keys) & ~self.isna()
        return (self._keys() == _loose_key(other, self._steps)) & ~self.isna()

    def __ne__(self, other: Any) -> Any:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else ~equal

    def _refuse(self, other: Any) -> Any:
        if isinstance(other, (pd.Series, pd.Index, pd.DataFrame)):
            return NotImplemented
        raise TypeError("Images have no order; compare them with == and != only.")

    __lt__ = __le__ = __gt__ = __ge__ = _refuse

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        # NumPy would else compute with the paths: "%" formats text.
        if method == "__call__" and ufunc in (np.equal, np.not_equal) and len(inputs) == 2:
            other = inputs[1] if inputs[0] is self else inputs[0]
            return self == other if ufunc is np.equal else self != other
        return NotImplemented

    def __contains__(self, item: Any) -> bool:
        if _cells.is_missing(item):
            return item is None and bool(self.isna().any())
        return bool(np.any(self == item))

    def isin(self, values: Any) -> np.ndarray:
        if isinstance(values, (pd.Series, pd.Index)):
            values = values.array
        if not isinstance(values, CellComparison):
            values = np.array([_loose_key(value, self._steps) for value in values], dtype=object)
        else:
            values = values._keys()
        return pd.Series(self._keys(), dtype=object).isin(values).to_numpy()

    def factorize(self, use_na_sentinel: bool = True) -> tuple[np.ndarray, Self]:
        codes, _ = pd.factorize(self._keys(), use_na_sentinel=use_na_sentinel)
        seen, first = np.unique(codes, return_index=True)
        return codes, self[first[seen >= 0]]

    def _values_for_factorize(self) -> tuple[np.ndarray, Any]:
        return self._keys(), None

    @classmethod
    def _from_factorized(cls, values: Any, original: Self) -> Self:
        first = {key: row for row, key in reversed(list(enumerate(original._keys())))}
        return original.take([first[key] for key in values])

    def unique(self) -> Self:
        return self.factorize(use_na_sentinel=False)[1]

    def duplicated(self, keep: Any = "first") -> np.ndarray:
        return pd.Series(self._keys(), dtype=object).duplicated(keep=keep).to_numpy()

    def value_counts(self, dropna: bool = True) -> pd.Series:
        codes, uniques = self.factorize(use_na_sentinel=dropna)
        counts = np.bincount(codes[codes >= 0], minlength=len(uniques))
        order = np.argsort(-counts, kind="stable")
        index = pd.Index(uniques[order])
        return pd.Series(counts[order], index=index, name="count", copy=False)

    def _values_for_argsort(self) -> np.ndarray:
        return np.array(["" if key is None else key for key in self._keys()], dtype=object)

    def searchsorted(self, value: Any, side: Any = "left", sorter: Any = None) -> Any:
        keys = self._values_for_argsort()
        if isinstance(value, (pd.Series, pd.Index)):
            value = value.array
        if isinstance(value, CellComparison):
            return keys.searchsorted(value._values_for_argsort(), side=side, sorter=sorter)
        return keys.searchsorted(_loose_key(value, self._steps), side=side, sorter=sorter)


def _loose_key(value: Any, steps: tuple[ImageStep, ...]) -> Any:
    """Return a comparison key for any object; one that equals nothing if it is no image."""
    try:
        return _cells.cell_key(_cells.as_cell(value, steps))
    except (TypeError, ValueError):
        return object()
