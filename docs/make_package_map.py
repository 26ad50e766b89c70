"""Print who imports whom: packages, private imports between them, cycles, lines of code.

Usage: python docs/make_package_map.py [FOLDER]

FOLDER is the package to read, ``sklearn_skin`` beside this script by default, so that two
checkouts can be compared.
"""

import ast
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1] / "sklearn_skin"


class Import(NamedTuple):
    """One import of one room by another; `private` where a module's name starts with ``_``."""

    importer: str
    imported: str
    private: bool
    where: str


def find_imports(root=ROOT):
    """Return the imports across packages and their sub-packages of public name."""
    rooms = {path.stem if path.is_file() else path.name for path in root.iterdir()}
    found = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for imported in _imported(node, root.name):
                # Private modules directly in the root package belong to every room.
                known = imported[0] in rooms and not imported[0].startswith("_")
                if not known or imported[0] == parts[0] or parts[0] == "__init__":
                    continue
                private = any(part.startswith("_") for part in imported)
                where = f"{path.relative_to(root.parent)}:{node.lineno}"
                found.append(Import(parts[0], imported[0], private, where))
    return found


def _imported(node, package):
    """Yield the path below the package of each module that a statement imports, as parts."""
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
        private = [alias.name for alias in node.names if alias.name.startswith("_")]
        whole = node.module == package
        modules = [f"{node.module}.{alias.name}" for alias in node.names] if whole else []
        modules = modules or [".".join([node.module, *private[:1]])]
    else:
        return
    for module in modules:
        root, *parts = module.split(".")
        if root == package and parts:
            yield parts


def find_cycles(imports):
    """Return the groups of packages that reach one another, sorted."""
    edges = {}
    for found in imports:
        edges.setdefault(found.importer, set()).add(found.imported)
    reach = {room: _reachable(room, edges) for room in edges}
    cycles = {
        frozenset(other for other in reach[room] if room in reach.get(other, ()))
        for room in reach
        if room in reach[room]
    }
    return sorted(sorted(cycle) for cycle in cycles)


def _reachable(room, edges):
    seen, todo = set(), [room]
    while todo:
        for other in edges.get(todo.pop(), set()) - seen:
            seen.add(other)
            todo.append(other)
    return seen


def count_lines(root=ROOT):
    """Return the numbers of lines: all, code, comments, docstrings and blank ones."""
    counts = Counter()
    for path in root.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        documented = set()
        for node in ast.walk(ast.parse(text)):
            holds_text = isinstance(
                node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
            )
            if holds_text and ast.get_docstring(node, clean=False) is not None:
                string = node.body[0]
                documented |= set(range(string.lineno, string.end_lineno + 1))
        for number, line in enumerate(lines, 1):
            stripped = line.strip()
            if number in documented:
                kind = "docstrings"
            elif not stripped:
                kind = "blank"
            else:
                kind = "comments" if stripped.startswith("#") else "code"
            counts[kind] += 1
        counts["files"] += 1
    return counts


def main(root=ROOT):
    """Print the map."""
    imports = find_imports(root)
    for room in sorted({found.importer for found in imports}):
        of = Counter(found.imported for found in imports if found.importer == room)
        print(f"{room:18} -> {', '.join(f'{name} {n}' for name, n in sorted(of.items()))}")
    private = [found for found in imports if found.private]
    print(f"\nimports across packages: {len(imports)}, of private modules: {len(private)}")
    for found in private:
        print(f"  {found.where}: {found.imported}")
    cycles = find_cycles(imports)
    print(f"cycles: {len(cycles)}")
    for cycle in cycles:
        print(f"  {', '.join(cycle)}")
    print(", ".join(f"{kind}: {n}" for kind, n in sorted(count_lines(root).items())))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
