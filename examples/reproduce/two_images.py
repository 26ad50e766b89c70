"""
Two images, eight tasks: AMMFM (S4), PEMM (S5) and FusionNet (S6, first stage) on MILK10k.

``python examples/reproduce/two_images.py ROOT`` trains each model from scratch on 20 % of the
lesions and scores it on another 20 %, for three seeds, which decide the split as well: S4 without
attention, with bidirectional and with asymmetric attention, whose fusion reads the dermoscopic
vector or both; S5 with equal losses, one or two encoders and shared, separate or no attention; S5
with biased losses W, and with each image's own attention map; FusionNet. Branches are weighted by
what is best on a tenth of the training rows. Every finished fit is a line of ``two_images.csv``,
so the script can be stopped and started again. ``--rows 60 --epochs 1`` tries all models.
"""

import time

import numpy as np
from _shards import ShardedRuns, load, make_parser, parse, score_table, split_rows

from sklearn_skin.datasets import load_milk10k
from sklearn_skin.metrics import mean_task_accuracy, mean_task_auc, mean_task_balanced_accuracy
from sklearn_skin.neural_network import (
    AsymmetricFusionClassifier,
    FusionNetClassifier,
    SharedFusionClassifier,
)

N_SEEDS = 3
# Mean over tasks of accuracy and of AUC in per cent, and the table that prints them: weighted
# averages on the seven-point checklist. Tables 5.15 and 5.17 share two rows and differ in spread.
_SHARED = "S5 one encoder, shared attention"
SOURCE = {
    "FusionNet": ("75.1 ± 0.4", "–", "6.4"),
    "S4 none": ("76.5 ± 0.4", "87.3 ± 0.4", "5.9"),
    "S4 bab": ("76.6 ± 0.3", "87.6 ± 0.3", "5.9"),
    "S4 aab, fusion of dermoscopy": ("76.7 ± 0.4", "87.6 ± 0.4", "5.9"),
    "S5 two encoders, no attention, equal losses": ("76.5 ± 0.6", "87.0 ± 0.3", "5.15"),
    "S5 one encoder, no attention, equal losses": ("76.4 ± 0.4", "86.9 ± 0.4", "5.15"),
    "S5 one encoder, cross attention, equal losses": ("75.9 ± 0.4", "86.9 ± 0.4", "5.15"),
    f"{_SHARED}, equal losses": ("76.6 ± 0.3", "87.2 ± 0.1, 0.2", "5.15, 5.17"),
    f"{_SHARED}, W = 0.0": ("76.6 ± 0.5", "87.4 ± 0.4", "5.17"),
    f"{_SHARED}, W = 0.1": ("76.8 ± 0.7, 0.4", "87.3 ± 0.3", "5.15, 5.17"),
    f"{_SHARED}, W = 0.2": ("76.8 ± 0.1", "87.3 ± 0.4", "5.17"),
    f"{_SHARED}, W = 0.3": ("76.3 ± 0.4", "87.2 ± 0.2", "5.17"),
    f"{_SHARED}, W = 0.4": ("76.1 ± 0.3", "86.7 ± 0.2", "5.17"),
    f"{_SHARED}, W = 0.5": ("73.9 ± 0.4", "84.6 ± 0.2", "5.17"),
}
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
    for name, params in {
        "none": {"attention": "none"},
        "bab": {"attention": "bab"},
        "aab, fusion of dermoscopy": {"attention": "aab"},
        "aab, fusion of both": {"attention": "aab", "fusion": "concat"},
    }.items():
        models[f"S4 {name}"] = (AsymmetricFusionClassifier, params | asymmetric)
    for shared in (True, False):
        for attention in ("shared", "cross", "none"):
            encoders = "one encoder" if shared else "two encoders"
            name = f"S5 {encoders}, {attention.replace('none', 'no')} attention, equal losses"
            params = {"attention": attention, "share_encoder": shared}
            models[name] = (SharedFusionClassifier, params | {"branch_loss_weights": "equal"})
    for weight in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5):
        models[f"{_SHARED}, W = {weight}"] = (SharedFusionClassifier, {"clinical_weight": weight})
    models[f"{_SHARED}, own maps, W = 0.1"] = (SharedFusionClassifier, {"attention_maps": "own"})
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
    images = ("clinical", "dermoscopy")
    milk = load(load_milk10k, options, image_columns=images, n_tasks=8, tasks="concepts")
    X = milk.data[milk.image_columns].iloc[: options.rows]
    y = milk.target.iloc[: options.rows]
    # All models of one seed before the next seed, so that an unfinished run compares them all.
    names = list(make_configurations(options))[:: 6 if options.smallest else 1]
    classes = [milk.target_names[task] for task in y]
    seeds = range(1 if options.smallest else N_SEEDS)
    for key in runs.pending([(name, seed) for seed in seeds for name in names]):
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
    options = parse(parser, epochs=1, train_size=0.6)
    runs = ShardedRuns(options, ["model", "seed"])
    if not options.table:
        run(options, runs)
    headings = ("source, accuracy (%)", "source, AUC (%)", "its table")
    notes = {
        heading: {name: row[i] for name, row in SOURCE.items()}
        for i, heading in enumerate(headings)
    }
    frame = runs.frame()
    print(score_table(frame, "model", SCORES, notes))
    models = frame.groupby("model")["weighted"]
    means, deviations = models.mean(), models.std(ddof=1)
    best = frame[["dermoscopy", "fusion"]].max(axis=1)
    print(
        f"Weighted averages of {len(means)} models: {means.min():.3f} to {means.max():.3f}, "
        f"deviation between models {means.std(ddof=1):.3f}, between the seeds of a model "
        f"{deviations.median():.3f} (median)."
    )
    print(
        "Weighted average less the better of dermoscopy and fusion, per fit: "
        f"{(frame['weighted'] - best).min():+.3f} to {(frame['weighted'] - best).max():+.3f}, "
        f"mean {(frame['weighted'] - best).mean():+.4f}."
    )


if __name__ == "__main__":
    main()
