"""
==================================
Where a network looks: Grad-CAM
==================================

Grad-CAM shows where in a picture a network finds evidence for a class. The picture has to be
large enough for the last feature map to have some positions: a ResNet divides its size by 32.
A network with random weights shows what chance gives; with lesion masks, ``mask_overlap``
measures whether the evidence lies on the lesion.
"""

import copy
import sys

import matplotlib

matplotlib.use("Agg")
import pandas as pd
import torch
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline

from sklearn_skin.datasets import make_lesions
from sklearn_skin.inspection import GradCAMDisplay, grad_cam
from sklearn_skin.neural_network import JointFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer


def fit(lesions, train):
    """Fit images and metadata together."""
    net = JointFusionClassifier(
        backbone="resnet10t",
        weights=None,
        image_size=96,
        max_epochs=8,
        optimizer="adamw",
        lr=2e-3,
        lr_schedule="cosine",
        augment="flips",
        cache_dir=None,
        random_state=0,
    )
    model = make_pipeline(make_lesion_transformer(), net)
    return model.fit(lesions.data.iloc[train], lesions.target.iloc[train])


def randomise(model):
    """Return a copy of a Pipeline whose network has random weights."""
    model = copy.deepcopy(model)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for part in model[-1].module_.modules():
            if hasattr(part, "reset_parameters"):
                part.reset_parameters()
    return model


def concentration(heatmaps):
    """Return the mean share of the attribution in the middle quarter of the pictures."""
    height, width = heatmaps.shape[1:]
    middle = heatmaps[:, height // 4 : -height // 4, width // 4 : -width // 4]
    return (middle.sum((1, 2)) / heatmaps.sum((1, 2)).clip(1e-9)).mean()


if __name__ == "__main__":
    lesions = make_lesions(200, image_size=96, random_state=0)
    splitter = GroupShuffleSplit(1, test_size=0.3, random_state=0)
    train, test = next(splitter.split(lesions.data, groups=lesions.groups))
    model = fit(lesions, train)
    X, y = lesions.data.iloc[test], lesions.target.iloc[test]
    print(f"accuracy {model.score(X, y):.2f}")
    for name, shown in {"trained": model, "random": randomise(model)}.items():
        share = concentration(grad_cam(shown, X, target=y).heatmaps)
        print(f"{name:8s} attribution in the middle quarter {share:.2f}")
    first = pd.Series(range(len(y))).groupby(y.to_numpy()).head(2)
    display = GradCAMDisplay.from_estimator(model, X.iloc[first], n_columns=3)
    path = sys.argv[1] if len(sys.argv) > 1 else "grad_cam.png"
    display.figure_.savefig(path, dpi=110)
    print(f"saved {path}")
