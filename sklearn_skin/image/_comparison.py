"""How image columns compare, group and sort: by their origins, without reading files."""

from typing import Any, Self

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray
from pandas.api.types import is_list_like

from sklearn_skin.image._cell import ImageCell
from sklearn_skin.image._origins import is_missing, is_picture
from sklearn_skin.image._steps import ImageStep


class CellComparison(ExtensionArray):
    """The part of `ImageArray` that treats cells as values.

    Cells have no order. The order of their keys, paths by name and then pictures, serves
    grouping and sorting only.
    """

    _steps: tuple[ImageStep, ...]

    def _keys(self) -> np.ndarray:
        return np.array([None if cell is None else cell._key for cell in self], dtype=object)

    def _keys_of(self, values: Any) -> np.ndarray:
        """Return the keys that any objects would have here: None if missing, NaN if no image."""
        return np.array([self._key_of(value) for value in values], dtype=object)

    def _key_of(self, value: Any) -> Any:
        if is_missing(value):
            return None
        if isinstance(value, ImageCell):
            return value._key if value.steps == self._steps else np.nan
        try:
            return ImageCell(value)._key
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

    @classmethod
    def _from_factorized(cls, values: Any, original: Self) -> Self:
        first = {key: row for row, key in reversed(list(enumerate(original._keys())))}
        return original.take([first[key] for key in values])

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
