"""The table of fusion operators in the user guide: inputs, additivity, width, parameters."""

import warnings
from pathlib import Path

from sklearn_skin.modules.fusion import FUSIONS, make_fusion

IMAGE_DIM, METADATA_DIM = 512, 256
TARGET = Path(__file__).parent / "user_guide" / "operator_table.rst"
TAKES = {"vector": "vector", "map": "feature map", "tokens": "feature map, as tokens"}
METADATA = {"encoded": "feature", "raw": "columns"}
HEADER = [
    "`fusion`",
    "operator",
    "image",
    "metadata",
    "additive",
    f"width of z for {IMAGE_DIM} and {METADATA_DIM}",
    "parameters",
]


def describe(name):
    """Return one row of the table."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tensor operator's, about its width
        operator = make_fusion(name, IMAGE_DIM, METADATA_DIM)
    n_parameters = sum(parameter.numel() for parameter in operator.parameters())
    return [
        f"``{name}``",
        f":class:`{FUSIONS[name].__name__}`",
        TAKES[operator.takes],
        METADATA[operator.metadata],
        "yes" if operator.additive else "no",
        f"{operator.out_features:,}",
        f"{n_parameters:,}",
    ]


def make_page():
    """Return the table."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [HEADER, *map(describe, FUSIONS)]:
        lines += [f"   {'  -' if i else '* -'} {cell}" for i, cell in enumerate(row)]
    return "\n".join(lines) + "\n"
