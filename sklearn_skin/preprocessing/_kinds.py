"""What a column of a table holds: images, numbers or categories."""

import re
from datetime import date
from decimal import Decimal
from numbers import Real
from os import PathLike

import numpy as np
import pandas as pd

from sklearn_skin.image import ImageCell, ImageDtype, has_image_suffix
from sklearn_skin.preprocessing._columns import is_gap
from sklearn_skin.utils import list_names

#: Texts that mean a gap in a column of numbers; case does not matter.
MISSING_WORDS = (
    "?",
    "-",
    "n/a",
    "na",
    "nan",
    "none",
    "null",
    "missing",
    "not available",
    "unk",
    "unknown",
)
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}")
# Of so many different texts one is no category: names of patients, of files, free text.
_FEW, _MANY = 20, 100


def kind_of(column, missing_words=MISSING_WORDS):
    """Return 'image', 'numeric' or 'categorical'.

    Parameters
    ----------
    column : Series
    missing_words : collection of str
        Texts in lower case that are gaps among numbers.

    Raises
    ------
    TypeError
        If the column holds something else, such as dates, lists or dicts.
    """
    dtype = column.dtype
    if isinstance(dtype, ImageDtype):
        return "image"
    if pd.api.types.is_bool_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype):
        return "categorical"
    if pd.api.types.is_numeric_dtype(dtype) and dtype.kind != "c":
        return "numeric"
    if pd.api.types.is_object_dtype(dtype) or pd.api.types.is_string_dtype(dtype):
        return _kind_of_objects(column, missing_words)
    raise TypeError(
        f"column {column.name!r} has dtype {dtype}, which is neither image, number, text, "
        "category nor boolean: convert or drop it."
    )


def _kind_of_objects(column, missing_words):
    known = column.dropna()
    # pandas makes a column of objects of cells that are put together one by one.
    if any(isinstance(value, ImageCell) for value in known):
        return "image"
    for row, value in known.items():
        if not isinstance(value, str | Real | Decimal | np.bool_ | PathLike):
            what = "a date" if isinstance(value, date) else f"a {type(value).__name__}"
            raise TypeError(f"column {column.name!r} holds {what} in row {list_names([row])}: "
                            "make a number or a text of it, or drop the column.")  # fmt: skip
    known = known[[not is_gap(value, missing_words) for value in known]]
    if len(known) and np.mean([_is_date(value) for value in known]) > 0.5:
        raise TypeError(
            f"column {column.name!r} holds dates, such as {known.iloc[0]!r}: make a number of "
            "them, such as the days since the first, or drop the column."
        )
    return "numeric" if len(known) and _are_numbers(known).mean() > 0.5 else "categorical"


def _are_numbers(known):
    texts = known.map(lambda value: value.strip() if isinstance(value, str) else value)
    numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    booleans = np.array([isinstance(value, bool | np.bool_) for value in known])
    return np.isfinite(numbers) & ~booleans


def _is_date(value):
    return isinstance(value, str) and _DATE.match(value.strip()) is not None


def check_categories(column):
    """Raise an error for names of image files, and for identifiers, as categories.

    Parameters
    ----------
    column : Series
        Texts, with gaps as None or NaN. A column of dtype category may have many.

    Raises
    ------
    ValueError
        If most texts are names of image files, or if there are so many different ones that none
        says anything of the next row.
    """
    known = column.dropna().astype(str)
    if len(known) and np.mean([has_image_suffix(text) for text in known]) > 0.5:
        raise ValueError(
            f"column {column.name!r} holds names of image files, such as {known.iloc[0]!r}: name "
            "it in `image_columns`, or in `drop`."
        )
    n_different = known.nunique()
    many = n_different > _MANY or _FEW <= n_different > len(known) / 2
    if many and not isinstance(column.dtype, pd.CategoricalDtype):
        raise ValueError(
            f"column {column.name!r} holds {n_different} different texts in {len(known)} rows, "
            f"such as {known.iloc[0]!r}, and seems to be an identifier: name it in `group_column` "
            "or `drop`, or make it a column of dtype category to keep it."
        )
