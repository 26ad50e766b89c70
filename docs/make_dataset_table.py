"""The table of data sets in the user guide, from the fields of their descriptions."""

import re
from pathlib import Path

from sklearn_skin import datasets

TARGET = Path(__file__).parent / "user_guide" / "dataset_table.rst"
FIELDS = ("Rows", "Images", "Groups", "Leaky columns")


def find_loaders():
    """Return the names of the functions that load, or make, a data set."""
    return [name for name in datasets.__all__ if name.startswith(("load_", "make_"))]


def read_fields(loader):
    """Return the fields of the description of what `loader` loads, or makes."""
    path = Path(datasets.__file__).parent / "descr" / f"{loader.split('_', 1)[1]}.rst"
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"^:([\w ]+): (.+(?:\n    .+)*)", text, flags=re.MULTILINE)
    return {name: " ".join(value.split()) for name, value in found}


def make_page():
    """Return the table."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 16 22 24 18 20", ""]
    rows = [["loader", *(name.lower() for name in FIELDS)]]
    for loader in find_loaders():
        fields = read_fields(loader)
        rows.append([f":func:`{loader}`", *(fields.get(name, "") for name in FIELDS)])
    for row in rows:
        lines += [f"   {'  -' if i else '* -'} {cell}" for i, cell in enumerate(row)]
    return "\n".join(lines) + "\n"
