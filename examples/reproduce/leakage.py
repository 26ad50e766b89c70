"""
What leakage adds to a score, on HAM10000, from scratch on small images.

``python examples/reproduce/leakage.py ROOT``: one network of image and metadata, cross-validated
in three ways: honestly, by lesion; by image, so that other pictures of a test lesion are in the
training set; and by lesion, but with `dx_type` (how the diagnosis was made) as a feature. What
`check_leakage` finds is printed first. Killed runs go on where they were.
"""

from _shards import load
from _variants import network_settings, parse_options, run, take_rows
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline

from sklearn_skin.audit import check_leakage
from sklearn_skin.datasets import load_ham10000
from sklearn_skin.neural_network import JointFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

LEAKY = ["dx_type"]


def make_variants(options, y):
    """Return {name: (unfitted model, columns, split)}."""
    settings = network_settings(options, y) | {"class_weight": "balanced"}
    model = make_pipeline(make_lesion_transformer(), JointFusionClassifier(**settings))
    honest = ["image", "age", "sex", "localization"]
    return {
        "by lesion (honest)": (model, honest, "by lesion"),
        "by image": (model, honest, "by image"),
        "by lesion, with `dx_type`": (model, [*honest, *LEAKY], "by lesion"),
    }


def load_rows(options):
    """Return X, y and the splits; print what is found in them."""
    ham = load(load_ham10000, options, include_leaky=True)
    X, y, groups = take_rows(ham, options.rows, options.seed)
    if options.smallest:
        X = X.rename(columns={"site": "localization"}).assign(**{name: y for name in LEAKY})
    shuffle = {"shuffle": True, "random_state": options.seed}
    by_lesion = list(StratifiedGroupKFold(options.folds, **shuffle).split(X, y, groups))
    by_image = list(StratifiedKFold(options.folds, **shuffle).split(X, y))
    print(check_leakage(X, y, groups, by_image, on_leak="ignore", cache_dir=options.cache_dir))
    return X, y, {"by lesion": by_lesion, "by image": by_image}


def main():
    options = parse_options(__doc__, "leakage.csv")
    run(options, lambda y: make_variants(options, y), lambda: load_rows(options))


if __name__ == "__main__":
    main()
