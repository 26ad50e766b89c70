"""The page of mutants, from results of mutmut that are written here."""

import json
import runpy
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CODE = """
def x_add__mutmut_orig(a, b):
    total = a + b
    return total


def x_add__mutmut_1(a, b):
    total = a - b
    return total


def x_add__mutmut_2(a, b):
    total = None
    return total


class Sum:
    def xǁSumǁ_run__mutmut_orig(self, rows):
        return sum(rows, axis=0)

    def xǁSumǁ_run__mutmut_1(self, rows):
        return sum(rows, axis=None)
"""
STATUS = {"x_add__mutmut_1": 1, "x_add__mutmut_2": 0, "xǁSumǁ_run__mutmut_1": 0}


@pytest.fixture
def script():
    names = runpy.run_path(str(HERE / "list_mutants.py"), run_name="list_mutants")
    # mutmut need not be installed.
    names["write_page"].__globals__["version"] = lambda name: "3.8.1"
    return names


def write(folder, status):
    path = folder / "sklearn_skin" / "modules" / "_sum.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(CODE, encoding="utf-8")
    keys = {f"sklearn_skin.modules._sum.{name}": code for name, code in status.items()}
    meta = json.dumps({"exit_code_by_key": keys})
    path.with_suffix(".py.meta").write_text(meta, encoding="utf-8")


def test_survivors_are_counted_and_judged(tmp_path, script):
    write(tmp_path, STATUS)
    page = script["write_page"](tmp_path, 917, 19)
    assert "3 mutants: **1 are noticed (33.3 %)**, 0 of them by taking too long; 2 survive" in page
    assert "| modules/_sum | 3 | 1 | 2 |" in page
    assert "917 mutants,\n19 survive" in page
    assert "| `modules._sum.add` | `total = a + b → total = None` | not judged |" in page


def test_the_first_judgement_that_fits_counts(script):
    rows = [
        {"kind": "gap", "where": "_run$", "change": "axis=None", "judgement": "a test lacks"},
        {"kind": "other", "where": "_sum", "judgement": "the same"},
    ]
    found = script["judge"]([("_sum._run", "axis=0 → axis=None"), ("_sum.add", "")], rows)
    assert found["gap"] == [("_sum._run", "axis=0 → axis=None", "a test lacks")]
    assert found["other"] == [("_sum.add", "", "the same")]


@pytest.mark.parametrize(
    ("status", "message"), [({}, "No results"), (STATUS | {"x": None}, "1 mu")]
)
def test_nothing_is_written_of_half_a_run(tmp_path, script, status, message):
    write(tmp_path, status)
    with pytest.raises(SystemExit, match=message):
        script["write_page"](tmp_path, 917, 19)


def test_judgements_can_be_read(script):
    judgements = script["JUDGEMENTS"].read_text(encoding="utf-8")
    rows = sys.modules["tomllib"].loads(judgements)["survivor"]
    for row in rows:
        assert {"kind", "judgement"} <= set(row) <= {"kind", "where", "change", "judgement"}
    assert script["judge"]([], rows)
