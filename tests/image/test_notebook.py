"""Tables in a notebook: pictures in the image columns, and nothing else changed."""

import base64
import io
import re
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sklearn_skin.image import ImageStep, as_images
from sklearn_skin.image._notebook import show_pictures, table_html

COLORS = [(200, 30, 40), (10, 220, 60), (90, 80, 250)]


def plain(color, size=32):
    return np.full((size, size, 3), color, dtype=np.uint8)


@pytest.fixture
def table():
    cells = [*map(plain, COLORS), None, "<b>nowhere.jpg"]
    return pd.DataFrame({"image": as_images(cells), "note": ["<i>", "b", "c", "d", "e"]})


def shown(page):
    """Return the colours of the pictures of a page, in order."""
    sources = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    return [Image.open(io.BytesIO(base64.b64decode(s))).getpixel((3, 3)) for s in sources]


def test_a_table_shows_the_picture_of_every_cell_and_the_rest_as_before(table):
    page = table_html(table)
    assert shown(page) == [*COLORS, (128, 128, 128)]  # gray: there is no such file
    assert re.sub(r'<img [^>]*title="([^"]*)"[^>]*>', r"\1", page) == table._repr_html_()
    assert "<b>" not in page and "&lt;b&gt;nowhere.jpg" in page


def test_pictures_are_shown_corrected(table):
    images = table.image.array[:1].with_step(ImageStep("gray_world"))
    (color,) = shown(table_html(pd.DataFrame({"image": images})))
    assert len(set(color)) == 1


def test_only_rows_that_pandas_shows_are_read(table):
    long = pd.concat([table.iloc[:1]] + [table.iloc[4:]] * 98 + [table.iloc[1:2]])
    page = table_html(long)
    colors = shown(page)
    assert len(colors) == pd.get_option("display.min_rows")
    assert (colors[0], colors[-1]) == (COLORS[0], COLORS[1])
    with pd.option_context("display.max_rows", None):
        assert len(shown(table_html(long))) == 100


def test_very_many_pictures_become_names(table, monkeypatch):
    monkeypatch.setattr("sklearn_skin.image._notebook._MAX_PICTURES", 2)
    page = table_html(table)
    assert shown(page) == COLORS[:2] and "image in memory 32x32" in page


def test_options_of_pandas_hold(table):
    with pd.option_context("display.max_colwidth", 4):
        assert shown(table_html(table))[:3] == COLORS
    with pd.option_context("display.notebook_repr_html", False):
        assert table_html(table) is None
    with pd.option_context("display.large_repr", "info", "display.max_rows", 2):
        assert table_html(table) == table._repr_html_()


def test_outside_of_a_notebook_tables_are_text(table):
    assert "<img" not in table._repr_html_() + table.to_html() + repr(table)
    table_html(table)
    assert "<img" not in table._repr_html_()


class Formatter(dict):
    def for_type(self, cls, function):
        before = self.get(cls)
        self[cls] = function
        return before


@pytest.fixture
def formatter(monkeypatch):
    formatter = Formatter()
    shell = SimpleNamespace(display_formatter=SimpleNamespace(formatters={"text/html": formatter}))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    return formatter


def test_a_running_ipython_is_told_and_other_tables_stay_as_they_are(formatter, table):
    show_pictures()
    display = formatter[pd.DataFrame]
    assert shown(display(table))[:3] == COLORS
    assert display(table[["note"]]) == table[["note"]]._repr_html_()


def test_another_way_to_display_tables_is_kept(formatter, table):
    formatter[pd.DataFrame] = lambda table: "mine"
    show_pictures()
    assert formatter[pd.DataFrame](table[["note"]]) == "mine"
    assert shown(formatter[pd.DataFrame](table))[:3] == COLORS


def test_ipython_displays_pictures(table):
    shell_module = pytest.importorskip("IPython.core.interactiveshell")
    shell = shell_module.InteractiveShell.instance()
    try:
        show_pictures()
        data, _ = shell.display_formatter.format(table)
        assert shown(data["text/html"])[:3] == COLORS
        data, _ = shell.display_formatter.format(table[["note"]])
        assert data["text/html"] == table[["note"]]._repr_html_()
    finally:
        shell_module.InteractiveShell.clear_instance()
