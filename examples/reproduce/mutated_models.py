"""
===================
Mutated model files
===================

Files of fitted models are changed at random and loaded: bytes of the whole file; and, under a right
hash, as whoever writes a file to do harm would, bytes of one of its parts, values and names in the
description of the estimator, and the header of the weights. Every file is loaded, and asked to
predict where it loads, in a process that may die. Prints by kind of change how many files were
refused (`ModelFileError`), loaded, raised another error, ended the process (crashes) or took more
than a minute (hangs), and the files that a changed model wrote;
``python mutated_models.py [--files N] [--smallest]``.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklearn_skin.datasets import make_lesions
from sklearn_skin.ensemble import FusionM4NetClassifier
from sklearn_skin.neural_network import JointFusionClassifier, MetadataClassifier
from sklearn_skin.persistence import save_model
from sklearn_skin.persistence._archive import open_archive, write_archive
from sklearn_skin.preprocessing import make_lesion_transformer

LIMIT = 60  # seconds for one file
PER_PROCESS = 100
OUTCOMES = ("refused", "loaded", "other error", "crash", "hang")
NAMES = ["os.system", "builtins.eval", "subprocess.Popen", "numpy.ndarray", "torch.load", "x", ""]
VALUES = [None, True, -1, 0, 2**40, 1e300, "", "x" * 1000, [], {}, [[[]]], "../../x", "nan"]

WORKER = """
import sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from sklearn_skin.datasets import make_lesions
from sklearn_skin.exceptions import ModelFileError
from sklearn_skin.persistence import load_model, model_card
X = make_lesions(20, image_size=32, random_state=1).data
for path in sys.argv[1:]:
    outcome = "loaded"
    try:
        model_card(path)
        model = load_model(path)
        try:
            model.predict(X)
        except Exception:
            pass  # of a model with other numbers; only a dead process is a fault here
    except ModelFileError:
        outcome = "refused"
    except Exception as error:
        outcome = f"other error: {type(error).__name__}: {error}"
    print(Path(path).name, outcome, sep="\\t", flush=True)
"""


def fit_models(lesions):
    """Return fitted models of several kinds."""
    tiny = {"backbone": "test_resnet", "weights": None, "image_size": 32, "max_epochs": 1}
    nets = [JointFusionClassifier(**tiny, cache_dir=None), MetadataClassifier(max_epochs=1)]
    others = [RandomForestClassifier(3), HistGradientBoostingClassifier(max_iter=2)]
    fusion = FusionM4NetClassifier([("linear", LogisticRegression())], "svm", cv=2)
    models = []
    for final in (*nets, *others, fusion):
        images = "auto" if final is nets[0] else []
        model = make_pipeline(make_lesion_transformer(image_columns=images), final)
        models.append(model.fit(lesions.data, lesions.target))
    return models


def flip(data, rng, n=None):
    """Return bytes of which some are others, or a part is gone or doubled."""
    data = bytearray(data)
    kind = rng.integers(4)
    start, length = int(rng.integers(len(data))), int(rng.integers(1, 200))
    if kind == 0:
        del data[start : start + length]
    elif kind == 1:
        data[start:start] = data[start : start + length]
    else:
        for place in rng.integers(len(data), size=n or int(rng.integers(1, 9))):
            data[place] = rng.integers(256)
    return bytes(data)


def change_bytes(parts, rng):
    """Change bytes of one part."""
    name = str(rng.choice(list(parts)))
    return parts | {name: flip(parts[name], rng)}


def change_description(parts, rng, marker):
    """Change values and names in the description of the estimator."""
    with ZipFile(io.BytesIO(parts["estimator.skops"])) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members["schema.json"])
    for _ in range(int(rng.integers(1, 4))):
        change_node(schema, rng, marker)
    members["schema.json"] = json.dumps(schema).encode()
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return parts | {"estimator.skops": buffer.getvalue()}


def change_node(schema, rng, marker):
    """Give an entry of a nested description another value, or the name of another type."""
    nodes, left = [], [schema]
    while left:
        node = left.pop()
        if isinstance(node, dict | list) and node:
            nodes.append(node)
            left += node.values() if isinstance(node, dict) else node
    node = nodes[int(rng.integers(len(nodes)))]
    if isinstance(node, dict) and "__class__" in node and rng.random() < 0.5:
        module, _, name = str(rng.choice(NAMES)).rpartition(".")
        node |= {"__module__": module, "__class__": name}
        if rng.random() < 0.5:
            call = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode"}
            text = call | {"content": json.dumps(f"touch {marker}"), "is_json": True, "__id__": -1}
            items = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode"}
            node["__loader__"] = "ConstructorFromReduceNode"
            node["content"] = items | {"content": [text], "__id__": -2}
        return
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    key = keys[int(rng.integers(len(keys)))]
    value = VALUES[int(rng.integers(len(VALUES)))]
    node[key] = json.dumps(value) if isinstance(node[key], str) and rng.random() < 0.5 else value


def change_header(parts, rng):
    """Change a number or a text in the header of some weights."""
    names = [name for name in parts if name.startswith("weights/")]
    if not names:
        return change_bytes(parts, rng)
    name = str(rng.choice(names))
    data = parts[name]
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    change_node(header, rng, "")
    text = json.dumps(header).encode()
    stated = len(text) if rng.random() < 0.8 else int(rng.integers(2**40))
    return parts | {name: stated.to_bytes(8, "little") + text + data[8 + length :]}


def write_files(folder, originals, n_files, rng):
    """Write changed files and return their kinds by name."""
    kinds, marker = {}, folder / "marker"
    with_right_hash = {
        "bytes of a part": change_bytes,
        "names and values": lambda parts, rng: change_description(parts, rng, marker),
        "header of weights": change_header,
    }
    for number in range(n_files):
        kind = ["bytes of the file", *with_right_hash][number % 4]
        original = originals[number // 4 % len(originals)]
        path = folder / f"{number}.skin"
        if kind in with_right_hash:
            with open_archive(original) as archive:
                parts = {name: archive.read(name) for name in archive.names}
            write_archive(path, with_right_hash[kind](parts, rng))
        else:
            path.write_bytes(flip(original.read_bytes(), rng))
        kinds[path.name] = kind
    return kinds


def load_all(folder, names):
    """Load files in processes that may die; return what became of each."""
    found, left = {}, list(names)
    while left:
        batch = [folder / name for name in left[:PER_PROCESS]]
        command = [sys.executable, "-c", WORKER, *batch]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=LIMIT * len(batch), check=False
            )
            output, fate = done.stdout, f"crash: {done.returncode} {done.stderr[-300:]}"
        except subprocess.TimeoutExpired as error:
            output, fate = (error.stdout or b"").decode(), "hang"
        told = dict(line.split("\t", 1) for line in output.splitlines() if "\t" in line)
        found |= told
        # The one after the last that was told of ended the process.
        if len(told) < len(batch):
            found[batch[len(told)].name] = fate
        left = [name for name in left if name not in found]
    return found


def main():
    """Write the files, load them and print what became of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--smallest", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    lesions = make_lesions(60, image_size=32, random_state=0)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        originals = [folder / f"original-{i}" for i in range(5)]
        for path, model in zip(originals, fit_models(lesions)):
            save_model(model, path)
        kinds = write_files(folder, originals, 20 if options.smallest else options.files, rng)
        found = load_all(folder, kinds)
        report(kinds, found, int((folder / "marker").exists()))


def report(kinds, found, n_written):
    """Print the counts by kind, and what should not have been."""
    counts = Counter((kinds[name], fate.partition(":")[0]) for name, fate in found.items())
    print(f"| changed | files | {' | '.join(OUTCOMES)} | written |")
    print(f"| --- |{' --: |' * (len(OUTCOMES) + 2)}")
    for kind in dict.fromkeys(kinds.values()):
        row = [counts[kind, outcome] for outcome in OUTCOMES]
        written = n_written if kind == "names and values" else 0
        print(f"| {kind} | {' | '.join(map(str, [sum(row), *row, written]))} |")
    for name, fate in found.items():
        if not fate.startswith(("loaded", "refused")):
            print(kinds[name], name, fate)


if __name__ == "__main__":
    main()
