"""
Two tutorials on tables with images, done with this package: lines of code beside theirs.

``python examples/reproduce/tutorials.py`` runs the code below on drawn data in the files' layout
(half a minute) and counts its lines as those of the tutorials were counted: neither blank, nor
comments, nor imports; settings stand one per line, as ruff formats them. The tutorials' columns of
text are left out here, and the yield of a flat, which they regress on, is a class: this package has
neither texts nor regression.
"""

import argparse
import contextlib
import os
import tempfile
import warnings

import numpy as np
import pandas as pd

from sklearn_skin.datasets import make_lesions

# AutoGluon, docs/tutorials/multimodal/multimodal_prediction/beginner_multimodal.ipynb at 0a2380d9.
PETS = """
# load
import pandas as pd
train = pd.read_csv("petfinder/train.csv", index_col=0)
test = pd.read_csv("petfinder/test.csv", index_col=0)
X, y = train.drop(columns="AdoptionSpeed"), train["AdoptionSpeed"]
X_test, y_test = test.drop(columns="AdoptionSpeed"), test["AdoptionSpeed"]
# paths of images
X["Images"], X_test["Images"] = (t["Images"].str.split(";").str[0] for t in (X, X_test))
# columns and model
from sklearn_skin.presets import make_preset
model = make_preset(
    "jif-mmfa",
    image_columns="Images",
    image_root="petfinder",
    drop="Description",
    backbone="resnet10t",
    weights=None,
    image_size=32,
    max_epochs=10,
    random_state=0,
)
# fit
model.fit(X, y)
# evaluate
from sklearn.metrics import get_scorer
print("AUC", get_scorer("roc_auc")(model, X_test, y_test))
# predict
predictions = model.predict(X_test)
probas = model.predict_proba(X_test)
# save and load
from sklearn_skin.persistence import load_model, save_model
save_model(model, "model.skin", overwrite=True)
print("AUC", get_scorer("roc_auc")(load_model("model.skin"), X_test, y_test))
"""
# pytorch-widedeep, examples/notebooks/04_regression_with_images_and_text.ipynb at 452b143b, with
# prediction, saving and loading from 05_save_and_load_model_and_artifacts.ipynb.
FLATS = """
# load
import pandas as pd
table = pd.read_csv("airbnb/airbnb_sample.csv")
y = pd.qcut(table["yield"], 3, labels=["low", "middle", "high"]).astype(str)
X = table.drop(columns=["yield", "description"])
# paths of images
X["id"] = X["id"].astype(str) + ".jpg"
# columns and model
from sklearn.pipeline import make_pipeline
from sklearn_skin.neural_network import JointFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer
model = make_pipeline(
    make_lesion_transformer(
        image_columns="id", image_root="airbnb/property_picture", group_column="host_id"
    ),
    JointFusionClassifier(
        group_column="host_id",
        metadata_hidden=(128, 64),
        backbone="resnet10t",
        weights=None,
        image_size=32,
        max_epochs=10,
        random_state=0,
    ),
)
# fit
from sklearn.model_selection import StratifiedGroupKFold
fit, test = next(StratifiedGroupKFold(5).split(X, y, X["host_id"]))
model.fit(X.iloc[fit], y.iloc[fit])
# evaluate
print("accuracy", model.score(X.iloc[test], y.iloc[test]))
# predict
predictions = model.predict(X.iloc[test])
# save and load
from sklearn_skin.persistence import load_model, save_model
save_model(model, "model.skin", overwrite=True)
print("accuracy", load_model("model.skin").score(X.iloc[test], y.iloc[test]))
"""
STEPS = [
    "load",
    "paths of images",
    "columns and model",
    "fit",
    "evaluate",
    "predict",
    "save and load",
]
# Lines of the tutorials by step. widedeep: without what only texts need; its wide part stays.
# Downloads, a look at single rows and AutoGluon's two lines for embeddings are not counted.
THEIRS = {
    "AutoGluon": dict(zip(STEPS, [4, 11, 0, 5, 2, 4, 5])),
    "pytorch-widedeep": dict(zip(STEPS, [3, 0, 42, 9, 0, None, None])),
}


def count_lines(code):
    """Return the number of lines of code by step, imports left out."""
    counts, step = {}, None
    for line in code.strip().splitlines():
        if line.startswith("# "):
            step = line[2:]
            counts[step] = 0
        elif line.strip() and not line.startswith(("import ", "from ")):
            counts[step] += 1
    return counts


def draw_pets(n_rows):
    """Write files in the layout of PetFinder's table: two images a row, a text, two classes."""
    lesions = make_lesions(
        n_rows, n_classes=2, image_size=32, folder="petfinder/images", random_state=0
    )
    names = [os.path.join("images", os.path.basename(c.path)) for c in lesions.data["image"]]
    table = pd.DataFrame(
        {
            "Age": lesions.data["age"].to_numpy(),
            "Breed": lesions.data["site"].to_numpy(),
            "Gender": lesions.data["sex"].to_numpy(),
            "Fee": lesions.data["diameter"].to_numpy(),
            "Images": [f"{name};{name}" for name in names],
            "Description": [f"Pet number {i} waits for a home." for i in range(n_rows)],
            "AdoptionSpeed": (lesions.target == "B").astype(int).to_numpy(),
        }
    )
    table[: 2 * n_rows // 3].to_csv("petfinder/train.csv")
    table[2 * n_rows // 3 :].to_csv("petfinder/test.csv")


def draw_flats(n_rows):
    """Write files in the layout of the Airbnb sample: hosts, an image a row, a yield."""
    folder = "airbnb/property_picture"
    lesions = make_lesions(n_rows, image_size=32, folder=folder, random_state=0)
    for i, cell in enumerate(lesions.data["image"]):
        os.rename(cell.path, f"{folder}/{i}.jpg")
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "id": np.arange(n_rows),
            "host_id": np.arange(n_rows) // 2,
            "latitude": rng.normal(51.5, 0.1, n_rows),
            "security_deposit": lesions.data["diameter"].to_numpy(),
            "extra_people": lesions.data["age"].to_numpy(),
            "room_type": lesions.data["site"].to_numpy(),
            "host_gender": lesions.data["sex"].to_numpy(),
            "description": "Close to the park.",
            "yield": lesions.target.map({"A": 10, "B": 50, "C": 100}) + rng.normal(size=n_rows),
        }
    )
    table.to_csv("airbnb/airbnb_sample.csv", index=False)


def main():
    """Run both, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--smallest", action="store_true", help="few rows, one epoch")
    smallest = parser.parse_args().smallest
    rows, ours = [], {}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, code, draw in [
            ("AutoGluon", PETS, draw_pets),
            ("pytorch-widedeep", FLATS, draw_flats),
        ]:
            draw(60 if smallest else 240)
            run = code.replace("max_epochs=10", "max_epochs=1") if smallest else code
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec(compile(run, name, "exec"), {})
            ours[name] = count_lines(code)
    for step in STEPS:
        row = [step]
        for name, theirs in THEIRS.items():
            row += ["–" if theirs[step] is None else theirs[step], ours[name][step]]
        rows.append(row)
    totals = ["together"]
    for name, theirs in THEIRS.items():
        totals += [sum(filter(None, theirs.values())), sum(ours[name].values())]
    print("| step | AutoGluon | here | pytorch-widedeep | here |")
    print("| --- | --: | --: | --: | --: |")
    for row in [*rows, totals]:
        print(f"| {' | '.join(map(str, row))} |")


if __name__ == "__main__":
    main()
