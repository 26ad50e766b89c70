"""What a column of a table holds: images, numbers or categories."""

import re
from datetime import date
from decimal import Decimal
from numbers import Real
from os import PathLike

import numpy as np
import pandas as pd

from sklearn_skin.image import ImageCell, ImageDtype, has_image_suffix
from sklearn_skin.preprocessing._columns import MISSING_WORDS, distinct_values, find_gaps
from sklearn_skin.utils import check_no_groups, list_names, warn_user

_MONTH = (
    r"(jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?"
    r"|oct(ober)?|nov(ember)?|dec(ember)?)"
)
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}"  # 2024-01-31
    r"|\d{1,2}[-/.]\d{1,2}[-/.](\d{2}){1,2}(?!\d)"  # 31.01.24
    r"|(19|20)\d\d[-/](0[1-9]|1[0-2])$"  # 2024-01
    rf"|\d{{1,2}}[-. ]+{_MONTH}[-., ]+(\d{{2}}){{1,2}}(?!\d)"  # 31 Jan 2024
    rf"|{_MONTH}[-., ]+(\d{{1,2}}[-., ]+)?\d{{4}}(?!\d)",  # Jan 31, 2024
    re.IGNORECASE,
)
# What may have been a number: 30,5 and 1,000 and <30 and 30 mm.
_LIKE_NUMBER = re.compile(
    r"[<>≤≥~]?=?\s*[-+]?(0|[1-9]\d*)([.,]\d{3})*([.,]\d+)?\s*"
    r"(%|µm|um|mm|cm|mg|kg|ml|y|yrs?|years?|months?|weeks?|days?)?",
    re.IGNORECASE,
)
_LEADING_ZERO = re.compile(r"0\d")
# Words of a column's name, and names whose whole numbers count nothing.
_BETWEEN_WORDS = re.compile(r"[\W_]+|(?<=[a-z0-9])(?=[A-Z])")
_IDENTIFIER = re.compile(
    r"(.* )?(ids?|u?uids?|guids?|identifiers?|mrn|accession ?(id|no|nr|number)?"
    r"|(patient|subject|lesion|case) ?(ids?|no|nr|number)?)"
    r"|patients|subjects|lesions|cases|index|unnamed( \d+)+"
)
# What identifies nobody, whatever its column is called.
_FLAGS = ("true", "false", "yes", "no")
# Of so many different values few say anything of the next row.
_FEW, _MANY, _ROWS_EACH = 20, 100, 4
# Names of patients or of files and free text are nearly all different, whichever rows are taken.
_NEARLY_ALL, _FEWEST_ROWS = 0.8, 10


def kind_of(column, missing_words=MISSING_WORDS):
    """Return 'image', 'numeric' or 'categorical'.

    Parameters
    ----------
    column : Series
    missing_words : collection of str
        Texts that are gaps among numbers; case does not matter.

    Raises
    ------
    TypeError
        If the column holds something else, such as dates, lists or dicts.
    """
    dtype = column.dtype
    # pandas makes a column of objects of cells that are put together one by one.
    is_object = pd.api.types.is_object_dtype(dtype)
    if isinstance(dtype, ImageDtype) or (
        is_object and any(isinstance(value, ImageCell) for value in column)
    ):
        return "image"
    check_types(column)
    if pd.api.types.is_bool_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype):
        return "categorical"
    if pd.api.types.is_numeric_dtype(dtype):
        return "numeric"
    known, counts = distinct_values(column)
    here = np.logical_not(find_gaps(known, missing_words)).astype(bool)
    known, counts = known[here], counts[here]
    if _share([_is_date(value) for value in known], counts) > 0.5:
        _refuse_dates(column.name, known.iloc[0])
    return "numeric" if _share(_are_numbers(known), counts) > 0.5 else "categorical"


def _share(found, counts):
    """Return the share of rows of which something is true, by value; 0 without rows."""
    return np.average(found, weights=counts) if len(counts) else 0.0


def check_types(column):
    """Raise an error where a column holds what is neither number, text, category nor boolean.

    Parameters
    ----------
    column : Series

    Raises
    ------
    TypeError
        It names the column, and the row where the column's dtype is object.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        dates = [value for value in dtype.categories if isinstance(value, date)]
        if dates:
            _refuse_dates(column.name, str(dates[0]))
        return
    if pd.api.types.is_bool_dtype(dtype):
        return
    if pd.api.types.is_object_dtype(dtype):
        _check_values(column)
    elif not pd.api.types.is_string_dtype(dtype) and (
        not pd.api.types.is_numeric_dtype(dtype) or dtype.kind == "c"
    ):
        raise TypeError(
            f"column {column.name!r} has dtype {dtype}, which is neither image, number, text, "
            "category nor boolean: convert or drop it."
        )


def _check_values(column):
    for row, value in column.dropna().items():
        if not isinstance(value, str | Real | Decimal | np.bool_ | PathLike):
            what = "a date" if isinstance(value, date) else f"a {type(value).__name__}"
            raise TypeError(
                f"column {column.name!r} holds {what} in row {list_names([row])}: make a number or "
                "a text of it, or drop the column."
            )


def _are_numbers(known):
    texts = known.map(lambda value: value.strip() if isinstance(value, str) else value)
    numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    # "00017" is a name that is written in digits.
    names = [
        isinstance(value, bool | np.bool_)
        or (isinstance(value, str) and _LEADING_ZERO.match(value.strip()) is not None)
        for value in known
    ]
    return np.isfinite(numbers) & ~np.array(names, dtype=bool)


def _refuse_dates(name, example):
    raise TypeError(
        f"column {name!r} holds dates, such as {example!r}: make a number of them, such as the "
        "days since the first, or drop the column."
    )


def _is_date(value):
    return isinstance(value, str) and _DATE.match(value.strip()) is not None


def check_categories(column):
    """Raise an error for names of image files, and for identifiers; warn of doubtful ones.

    Parameters
    ----------
    column : Series
        Texts, with gaps as None or NaN. A column of dtype category may have many, and any name.

    Raises
    ------
    ValueError
        If most texts are names of image files, if they are groups, or if they are identifiers.
    """
    check_no_groups(column.to_frame(), "what comes after make_lesion_transformer()")
    known = column.dropna().astype(str)
    texts, counts = distinct_values(known)
    if _share([has_image_suffix(text) for text in texts], counts) > 0.5:
        raise ValueError(
            f"column {column.name!r} holds names of image files, such as {known.iloc[0]!r}: name "
            "it in `image_columns`, or in `drop`."
        )
    if isinstance(column.dtype, pd.CategoricalDtype):
        return
    _check_identifier(known, "texts")
    n_different = known.nunique()
    if _are_many(n_different, len(known)):
        warn_user(
            f"column {column.name!r} has {n_different} categories in {len(known)} rows, and each "
            "becomes a feature: name it in `group_column` or `drop`, set `min_frequency` of its "
            "encoder, or make it a column of dtype category to keep it without this warning.",
            once=("many", column.name),
        )
    like_numbers = [_LIKE_NUMBER.fullmatch(text.strip()) is not None for text in texts]
    if _share(like_numbers, counts) > 0.5:
        warn_user(
            f"column {column.name!r} holds texts that look like numbers and are categories, such "
            f"as {texts[like_numbers].iloc[0]!r}: write them as numbers, without units and with a "
            "decimal point, or make it a column of dtype category to keep it without this warning.",
            once=("like numbers", column.name),
        )


def check_numbers(column, numbers):
    """Raise an error for whole numbers that are names, by their column's name and their number.

    Where they are few, and the column's name alone says so, warn.

    Parameters
    ----------
    column : Series
    numbers : ndarray of float64
        What was read from it.

    Raises
    ------
    ValueError
        It names the column.
    """
    whole = (numbers == np.floor(numbers)) | np.isnan(numbers)
    if whole.all() and _has_identifier_s_name(column):
        _check_identifier(column[~np.isnan(numbers)], "numbers")


def _has_identifier_s_name(column):
    words = " ".join(_BETWEEN_WORDS.split(str(column.name))).strip().lower()
    return _IDENTIFIER.fullmatch(words) is not None


def _are_many(n_different, n_rows):
    return n_different > _MANY or _FEW <= n_different > n_rows / _ROWS_EACH


def _are_nearly_all(n_different, n_rows):
    share = _NEARLY_ALL if n_rows >= _FEW else 1
    return n_rows >= _FEWEST_ROWS and n_different >= share * n_rows


def _check_identifier(known, what):
    n_different, n_rows = known.nunique(), len(known)
    named = _has_identifier_s_name(known)
    if (named and _are_many(n_different, n_rows)) or _are_nearly_all(n_different, n_rows):
        raise ValueError(
            f"column {known.name!r} holds {n_different} different {what} in {n_rows} rows, such as "
            f"{list_names(known[:1])}, and seems to be an identifier: name it in `group_column` of "
            "make_lesion_transformer() and of the network, or in `drop` (or in `image_columns` if "
            "it names images), or make it a column of dtype category to keep it."
        )
    if named and n_rows and not known.astype(str).str.strip().str.casefold().isin(_FLAGS).all():
        warn_user(
            f"column {known.name!r} is named like an identifier, and becomes a feature, with "
            f"{n_different} different {what} in {n_rows} rows: name it in `group_column` of "
            "make_lesion_transformer() and of the network, or in `drop`; or, if it is a category, "
            "make it a column of dtype category to keep it without this warning.",
            once=("identifier", known.name),
        )
