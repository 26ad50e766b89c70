"""
An Optuna study on PAD-UFES-20 against the defaults, in nested folds by patient.

``python examples/reproduce/tuning.py ROOT``: in each of three outer folds a study chooses the
fusion operator, the backbone, the learning rate and the second stage of FusionM4Net around a
joint-individual network, by the balanced accuracy of inner folds; then the best and the default
parameters are fitted on the outer training rows and scored on the outer test rows. Studies
live in SQLite files and finished fits in ``tuning.csv``, so the script can be stopped and started
again.
"""

import time
from pathlib import Path

import optuna
from _shards import ShardedRuns, load, make_parser, parse, score_table
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from sklearn_skin.datasets import load_pad_ufes_20
from sklearn_skin.ensemble import FusionM4NetClassifier
from sklearn_skin.model_selection import StudyObjective, make_study, run_study
from sklearn_skin.neural_network import JointIndividualFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

N_INNER = 2
NETWORK = "model__first_stage"
SCORES = {
    "bacc": "balanced accuracy",
    "acc": "accuracy",
    "auc": "AUC (ovr)",
    "inner_bacc": "inner balanced accuracy",
    "seconds": "s",
}


def make_model(options, seed):
    """Return the model with the library's default operator, rate and second stage."""
    network = JointIndividualFusionClassifier(
        backbone=options.backbone,
        weights=None,
        image_size=options.image_size,
        metadata_hidden=(64, 64),
        augment="flips",
        optimizer="adamw",
        lr_schedule="cosine",
        batch_size=64,
        max_epochs=options.epochs,
        class_weight="balanced",
        cache_dir=options.cache_dir,
        random_state=seed,
    )
    second = FusionM4NetClassifier(network, cv="half", random_state=seed)
    return Pipeline([("table", make_lesion_transformer()), ("model", second)])


def make_space():
    choose, number = (
        optuna.distributions.CategoricalDistribution,
        optuna.distributions.FloatDistribution,
    )
    return {
        f"{NETWORK}__fusion": choose(
            ("concat", "gated", "metablock", "metanet", "cross_attention", "mmfa")
        ),
        f"{NETWORK}__backbone": choose(("test_byobnet", "test_efficientnet", "lcnet_050")),
        f"{NETWORK}__lr": number(3e-4, 1e-2, log=True),
        f"{NETWORK}__image_dropout": number(0.0, 0.5),
        "model__second_stage": choose(("svm", "logistic_regression", "hist_gradient_boosting")),
    }


def make_objective(options, X, y, groups, seed):
    return StudyObjective(
        make_model(options, seed),
        X,
        y,
        make_space(),
        cv=StratifiedGroupKFold(N_INNER, shuffle=True, random_state=seed),
        groups=groups,
        scoring="balanced_accuracy",
    )


def open_study(options, fold):
    storage = Path(options.csv).with_suffix(f".fold{fold}.db")
    return make_study(f"tuning-{fold}", storage, random_state=fold)


def run(options, runs):
    pad = load(load_pad_ufes_20, options)
    X, y, groups = (part.iloc[: options.rows] for part in (pad.data, pad.target, pad.groups))
    outer = StratifiedGroupKFold(options.folds, shuffle=True, random_state=0)
    folds = list(outer.split(X, y, groups))
    keys = [(model, fold) for fold in range(options.folds) for model in ("default", "tuned")]
    for key in runs.pending(keys):
        train, test = folds[key[1]]
        inside = X.iloc[train], y.iloc[train], groups.iloc[train]
        start = time.perf_counter()
        model, inner = make_model(options, key[1]), float("nan")
        if key[0] == "tuned":
            study = open_study(options, key[1])
            run_study(study, make_objective(options, *inside, key[1]), options.trials)
            model.set_params(**study.best_params)
            inner = study.best_value
        model.fit(inside[0], inside[1], model__groups=inside[2])
        proba, truth = model.predict_proba(X.iloc[test]), y.iloc[test]
        predicted = model.classes_[proba.argmax(axis=1)]
        scores = {
            "bacc": balanced_accuracy_score(truth, predicted),
            "acc": accuracy_score(truth, predicted),
            "auc": roc_auc_score(truth, proba, multi_class="ovr"),
            "inner_bacc": inner,
            "seconds": time.perf_counter() - start,
        }
        runs.record(key, **scores)
        print(*key, {name: round(value, 3) for name, value in scores.items()}, flush=True)


def print_studies(options, folds):
    """Print what each study chose, and how its trials ended."""
    for fold in folds:
        study = open_study(options, int(fold))
        states = [trial.state.name.lower() for trial in study.trials]
        counts = {state: states.count(state) for state in sorted(set(states))}
        best = {
            name.split("__")[-1]: f"{value:.2g}" if isinstance(value, float) else value
            for name, value in study.best_params.items()
        }
        print(f"outer fold {fold}: {counts}, best {best}")


def print_differences(frame):
    """Print tuned minus default, fold by fold."""
    scores = frame.set_index(["model", "fold"])[["bacc", "acc"]]
    for name, difference in (scores.loc["tuned"] - scores.loc["default"]).items():
        shown = ", ".join(f"{value:+.3f}" for value in difference)
        print(f"tuned - default, {SCORES[name]}: {shown}")


def main():
    parser = make_parser(__doc__, "tuning.csv")
    parser.add_argument("--backbone", default="test_byobnet")
    parser.add_argument("--image-size", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--folds", type=int, default=3, help="outer folds")
    options = parse(parser, epochs=1, trials=1, folds=2, image_size=32)
    runs = ShardedRuns(options, ["model", "fold"])
    if not options.table:
        run(options, runs)
    frame = runs.frame()
    print(score_table(frame, "model", SCORES))
    print_differences(frame)
    print_studies(options, frame.loc[frame["model"] == "tuned", "fold"])


if __name__ == "__main__":
    main()
