"""The page of results: every command runs, and prints the columns that stand below it."""

import importlib.util
import re
import runpy
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.pipeline import Pipeline

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
REPRODUCE = ROOT / "examples" / "reproduce"
# What a script draws or explains with, beside what the package itself needs.
OPTIONAL = {
    "quickstart": ["matplotlib"],
    "mask_overlap": ["matplotlib", "captum"],
    "report": ["matplotlib", "captum", "jinja2"],
}

pytestmark = pytest.mark.filterwarnings("ignore")


def is_rule(line):
    return re.fullmatch(r"\|( *:?-+:? *\|)+", line) is not None


def headers(text):
    """Return the column names of every Markdown table."""
    lines = text.splitlines()
    return [
        tuple(cell.strip() for cell in line.split("|")[1:-1])
        for line, after in zip(lines, lines[1:])
        if is_rule(after)
    ]


def code_lines(page):
    """Yield each line and whether it stands in a code block."""
    fenced = False
    for line in page.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        yield line, fenced or line.startswith("    ")


def read_commands(page):
    """Return command -> column names of the tables between it and the next; "" is the start."""
    texts = {"": []}
    for line, is_code in code_lines(page):
        if is_code and re.match(r"(\w+=\S+ )*(python|make) ", line.strip()):
            assert line.strip() not in texts
            texts[line.strip()] = []
        else:
            texts[next(reversed(texts))].append(line)
    return {command: headers("\n".join(lines)) for command, lines in texts.items()}


TABLES = read_commands(PAGE)
COMMANDS = [command for command in TABLES if command]


def script_and_arguments(command):
    """Return the script that a command runs, and its arguments with --smallest for data sets."""
    if command.startswith("make "):
        rule = re.search(rf"^{command[5:]}:.*\n\t(.*)$", (ROOT / "Makefile").read_text(), re.M)
        command = rule[1].replace("$(BIN)/", "")
    words = [word for word in shlex.split(command) if not re.match(r"\w+=", word)]
    assert words[0] == "python"
    return ROOT / words[1], [w for w in words[2:] if w not in ("ROOT", "FOLDER")] + ["--smallest"]


def test_commands_stand_in_code_blocks():
    prose = [line for line, is_code in code_lines(PAGE) if not is_code]
    assert [line for line in prose if re.search(r"python \S+\.py|`make \w+", line)] == []
    # Outside of code two hyphens become a dash.
    assert "--" not in re.sub(r"`[^`]*`|^\|.*$", "", "\n".join(prose), flags=re.M)


def test_every_table_follows_a_command():
    assert TABLES[""] == [] and [command for command in COMMANDS if not TABLES[command]] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_columns_are_those_that_the_command_prints(command, tmp_path, monkeypatch, capsys):
    script, arguments = script_and_arguments(command)
    for package in OPTIONAL.get(script.stem, ()):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.syspath_prepend(script.parent)
    monkeypatch.setattr("sys.argv", [str(script), *arguments])
    runpy.run_path(str(script), run_name="__main__")
    printed = headers(capsys.readouterr().out)
    assert printed
    assert set(printed) == set(TABLES[command])


@pytest.fixture
def load_script(monkeypatch):
    monkeypatch.syspath_prepend(REPRODUCE)

    def load(name):
        spec = importlib.util.spec_from_file_location(name, REPRODUCE / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


class OneRate(ClassifierMixin, BaseEstimator):
    """Right with a rate of 0.1, else wrong; remembers its rows."""

    def __init__(self, lr=1.0):
        self.lr = lr

    def fit(self, X, y):
        self.classes_, self.rows_ = np.unique(y), X["row"].to_numpy()
        return self

    def predict(self, X):
        assert not set(X["row"]) & set(self.rows_)
        right = X["label"].to_numpy()
        return right if self.lr == 0.1 else 1 - right


def test_operators_get_the_rate_that_is_best_on_other_patients(load_script):
    y = pd.Series(make_classification(120, random_state=0)[1])
    X = pd.DataFrame({"row": range(120), "label": y})
    groups = pd.Series(np.arange(120) // 3)
    model = Pipeline([("net", OneRate())])
    search = load_script("operators").tune(model, [1.0, 0.1, 0.01], X, y, groups)
    assert_allclose(search.best_params_["net__lr"], 0.1)
    assert_allclose(search.best_score_, 1.0)
    assert len(search.best_estimator_["net"].rows_) == 120
    ((inner, held_out),) = search.cv
    assert not set(groups[inner]) & set(groups[held_out])


@pytest.fixture
def as_published(load_script):
    """Return fits that score on each of two folds what the source reports on average."""
    source = load_script("operators").SOURCE
    rows = [
        (structure, operator, fold, score + 0.01 * fold, 1.0)
        for operator, pair in source.items()
        for structure, score in zip(("JF", "JIF"), pair)
        for fold in range(2)
    ]
    columns = ["structure", "operator", "fold", "bacc", "fit_seconds"]
    return pd.DataFrame(rows, columns=columns), source


def test_the_comparison_says_what_the_scores_say(load_script, as_published, capsys):
    load_script("_comparison").print_comparison(*as_published)
    said = capsys.readouterr().out
    assert "JIF is above JF for 5 of 5 operators and level for 0, by 0.020 on average" in said
    assert "ten figures" not in said and "10 figures, mmfa: 1.00" in said
    assert "deviation of a model 0.007, of the difference of two 0.000" in said
    assert "their correlation 1.00" in said
    assert "JIF mmfa, wins on every fold against 9 of 9" in said


@pytest.mark.parametrize(("effect", "pairs"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_pairs_needed_are_those_of_published_tables(load_script, effect, pairs):
    power = load_script("power")
    assert power.fits_needed(effect, 0.05, 0.8) == pairs
    assert power.least_effect(pairs, 0.05, 0.8) <= effect < power.least_effect(pairs - 1, 0.05, 0.8)


def test_a_meta_estimator_is_not_ok_where_it_differs_from_a_plain_fit_or_a_fit_fails(
    load_script, monkeypatch
):
    script = load_script("meta_estimators")
    data = script.make_data()
    assert script.attempt("VotingClassifier", data, 1, False) == "ok"
    data.proba = data.proba[:, ::-1]
    found = script.attempt("VotingClassifier", data, 1, False)
    assert found.startswith("ValueError: differs from a plain fit by 0.")
    data.fold_scores = [0.1, np.nan]
    assert "differs from" in script.attempt("cross_val_score", data, 1, False)
    fit, calls = script.JointFusionClassifier.fit, iter(range(100))

    def fit_every_other_time(self, *args, **kwargs):
        if next(calls) % 2:
            raise RuntimeError("broken fold")
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(script.JointFusionClassifier, "fit", fit_every_other_time)
    assert script.attempt("GridSearchCV", data, 1, False) == "RuntimeError: broken fold"


def test_lines_of_the_tutorials_are_those_of_their_code(load_script):
    tutorials = load_script("tutorials")
    counts = [tutorials.count_lines(code) for code in (tutorials.PETS, tutorials.FLATS)]
    rows = {step: [count[step] for count in counts] for step in tutorials.STEPS}
    rows["together"] = [sum(count.values()) for count in counts]
    for step, (pets, flats) in rows.items():
        assert re.search(
            rf"^\| {step} \| [^|]+ \| {pets} \| [^|]+ \| {flats} \|$", PAGE, flags=re.M
        )
    # A setting is a line of the code, as it is of the tutorials'.
    assert "**" not in tutorials.PETS + tutorials.FLATS
