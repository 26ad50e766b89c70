"""
=================================
A trained network without torch
=================================

A Pipeline with a network is exported to one file, and a process that never imports torch predicts
with it from a table with paths of images. What prepares the rows travels along: corrections of
images, imputation, encoding. The picture shows the probabilities of both, row by row.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
from sklearn.pipeline import make_pipeline

from sklearn_skin.datasets import make_lesions
from sklearn_skin.neural_network import JointIndividualFusionClassifier
from sklearn_skin.persistence import export_onnx
from sklearn_skin.preprocessing import make_lesion_transformer

SERVICE = """
import sys
import pandas as pd
from sklearn_skin.persistence import OnnxClassifier

model = OnnxClassifier("model.zip")
rows = pd.read_csv("rows.csv", index_col=0)
proba = pd.DataFrame(model.predict_proba(rows), rows.index, columns=model.classes_)
proba.to_csv("proba.csv")
print("torch is imported:", "torch" in sys.modules)
"""


def train(folder):
    """Return a fitted Pipeline and the rows of its test set."""
    lesions = make_lesions(80, image_size=32, folder=folder / "images", random_state=1)
    X = lesions.data.assign(image=[cell.path for cell in lesions.data["image"]])
    model = make_pipeline(
        make_lesion_transformer(image_columns="image", image_steps=["shades_of_gray"]),
        JointIndividualFusionClassifier(
            backbone="resnet10t", weights=None, image_size=32, max_epochs=10, random_state=0
        ),
    )
    return model.fit(X.iloc[:60], lesions.target.iloc[:60]), X.iloc[60:]


def draw(before, after, target):
    """Save the probabilities of the network against those of the exported one."""
    figure, axes = plt.subplots(figsize=(4, 4), layout="constrained")
    for label in before:
        axes.scatter(before[label], after[label], s=12, label=label)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.5)
    axes.set(xlabel="probability by torch", ylabel="probability by ONNX Runtime")
    axes.legend(title="class")
    figure.savefig(target, dpi=110)
    print(f"saved {target}")


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ".", "onnx.png").resolve()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model, X = train(folder)
        exported = export_onnx(model, X, folder / "model.zip")
        print(f"differs by up to {exported.export_info_['max_difference']:.1e}")
        before = pd.DataFrame(model.predict_proba(X), X.index, columns=model.classes_)
        X.to_csv(folder / "rows.csv")
        subprocess.run([sys.executable, "-c", SERVICE], cwd=folder, check=True)
        after = pd.read_csv(folder / "proba.csv", index_col=0)
    draw(before, after, target)
