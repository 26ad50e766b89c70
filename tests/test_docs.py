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
from sklearn_skin import datasets
from sklearn_skin.modules.fusion import FUSIONS
from sklearn_skin.persistence import load_model
from sklearn_skin.presets import PRESETS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GENERATED = ("make_api", "make_dataset_table", "make_operator_table", "make_preset_table")


def load_script(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


API = load_script("make_api")
PACKAGES = API.find_packages()
LOADERS = [name for name in datasets.__all__ if name.startswith(("load_", "make_"))]
WRITTEN = {load_script(name).TARGET for name in GENERATED}
PAGES = sorted({*DOCS.glob("*.rst"), *(DOCS / "user_guide").glob("*.rst")} - WRITTEN)
OBJECTS = [
    pytest.param(value, id=f"{package}.{name}")
    for package in PACKAGES
    for name, value in API.public_objects(package).items()
    if inspect.isclass(value) or inspect.isfunction(value)
]


def test_the_reference_names_everything_public():
    page = API.make_page()
    assert set(sklearn_skin.__all__) | {"modules.fusion"} == set(PACKAGES)
    sections = page.split(".. currentmodule:: sklearn_skin.")[1:]
    assert [section.split()[0] for section in sections] == PACKAGES
    for package, section in zip(PACKAGES, sections):
        listed = set(re.findall(r"^    (\w+)$|^\.\. py:data:: (\w+)$", section, flags=re.MULTILINE))
        public = importlib.import_module(f"sklearn_skin.{package}").__all__
        assert {one or other for one, other in listed} == {
            name for name in public if f"{package}.{name}" not in PACKAGES
        }


@pytest.mark.parametrize("value", OBJECTS)
def test_public_objects_have_an_example(value):
    text = inspect.getdoc(value) or ""
    assert text.strip()
    holds_values = dataclasses.is_dataclass(value)
    if not holds_values and not (inspect.isclass(value) and issubclass(value, Exception)):
        assert "Examples\n--------\n" in text


@pytest.mark.parametrize(
    ("script", "names"),
    [
        ("make_operator_table", FUSIONS),
        ("make_preset_table", PRESETS),
        ("make_dataset_table", LOADERS),
    ],
)
def test_generated_tables_have_a_full_row_for_each(script, names):
    rows = load_script(script).make_page().split("\n.. rubric::")[0].split("\n   * - ")[1:]
    assert len(rows) == 1 + len(names)
    for name in names:
        [row] = [row for row in rows if re.search(rf"[`\"]{name}[`\"]", row)]
        assert row.count("\n     - ") == rows[0].count("\n     - ")
        assert len(row.split()) > rows[0].count("\n     - ")


def test_table_of_presets_marks_what_sources_leave_open():
    page = load_script("make_preset_table").make_page()
    for preset in PRESETS.values():
        [recipe] = re.findall(
            rf"^.. rubric:: {preset.system}:.*?\n\n    (.*?)(?=\n\.\.|\Z)", page, re.S | re.M
        )
        marked = re.findall(r"^ +(?:# )?(\w+)=.*  # not stated: (.+)$", recipe, re.M)
        assert dict(marked) == preset.unstated
    assert "momentum of ``optimizer``" in page
    assert "    lr=3e-05,  # not stated: value\n" in page


def test_table_of_operators_counts_their_weights():
    page = load_script("make_operator_table").make_page()
    # d p weights and p biases for 512 and 256.
    row = ["``hadamard``", ":class:`HadamardFusion`", "vector", "feature", "no", "256", "131,328"]
    assert "\n".join(f"   {'  -' if i else '* -'} {cell}" for i, cell in enumerate(row)) in page


def test_descriptions_of_data_sets_have_their_fields():
    read = load_script("make_dataset_table").read_fields
    for loader in LOADERS:
        assert {"Images", "Metadata", "Target", "Groups", "Leaky columns"} <= set(read(loader))


def test_code_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 3
    scope = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), scope)
    assert 0 < float(capsys.readouterr().out) <= 1
    assert list(scope["X"]) == ["image", "age", "sex", "site", "diameter", "lesion_id"]
    saved = load_model("model.skin")
    assert saved.predict(scope["X"]).shape == (60,) and Path("report.html").stat().st_size > 1e5
    assert type(scope["model"].second_stage).__name__ == "HistGradientBoostingClassifier"


def test_models_of_the_examples_can_be_made():
    """The quickstart is the first command of the README, and takes too long for a test."""
    scripts = {}
    for name in ("quickstart", "ham10000"):
        spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
        scripts[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(scripts[name])
    rows = ["metadata only", "image only", "both"]
    assert list(scripts["quickstart"].MODELS) == rows
    assert list(scripts["ham10000"].make_models("lcnet_050", 32, 1, 0)) == rows


def labels_of(page):
    return re.findall(r"^\.\. _(\w+):$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)


@pytest.mark.parametrize("name", ["JointFusionClassifier", "JointIndividualFusionClassifier"])
def test_docstrings_name_every_operator(name):
    text = getattr(sklearn_skin.neural_network, name).__doc__
    assert [operator for operator in FUSIONS if f'"{operator}"' not in text] == []


def test_references_are_there_once_and_are_cited():
    listed = labels_of(DOCS / "references.rst")
    sources = [*(ROOT / "sklearn_skin").rglob("*.py"), *PAGES]
    texts = [path.read_text(encoding="utf-8") for path in sources]
    cited = {label for text in texts for label in re.findall(r":ref:`[^`<]+<(\w+)>`", text)}
    assert len(set(listed)) == len(listed)
    assert set(listed) <= cited <= {label for page in PAGES for label in labels_of(page)}
    # "System S1" as a reference would not say where its equations stand.
    assert not [text for text in texts if re.search(r"\[\d\] Systems? S\d", text)]


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
    for parameter in OBJECTS:
        (value,) = parameter.values
        path = f"sklearn_skin.{parameter.id}"
        if inspect.isfunction(value):
            found.append(path)
        elif not dataclasses.is_dataclass(value):
            # Methods of pandas' arrays, torch's modules and skorch's callbacks are theirs.
            own = vars(value).items() if issubclass(value, BaseEstimator) else ()
            # What a parent defines is described there; a subclass says what is its own.
            known = {name for parent in value.__mro__[1:] for name in vars(parent)}
            methods = [
                key
                for key, v in own
                if inspect.isfunction(v) and key[0] != "_" and key not in known
            ]
            found += [path, *(f"{path}.{method}" for method in methods)]
    return found


@pytest.mark.parametrize("name", numpydoc_names())
def test_numpydoc_finds_parameters_returns_and_a_summary(name):
    from numpydoc.validate import validate

    checks = {"GL06", "GL07", "GL08", "GL10", "SS01", "PR01", "PR02", "PR03", "RT01", "YD01"}
    errors = [error for error in validate(name)["errors"] if error[0] in checks]
    assert not errors
