"""Ways to handle class imbalance, on HAM10000, from scratch on small images.

    python examples/reproduce/imbalance.py ROOT [--rows 300 --epochs 1 --folds 2]

One network, trained with: nothing; class weights in the loss; a sampler that draws every class
equally often; ClassBalancedSampler, which repeats and drops rows before training; focal loss.
Folds keep all pictures of a lesion on one side. Killed runs go on where they were.
"""

from _runs import Runs, network_settings, parser, run, shared_settings, take_rows
from imblearn.pipeline import make_pipeline
from sklearn.model_selection import StratifiedGroupKFold

from sklearn_skin.datasets import load_ham10000
from sklearn_skin.neural_network import ImageClassifier
from sklearn_skin.sampling import ClassBalancedSampler


def make_variants(settings, seed):
    """Return {name: unfitted model}."""
    return {
        "none": ImageClassifier(**settings),
        "class weights": ImageClassifier(**settings, class_weight="balanced"),
        "weighted sampler": ImageClassifier(**settings, sampler="balanced"),
        "ClassBalancedSampler": make_pipeline(
            ClassBalancedSampler(random_state=seed), ImageClassifier(**settings)
        ),
        "focal loss": ImageClassifier(**settings, loss="focal"),
    }


def main():
    options = parser(__doc__.splitlines()[0], "results/imbalance.csv").parse_args()
    runs = Runs(options.results, settings=shared_settings(options))
    ham = load_ham10000(options.root)
    X, y, groups = take_rows(ham, options.rows, options.seed)
    folds = StratifiedGroupKFold(options.folds, shuffle=True, random_state=options.seed)
    splits = list(folds.split(X, y, groups))
    # A class may be absent from a fold of a small part of the rows.
    settings = network_settings(options) | {"classes": sorted(ham.target.unique())}
    models = make_variants(settings, options.seed)
    run(
        runs,
        {name: (model, ["image"]) for name, model in models.items()},
        X,
        y,
        lambda name: splits,
    )


if __name__ == "__main__":
    main()
