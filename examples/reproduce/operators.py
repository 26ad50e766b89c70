"""
Twelve fusion operators, each in the JF and the JIF structure, on real lesions.

``python examples/reproduce/operators.py ROOT`` cross-validates all 24 models on PAD-UFES-20 from
scratch, 5 folds by patient; with ``--dataset ham10000 --epochs 1`` each is fitted once, on one
split by lesion. Every finished fit is a line of ``operators_<dataset>.csv``, so the script can
be stopped and started again. At the end it prints the table and the tests of the comparison.
"""

import time

from _shards import ShardedRuns, make_parser, markdown, spread
from scipy.stats import friedmanchisquare, wilcoxon
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from sklearn_skin.datasets import load_ham10000, load_pad_ufes_20
from sklearn_skin.metrics import compare_models
from sklearn_skin.modules.fusion import FUSIONS
from sklearn_skin.neural_network import JointFusionClassifier, JointIndividualFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

LOADERS = {"pad_ufes_20": load_pad_ufes_20, "ham10000": load_ham10000}
# Folds made, folds used.
FOLDS = {"pad_ufes_20": (5, 5), "ham10000": (5, 1)}
STRUCTURES = {"JF": JointFusionClassifier, "JIF": JointIndividualFusionClassifier}
# The operators' own widths, where they have one, follow --width.
WIDTHS = {
    "self_attention": "token_dim",
    "cross_attention": "token_dim",
    "mutual_attention": "dim",
    "mmfa": "dim",
}
SCORES = {"bacc": "balanced accuracy", "acc": "accuracy", "auc": "AUC (ovr)"}


def make_model(structure, operator, fold, options):
    own = {WIDTHS[operator]: options.width} if operator in WIDTHS else {}
    if operator == "mmfa":
        own["heads"] = options.mmfa_heads
    net = STRUCTURES[structure](
        fusion=operator,
        fusion_options=own,
        metadata_hidden=(options.width, options.width),
        backbone=options.backbone,
        weights=None,
        image_size=options.image_size,
        augment="flips",
        optimizer="adamw",
        lr=options.lr,
        lr_schedule="cosine",
        batch_size=64,
        max_epochs=options.epochs,
        class_weight="balanced",
        cache_dir=options.cache_dir,
        random_state=fold,
    )
    return make_pipeline(make_lesion_transformer(), net)


def list_keys(options):
    # All operators of one fold before the next fold, so that an unfinished run compares them all.
    return [
        (structure, operator, fold)
        for fold in range(FOLDS[options.dataset][1])
        for structure in STRUCTURES
        for operator in FUSIONS
    ]


def run(options, runs):
    lesions = LOADERS[options.dataset](options.root)
    X, y, groups = (
        part.iloc[: options.rows] for part in (lesions.data, lesions.target, lesions.groups)
    )
    cv = StratifiedGroupKFold(FOLDS[options.dataset][0], shuffle=True, random_state=0)
    folds = list(cv.split(X, y, groups))
    for key in runs.pending(list_keys(options)):
        train, test = folds[key[-1]]
        start = time.perf_counter()
        model = make_model(*key, options).fit(X.iloc[train], y.iloc[train])
        proba, truth = model.predict_proba(X.iloc[test]), y.iloc[test]
        predicted = model.classes_[proba.argmax(axis=1)]
        scores = {
            "bacc": balanced_accuracy_score(truth, predicted),
            "acc": accuracy_score(truth, predicted),
            "auc": roc_auc_score(truth, proba, multi_class="ovr"),
            "parameters": sum(p.numel() for p in model[-1].module_.parameters()),
            "seconds": time.perf_counter() - start,
        }
        runs.record(key, **scores)
        print(*key, {name: round(value, 3) for name, value in scores.items()}, flush=True)


def operator_table(frame):
    """Return a Markdown table with a line per operator and JF beside JIF."""
    names = [f"{structure} {score}" for score in SCORES.values() for structure in STRUCTURES]
    lines = [["operator", *names, "JF parameters", "s / fit"]]
    for operator, part in frame.groupby("operator", sort=False):
        parts = {structure: part[part["structure"] == structure] for structure in STRUCTURES}
        cells = [spread(parts[structure][score]) for score in SCORES for structure in STRUCTURES]
        parameters = parts["JF"]["parameters"].max()
        lines.append([operator, *cells, f"{parameters:,.0f}", f"{part['seconds'].median():.0f}"])
    return markdown(lines)


def compare(frame):
    """Print the Friedman test over all models and the Wilcoxon tests of the best one."""
    table = frame.pivot_table(index="fold", columns="model", values="bacc").dropna()
    if len(table) < 2:
        print("One split: no test.")
        return
    statistic, p_value = friedmanchisquare(*table.to_numpy().T)
    print(
        f"Friedman over {table.shape[1]} models and {len(table)} folds: "
        f"chi2 = {statistic:.1f}, p = {p_value:.2g}"
    )
    for structure in STRUCTURES:
        part = table[[name for name in table if name.startswith(structure + " ")]]
        statistic, p_value = friedmanchisquare(*part.to_numpy().T)
        print(f"  within {structure}: chi2 = {statistic:.1f}, p = {p_value:.2g}")
    try:
        compare_models(table)
    except ValueError as error:
        print("compare_models, alpha = 0.05:", error)
    # The smallest two-sided p-value that so many folds can give.
    result = compare_models(table, alpha=2.0 ** (1 - len(table)))
    best = result.summary.index[0]
    pairs = result.pairs[(result.pairs[["model_a", "model_b"]] == best).any(axis=1)]
    others = table.drop(columns=best)
    beaten = (others.lt(table[best], axis=0)).all().sum()
    print(
        f"Wilcoxon with {len(table)} folds: p >= {2.0 ** (1 - len(table))}, reached by "
        f"{int((result.pairs['p_value'] <= result.alpha).sum())} of {len(result.pairs)} pairs; "
        f"smallest p after Holm's correction {result.pairs['p_holm'].min():.2g}. The best by "
        f"rank, {best}, wins on every fold against {beaten} of {others.shape[1]}; smallest p of "
        f"its pairs {pairs['p_value'].min():.4f}"
    )
    reach = result.summary["rank"].iloc[0] + result.critical_difference
    print(
        f"Nemenyi's critical difference: {result.critical_difference:.1f} ranks; models within "
        f"it of the best, itself included: {int((result.summary['rank'] <= reach).sum())}"
    )
    print(result.summary.round(3).to_string())
    # Folds and operators together: each of the 12 operators is a pair JF, JIF on every fold.
    structures = frame.pivot_table(index=["operator", "fold"], columns="structure", values="bacc")
    by_operator = structures.groupby("operator").mean()
    difference = by_operator["JIF"] - by_operator["JF"]
    print(
        f"JIF - JF over 12 operators: {difference.mean():+.3f}, better for "
        f"{int((difference > 0).sum())}; Wilcoxon p = {wilcoxon(difference).pvalue:.2g}"
    )


def main():
    parser = make_parser(__doc__, None)
    parser.add_argument("--dataset", choices=sorted(LOADERS), default="pad_ufes_20")
    parser.add_argument("--backbone", default="test_byobnet")
    parser.add_argument("--image-size", type=int, default=40)
    parser.add_argument("--width", type=int, default=64, help="width of metadata and operators")
    parser.add_argument("--mmfa-heads", choices=["mixed", "split"], default="mixed")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--lr", type=float, default=2e-3)
    options = parser.parse_args()
    options.csv = options.csv or f"operators_{options.dataset}.csv"
    runs = ShardedRuns(options, ["structure", "operator", "fold"])
    if not options.table:
        run(options, runs)
    frame = runs.frame()
    frame["model"] = frame["structure"] + " " + frame["operator"]
    print(operator_table(frame))
    compare(frame)


if __name__ == "__main__":
    main()
