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
from _shards import ShardedRuns, load, make_parser, markdown, parse, split_rows, spread
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

CLUSTERS = {
    "SVM": SVC(),
    "logistic regression": LogisticRegression(max_iter=1000),
    "MLP": MLPClassifier(early_stopping=True, random_state=0),
    "gradient boosting": HistGradientBoostingClassifier(max_iter=50, random_state=0),
}
TASKS = ["diagnosis", "crust", "hair", "vessels", "erythema", "pigmented", "gel", "pen marks"]
# Mean over tasks of the accuracy that the source reports, with SVM as second stage (tables 6.3
# and 6.4), and of P3 with others (table 6.7), on the seven-point checklist.
SOURCE = {
    "always the largest class": "",
    "clinical": "67.7 ± 0.3",
    "dermoscopy": "74.4 ± 0.4",
    "fusion": "74.6 ± 0.5",
    "metadata": "70.2 ± 0.1",
    "P1": "75.1 ± 0.4",
    "P2": "74.7 ± 0.2",
    "P3": "76.3 ± 0.7",
}
SOURCE_P3 = {"SVM": "76.3 ± 0.7", "logistic regression": "75.9 ± 0.4", "MLP": "76.1 ± 0.4"}


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
    return FusionM4NetClassifier(net, CLUSTERS["logistic regression"], cv=cv, random_state=seed)


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


def largest_class_accuracies(y, train, test):
    """Return the accuracy of always answering the training rows' largest class."""
    largest = y.iloc[train].mode().iloc[0]
    return (y.iloc[test] == largest).mean().to_dict()


def score_stages(model, X, y, test):
    found = model.predict_stages(X.iloc[test])
    return {
        stage: task_accuracies(y.iloc[test], model.classes_, tables)
        for stage, tables in found.items()
    }


def run(options, runs):
    images = ("clinical", "dermoscopy")
    milk = load(load_milk10k, options, image_columns=images, n_tasks=len(TASKS), tasks="concepts")
    X, y = milk.data.iloc[: options.rows], milk.target.iloc[: options.rows]
    y = y.set_axis(TASKS, axis=1)
    for seed in range(options.seeds):
        keys = [key for cluster in options.clusters if not runs.done(key := (seed, cluster))]
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
    stages["always the largest class"] = largest_class_accuracies(y, train, test)
    for stage in SOURCE:
        for task, accuracy in stages[stage].items():
            scores[f"{stage}:{task}"] = accuracy
        scores[f"{stage}:mean"] = float(np.mean(list(stages[stage].values())))
    scores |= {f"w_{name}": weight for name, weight in model.branch_weights_.items()}
    scores["W1"] = model.stage_weights_["P1"]
    runs.record(key, **scores)
    shown = {stage: round(scores[f"{stage}:mean"], 3) for stage in SOURCE}
    print(*key, shown, f"swap {scores['swap_seconds']:.1f} s, fit {fit_seconds:.0f} s", flush=True)


def stage_table(frame, cluster):
    """Return table 6.4's shape: stages by tasks, in per cent."""
    frame = frame[frame["cluster"] == cluster]
    tasks = [*TASKS, "mean"]
    lines = [["stage", *tasks, "source, SVM"]]
    for stage, published in SOURCE.items():
        cells = [spread(100 * frame[f"{stage}:{task}"], 1) for task in tasks]
        lines.append([stage, *cells, published])
    return markdown(lines)


def cluster_table(frame):
    """Return table 6.7's shape: second stages, with what swapping them costs."""
    head = ["second stage", "metadata alone", "P1", "P2", "P3", "P3 - P1", "W1"]
    lines = [[*head, "swap (s)", "all (s)", "source's P3"]]
    for cluster, part in frame.groupby("cluster", sort=False):
        cells = [spread(100 * part[f"{stage}:mean"], 1) for stage in ("metadata", "P1", "P2", "P3")]
        cells.append(spread(100 * (part["P3:mean"] - part["P1:mean"]), 1))
        cells.append(spread(part["W1"], 2))
        cells += [spread(part["swap_seconds"], 1), spread(part["fit_seconds"], 0)]
        lines.append([cluster, *cells, SOURCE_P3.get(cluster, "–")])
    return markdown(lines)


def print_readings(frame):
    """Print what the page of results states beside the tables."""
    above = (frame["P3:mean"] >= frame["P1:mean"]).sum()
    print(f"P3 is at least P1 in {above} of {len(frame)} fits (seeds by second stages).")
    means = frame.groupby("cluster", sort=False).mean(numeric_only=True)
    gain = 100 * (means["P3:mean"] - means["metadata:mean"])
    print(f"P3 - metadata alone: {gain.min():.1f} to {gain.max():.1f} points.")
    share = 100 * means["swap_seconds"] / means["fit_seconds"]
    print("Swap, share of all: " + ", ".join(f"{name} {v:.0f} %" for name, v in share.items()))
    # The branches are weighed once a seed, whatever the second stage.
    weights = frame.drop_duplicates("seed").filter(like="w_")
    print("Weights: " + ", ".join(f"{name[2:]} {spread(v, 2)}" for name, v in weights.items()))


def main():
    parser = make_parser(__doc__, "fusion_m4net.csv")
    parser.add_argument("--backbone", default="test_byobnet")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--train-size", type=float, default=0.25, help="share of all lesions")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--cv", default="2", help='folds of the cross-fitting, or "half"')
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--clusters", nargs="+", choices=list(CLUSTERS), default=list(CLUSTERS))
    few = ["SVM", "logistic regression"]
    options = parse(parser, epochs=1, train_size=0.6, seeds=1, clusters=few)
    runs = ShardedRuns(options, ["seed", "cluster"])
    if not options.table:
        run(options, runs)
    frame = runs.frame()
    for cluster in frame["cluster"].unique():
        print(f"Accuracy in per cent, second stage {cluster}:\n")
        print(stage_table(frame, cluster), end="\n\n")
    print(cluster_table(frame))
    print_readings(frame)


if __name__ == "__main__":
    main()
