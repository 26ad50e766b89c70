"""
Training in bf16 beside training in fp32, over seeds.

``python examples/reproduce/precision.py ROOT --dataset pad_ufes_20``: the image beside the
metadata, with `precision="fp32"` and `"bf16"`, from the same seeds and over the same splits by
patient or lesion. Prints the scores, and the mean difference of the pairs with its 95 % interval.
Killed runs go on where they were.
"""

import numpy as np
from _shards import ShardedRuns, load, make_parser, markdown, parse, score_table
from _variants import take_rows
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline

from sklearn_skin.datasets import load_ham10000, load_pad_ufes_20
from sklearn_skin.neural_network import JointFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

LOADERS = {"pad_ufes_20": load_pad_ufes_20, "ham10000": load_ham10000}
SCORES = {"balanced_accuracy": "balanced accuracy", "log_loss": "log loss"}


def score(options, X, y, groups, precision, seed):
    """Return the scores of one network on the rows that its seed holds out."""
    network = JointFusionClassifier(
        backbone=options.backbone,
        weights=None,
        image_size=options.size,
        batch_size=64,
        max_epochs=options.epochs,
        optimizer="adamw",
        lr_schedule="cosine",
        class_weight="balanced",
        augment="flips",
        precision=precision,
        cache_dir=options.cache_dir,
        classes=sorted(set(y)),
        random_state=seed,
    )
    model = make_pipeline(make_lesion_transformer(), network)
    splitter = GroupShuffleSplit(1, test_size=0.2, random_state=seed)
    train, test = next(splitter.split(X, y, groups))
    model.fit(X.iloc[train], y.iloc[train])
    proba, truth = model.predict_proba(X.iloc[test]), y.iloc[test]
    predicted = model.classes_[proba.argmax(axis=1)]
    return {
        "balanced_accuracy": balanced_accuracy_score(truth, predicted),
        "log_loss": log_loss(truth, proba, labels=model.classes_),
    }


def difference_table(frame):
    """Return the mean of bf16 minus fp32 over seeds, with Student's 95 % interval."""
    lines = [["bf16 minus fp32", "mean", "95 % interval"]]
    for name, heading in SCORES.items():
        pairs = frame.pivot(index="seed", columns="precision", values=name).dropna()
        gaps = (pairs["bf16"] - pairs["fp32"]).to_numpy()
        half = stats.t.ppf(0.975, len(gaps) - 1) * stats.sem(gaps) if len(gaps) > 1 else np.nan
        middle = gaps.mean()
        lines.append([heading, f"{middle:.3f}", f"{middle - half:.3f} to {middle + half:.3f}"])
    return markdown(lines)


def main():
    """Run what is left, and print the tables."""
    parser = make_parser(__doc__, "precision.csv")
    parser.add_argument("--dataset", choices=list(LOADERS), default="pad_ufes_20")
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=5)
    options = parse(parser, backbone="test_resnet", size=32, epochs=1, seeds=2)
    runs = ShardedRuns(options, ["precision", "seed"])
    keys = [(kind, seed) for seed in range(options.seeds) for kind in ("fp32", "bf16")]
    if not options.table:
        rows = take_rows(load(LOADERS[options.dataset], options), options.rows, seed=0)
        for kind, seed in runs.pending(keys):
            runs.record((kind, seed), **score(options, *rows, kind, seed))
    frame = runs.frame()
    print(score_table(frame, "precision", SCORES))
    print()
    print(difference_table(frame))


if __name__ == "__main__":
    main()
