"""Change every value of `presets/_recipes.py` in turn, and list the changes that no test notices.

``python tests/mutate_presets.py`` prints the counts and the survivors; it takes a minute. A key
that is dropped survives where its value is the estimator's default anyway. The code of functions
is for ``make mutants``, which does not see module-level tables.
"""

import ast
import importlib.util
import sys
import types
import warnings
from pathlib import Path

from sklearn_skin.presets import _make_preset, _recipes

TESTS = Path(__file__).parent / "test_presets.py"
SOURCE = Path(_recipes.__file__).read_text(encoding="utf-8")


def load_tests():
    """Return test_presets.py as a module."""
    spec = importlib.util.spec_from_file_location("test_presets", TESTS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def other_values(value):
    """Return what a constant is changed into."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [other for other in (value * 1000, value + 1, value * 2, 0) if other != value]
    return ["imagenet"] if value is None else [f"{value}x", "none"]


def mutations(tree):
    """Yield (node, description, function that changes it and returns one that changes it back)."""
    prose = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "deviations"
        for part in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in prose:
            continue
        if isinstance(node, ast.Constant):
            for other in other_values(node.value):
                yield node, f"{node.value!r} -> {other!r}", set_value(node, other)
        if isinstance(node, ast.Dict):
            for i in range(len(node.keys)):
                yield node, f"without key {i}", drop((node.keys, node.values), i)
        if isinstance(node, ast.Tuple | ast.List):
            for i in range(len(node.elts)):
                yield node, f"without element {i}", drop((node.elts,), i)
        if isinstance(node, ast.Call):
            for i, keyword in enumerate(node.keywords):
                if keyword.arg != "deviations":
                    yield node, f"without {keyword.arg}", drop((node.keywords,), i)


def set_value(node, other):
    def change():
        before, node.value = node.value, other
        return lambda: setattr(node, "value", before)

    return change


def drop(lists, i):
    def change():
        before = [items.pop(i) for items in lists]

        def undo():
            for items, item in zip(lists, before):
                items.insert(i, item)

        return undo

    return change


def survives(tree, tests):
    """Return whether all tests pass with the module that the tree is now."""
    module = types.ModuleType(_recipes.__name__)
    sys.modules[_recipes.__name__] = module
    try:
        exec(compile(ast.unparse(tree), "_recipes.py", "exec"), module.__dict__)
        tests.PRESETS = _make_preset.PRESETS = module.PRESETS
        for name, key in tests.SETTINGS:
            tests.test_a_setting_is_what_its_source_states(name, key)
        for name in tests.PUBLISHED.RECIPES:
            tests.test_nothing_is_set_that_was_not_looked_up_in_the_source(name)
            tests.test_the_loss_is_that_of_the_source(name)
        tests.test_every_system_has_a_preset()
        tests.test_the_second_stage_of_fusionm4net_is_a_support_vector_machine()
    except Exception:
        return False
    return True


def find_survivors():
    """Return how many mutants there are, and a line for each that survives."""
    warnings.simplefilter("ignore")
    tests, tree = load_tests(), ast.parse(SOURCE)
    assert survives(tree, tests), "the tests fail without a mutation"
    tables = [
        node
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id != "__all__"
    ]
    found, lines = [], SOURCE.splitlines()
    changes = [mutation for table in tables for mutation in mutations(table)]
    for node, what, change in changes:
        undo = change()
        if survives(tree, tests):
            found.append(f"_recipes.py:{node.lineno}: {what}   {lines[node.lineno - 1].strip()}")
        undo()
    return len(changes), found


if __name__ == "__main__":
    count, survivors = find_survivors()
    print(*survivors, f"{count} mutants, {len(survivors)} survive", sep="\n")
