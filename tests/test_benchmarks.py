"""The benchmarks: how contestants take turns, and what the table of all says."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from numpy.testing import assert_allclose

BENCHMARKS = Path(__file__).parents[1] / "examples" / "benchmarks"


@pytest.fixture
def load_script(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)

    def load(name):
        spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


class FakeContestant:
    """Takes a second for its first epoch, half of one for others; may fail in a turn."""

    def __init__(self, name, heard, fails_at=None):
        self.name, self.heard, self.fails_at, self.turns = name, heard, fails_at, 0

    def turn(self):
        self.turns += 1
        self.heard.append(self.name)
        if self.turns == self.fails_at:
            raise self.not_run("failed: no memory")
        return {"seconds": 1.0 if self.turns == 1 else 0.5, "peak_mb": 100.0}

    def close(self):
        self.heard.append(f"{self.name} ends")


@pytest.fixture
def compete(load_script, monkeypatch):
    """Return what runs fake contestants, of which one may fail, and what they were told."""
    peers = load_script("peers")
    monkeypatch.setattr(peers, "draw", lambda folder, *_: folder.mkdir())
    options = type("Options", (), {"rows": 4, "image_size": 8, "environments": None})
    FakeContestant.not_run = peers.NotRun

    def run(names, epochs, **fails_at):
        heard = []

        def start(name, *_):
            if fails_at.get(name) == 0:
                raise peers.NotRun("not installed: no wheel")
            return FakeContestant(name, heard, fails_at.get(name)), "1.0"

        monkeypatch.setattr(peers, "start", start)
        return peers.compete(names, {"epochs": epochs}, options), heard

    return run


def test_contestants_train_in_turn_and_the_first_epoch_warms_up(compete):
    found, heard = compete(["other", "sklearn_skin"], epochs=3)
    assert heard == ["other", "sklearn_skin"] * 4 + ["other ends", "sklearn_skin ends"]
    assert_allclose(found["other"]["seconds"], [0.5, 0.5])
    # The whole fit has the warm-up and what comes after the last epoch, too.
    assert_allclose(found["other"]["fit"], 2.5)


@pytest.mark.parametrize(("turn", "reason"), [(0, "not installed: no wheel"), (2, "no memory")])
def test_the_others_go_on_without_one_that_cannot(compete, load_script, turn, reason):
    found, _ = compete(["other", "sklearn_skin"], epochs=2, other=turn)
    assert_allclose(found["sklearn_skin"]["seconds"], [0.5])
    row = load_script("peers").format_row("other", 32, found["other"], found["sklearn_skin"])
    assert reason in row and row.count("|") == 8


def test_without_this_package_there_is_nothing_to_compare(compete):
    with pytest.raises(SystemExit, match="sklearn_skin failed: no memory"):
        compete(["other", "sklearn_skin"], epochs=2, sklearn_skin=1)


def test_an_environment_is_made_once_and_not_kept_where_pip_failed(
    load_script, monkeypatch, tmp_path
):
    peers, calls = load_script("peers"), []
    answers = iter([1, 0, 0])

    def run(command, **kwargs):
        calls.append(command)
        return subprocess.CompletedProcess(command, next(answers), "", "all\nERROR: no wheel\n")

    monkeypatch.setattr(peers.venv, "create", lambda folder, **_: folder.mkdir(exist_ok=True))
    monkeypatch.setattr(peers.subprocess, "run", run)
    with pytest.raises(peers.NotRun, match="not installed: ERROR: no wheel"):
        peers.make_environment(tmp_path / "a", "a==1")
    for _ in range(2):
        assert peers.make_environment(tmp_path / "a", "a==1") == tmp_path / "a" / "bin" / "python"
    assert len(calls) == 2 and "a==1" in calls[1]
    # The torch that this package is tested with, not the newest.
    assert [word for word in calls[1] if str(word).startswith("torch==")]
    peers.make_environment(tmp_path / "a", "a==2")
    assert len(calls) == 3


def test_all_benchmarks_are_run_but_for_those_that_need_data(load_script):
    scripts = {path.stem for path in BENCHMARKS.glob("[!_]*.py")} - {"all"}
    runs = load_script("all").RUNS
    assert {Path(run[0]).stem for run in runs.values()} == scripts - {"imputation", "loaders"}
    assert {row[0] for row in load_script("all").ROWS} <= set(runs)


def test_ratios_are_those_of_rounds_and_missing_ones_are_said_to_be(load_script):
    script = load_script("all")
    training = {"resnet18 at 64": {"plain": [2.0, 4.0, 9.0], "here": [1.0, 1.0, 3.0]}}
    rows = script.compare({"training": training, "peers": None, "memory": {"500": 4, "5000": 5}})
    ratios = {row["what"]: row["ratios"] for row in rows}
    assert_allclose(ratios["training epoch, resnet18 at 64 pixels, batch 64"], [2, 4, 3])
    assert_allclose(ratios["peak memory, 5,000 images"], [1.25])
    assert ratios["training epoch, resnet18 at 224 pixels, batch 16"] == []
    assert {row["run"] for row in rows} == {"training", "peers", "memory"}
    assert script.describe([2.0, 4.0, 3.0]) == "3.00 (2.00 to 4.00)"
    assert script.describe([]) == "not measured"


def test_the_table_of_all_is_printed_although_one_fails(load_script, monkeypatch, tmp_path, capsys):
    script = load_script("all")
    (tmp_path / "decode.py").write_text(
        "import json, sys\n"
        "place = sys.argv[sys.argv.index('--json') + 1]\n"
        "json.dump({'Pillow': [3.0], 'sklearn_skin': [1.0]}, open(place, 'w'))\n"
        "print('| its own table |')\n"
    )
    (tmp_path / "memory.py").write_text("raise SystemExit(1)\n")
    kept = tmp_path / "all.json"
    monkeypatch.setattr(script, "HERE", tmp_path)
    monkeypatch.setattr(sys, "argv", ["all.py", "--only", "decode", "memory", "--json", str(kept)])
    script.main()
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "| what | against | ratio | to reach |"
    assert sum("| 3.00 | ≥ 3.5 |" in line for line in printed) == 1
    assert sum("not measured" in line for line in printed) == 3
    assert json.loads(kept.read_text())["runs"]["memory"] is None
