"""How image columns compare, group and sort: by their origins, without reading files."""

from typing import Any, Self

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray
from pandas.api.types import is_list_like

from sklearn_skin.image._cell import ImageCell
from sklearn_skin.image._origins import as_origin, is_missing, is_picture, object_array, origin_keys
from sklearn_skin.image._steps import ImageStep


class CellComparison(ExtensionArray):
    """The part of `ImageArray` that treats cells as values.

    Cells have no order. The order of their keys, paths by name and then pictures, serves
    grouping and sorting only.
    """

    _origins: np.ndarray
    _steps: tuple[ImageStep, ...]

    def _keys(self) -> np.ndarray:
        return origin_keys(self._origins)

    def _keys_of(self, values: Any) -> np.ndarray:
        """Return the keys that any objects would have here: None if missing, NaN if no image."""
        if isinstance(values, CellComparison) and values._steps == self._steps:
            return values._keys()
        return origin_keys(object_array(self._origin_of(value) for value in values))

    def _origin_of(self, value: Any) -> Any:
        if is_missing(value):
            return None
        if isinstance(value, ImageCell):
            return value.origin if value.steps == self._steps else np.nan
        try:
            return as_origin(value)
        except (TypeError, ValueError):
            return np.nan

    def __eq__(self, other: Any) -> Any:
        if isinstance(other, (pd.Series, pd.Index, pd.DataFrame)):
            return NotImplemented
        if not is_list_like(other) or is_picture(other):
            other = [other]
        elif len(other) != len(self):
            raise ValueError("Lengths must match to compare")
        return (self._keys() == self._keys_of(other)) & ~self.isna()

    def __ne__(self, other: Any) -> Any:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else ~equal

    def isin(self, values: Any) -> np.ndarray:
        wanted = set(self._keys_of(values))
        return np.array([key in wanted for key in self._keys()], dtype=bool)

    def _values_for_factorize(self) -> tuple[np.ndarray, Any]:
        return self._keys(), None

    def factorize(self, use_na_sentinel: bool = True) -> tuple[np.ndarray, Self]:
        # Codes are numbers in order of appearance, so the first rows are the distinct images;
        # making them of the keys, as pandas does, would hash every picture again.
        codes, _ = pd.factorize(self._keys(), use_na_sentinel=use_na_sentinel)
        seen, first = np.unique(codes, return_index=True)
        return codes, self[first[seen >= 0]]

    def duplicated(self, keep: Any = "first") -> np.ndarray:
        return pd.Series(self._keys(), dtype=object).duplicated(keep=keep).to_numpy()

    def unique(self) -> Self:
        return self.factorize(use_na_sentinel=False)[1]

    def _values_for_argsort(self) -> np.ndarray:
        # Text for missing ones too: NumPy cannot compare None. pandas moves them to the end.
        return np.array(["" if key is None else key for key in self._keys()], dtype=object)

    def searchsorted(self, value: Any, side: Any = "left", sorter: Any = None) -> Any:
        one = not is_list_like(value) or is_picture(value)
        places = self._values_for_argsort().searchsorted(
            self._keys_of([value] if one else value), side=side, sorter=sorter
        )
        return places[0] if one else places
