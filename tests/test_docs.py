"""The documentation says what the code does."""

import dataclasses
import doctest
import importlib
import importlib.util
import inspect
import re
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator

import sklearn_skin

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.rst"), *(DOCS / "user_guide").glob("*.rst")])
PACKAGES = [*sklearn_skin.__all__, "modules.fusion"]


def is_module(package, name):
    return importlib.util.find_spec(f"sklearn_skin.{package}.{name}") is not None


def public_names(package):
    """Return the names that users import from a package, or from a plain module."""
    module = importlib.import_module(f"sklearn_skin.{package}")
    if hasattr(module, "__all__"):
        names = module.__all__
        is_package = hasattr(module, "__path__")
        return {name for name in names if not (is_package and is_module(package, name))}
    own = vars(module).items()
    return {
        name
        for name, value in own
        if not name.startswith("_")
        and (name.isupper() or getattr(value, "__module__", None) == module.__name__)
    }


def documented_names():
    """Return {package: names} of docs/api.rst."""
    names, package, in_list = {}, None, False
    for line in (DOCS / "api.rst").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\.\. currentmodule:: sklearn_skin\.(\S+)", line):
            package = match[1]
            names.setdefault(package, set())
        elif match := re.match(r"\.\. py:data:: (\w+)", line):
            names[package].add(match[1])
        elif line.startswith(".. "):
            in_list = line.startswith(".. autosummary::")
        elif in_list and (match := re.fullmatch(r"    (\w+)", line)):
            names[package].add(match[1])
    return names


def public_objects():
    for package in PACKAGES:
        for name in sorted(public_names(package)):
            value = getattr(importlib.import_module(f"sklearn_skin.{package}"), name)
            if inspect.isclass(value) or inspect.isfunction(value):
                yield pytest.param(value, id=f"{package}.{name}")


def load_script(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("package", PACKAGES)
def test_the_reference_lists_what_is_public(package):
    assert documented_names()[package] == public_names(package)


def test_the_reference_lists_no_other_package():
    assert set(documented_names()) == set(PACKAGES)


@pytest.mark.parametrize("value", list(public_objects()))
def test_public_objects_have_an_example(value):
    text = inspect.getdoc(value) or ""
    assert text.strip()
    holds_values = dataclasses.is_dataclass(value)
    if not holds_values and not (inspect.isclass(value) and issubclass(value, Exception)):
        assert "Examples\n--------\n" in text


@pytest.mark.parametrize("name", ["make_operator_table", "make_preset_table"])
def test_generated_tables_are_those_of_the_code(name):
    script = load_script(name)
    assert script.TARGET.read_text(encoding="utf-8") == script.make_table()


def test_code_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 3
    scope = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), scope)
    assert 0 < float(capsys.readouterr().out) <= 1
    assert list(scope["X"]) == ["age", "sex", "image"]
    assert type(scope["model"].second_stage).__name__ == "HistGradientBoostingClassifier"


def test_links_of_the_readme_lead_somewhere():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert links and [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_of_the_guide_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    result = doctest.testfile(
        str(page), module_relative=False, optionflags=options, encoding="utf-8"
    )
    assert result.failed == 0


def numpydoc_names():
    """Return the full names of public functions, classes and the estimators' methods."""
    found = []
    for package in PACKAGES:
        module = importlib.import_module(f"sklearn_skin.{package}")
        for name in sorted(public_names(package)):
            value = getattr(module, name)
            path = f"sklearn_skin.{package}.{name}"
            if inspect.isfunction(value):
                found.append(path)
            elif inspect.isclass(value) and not dataclasses.is_dataclass(value):
                # Methods of pandas' arrays, torch's modules and skorch's callbacks are theirs.
                own = vars(value).items() if issubclass(value, BaseEstimator) else ()
                methods = [key for key, v in own if inspect.isfunction(v) and key[0] != "_"]
                found += [path, *(f"{path}.{method}" for method in methods)]
    return found


@pytest.mark.parametrize("name", numpydoc_names())
def test_numpydoc_finds_parameters_returns_and_a_summary(name):
    from numpydoc.validate import validate

    checks = {"GL06", "GL07", "GL08", "GL10", "SS01", "PR01", "PR02", "PR03", "RT01", "YD01"}
    errors = [error for error in validate(name)["errors"] if error[0] in checks]
    assert not errors
