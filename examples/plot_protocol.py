"""
=================================
A published protocol, in one call
=================================

The seven-point checklist data set (Derm7pt) comes parted into 413 training, 203 validation and
395 test lesions, and its literature trains every model five times and reports mean and deviation
per task. :func:`~sklearn_skin.model_selection.evaluate` does that for any classifier: networks get
the validation rows for early stopping and for the weights of their branches, as their sources do.

``python examples/plot_protocol.py ROOT`` takes the real data set in its published layout. Without
a folder, drawn lesions are written in that layout first, and networks are small ones trained from
scratch for a few epochs: the figures then show the protocol, not what the systems can do.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

from sklearn_skin.datasets import load_derm7pt, make_lesions
from sklearn_skin.model_selection import evaluate
from sklearn_skin.presets import make_preset

DIAGNOSES = {
    "A": "basal cell carcinoma",
    "B": "clark nevus",
    "C": "melanoma (in situ)",
    "D": "dermatofibroma",
    "E": "seborrheic keratosis",
}
COLUMNS = {
    "veil": "blue_whitish_veil",
    "streaks": "streaks",
    "pigmentation": "pigmentation",
    "regression": "regression_structures",
    "dots": "dots_and_globules",
    "network": "pigment_network",
    "vessels": "vascular_structures",
}
WORDS = {"network": {"regular": "typical", "irregular": "atypical"}}
# The second stage of FusionM4Net learns from one half of the training rows, as the source's does.
SETTINGS = {"pemm": {}, "fusionm4net": {"model__cv": "half"}}
SMALL = {"weights": None, "backbone": "test_resnet", "image_size": 32, "lr": 1e-3, "max_epochs": 8}
OWN = {"pemm": {"backbone": "test_efficientnet", "averaging": {"name": "swa", "epochs": 3}}}


# %%
# Drawn lesions in the layout that the owners publish: two images, eight tasks, three parts.


def write_release(root, n_lesions=200):
    """Write drawn lesions as ``release_v0`` and return the folder."""
    images = ("clinical", "dermoscopy")
    drawn = make_lesions(
        n_lesions, n_classes=5, n_tasks=8, image_columns=images, image_size=64, random_state=0
    )
    table = pd.DataFrame({"case_num": np.arange(1, n_lesions + 1)})
    for column, name in zip(images, ("clinic", "derm")):
        table[name] = [f"drawn/{name}{case}.jpg" for case in table["case_num"]]
        for cell, file in zip(drawn.data[column], table[name]):
            path = Path(root, "images", file)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(cell.pixels).save(path)
    table["diagnosis"] = drawn.target["diagnosis"].map(DIAGNOSES).to_numpy()
    for task, column in COLUMNS.items():
        table[column] = drawn.target[task].replace(WORDS.get(task, {})).to_numpy()
    table["location"] = drawn.data["site"].to_numpy()
    table["sex"] = drawn.data["sex"].to_numpy()
    for column in ("elevation", "management", "level_of_diagnostic_difficulty"):
        table[column] = "unknown"
    table["seven_point_score"] = 0
    Path(root, "meta").mkdir()
    table.to_csv(Path(root, "meta", "meta.csv"), index=False)
    order = np.random.default_rng(0).permutation(n_lesions)
    ends = np.round(n_lesions * np.cumsum([413, 203]) / 1011).astype(int)
    for name, rows in zip(("train", "valid", "test"), np.split(order, ends)):
        path = Path(root, "meta", f"{name}_indexes.csv")
        pd.DataFrame({"indexes": np.sort(rows)}).to_csv(path, index=False)
    return root


parser = argparse.ArgumentParser(description="Evaluate PEMM and FusionM4Net on Derm7pt.")
parser.add_argument("root", nargs="?", help="folder release_v0; drawn lesions without it")
root = parser.parse_args().root
small = {}
if root is None:
    # Always the same folder: a run that goes on must find the same images.
    root = Path(tempfile.gettempdir(), "drawn_derm7pt", "release_v0")
    shutil.rmtree(root, ignore_errors=True)
    write_release(root)
    small = {name: SMALL | OWN.get(name, {}) for name in SETTINGS}
derm = load_derm7pt(root)
print({name: len(rows) for name, rows in derm.splits.items()})

# %%
# One call per system. With ``path`` every finished run is kept, and the same call goes on where it
# was stopped.

results = {}
for name, settings in SETTINGS.items():
    model = make_preset(name, random_state=0, **settings, **small.get(name, {}))
    results[name] = evaluate(model, derm, protocol="derm7pt", path=f"{name}.csv", verbose=1)
table = pd.DataFrame({name: result.table for name, result in results.items()})
table.to_csv("derm7pt.csv")
print(table.to_string())

# %%
# Mean and standard deviation over the five trainings, per task.

tasks = [name for name in table.index if name.startswith("accuracy_")]
figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
for shift, (name, result) in zip((-0.1, 0.1), results.items()):
    scores = result.summary.loc[tasks]
    places = np.arange(len(tasks)) + shift
    axes.errorbar(places, scores["mean"], scores["std"], fmt="o", capsize=3, label=name)
axes.set_xticks(range(len(tasks)), [task.removeprefix("accuracy_") for task in tasks])
axes.set_ylabel("accuracy on the test rows")
axes.legend()
figure.savefig("protocol.png", dpi=150)
