"""
=================
One row at a time
=================

What a service does: predict one lesion. Milliseconds in the transformer and in the network, and in
a plain ColumnTransformer of scikit-learn for the same columns, medians of alternating calls:
``python examples/benchmarks/one_row.py``.
"""

import argparse
import statistics
import time
import warnings

import numpy as np
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_skin.datasets import make_lesions
from sklearn_skin.neural_network import JointFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

N_TEXTS = 16  # with the drawn columns about as many as PAD-UFES-20 has


def make_table():
    """Return drawn lesions with twenty columns beside the image, and their labels."""
    bunch = make_lesions(300, image_size=64, random_state=0)
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


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[1])
    parser.add_argument("--smallest", action="store_true", help="three calls of each")
    repeats = 3 if parser.parse_args().smallest else 50
    warnings.simplefilter("ignore")
    X, y = make_table()
    network = JointFusionClassifier(
        backbone="resnet18", weights=None, image_size=64, max_epochs=1, random_state=0
    )
    model = Pipeline([("table", make_lesion_transformer()), ("net", network)]).fit(X, y)
    texts = X.drop(columns="image")
    plain = make_plain_transformer().fit(texts)
    row, text_row = X.iloc[[3]], texts.iloc[[3]]
    encoded = model["table"].transform(row)
    found = medians(
        {
            "transformer": lambda: model["table"].transform(row),
            "plain ColumnTransformer": lambda: plain.transform(text_row),
            "network": lambda: model["net"].predict_proba(encoded),
            "whole": lambda: model.predict_proba(row),
        },
        repeats,
    )
    print("| what | ms |")
    print("| --- | --: |")
    for name, value in found.items():
        print(f"| {name} | {value:.1f} |")


if __name__ == "__main__":
    main()
