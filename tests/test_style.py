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


@pytest.mark.parametrize("find", [long_files, long_functions, private_imports])
def test_limits(find):
    assert list(find()) == []


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
    # And what these need, where pip would try a hundred versions.
    assert pinned - {"aiobotocore", "boto3", "botocore"} == set(declared()) - {"sklearn-skin"}


def test_warnings_point_at_the_user_s_line():
    calls = [
        name_of(path) for path in FILES if "warnings.warn(" in path.read_text(encoding="utf-8")
    ]
    assert calls == [], "use sklearn_skin.utils.warn_user"
