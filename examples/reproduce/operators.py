"""
Twelve fusion operators, each in the JF and the JIF structure, on real lesions.

``python examples/reproduce/operators.py ROOT`` cross-validates all models on PAD-UFES-20 from
scratch, 5 folds by patient; with ``--dataset ham10000 --epochs 1`` each is fitted on one split
by lesion. On every fold each model is fitted with the same learning rates on three quarters of the
training rows; the rate with the best balanced accuracy on the other quarter, whose patients are
others, is that of the fit on all training rows, which the test rows judge. Every finished fit is
a line of ``operators_<dataset>.csv``, so the script can be stopped and started again. At the end
it prints the table and what the comparison says.
"""

import time

from _comparison import print_comparison
from _shards import ShardedRuns, load, make_parser, markdown, parse, spread
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from sklearn_skin.datasets import load_ham10000, load_pad_ufes_20
from sklearn_skin.modules.fusion import FUSIONS
from sklearn_skin.neural_network import JointFusionClassifier, JointIndividualFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

LOADERS = {"pad_ufes_20": load_pad_ufes_20, "ham10000": load_ham10000}
# Folds used, of five.
FOLDS = {"pad_ufes_20": 5, "ham10000": 1}
STRUCTURES = {"JF": JointFusionClassifier, "JIF": JointIndividualFusionClassifier}
# Rows of the table: the operator and its options.
ROWS = {name: (name, {}) for name in FUSIONS}
ROWS |= {
    "mmfa": ("mmfa", {"heads": "mixed"}),
    "mmfa, heads=split": ("mmfa", {"heads": "split"}),
}
# The operators' own widths, where they have one, follow --width.
WIDTHS = {
    "self_attention": "token_dim",
    "cross_attention": "token_dim",
    "mutual_attention": "dim",
    "mmfa": "dim",
}
SCORES = {"bacc": "balanced accuracy", "auc": "AUC (ovr)", "acc": "accuracy"}
# Balanced accuracy in JF and JIF, averages over five pretrained backbones (tables 4.1 and 4.7).
SOURCE = {
    "concat": (0.742, 0.751),
    "metablock": (0.712, 0.735),
    "metanet": (0.678, 0.704),
    "mutual_attention": (0.745, 0.763),
    "mmfa": (0.749, 0.772),
}


def make_model(structure, row, fold, options):
    operator, fusion_options = ROWS[row]
    if operator in WIDTHS:
        fusion_options = fusion_options | {WIDTHS[operator]: options.width}
    net = STRUCTURES[structure](
        fusion=operator,
        fusion_options=fusion_options,
        metadata_hidden=(options.width, options.width),
        backbone=options.backbone,
        weights=None,
        image_size=options.image_size,
        augment="flips",
        optimizer="adamw",
        lr_schedule="cosine",
        batch_size=64,
        max_epochs=options.epochs,
        class_weight="balanced",
        cache_dir=options.cache_dir,
        random_state=fold,
    )
    return Pipeline([("table", make_lesion_transformer()), ("net", net)])


def tune(model, rates, X, y, groups):
    """Fit with the rate that is best on a quarter of the rows, on all rows."""
    inner = next(StratifiedGroupKFold(4, shuffle=True, random_state=0).split(X, y, groups))
    search = GridSearchCV(
        model, {"net__lr": rates}, scoring="balanced_accuracy", cv=[inner], error_score="raise"
    )
    return search.fit(X, y)


def list_keys(options):
    # All operators of one fold before the next fold, so that an unfinished run compares them all.
    return [
        (structure, row, fold)
        for fold in range(options.folds)
        for structure in STRUCTURES
        for row in options.operators
    ]


def run(options, runs):
    lesions = load(LOADERS[options.dataset], options)
    X, y, groups = (
        part.iloc[: options.rows] for part in (lesions.data, lesions.target, lesions.groups)
    )
    folds = list(StratifiedGroupKFold(5, shuffle=True, random_state=0).split(X, y, groups))
    for key in runs.pending(list_keys(options)):
        train, test = folds[key[-1]]
        rows = X.iloc[train], y.iloc[train], groups.iloc[train]
        start = time.perf_counter()
        search = tune(make_model(*key, options), options.rates, *rows)
        model = search.best_estimator_
        proba, truth = model.predict_proba(X.iloc[test]), y.iloc[test]
        predicted = model.classes_[proba.argmax(axis=1)]
        scores = {
            "bacc": balanced_accuracy_score(truth, predicted),
            "auc": roc_auc_score(truth, proba, multi_class="ovr"),
            "acc": accuracy_score(truth, predicted),
            "rate": search.best_params_["net__lr"],
            "inner_bacc": float(search.best_score_),
            "weights": sum(p.numel() for p in model[-1].module_.parameters()),
            "fit_seconds": search.refit_time_,
            "seconds": time.perf_counter() - start,
        }
        runs.record(key, **scores)
        print(*key, {name: round(value, 4) for name, value in scores.items()}, flush=True)


def operator_table(frame, source):
    """Return a Markdown table with a line per operator and JF beside JIF."""
    first, *others = [[f"{name} {score}" for name in STRUCTURES] for score in SCORES.values()]
    published = [f"source {name}" for name in STRUCTURES] if source else []
    head = ["operator", *first, *published, *sum(others, [])]
    lines = [[*head, *(f"{name} rates" for name in STRUCTURES), "JF weights"]]
    for row, part in frame.groupby("operator", sort=False):
        parts = [part[part["structure"] == structure] for structure in STRUCTURES]
        first, *others = [[spread(p[score]) for p in parts] for score in SCORES]
        published = source.get(ROWS[row][0], ("", "")) if source else []
        rates = [", ".join(f"{rate:g}" for rate in p["rate"]) for p in parts]
        weights = f"{parts[0]['weights'].max():,.0f}"
        lines.append([row, *first, *published, *sum(others, []), *rates, weights])
    return markdown(lines)


def main():
    parser = make_parser(__doc__, None)
    parser.add_argument("--dataset", choices=sorted(LOADERS), default="pad_ufes_20")
    parser.add_argument("--operators", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--folds", type=int, help="folds to use of five (ham10000: 1)")
    parser.add_argument("--backbone", default="test_byobnet")
    parser.add_argument("--image-size", type=int, default=40)
    parser.add_argument("--width", type=int, default=64, help="width of metadata and operators")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rates", nargs="+", type=float, default=[2e-3, 8e-3, 3e-2])
    few = ["concat", "mmfa", "mmfa, heads=split"]
    options = parse(parser, operators=few, folds=2, epochs=1, width=8, rates=[2e-3])
    options.csv = options.csv or f"operators_{options.dataset}.csv"
    options.folds = options.folds or FOLDS[options.dataset]
    runs = ShardedRuns(options, ["structure", "operator", "fold"])
    if not options.table:
        run(options, runs)
    frame = runs.frame()
    source = SOURCE if options.dataset == "pad_ufes_20" else {}
    print(operator_table(frame, source))
    print_comparison(frame, source)


if __name__ == "__main__":
    main()
