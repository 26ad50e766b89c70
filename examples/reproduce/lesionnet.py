"""
LesionNet (system S2) on MILK10k: plain, with class weights, with a balanced sampler.

``python examples/reproduce/lesionnet.py ROOT`` trains the three variants on 80 % of the lesions,
without augmentation as the source does, and scores the other 20 %, for three seeds that decide
the split as well; then logistic regression, SVC and naive Bayes on the metadata in 5 folds. Every
finished fit is a line of ``lesionnet.csv``, so the script can be stopped and started again.
"""

import time

from _shards import ShardedRuns, load, make_parser, parse, score_table, split_rows
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from sklearn_skin.datasets import load_milk10k
from sklearn_skin.neural_network import LesionNetClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

VARIANTS = {
    "plain": {},
    "class-weighted loss": {"class_weight": "balanced"},
    "weighted sampler": {"sampler": "balanced"},
}
BASELINES = {
    "logistic regression": LogisticRegression(max_iter=2000),
    "SVC": SVC(),
    "naive Bayes": GaussianNB(),
}
# Accuracy, macro F1 and weighted F1 on test rows that the source reports; the baselines come
# from five folds, of which it tells macro F1 alone.
SOURCE = {
    "plain": "0.580 / 0.125 / 0.453",
    "class-weighted loss": "0.249 / 0.101 / 0.227",
    "weighted sampler": "0.597 / 0.163 / 0.493",
    "logistic regression": "– / 0.32 / –",
    "SVC": "– / 0.25 / –",
    "naive Bayes": "– / 0.05 / –",
}
SCORES = {
    "acc": "accuracy",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "bacc": "balanced accuracy",
    "train_acc": "train accuracy",
}


def list_keys(options):
    nets = [(name, seed) for seed in range(options.seeds) for name in VARIANTS]
    return nets + [(name, fold) for fold in range(options.folds) for name in BASELINES]


def make_model(name, number, options):
    if name in BASELINES:
        return make_pipeline(make_lesion_transformer(), BASELINES[name])
    net = LesionNetClassifier(
        metadata_hidden=(32,) * options.metadata_layers,
        image_size=options.image_size,
        lr=1e-3,
        batch_size=32,
        max_epochs=options.epochs,
        cache_dir=options.cache_dir,
        random_state=number,
        **VARIANTS[name],
    )
    return make_pipeline(make_lesion_transformer(), net)


def split(name, number, X, y, options):
    if name in BASELINES:
        folds = StratifiedKFold(options.folds, shuffle=True, random_state=0)
        return list(folds.split(X, y))[number]
    return split_rows(y, number, trying=bool(options.rows))


def run(options, runs):
    milk = load(load_milk10k, options, image_columns=("clinical", "dermoscopy"))
    X, y = milk.data.iloc[: options.rows], milk.target.iloc[: options.rows]
    for key in runs.pending(list_keys(options)):
        train, test = split(*key, X, y, options)
        columns = milk.metadata_columns if key[0] in BASELINES else list(X.columns)
        start = time.perf_counter()
        model = make_model(*key, options).fit(X.iloc[train][columns], y.iloc[train])
        truth, predicted = y.iloc[test], model.predict(X.iloc[test][columns])
        scores = {
            "acc": accuracy_score(truth, predicted),
            "macro_f1": f1_score(truth, predicted, average="macro", zero_division=0),
            "weighted_f1": f1_score(truth, predicted, average="weighted", zero_division=0),
            "bacc": balanced_accuracy_score(truth, predicted),
            "train_acc": model.score(X.iloc[train][columns], y.iloc[train]),
            "seconds": time.perf_counter() - start,
        }
        runs.record(key, **scores)
        print(*key, {name: round(value, 3) for name, value in scores.items()}, flush=True)


def main():
    parser = make_parser(__doc__, "lesionnet.csv")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--metadata-layers", type=int, default=2, help="the source: 10")
    parser.add_argument("--seeds", type=int, default=3, help="splits of the networks")
    parser.add_argument("--folds", type=int, default=5, help="folds of the baselines")
    options = parse(parser, epochs=1, seeds=1, folds=2)
    runs = ShardedRuns(options, ["model", "split"])
    if not options.table:
        run(options, runs)
    notes = {"source: accuracy / macro F1 / weighted F1": SOURCE}
    print(score_table(runs.frame(), "model", SCORES, notes))


if __name__ == "__main__":
    main()
