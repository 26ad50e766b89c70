"""What a section is made of, how numbers are written, and the page that holds all sections."""

import base64
import hashlib
import os
from importlib import resources
from math import isnan
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from sklearn_skin.utils import optional_import


class Cell(NamedTuple):
    """A cell: what is shown, a smaller addition, and what is sorted by."""

    text: str
    detail: str = ""
    value: Any = None

    @property
    def sort_value(self):
        """Return what the cell is sorted by, as text; empty sorts last."""
        value = self.text if self.value is None else self.value
        # Only NaN differs from itself; text and numbers both come here.
        return "" if value != value else str(value)


class Table:
    """A sortable table; its first `n_names` columns are names, whatever they are sorted by."""

    kind: ClassVar[str] = "table"

    def __init__(self, caption, columns, rows, n_names=1):
        self.caption = caption
        self.columns = columns
        self.rows = [[as_cell(value) for value in row] for row in rows]
        self.numeric = [
            i >= n_names and all(isinstance(row[i].value, int | float) for row in self.rows)
            for i in range(len(columns))
        ]


class Text(NamedTuple):
    """A paragraph; `tone` is "plain", "note" or "warning"."""

    text: str
    tone: str = "plain"
    kind: str = "text"


class Heading(NamedTuple):
    """A heading inside a section."""

    text: str
    kind: str = "heading"


class Facts(NamedTuple):
    """Pairs of a name and what there is to say about it."""

    items: list
    kind: str = "facts"


class Code(NamedTuple):
    """Text in which spaces and line breaks count, folded away under a title."""

    title: str
    text: str
    kind: str = "code"


class Figure(NamedTuple):
    """A plot: its SVG, its caption, and what it shows for those who cannot see it."""

    svg: str
    caption: str
    alt: str


class Figures(NamedTuple):
    """Plots side by side where there is room."""

    figures: list
    kind: str = "figures"


class Picture(NamedTuple):
    """An image as data URI."""

    source: str
    alt: str


class Case(NamedTuple):
    """A row of the gallery: its label, what was said about it, and its pictures."""

    label: str
    truth: str
    predicted: str
    probability: str
    right: bool
    pictures: list


class Gallery(NamedTuple):
    """Cases side by side."""

    title: str
    cases: list
    kind: str = "gallery"


class TaskPart(NamedTuple):
    """What a section says about one of several tasks."""

    name: str
    blocks: list
    is_open: bool
    kind: str = "task"


class Section(NamedTuple):
    """A section: the anchor, the heading and what is below it."""

    id: str
    title: str
    blocks: list


def as_cell(value):
    """Return a Cell for a Cell, a number or text."""
    if isinstance(value, Cell):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Cell(str(value))
    return Cell(f"{value:,}" if isinstance(value, int) else number(value), value=value)


def number(value, digits=3):
    """Return a number as text; a dash where it is not defined."""
    # A hyphen may be taken for a dash, or break the line.
    return "–" if isnan(value) else f"{value:.{digits}f}".replace("-", "−")


def percent(value):
    """Return a share in [0, 1] as text."""
    return "–" if isnan(value) else f"{100 * value:.1f} %"


def interval_cell(interval):
    """Return a cell for an Interval: the estimate, and its ends beside it."""
    estimate, low, high = interval
    ends = "no interval" if isnan(low) else f"{low:.3f} to {high:.3f}"
    return Cell(number(estimate), "" if isnan(estimate) else ends, float(estimate))


def per_task(cases, build):
    """Return the blocks of `build(task)`, in foldable parts if there are several tasks.

    Parameters
    ----------
    cases : Cases
        What the report is about.
    build : callable
        Takes the position of a task and returns its blocks.
    """
    if len(cases.tasks) == 1:
        return build(0)
    return [
        TaskPart(task.name, build(position), position == 0)
        for position, task in enumerate(cases.tasks)
    ]


def render(**values):
    """Return the page as text; everything but our own markup is escaped.

    Parameters
    ----------
    **values
        What the template shows.
    """
    jinja2 = optional_import("jinja2", "report")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sklearn_skin.reporting", ""),
        autoescape=True,
        # A misspelt name is an error, not a gap in the report.
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (resources.files("sklearn_skin.reporting") / "script.html").read_text("utf-8")
    # The browser runs this script and no other, and loads nothing from anywhere.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    template = environment.get_template("report.html")
    return template.render(script=script, policy=policy, **values)


def check_output(output):
    """Return `output` as a Path, or raise before any work is done.

    Parameters
    ----------
    output : path-like
        File to write.
    """
    path = Path(output).expanduser()
    if path.is_dir():
        raise IsADirectoryError(f"`output` must be a file; {path} is a folder.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"`output`: the folder {path.parent} does not exist.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"`output`: the folder {path.parent} is not writable.")
    return path
