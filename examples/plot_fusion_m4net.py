"""
====================================================
FusionM4Net, and swapping its second stage
====================================================

A network looks at a clinical and a dermoscopic image and answers three questions at once
(stage 1: branches ``clinical``, ``dermoscopy``, ``fusion``, and their weighted average P1). A
second classifier per question sees the answers to all of them, and the patient's metadata
(P2). P3 is the weighted average of P1 and P2. The second stage is fitted on answers about
lesions that the network had not seen, and pictures of a lesion never stand on both sides.

Any scikit-learn classifier can be the second stage. Swapping it leaves the networks alone, and
a grid search over second stages trains each network once per fold.
"""

import sys
import tempfile
import time

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from sklearn_skin.datasets import make_lesions
from sklearn_skin.ensemble import FusionM4NetClassifier
from sklearn_skin.metrics import SCORERS, mean_task_balanced_accuracy
from sklearn_skin.neural_network import FusionNetClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

SECOND_STAGES = [
    CalibratedClassifierCV(SVC(), ensemble=False),
    LogisticRegression(max_iter=1000),
    MLPClassifier(solver="lbfgs", alpha=1.0, max_iter=200, random_state=0),
    HistGradientBoostingClassifier(max_iter=30, random_state=0),
]


def make_model(memory):
    """Return the whole pipeline; the lesion of each row is known to all of its parts."""
    net = FusionNetClassifier(
        group_column="lesion",
        backbone="resnet10t",
        weights=None,
        image_size=32,
        optimizer="adamw",
        lr=2e-3,
        lr_schedule="cosine",
        max_epochs=6,
        random_state=0,
    )
    fusion = FusionM4NetClassifier(
        net, "svm", cv=3, group_column="lesion", memory=memory, random_state=0
    )
    return Pipeline(
        [("columns", make_lesion_transformer(group_column="lesion")), ("fusion", fusion)]
    )


def title(classifier):
    """Return the name of a classifier, without its calibration."""
    return type(getattr(classifier, "estimator", classifier)).__name__


def stage_scores(model, X, y):
    """Return the mean over tasks of the balanced accuracy of every branch and stage."""
    prepared = model[:-1].transform(X)
    scores = {}
    for name, tasks in model[-1].predict_stages(prepared).items():
        labels = [c[p.argmax(axis=1)] for c, p in zip(model[-1].classes_, tasks)]
        scores[name] = mean_task_balanced_accuracy(y, pd.DataFrame(labels).T)
    return scores


def swap(model, X, y):
    """Return P2's and P3's scores for every second stage, and the seconds of the swap."""
    rows = {}
    for second_stage in SECOND_STAGES:
        begin = time.perf_counter()
        model[-1].refit_second_stage(second_stage)
        seconds = time.perf_counter() - begin
        scores = stage_scores(model, X, y)
        rows[title(second_stage)] = {"P2": scores["P2"], "P3": scores["P3"], "seconds": seconds}
    return pd.DataFrame(rows).T


def draw(stages, swapped, path):
    """Save both tables as bars."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
    pd.Series(stages).plot.bar(ax=left, color="tab:blue", rot=30)
    left.set(title="branches and stages (SVC)", ylabel="balanced accuracy, mean of 3 tasks")
    swapped[["P2", "P3"]].plot.bar(ax=right, rot=15)
    right.set(title="second stages", ylim=(0, 1))
    fig.savefig(path, dpi=110)
    print(f"saved {path}")


if __name__ == "__main__":
    lesions = make_lesions(
        160,
        image_columns=("clinical", "dermoscopy"),
        n_tasks=3,
        image_size=32,
        images_per_lesion=2,
        random_state=0,
    )
    X, y = lesions.data.assign(lesion=lesions.groups), lesions.target
    folds = list(StratifiedGroupKFold(3).split(X, y["diagnosis"], lesions.groups))
    train, test = folds[0]
    X_train, y_train, X_test, y_test = X.iloc[train], y.iloc[train], X.iloc[test], y.iloc[test]

    with tempfile.TemporaryDirectory() as memory:
        begin = time.perf_counter()
        model = make_model(memory).fit(X_train, y_train)
        print(f"fit of both stages: {time.perf_counter() - begin:.1f} s")
        stages = stage_scores(model, X_test, y_test)
        print(pd.Series(stages).round(3).to_string())
        swapped = swap(model, X_test, y_test)
        print(swapped.round(3).to_string())

        begin = time.perf_counter()
        search = GridSearchCV(
            make_model(memory),
            {"fusion__second_stage": SECOND_STAGES},
            cv=folds[:2],
            scoring=SCORERS["mean_task_balanced_accuracy"],
            refit=False,
            error_score="raise",
        ).fit(X, y)
        seconds = time.perf_counter() - begin
        print(f"grid search over {len(SECOND_STAGES)} second stages, 2 folds: {seconds:.1f} s")
        results = search.cv_results_
        for params, score in zip(results["params"], results["mean_test_score"]):
            print(f"{title(params['fusion__second_stage']):32s} {score:.3f}")
    draw(stages, swapped, sys.argv[1] if len(sys.argv) > 1 else "fusion_m4net.png")
