"""Operators that let image and metadata act on one another learn what adding them cannot."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "reproduce" / "interaction.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("interaction", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPT.parent)
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def accuracy(example):
    def fit(row):
        train, test = example.draw(0)
        return example.make_model(row, 0, lr=1e-2, max_epochs=15).fit(*train).score(*test)

    return fit


@pytest.fixture(scope="module")
def concat(accuracy):
    return accuracy("concat")


@pytest.mark.parametrize("row", ["hadamard", "mmfa"])
def test_operators_that_are_not_additive_beat_concatenation(accuracy, concat, row):
    assert accuracy(row) > concat + 0.2


def test_additive_operators_stay_at_chance(accuracy, concat):
    assert max(concat, accuracy("mmfa, heads=split")) < 0.6


def test_table_says_which_networks_add(example, monkeypatch, capsys):
    monkeypatch.setattr(example, "RATES", [1e-2])
    monkeypatch.setattr("sys.argv", "_ --operators concat --seeds 1 --epochs 1".split())
    example.main()
    head, _, *rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in capsys.readouterr().out.splitlines()
    ]
    assert f"| {' | '.join(head)} |" in (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert [row[0] for row in rows] == ["concat", "concat, hidden layer"]
    additive, other = (float(row[head.index("second difference")]) for row in rows)
    assert additive < 1e-12 and other > 1e-3
