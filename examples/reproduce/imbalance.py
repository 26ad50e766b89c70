"""
Ways to handle class imbalance, on HAM10000, from scratch on small images.

``python examples/reproduce/imbalance.py ROOT``: one network of the image alone, trained with
nothing; class weights in the loss; a sampler that draws every class equally often;
ClassBalancedSampler, which repeats and drops rows before training; focal loss; beside what always
the largest class scores. Folds keep all pictures of a lesion on one side. Killed runs go on where
they were.
"""

from _shards import load
from _variants import network_settings, parse_options, run, take_rows
from imblearn.pipeline import make_pipeline
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import StratifiedGroupKFold

from sklearn_skin.datasets import load_ham10000
from sklearn_skin.neural_network import ImageClassifier
from sklearn_skin.sampling import ClassBalancedSampler


def make_variants(options, y):
    """Return {name: (unfitted model, columns, split)}."""
    settings = network_settings(options, y)
    models = {
        "always the largest class": DummyClassifier(),
        "none": ImageClassifier(**settings),
        "class weights": ImageClassifier(**settings, class_weight="balanced"),
        "weighted sampler": ImageClassifier(**settings, sampler="balanced"),
        "ClassBalancedSampler": make_pipeline(
            ClassBalancedSampler(random_state=options.seed), ImageClassifier(**settings)
        ),
        "focal loss": ImageClassifier(**settings, loss="focal"),
    }
    return {name: (model, ["image"], "by lesion") for name, model in models.items()}


def load_rows(options):
    """Return X, y and the splits."""
    X, y, groups = take_rows(load(load_ham10000, options), options.rows, options.seed)
    folds = StratifiedGroupKFold(options.folds, shuffle=True, random_state=options.seed)
    return X, y, {"by lesion": list(folds.split(X, y, groups))}


def main():
    options = parse_options(__doc__, "imbalance.csv")
    run(options, lambda y: make_variants(options, y), lambda: load_rows(options))


if __name__ == "__main__":
    main()
