"""
=================
One row at a time
=================

What a service does: predict one lesion. Milliseconds in the transformer and in the network, in a
plain ColumnTransformer of scikit-learn for the same columns, and in a bare forward pass of timm's
network for the same backbone: in fp32, as it comes, and in the model's precision. Medians of
alternating calls:
``python examples/benchmarks/one_row.py [--size 224]``. ``--smallest`` calls each three times at 32
pixels, ``--json FILE`` keeps the figures, and ``--profile`` lists where the time of a call goes.
"""

import argparse
import cProfile
import json
import pstats
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_skin.datasets import make_lesions
from sklearn_skin.neural_network import JointFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

N_TEXTS = 16  # with the drawn columns about as many as PAD-UFES-20 has


def make_table(size):
    """Return drawn lesions with twenty columns beside the image, and their labels."""
    bunch = make_lesions(300 if size < 100 else 40, image_size=size, random_state=0)
    rng = np.random.default_rng(0)
    texts = {
        f"question_{i}": rng.choice(["yes", "no", "unknown"], len(bunch.data))
        for i in range(N_TEXTS)
    }
    return bunch.data.assign(**texts), bunch.target


def make_plain_transformer():
    """Return what scikit-learn alone would do for the columns that are no images."""
    numeric = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = make_pipeline(
        SimpleImputer(strategy="most_frequent"),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    return ColumnTransformer(
        [
            ("numeric", numeric, make_column_selector(dtype_include="number")),
            ("texts", texts, make_column_selector(dtype_exclude="number")),
        ],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")


def medians(calls, repeats):
    """Return the median milliseconds of each call, taken in turn."""
    times = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(found) for name, found in times.items()}


def make_forward(size, bf16=False):
    """Return a call of the backbone alone on one image."""
    import timm  # once the package has made it importable beside any build of torch

    backbone = timm.create_model("resnet18").eval().to(memory_format=torch.channels_last)
    image = torch.rand(1, 3, size, size).contiguous(memory_format=torch.channels_last)

    def forward():
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return backbone(image)

    return forward


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[1])
    parser.add_argument("--size", type=int, default=64, help="pixels of the images")
    parser.add_argument("--smallest", action="store_true", help="three calls of each")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    size, repeats = (32, 3) if options.smallest else (options.size, 50)
    warnings.simplefilter("ignore")
    X, y = make_table(size)
    network = JointFusionClassifier(
        backbone="resnet18", weights=None, image_size=size, max_epochs=1, random_state=0
    )
    model = Pipeline([("table", make_lesion_transformer()), ("net", network)]).fit(X, y)
    texts = X.drop(columns="image")
    plain = make_plain_transformer().fit(texts)
    row, text_row = X.iloc[[3]], texts.iloc[[3]]
    encoded = model["table"].transform(row)
    calls = {
        "transformer": lambda: model["table"].transform(row),
        "plain ColumnTransformer": lambda: plain.transform(text_row),
        "network": lambda: model["net"].predict_proba(encoded),
        "bare forward": make_forward(size),
        "bare forward, same precision": make_forward(size, model["net"].precision_ == "bf16"),
        "whole": lambda: model.predict_proba(row),
    }
    found = medians(calls, repeats)
    print("| what | ms | times the bare forward |")
    print("| --- | --: | --: |")
    for name, value in found.items():
        print(f"| {name} | {value:.1f} | {value / found['bare forward']:.2f} |")
    if options.json:
        options.json.write_text(json.dumps(found))
    if options.profile:
        profile(calls["whole"])


def profile(call):
    """Print the functions in which twenty calls spend most time."""
    profiler = cProfile.Profile()
    for _ in range(20):
        profiler.runcall(call)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(40)
    pstats.Stats(profiler).sort_stats("cumtime").print_stats(70)


if __name__ == "__main__":
    main()
