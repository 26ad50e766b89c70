"""
Two images, eight tasks: AMMFM (S4), PEMM (S5) and FusionNet (S6, first stage) on MILK10k.

``python examples/reproduce/two_images.py ROOT`` trains each model from scratch on 20 % of the
lesions and scores it on another 20 %, for three seeds, which decide the split as well: S4 without
attention, with bidirectional and with asymmetric attention; S5 with one or two encoders and
shared, separate or no attention, and with biased losses W; FusionNet. Branches are weighted by
what is best on a tenth of the training rows. Every finished fit is a line of ``two_images.csv``,
so the script can be stopped and started again.
"""

import time

import numpy as np
from _shards import ShardedRuns, make_parser, score_table, split_rows

from sklearn_skin.datasets import load_milk10k
from sklearn_skin.metrics import mean_task_accuracy, mean_task_auc, mean_task_balanced_accuracy
from sklearn_skin.neural_network import (
    AsymmetricFusionClassifier,
    FusionNetClassifier,
    SharedFusionClassifier,
)

N_SEEDS = 3
SCORES = {
    "clinical": "clinical",
    "dermoscopy": "dermoscopy",
    "fusion": "fusion",
    "weighted": "weighted average",
    "diagnosis": "its diagnosis",
    "bacc": "its balanced accuracy",
    "auc": "its AUC",
    "w_clinical": "weight clinical",
    "millions": "parameters (M)",
    "epoch_seconds": "s / epoch",
}


def make_configurations(options):
    """Return name -> (class, parameters); names sort the tables."""
    asymmetric = {"clinical_backbone": options.clinical_backbone}
    models = {"FusionNet": (FusionNetClassifier, {})}
    for attention in ("none", "bab", "aab"):
        models[f"S4 {attention}"] = (
            AsymmetricFusionClassifier,
            {"attention": attention, **asymmetric},
        )
    for shared in (True, False):
        for attention in ("shared", "cross", "none"):
            encoders = "one encoder" if shared else "two encoders"
            name = f"S5 {encoders}, {attention.replace('none', 'no')} attention"
            models[name] = (
                SharedFusionClassifier,
                {"attention": attention, "share_encoder": shared},
            )
    for weight in (0.0, 0.2, 0.3, 0.4):
        models[f"S5 one encoder, shared attention, W = {weight}"] = (
            SharedFusionClassifier,
            {"clinical_weight": weight},
        )
    return models


def make_model(name, seed, classes, options):
    classifier, params = make_configurations(options)[name]
    return classifier(
        backbone=options.backbone,
        weights=None,
        image_size=options.image_size,
        augment="flips",
        optimizer="adamw",
        lr=options.lr,
        lr_schedule="cosine",
        batch_size=24,
        max_epochs=options.epochs,
        branch_weights="search",
        classes=classes,
        cache_dir=options.cache_dir,
        random_state=seed,
        **params,
    )


def score(model, X, y):
    """Return scores of every branch, and of their weighted average."""
    branches = model.predict_branches(X)
    predicted = model.predict(X)
    scores = {
        name: mean_task_accuracy(y, labels_of(model, tasks)) for name, tasks in branches.items()
    }
    scores["weighted"] = mean_task_accuracy(y, predicted)
    scores["diagnosis"] = float(np.mean(y["diagnosis"].to_numpy() == predicted[:, 0]))
    scores["bacc"] = mean_task_balanced_accuracy(y, predicted)
    scores["auc"] = mean_task_auc(y, model.predict_proba(X), classes=model.classes_)
    scores["w_clinical"] = model.branch_weights_["clinical"]
    scores["w_dermoscopy"] = model.branch_weights_["dermoscopy"]
    trained = sum(p.numel() for p in model.module_.parameters())
    scores["millions"] = trained / 1e6
    scores["epoch_seconds"] = float(np.median([row["dur"] for row in model.history_]))
    return scores


def labels_of(model, tasks):
    columns = [classes[p.argmax(axis=1)] for classes, p in zip(model.classes_, tasks)]
    return np.column_stack([np.asarray(column, dtype=object) for column in columns])


def run(options, runs):
    milk = load_milk10k(options.root, tasks="concepts")
    X = milk.data[milk.image_columns].iloc[: options.rows]
    y = milk.target.iloc[: options.rows]
    # All models of one seed before the next seed, so that an unfinished run compares them all.
    names = list(make_configurations(options))
    classes = [milk.target_names[task] for task in y]
    for key in runs.pending([(name, seed) for seed in range(N_SEEDS) for name in names]):
        train, test = split_rows(y["diagnosis"], key[1], trying=bool(options.rows))
        train = train[: int(len(X) * options.train_size)]
        start = time.perf_counter()
        model = make_model(*key, classes, options).fit(X.iloc[train], y.iloc[train])
        scores = score(model, X.iloc[test], y.iloc[test])
        scores["seconds"] = time.perf_counter() - start
        runs.record(key, **scores)
        print(*key, {name: round(value, 3) for name, value in scores.items()}, flush=True)


def main():
    parser = make_parser(__doc__, "two_images.csv")
    parser.add_argument("--backbone", default="test_byobnet", help="any timm model of four stages")
    parser.add_argument("--clinical-backbone", default="test_efficientnet", help="of S4")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--train-size", type=float, default=0.2, help="share of all lesions")
    parser.add_argument("--lr", type=float, default=1e-3)
    options = parser.parse_args()
    runs = ShardedRuns(options, ["model", "seed"])
    if not options.table:
        run(options, runs)
    print(score_table(runs.frame(), "model", SCORES))


if __name__ == "__main__":
    main()
