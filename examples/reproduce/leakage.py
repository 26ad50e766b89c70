"""What leakage adds to a score, on HAM10000, from scratch on small images.

    python examples/reproduce/leakage.py ROOT [--rows 300 --epochs 1 --folds 2]

One network of image and metadata, cross-validated in three ways: honestly, by lesion; by image,
so that other pictures of a test lesion are in the training set; and by lesion, but with
`dx_type` (how the diagnosis was made) as a feature. Killed runs go on where they were.
"""

from _runs import Runs, network_settings, parser, run, shared_settings, take_rows
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline

from sklearn_skin.audit import check_leakage
from sklearn_skin.datasets import load_ham10000
from sklearn_skin.neural_network import JointFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer


def main():
    options = parser(__doc__.splitlines()[0], "results/leakage.csv").parse_args()
    runs = Runs(options.results, settings=shared_settings(options))
    ham = load_ham10000(options.root, include_leaky=True)
    X, y, groups = take_rows(ham, options.rows, options.seed)
    shuffle = {"shuffle": True, "random_state": options.seed}
    by_lesion = list(StratifiedGroupKFold(options.folds, **shuffle).split(X, y, groups))
    by_image = list(StratifiedKFold(options.folds, **shuffle).split(X, y))
    settings = network_settings(options) | {
        "classes": sorted(ham.target.unique()),
        "class_weight": "balanced",
    }
    model = make_pipeline(make_lesion_transformer(), JointFusionClassifier(**settings))
    honest = [column for column in X if column not in ham.leaky_columns]
    print(check_leakage(X, y, groups, by_image, on_leak="ignore"))
    run(
        runs,
        {
            "by lesion (honest)": (model, honest),
            "by image": (model, honest),
            "by lesion, with dx_type": (model, [*honest, *ham.leaky_columns]),
        },
        X,
        y,
        lambda name: by_image if name == "by image" else by_lesion,
    )


if __name__ == "__main__":
    main()
