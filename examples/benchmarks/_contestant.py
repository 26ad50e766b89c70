"""A contestant of `peers.py`, in a process and an environment of its own.

``PYTHON _contestant.py NAME FOLDER SETTINGS`` imports what it needs and says which version that
is, in a line of JSON. It trains whenever it reads a line: until an epoch ends, whose seconds it
says, so that others may train meanwhile; at last it says how long the rest of the fit took, and
its peak memory. FOLDER holds ``table.csv`` and the pictures that it names.
"""

import importlib.util
import json
import os
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path

NUMBERS = ["age", "diameter", "number_0", "number_1", "number_2"]
CATEGORIES = ["sex", "site", "text_0", "text_1", "text_2"]
N_CLASSES = 3


class Turns:
    """The process' end of the conversation; what libraries print goes to stderr."""

    def __init__(self):
        self.out = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)

    def begin(self, distribution):
        """Say which version is ready; return when an epoch is asked for."""
        self.say(version=version(distribution))

    def end_epoch(self, **more):
        """Say how long the turn took, and wait for the next."""
        self.say(seconds=time.perf_counter() - self.start, **more)

    def say(self, **found):
        """Say something, and read a line; end where nobody is there to write one."""
        print(json.dumps(found), file=self.out)
        if not sys.stdin.readline():
            sys.exit()
        self.start = time.perf_counter()


def prepare_torchvision():
    """Make torchvision importable beside a CPU build of torch, as this package does."""
    place = Path(__file__).parents[2] / "sklearn_skin" / "modules" / "_timm.py"
    spec = importlib.util.spec_from_file_location("_timm", place)
    # Declared operators are forgotten with the module that declared them.
    module = sys.modules["_timm"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def train_plain(table, folder, settings, turns):
    """Train by a plain PyTorch loop: files are decoded in every epoch, fp32."""
    prepare_torchvision()
    import numpy as np
    import pandas as pd
    import torch
    from PIL import Image
    from torchvision.models import resnet18
    from torchvision.transforms.functional import normalize, resize, to_tensor

    turns.begin("torch")
    numbers = (table[NUMBERS] - table[NUMBERS].mean()) / table[NUMBERS].std()
    columns = np.hstack([numbers, pd.get_dummies(table[CATEGORIES])]).astype("float32")

    class Rows(torch.utils.data.Dataset):
        def __len__(self):
            return len(table)

        def __getitem__(self, row):
            picture = Image.open(folder / table["image"][row]).convert("RGB")
            picture = to_tensor(resize(picture, [settings["image_size"]] * 2))
            picture = normalize(picture, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
            return picture, columns[row], table["label"][row]

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.image = resnet18(num_classes=128)
            self.columns = torch.nn.Linear(columns.shape[1], 128)
            self.head = torch.nn.Linear(256, N_CLASSES)

        def forward(self, images, columns):
            both = torch.cat([self.image(images), self.columns(columns)], dim=1)
            return self.head(both.relu())

    loader = torch.utils.data.DataLoader(Rows(), settings["batch_size"], shuffle=True)
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    loss_function = torch.nn.CrossEntropyLoss()
    for _ in range(settings["epochs"]):
        for images, values, labels in loader:
            optimizer.zero_grad()
            loss_function(network(images, values), labels).backward()
            optimizer.step()
        turns.end_epoch()


def train_ours(table, folder, settings, turns):
    """Train a `JointFusionClassifier` behind a transformer."""
    from sklearn.pipeline import make_pipeline
    from skorch.callbacks import Callback

    from sklearn_skin.neural_network import JointFusionClassifier
    from sklearn_skin.preprocessing import make_lesion_transformer
    from sklearn_skin.utils import tune_allocator

    class Gate(Callback):
        def on_epoch_end(self, net, **kwargs):
            turns.end_epoch()

    turns.begin("sklearn_skin")
    tune_allocator()
    network = JointFusionClassifier(
        backbone="resnet18",
        weights=None,
        image_size=settings["image_size"],
        batch_size=settings["batch_size"],
        max_epochs=settings["epochs"],
        cache_dir=folder / "cache",
        callbacks=[Gate()],
        **settings["options"],
    )
    transformer = make_lesion_transformer(image_columns="image", image_root=folder)
    make_pipeline(transformer, network).fit(table.drop(columns="label"), table["label"])


def train_widedeep(table, folder, settings, turns):
    """Train pytorch-widedeep: pixels stay in memory, workers make the batches, fp32."""
    prepare_torchvision()
    import torch
    from pytorch_widedeep import Trainer
    from pytorch_widedeep.callbacks import Callback
    from pytorch_widedeep.models import TabMlp, Vision, Wide, WideDeep
    from pytorch_widedeep.preprocessing import (
        ImagePreprocessor,
        TabPreprocessor,
        WidePreprocessor,
    )

    class Gate(Callback):
        def on_epoch_end(self, *args, **kwargs):
            turns.end_epoch()

    turns.begin("pytorch-widedeep")
    wide = WidePreprocessor(wide_cols=CATEGORIES)
    tab = TabPreprocessor(CATEGORIES, NUMBERS, cols_to_scale=NUMBERS)
    size = settings["image_size"]
    images = ImagePreprocessor("image", str(folder), width=size, height=size)
    X_wide, X_tab, X_img = (part.fit_transform(table) for part in (wide, tab, images))
    model = WideDeep(
        Wide(int(X_wide.max()), pred_dim=N_CLASSES),
        TabMlp(tab.column_idx, cat_embed_input=tab.cat_embed_input, continuous_cols=NUMBERS),
        deepimage=Vision({"resnet18": None}),
        pred_dim=N_CLASSES,
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    Trainer(model, "multiclass", optimizers=optimizer, callbacks=[Gate()]).fit(
        X_wide=X_wide,
        X_tab=X_tab,
        X_img=X_img,
        target=table["label"].to_numpy(),
        n_epochs=settings["epochs"],
        batch_size=settings["batch_size"],
    )


def train_autogluon(table, folder, settings, turns):
    """Train AutoGluon: workers decode and augment; it validates and saves twice an epoch."""
    prepare_torchvision()
    import lightning.pytorch as lightning
    import timm
    import torch
    from autogluon.multimodal import MultiModalPredictor

    fit = lightning.Trainer.fit

    class Gate(lightning.Callback):
        def on_train_epoch_end(self, *args):
            turns.end_epoch()

    def fit_with_gate(trainer, *args, **kwargs):
        trainer.callbacks.append(Gate())
        return fit(trainer, *args, **kwargs)

    turns.begin("autogluon.multimodal")
    lightning.Trainer.fit = fit_with_gate
    rows = table.assign(image=[str(folder / name) for name in table["image"]])
    # Of a name it would download the weights: `pretrained=False` does not reach the networks.
    backbone, network = folder / "resnet18", timm.create_model("resnet18", num_classes=0)
    backbone.mkdir()
    torch.save(network.state_dict(), backbone / "pytorch_model.bin")
    config = {"architecture": "resnet18", "num_features": network.num_features}
    (backbone / "config.json").write_text(json.dumps(config | network.default_cfg))
    MultiModalPredictor("label", "multiclass", path=str(folder / "autogluon")).fit(
        rows,
        # By default a fifth of the rows would be held out instead of trained on.
        tuning_data=rows.head(settings["batch_size"]),
        column_types={"image": "image_path"}
        | dict.fromkeys(NUMBERS, "numerical")
        | dict.fromkeys(CATEGORIES, "categorical"),
        hyperparameters={
            "model.names": ["timm_image", "categorical_mlp", "numerical_mlp", "fusion_mlp"],
            "model.timm_image.checkpoint_name": str(backbone),
            "model.timm_image.image_size": settings["image_size"],
            "env.batch_size": settings["batch_size"],
            "env.per_gpu_batch_size": settings["batch_size"],
            "optim.optim_type": "adam",
            "optim.max_epochs": settings["epochs"],
            # It would stop early: the labels are drawn by lot.
            "optim.patience": 3 * settings["epochs"],
        },
    )


CONTESTANTS = {
    "plain PyTorch": train_plain,
    "sklearn_skin": train_ours,
    "pytorch-widedeep": train_widedeep,
    "AutoGluon": train_autogluon,
}


def main(name, folder, settings):
    """Train in turns."""
    import pandas as pd

    turns, folder = Turns(), Path(folder)
    table = pd.read_csv(folder / "table.csv")
    CONTESTANTS[name](table, folder, json.loads(settings), turns)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    turns.end_epoch(peak_mb=peak)


if __name__ == "__main__":
    main(*sys.argv[1:])
