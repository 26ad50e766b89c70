"""Tables with image columns show their pictures where IPython displays them."""

import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pandas as pd

from sklearn_skin.image._cell import ImageCell
from sklearn_skin.image._display import image_tag, short_name
from sklearn_skin.image._dtype import ImageDtype

_THUMBNAIL_SIZE = 64
# A page of more pictures than this is slow to show; the rest are names.
_MAX_PICTURES = 500
# pandas escapes whatever a cell's formatter returns, so tags cannot pass through it. Single
# characters of private use can, at any column width, and are replaced afterwards.
_FIRST_MARK = 0xF0000

_marked: ContextVar[list[ImageCell] | None] = ContextVar("_marked", default=None)


def cell_formatter() -> Callable[[Any], str]:
    """Return what pandas prints cells by: their names, or marks while `table_html` works."""
    marked = _marked.get()
    if marked is None:
        return short_name

    def mark(cell: ImageCell | None) -> str:
        if cell is None or len(marked) == _MAX_PICTURES:
            return short_name(cell)
        marked.append(cell)
        return chr(_FIRST_MARK + len(marked) - 1)

    return mark


def table_html(table: pd.DataFrame) -> str | None:
    """Return a table's HTML as pandas makes it, with thumbnails in the image columns.

    Parameters
    ----------
    table : DataFrame
        Only the rows that pandas shows are read.

    Returns
    -------
    page : str or None
        None where the user has turned HTML off (``display.notebook_repr_html``).
    """
    marked: list[ImageCell] = []
    before = _marked.set(marked)
    try:
        page = table._repr_html_()  # type: ignore[operator]
    finally:
        _marked.reset(before)
    if page is None:
        return None
    marks = enumerate(marked, start=_FIRST_MARK)
    return page.translate({mark: image_tag(cell, _THUMBNAIL_SIZE) for mark, cell in marks})


def show_pictures() -> None:
    """Have a running IPython display tables with image columns by `table_html`.

    Other tables are displayed as before. Without IPython nothing happens.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        return
    formatter = shell.display_formatter.formatters["text/html"]

    def display(table: pd.DataFrame) -> str | None:
        if any(isinstance(dtype, ImageDtype) for dtype in table.dtypes):
            return table_html(table)
        return table._repr_html_() if others is None else others(table)  # type: ignore[operator]

    others = formatter.for_type(pd.DataFrame, display)
