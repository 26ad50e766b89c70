"""Operators that multiply image and metadata learn what adding them cannot."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "reproduce" / "interaction.py"


@pytest.fixture(scope="module")
def accuracy():
    spec = importlib.util.spec_from_file_location("interaction", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.accuracy


def test_multiplicative_operators_beat_concatenation(accuracy):
    concat = accuracy("concat", 0)
    assert concat < 0.6
    assert accuracy("hadamard", 0) > concat + 0.2
