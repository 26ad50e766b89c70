"""Limits and arrows that reviews need not count: sizes, imports, declared dependencies."""

import ast
import importlib.util
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sklearn_skin"
FILES = sorted(PACKAGE.rglob("*.py"))
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
DOCUMENTED = ast.Module | ast.ClassDef | FUNCTIONS
MAX_LINES, MAX_LINES_WITHOUT_DOCSTRINGS, MAX_BODY = 400, 300, 30

# What is still too long, or reaches into another package: to be emptied, never added to.
LONG_FILES = {
    "ensemble/_fusion_m4net.py",
    "image/_array.py",
    "neural_network/_base.py",
}
LONG_FUNCTIONS = {
    "inspection/_integrated_gradients.py:integrated_gradients",
    "inspection/_learning_curve.py:plot",
    "modules/_joint.py:__init__",
    "modules/_lesionnet.py:__init__",
    "neural_network/_base.py:__init__",
    "preprocessing/_denoising.py:train",
    "reporting/_breakdowns.py:_breakdown",
    "reporting/_breakdowns.py:_fold_blocks",
    "reporting/_clinical_report.py:clinical_report",
    "reporting/_explanations.py:_permutation",
    "reporting/_performance.py:calibration_section",
    "reporting/_performance.py:metrics_section",
    "reporting/_plots.py:calibration_figure",
}
PRIVATE_IMPORTS = {
    "audit/_columns.py",
    "inspection/_modality_relevance.py",
    "inspection/_rows.py",
    "neural_network/_asymmetric.py",
    "neural_network/_fusionnet.py",
    "neural_network/_joint.py",
    "neural_network/_joint_individual.py",
    "neural_network/_lesionnet.py",
    "neural_network/_shared.py",
    "neural_network/_super_resolution.py",
    "neural_network/_two_images.py",
    "reporting/_cases.py",
    "reporting/_predictions.py",
}
# timm imports it.
NOT_IMPORTED = {"torchvision"}


def load_map():
    spec = importlib.util.spec_from_file_location("package_map", ROOT / "docs/make_package_map.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def docstring(node):
    """Return the statement that is the node's docstring, or None."""
    documented = isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None
    return node.body[0] if documented else None


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def long_files():
    for path in FILES:
        n_lines = len(path.read_text(encoding="utf-8").splitlines())
        strings = filter(None, map(docstring, ast.walk(parse(path))))
        code = n_lines - sum(s.end_lineno - s.lineno + 1 for s in strings)
        if n_lines > MAX_LINES or code > MAX_LINES_WITHOUT_DOCSTRINGS:
            yield name_of(path)


def long_functions():
    for path in FILES:
        for node in ast.walk(parse(path)):
            if isinstance(node, FUNCTIONS):
                body = node.body[docstring(node) is not None :]
                if body and node.end_lineno - body[0].lineno + 1 > MAX_BODY:
                    yield f"{name_of(path)}:{node.name}"


def private_imports():
    for found in load_map().find_imports(PACKAGE):
        if found.private:
            yield found.where.removeprefix("sklearn_skin/").rsplit(":", 1)[0]


@pytest.mark.parametrize(
    ("find", "allowed"),
    [
        (long_files, LONG_FILES),
        (long_functions, LONG_FUNCTIONS),
        (private_imports, PRIVATE_IMPORTS),
    ],
    ids=["files", "functions", "private imports"],
)
def test_limits(find, allowed):
    found = set(find())
    assert found - allowed == set(), "over the limit"
    assert allowed - found == set(), "within the limit by now: strike it from the list"


def test_packages_do_not_import_one_another_in_circles():
    assert load_map().find_cycles(load_map().find_imports(PACKAGE)) == []


def imported_names(files=FILES):
    """Return top-level module -> files that import it, by statement or by name."""
    names = {}
    for path in files:
        for node in ast.walk(parse(path)):
            for module in modules_of(node):
                names.setdefault(module.split(".")[0], set()).add(path.name)
    return {name: files for name, files in names.items() if name not in sys.stdlib_module_names}


def modules_of(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module] if node.level == 0 else []
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
        function = getattr(node.func, "id", getattr(node.func, "attr", None))
        by_name = function in ("optional_import", "import_module", "importorskip")
        if by_name and node.args and isinstance(node.args[0], ast.Constant):
            return [node.args[0].value]
    return []


def normalise(requirement):
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")


def declared():
    """Return distribution -> where pyproject declares it: "core" or the extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"core": project["dependencies"], **project["optional-dependencies"]}
    found = {}
    for group, requirements in groups.items():
        for requirement in requirements:
            found.setdefault(normalise(requirement), set()).add(group)
    return found


def test_third_party_imports_are_declared():
    distributions, known = packages_distributions(), declared()
    undeclared = {}
    for module, files in imported_names().items():
        owners = {normalise(name) for name in distributions.get(module, [module])}
        if module != "sklearn_skin" and not owners & set(known):
            undeclared[module] = sorted(files)
    assert undeclared == {}


def test_what_is_declared_is_imported():
    files = [
        path for room in (PACKAGE, ROOT / "tests", ROOT / "examples") for path in room.rglob("*.py")
    ]
    distributions = packages_distributions()
    used = {
        normalise(name)
        for module in imported_names(files)
        for name in distributions.get(module, ())
    }
    tools = {"test", "docs"}
    idle = {name for name, groups in declared().items() if not groups <= tools and name not in used}
    assert idle - NOT_IMPORTED == set()


def test_every_declared_package_is_pinned():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {normalise(line) for line in lines}
    assert pinned == set(declared()) - {"sklearn-skin"}
