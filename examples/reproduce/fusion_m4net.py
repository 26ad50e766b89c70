"""
FusionM4Net (system S6) on MILK10k, eight tasks: every stage, four second stages.

``python examples/reproduce/fusion_m4net.py ROOT`` trains FusionNet by cross-fitting on a quarter
of the lesions, puts SVM, logistic regression, perceptron and gradient boosting clusters on it in
turn, and scores each branch and stage on another 20 %; a cluster on metadata alone is the
comparison. The seed decides the split as well. Every finished second stage is a line of
``fusion_m4net.csv``, and so is the time of swapping it in.
"""

import time

import numpy as np
from _shards import ShardedRuns, make_parser, markdown, split_rows, spread
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from sklearn_skin.datasets import load_milk10k
from sklearn_skin.ensemble import FusionM4NetClassifier
from sklearn_skin.neural_network import FusionNetClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

N_SEEDS = 3
CLUSTERS = {
    "SVM": SVC(),
    "LR": LogisticRegression(max_iter=1000),
    "MLP": MLPClassifier(early_stopping=True, random_state=0),
    "boosting": HistGradientBoostingClassifier(max_iter=50, random_state=0),
}
STAGES = ("clinical", "dermoscopy", "fusion", "metadata", "P1", "P2", "P3")


def make_model(seed, options):
    net = FusionNetClassifier(
        backbone=options.backbone,
        weights=None,
        image_size=options.image_size,
        augment="flips",
        optimizer="adamw",
        lr=options.lr,
        lr_schedule="cosine",
        batch_size=32,
        max_epochs=options.epochs,
        cache_dir=options.cache_dir,
        random_state=seed,
    )
    cv = int(options.cv) if options.cv.isdigit() else options.cv
    return FusionM4NetClassifier(net, CLUSTERS["LR"], cv=cv, random_state=seed)


def task_accuracies(y, classes, tables):
    """Return the accuracy of each task."""
    return {
        task: float(np.mean(labels[table.argmax(axis=1)] == y[task].to_numpy()))
        for task, labels, table in zip(y, classes, tables)
    }


def metadata_accuracies(cluster, X, y, train, test):
    """Fit one classifier per task on metadata alone; return the accuracy of each task."""
    scores = {}
    classifier = clone(CLUSTERS[cluster])
    if not hasattr(classifier, "predict_proba"):
        classifier = CalibratedClassifierCV(classifier, ensemble=False)
    for task in y:
        model = make_pipeline(make_lesion_transformer(), clone(classifier))
        model.fit(X.iloc[train], y[task].iloc[train])
        scores[task] = model.score(X.iloc[test], y[task].iloc[test])
    return scores


def score_stages(model, X, y, test):
    found = model.predict_stages(X.iloc[test])
    return {
        stage: task_accuracies(y.iloc[test], model.classes_, tables)
        for stage, tables in found.items()
    }


def run(options, runs):
    milk = load_milk10k(options.root, tasks="concepts")
    X, y = milk.data.iloc[: options.rows], milk.target.iloc[: options.rows]
    for seed in range(N_SEEDS):
        keys = [key for cluster in CLUSTERS if not runs.done(key := (seed, cluster))]
        if not keys or seed % runs.n_shards != runs.mine:
            continue
        train, test = split_rows(y["diagnosis"], seed, trying=bool(options.rows))
        train = train[: int(len(X) * options.train_size)]
        start = time.perf_counter()
        model = make_model(seed, options).fit(X.iloc[train], y.iloc[train])
        fit_seconds = time.perf_counter() - start
        for key in keys:
            run_cluster(key, model, X, y, train, test, fit_seconds, runs, milk.metadata_columns)


def run_cluster(key, model, X, y, train, test, fit_seconds, runs, metadata_columns):
    start = time.perf_counter()
    model.refit_second_stage(CLUSTERS[key[1]])
    scores = {"fit_seconds": fit_seconds, "swap_seconds": time.perf_counter() - start}
    stages = score_stages(model, X, y, test)
    alone = metadata_accuracies(key[1], X[metadata_columns], y, train, test)
    stages["metadata"] = alone
    for stage in STAGES:
        for task, accuracy in stages[stage].items():
            scores[f"{stage}:{task}"] = accuracy
        scores[f"{stage}:mean"] = float(np.mean(list(stages[stage].values())))
    scores |= {f"w_{name}": weight for name, weight in model.branch_weights_.items()}
    scores["W1"] = model.stage_weights_["P1"]
    runs.record(key, **scores)
    shown = {stage: round(scores[f"{stage}:mean"], 3) for stage in STAGES}
    print(*key, shown, f"swap {scores['swap_seconds']:.1f} s, fit {fit_seconds:.0f} s", flush=True)


def stage_table(frame, cluster):
    """Return table 6.4's shape: stages by tasks, in per cent."""
    frame = frame[frame["cluster"] == cluster]
    tasks = [name.split(":")[1] for name in frame if name.startswith("P1:")]
    lines = [["stage", *tasks]]
    for stage in STAGES:
        cells = [spread(100 * frame[f"{stage}:{task}"], 1) for task in tasks]
        lines.append([stage, *cells])
    return markdown(lines)


def cluster_table(frame):
    """Return table 6.7's shape: second stages, with what swapping them costs."""
    head = ["second stage", "metadata", "P1", "P2", "P3", "P3 - P1", "W1", "swap (s)", "all (s)"]
    lines = [head]
    for cluster, part in frame.groupby("cluster", sort=False):
        cells = [spread(100 * part[f"{stage}:mean"], 1) for stage in ("metadata", "P1", "P2", "P3")]
        cells.append(spread(100 * (part["P3:mean"] - part["P1:mean"]), 1))
        cells.append(spread(part["W1"], 2))
        cells += [spread(part[name], 1) for name in ("swap_seconds", "fit_seconds")]
        lines.append([cluster, *cells])
    return markdown(lines)


def main():
    parser = make_parser(__doc__, "fusion_m4net.csv")
    parser.add_argument("--backbone", default="test_byobnet")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--train-size", type=float, default=0.25, help="share of all lesions")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--cv", default="2", help='folds of the cross-fitting, or "half"')
    options = parser.parse_args()
    runs = ShardedRuns(options, ["seed", "cluster"])
    if not options.table:
        run(options, runs)
    frame = runs.frame()
    for cluster in frame["cluster"].unique():
        print(f"Accuracy in per cent, second stage {cluster}:\n")
        print(stage_table(frame, cluster), end="\n\n")
    print(cluster_table(frame))


if __name__ == "__main__":
    main()
