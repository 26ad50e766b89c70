"""
====================================
An exported network beside torch
====================================

Milliseconds of a fresh process until it has predicted its first row, and of each further row, by
a Pipeline from joblib's file and by `OnnxClassifier` from that of `export_onnx`; rows name files of
images, each side has a process of its own, and int8 is there only where `export_onnx` finds it
faster. Medians of alternating calls: ``python examples/benchmarks/deployment.py``.
"""

import argparse
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path

# name: backbone, pixels
NETWORKS = {
    "resnet18 at 224": ("resnet18", 224),
    "vit_tiny at 224": ("vit_tiny_patch16_224", 224),
    "tiny at 32": ("test_resnet", 32),
}
SIDES = ("torch", "ONNX", "int8")
START = """
import sys
import pandas as pd
row = pd.read_csv(sys.argv[1], index_col=0)
if sys.argv[2].endswith("joblib"):
    import joblib
    model = joblib.load(sys.argv[2])
else:
    from sklearn_skin.persistence import OnnxClassifier
    model = OnnxClassifier(sys.argv[2])
model.predict_proba(row)
"""


def make_files(folder, backbone, size):
    """Train a network for an epoch, write a row and the model; return side -> the model's file."""
    import joblib
    from sklearn.pipeline import make_pipeline

    from sklearn_skin.datasets import make_lesions
    from sklearn_skin.neural_network import JointFusionClassifier
    from sklearn_skin.persistence import export_onnx
    from sklearn_skin.preprocessing import make_lesion_transformer

    lesions = make_lesions(16, image_size=size, folder=folder / "images", random_state=0)
    X = lesions.data.assign(image=[cell.path for cell in lesions.data["image"]])
    net = JointFusionClassifier(
        backbone=backbone,
        weights=None,
        image_size=size,
        max_epochs=1,
        batch_size=8,
        cache_dir=None,
        random_state=0,
    )
    model = make_pipeline(make_lesion_transformer(image_columns="image"), net)
    model.fit(X, lesions.target)
    X.iloc[[3]].to_csv(folder / "row.csv")
    files = {"torch": folder / "model.joblib", "ONNX": folder / "model.zip"}
    joblib.dump(model, files["torch"])
    export_onnx(model, X, files["ONNX"])
    if export_onnx(model, X, folder / "int8.zip", quantize="auto").export_info_["quantized"]:
        files["int8"] = folder / "int8.zip"
    return files


def start(folder, file):
    """Return the milliseconds of a fresh interpreter that predicts one row."""
    begun = time.perf_counter()
    command = [sys.executable, "-W", "ignore", "-c", START, folder / "row.csv", file]
    subprocess.run(command, check=True)
    return 1e3 * (time.perf_counter() - begun)


def serve(connection, folder, file):
    """Predict the row whenever asked, and answer with the milliseconds."""
    warnings.simplefilter("ignore")
    sys.argv = ["", str(folder / "row.csv"), str(file)]
    scope = {}
    exec(START, scope)
    while connection.recv():
        begun = time.perf_counter()
        scope["model"].predict_proba(scope["row"])
        connection.send(1e3 * (time.perf_counter() - begun))


def alternate(calls, rounds):
    """Return what each call returned, called in turn."""
    found = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            found[name].append(call())
    return found


def measure_rows(folder, files, rounds):
    """Return the milliseconds of each side's predictions, in processes of their own."""
    context = multiprocessing.get_context("spawn")
    ends, processes = {}, []
    for name, file in files.items():
        ends[name], other = context.Pipe()
        processes.append(context.Process(target=serve, args=(other, folder, file), daemon=True))
        processes[-1].start()

    def ask(end):
        end.send(True)
        return end.recv()

    calls = {name: lambda end=end: ask(end) for name, end in ends.items()}
    found = alternate(calls, rounds + 1)
    for end in ends.values():
        end.send(False)
    for process in processes:
        process.join()
    # The first warms up.
    return {name: times[1:] for name, times in found.items()}


def print_row(network, what, found):
    """Print the medians, and how many times as fast the exported network is."""
    middle = {side: statistics.median(times) for side, times in found.items()}
    cells = [f"{middle[side]:.1f}" if side in middle else "–" for side in SIDES]
    faster = [a / b for a, b in zip(found["torch"], found["ONNX"])]
    ratio = f"{middle['torch'] / middle['ONNX']:.2f} ({min(faster):.2f} to {max(faster):.2f})"
    print(f"| {network} | {what} | {' | '.join(cells)} | {ratio} |", flush=True)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[1])
    parser.add_argument("--smallest", action="store_true", help="the tiny network, once")
    parser.add_argument("--rounds", type=int, default=7, help="processes of each side")
    parser.add_argument("--calls", type=int, default=50, help="predictions of each side")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--json", type=Path, help="file for all milliseconds")
    options = parser.parse_args()
    if options.smallest:
        options.networks, options.rounds, options.calls = ["tiny at 32"], 1, 2
    warnings.simplefilter("ignore")
    results = {}
    print("| network | what | torch (ms) | ONNX (ms) | int8 (ms) | times as fast |")
    print("| --- | --- | --: | --: | --: | --- |")
    for network in options.networks:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            files = make_files(folder, *NETWORKS[network])
            starts = {name: partial(start, folder, file) for name, file in files.items()}
            results[network] = {
                "start and first row": alternate(starts, options.rounds),
                "a further row": measure_rows(folder, files, options.calls),
            }
        for what, found in results[network].items():
            print_row(network, what, found)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
