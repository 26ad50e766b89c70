"""Print docs/mutants.md: what mutmut found, and what is thought of every change that survives.

``make mutants`` writes the page so. The results are those in ``mutants/``; judgements are in
``tests/judged_mutants.toml``. A survivor that nobody has judged is listed as such.
"""

import argparse
import ast
import json
import re
import sys
import tomllib
from collections import Counter
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path

JUDGEMENTS = Path(__file__).with_name("judged_mutants.toml")
PACKAGE = "sklearn_skin"
# Exit status of pytest under a mutant, as mutmut keeps it: all tests passed, or none ended in time.
SURVIVED, TIMED_OUT = 0, (24, -24, 36, 152, 255)
CONTEXT = 30  # characters shown beside a change

PAGE = """\
# Mutants

What the tests would not notice. [mutmut](https://mutmut.readthedocs.io) {version} changes the code of `modules`
(networks, fusion, attention, losses, heads) and `ensemble` in one place at a time and runs the tests that
reach it, from `tests/modules` and `tests/ensemble` alone. Left out: scikit-learn's own checks and the test
that starts processes, weights files, error messages, and lines that no test runs.

    make mutants

takes two hours and writes this page; what is thought of a survivor is in `tests/judged_mutants.toml`.

{total:,} mutants: **{noticed:,} are noticed ({percent:.1f} %)**, {late} of them by taking too long; {alive} survive.
{gaps} of these are gaps of the tests, {unjudged} are not judged.

{files}

## Survivors, judged

{kinds}

{single}

## Presets

`python tests/mutate_presets.py` changes every value of the presets' recipes: {preset_total} mutants,
{preset_alive} survive, all of them settings that say what the default is.
"""  # noqa: E501


def read_results(root):
    """Return the exit status of pytest by mutant, for every file that mutmut has changed."""
    results = {}
    for path in sorted(root.glob(f"{PACKAGE}/**/*.py.meta")):
        found = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
        if found:
            results[path.with_suffix("")] = found
    if not results:
        sys.exit(f"No results of mutmut in {root}; run `make mutants`.")
    waiting = sum(status is None for found in results.values() for status in found.values())
    if waiting:
        sys.exit(f"{waiting} mutants have not been run; run `make mutants` again.")
    return results


def read_functions(path):
    """Return the code of every function, mutated or not, one statement a line, by mutmut's name."""
    functions = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and "__mutmut_" in node.name:
            name, node.name = node.name, "f"
            functions[name] = ast.unparse(node)
    return functions


def describe(before, after):
    """Return the place where two texts differ, with a little on either side."""
    start = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(before, after))))
    rest = zip(reversed(before[start:]), reversed(after[start:]))
    end = len(list(takewhile(lambda pair: pair[0] == pair[1], rest)))

    def shown(text):
        stop = len(text) - end
        left = max(start - CONTEXT, text.rfind("\n", 0, start) + 1)
        line_end = text.find("\n", stop)
        right = min(stop + CONTEXT, len(text) if line_end < 0 else line_end)
        cut = (
            "…" if text[left - 1 : left].strip() else "",
            "…" if text[right : right + 1].strip() else "",
        )
        return cut[0] + " ".join(text[left:right].split()) + cut[1]

    return f"{shown(before)} → {shown(after)}"


def find_alive(results):
    """Yield the place and the change of every mutant that survives."""
    for path, statuses in results.items():
        module = ".".join(path.with_suffix("").parts[path.parts.index(PACKAGE) + 1 :])
        functions = read_functions(path)
        for name, status in statuses.items():
            if status == SURVIVED:
                mutant = name.rsplit(".", 1)[1]
                original = mutant.rsplit("__mutmut_", 1)[0]
                # mutmut's names: x_function, and xǁClassǁmethod.
                own = re.sub("^x_?ǁ?", "", original).replace("ǁ", ".")
                change = describe(functions[f"{original}__mutmut_orig"], functions[mutant])
                yield f"{module}.{own}", change


def judge(survivors, judgements):
    """Return kind -> list of (place, change, judgement)."""
    kinds = {row["kind"]: [] for row in judgements}
    for place, change in survivors:
        for row in judgements:
            if re.search(row.get("where", ""), place) and re.search(row.get("change", ""), change):
                kinds[row["kind"]].append((place, change, row["judgement"]))
                break
        else:
            kinds.setdefault("not judged", []).append((place, change, "not judged"))
    return kinds


def table(header, rows):
    """Return a table in Markdown; numbers are to the right."""
    ruler = ["--:" if all(isinstance(row[i], int) for row in rows) else "---"
             for i in range(len(header))]  # fmt: skip
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in [header, ruler, *rows]]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def write_page(root, preset_total, preset_alive):
    """Return the page, with the numbers of mutants of the presets and of those that survive."""
    results = read_results(root)
    judgements = tomllib.loads(JUDGEMENTS.read_text(encoding="utf-8"))["survivor"]
    kinds = judge(find_alive(results), judgements)
    files, total = [], Counter()
    for path, statuses in results.items():
        count = Counter(
            "alive" if status == SURVIVED else "late" if status in TIMED_OUT else "failed"
            for status in statuses.values()
        )
        total += count
        name = "/".join(path.with_suffix("").parts[path.parts.index(PACKAGE) + 1 :])
        files.append((name, len(statuses), len(statuses) - count["alive"], count["alive"]))
    one_by_one = ("gap", "single", "not judged")
    summary = [
        (kind, len(rows), "listed below" if kind in one_by_one else rows[0][2])
        for kind, rows in kinds.items()
        if rows
    ]
    single = [
        (f"`{place}`", f"`{change}`", f"**a gap**: {judgement}" if kind == "gap" else judgement)
        for kind in one_by_one
        for place, change, judgement in kinds.get(kind, [])
    ]
    noticed, every = total["failed"] + total["late"], sum(total.values())
    return PAGE.format(
        version=version("mutmut"),
        total=every,
        noticed=noticed,
        percent=100 * noticed / every,
        late=total["late"],
        alive=total["alive"],
        gaps=len(kinds.get("gap", [])),
        unjudged=len(kinds.get("not judged", [])),
        files=table(["file", "mutants", "noticed", "survive"], files),
        kinds=table(["kind", "number", "what they are"], summary),
        single=table(["where", "change", "judged"], single),
        preset_total=preset_total,
        preset_alive=preset_alive,
    )


if __name__ == "__main__":
    from mutate_presets import find_survivors

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", default="mutants", type=Path, help="mutmut's folder")
    folder = parser.parse_args().root
    read_results(folder)
    n_presets, survivors = find_survivors()
    print(write_page(folder, n_presets, len(survivors)), end="")
