"""
scikit-learn's meta-estimators, searches and curves around a Pipeline of this package.

``python examples/reproduce/meta_estimators.py`` puts a Pipeline of `make_lesion_transformer` and a
network of image and metadata into each of them, with metadata routing off and on and with one
process and two, and prints a table: "ok", or the error's first line.
"""

import argparse
import warnings

import numpy as np
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_resampling_pipeline
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    LearningCurveDisplay,
    RandomizedSearchCV,
    StratifiedGroupKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import SelfTrainingClassifier

from sklearn_skin.datasets import make_lesions
from sklearn_skin.ensemble import FusionM4NetClassifier, WeightedFusionClassifier
from sklearn_skin.model_selection import MultiTaskStratifiedGroupKFold
from sklearn_skin.neural_network import ImageEmbedder, JointFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

FOLDS = StratifiedGroupKFold(2)
SIZE = {"backbone": "test_resnet", "weights": None, "image_size": 32, "random_state": 0}
LR = "jointfusionclassifier__lr"


def make_model():
    """Return the Pipeline that is put into everything."""
    return make_pipeline(make_lesion_transformer(), JointFusionClassifier(max_epochs=1, **SIZE))


def make_numbers():
    """Return the Pipeline with the image as features, for what takes numbers alone."""
    return make_pipeline(make_lesion_transformer(), ImageEmbedder(**SIZE))


def fit_score(estimator, data, tasks=1, **params):
    """Fit on the rows and score; several tasks have the second one beside the first."""
    y = data.complete if tasks > 1 else data.target
    estimator.fit(data.data, y, **params)
    predicted = estimator.predict(data.data)
    return np.shape(predicted)[0] == len(data.data)


def by_groups(data):
    """Return groups as scikit-learn's functions take them, with routing or without."""
    from sklearn import get_config

    groups = {"groups": data.groups}
    return {"params": groups} if get_config()["enable_metadata_routing"] else groups


def grid(search, data, n_jobs, **options):
    """Search two rates, with the patients' folds."""
    made = search(make_model(), {LR: [0.01, 0.001]}, cv=FOLDS, n_jobs=n_jobs, **options)
    return fit_score(made, data, groups=data.groups)


def two_classes(data):
    """Return the rows of two classes."""
    keep = data.target.isin(["A", "B"])
    return type(data)(data=data.data[keep], target=data.target[keep], groups=data.groups[keep])


def semi_supervised(data):
    """Return the rows with a third of the labels unknown, which scikit-learn writes -1."""
    codes = data.target.map({"A": 0, "B": 1, "C": 2}).to_numpy().copy()
    codes[::3] = -1
    return type(data)(data=data.data, target=codes)


CASES = {
    "cross_val_score": lambda d, j: len(
        cross_val_score(make_model(), d.data, d.target, cv=FOLDS, n_jobs=j, **by_groups(d))
    ),
    "cross_validate, return_estimator": lambda d, j: len(
        cross_validate(
            make_model(),
            d.data,
            d.target,
            cv=FOLDS,
            n_jobs=j,
            return_estimator=True,
            error_score="raise",
            **by_groups(d),
        )["estimator"]
    ),
    "cross_val_predict": lambda d, j: len(
        cross_val_predict(
            make_model(),
            d.data,
            d.target,
            cv=FOLDS,
            n_jobs=j,
            method="predict_proba",
            **by_groups(d),
        )
    ),
    "cross_validate, two tasks with gaps": lambda d, j: len(
        cross_validate(
            make_model(),
            d.data,
            d.tasks,
            cv=MultiTaskStratifiedGroupKFold(2),
            n_jobs=j,
            error_score="raise",
            **by_groups(d),
        )["test_score"]
    ),
    "GridSearchCV": lambda d, j: grid(GridSearchCV, d, j),
    "RandomizedSearchCV": lambda d, j: grid(RandomizedSearchCV, d, j, n_iter=2),
    "HalvingGridSearchCV": lambda d, j: grid(HalvingGridSearchCV, d, j, min_resources=12),
    "HalvingRandomSearchCV": lambda d, j: grid(HalvingRandomSearchCV, d, j, min_resources=12),
    "learning_curve": lambda d, j: learning_curve(
        make_model(),
        d.data,
        d.target,
        cv=FOLDS,
        train_sizes=[0.5, 1.0],
        n_jobs=j,
        error_score="raise",
        **by_groups(d),
    ),
    "LearningCurveDisplay": lambda d, j: LearningCurveDisplay.from_estimator(
        make_model(), d.data, d.target, cv=2, train_sizes=[0.5, 1.0], n_jobs=j
    ),
    "validation_curve": lambda d, j: validation_curve(
        make_model(),
        d.data,
        d.target,
        param_name=LR,
        param_range=[0.1, 0.01],
        cv=FOLDS,
        n_jobs=j,
        error_score="raise",
        **by_groups(d),
    ),
    "permutation_test_score": lambda d, j: permutation_test_score(
        make_model(), d.data, d.target, cv=FOLDS, n_permutations=2, n_jobs=j, **by_groups(d)
    ),
    "permutation_importance": lambda d, j: permutation_importance(
        make_model().fit(d.data, d.target), d.data, d.target, n_repeats=2, n_jobs=j
    ),
    "CalibratedClassifierCV": lambda d, j: fit_score(
        CalibratedClassifierCV(make_model(), cv=2, n_jobs=j), d
    ),
    "CalibratedClassifierCV, frozen": lambda d, j: fit_score(
        CalibratedClassifierCV(FrozenEstimator(make_model().fit(d.data, d.target)), n_jobs=j), d
    ),
    "TunedThresholdClassifierCV": lambda d, j: fit_score(
        TunedThresholdClassifierCV(make_model(), cv=2, n_jobs=j), two_classes(d)
    ),
    "FixedThresholdClassifier": lambda d, j: fit_score(
        FixedThresholdClassifier(make_model(), threshold=0.3), two_classes(d)
    ),
    "VotingClassifier": lambda d, j: fit_score(
        VotingClassifier([("a", make_model()), ("b", make_model())], voting="soft", n_jobs=j),
        d,
    ),
    "StackingClassifier": lambda d, j: fit_score(
        StackingClassifier([("a", make_model()), ("b", make_model())], cv=2, n_jobs=j), d
    ),
    "BaggingClassifier": lambda d, j: fit_score(BaggingClassifier(make_model(), 2, n_jobs=j), d),
    "OneVsRestClassifier": lambda d, j: fit_score(OneVsRestClassifier(make_model(), n_jobs=j), d),
    "OneVsOneClassifier": lambda d, j: fit_score(OneVsOneClassifier(make_model(), n_jobs=j), d),
    "ImageEmbedder, then OneVsOneClassifier": lambda d, j: fit_score(
        make_pipeline(make_numbers(), OneVsOneClassifier(LogisticRegression(), n_jobs=j)), d
    ),
    "OutputCodeClassifier": lambda d, j: fit_score(OutputCodeClassifier(make_model(), n_jobs=j), d),
    "MultiOutputClassifier": lambda d, j: fit_score(
        MultiOutputClassifier(make_model(), n_jobs=j), d, tasks=2
    ),
    "ClassifierChain": lambda d, j: fit_score(ClassifierChain(make_model()), d, tasks=2),
    "ImageEmbedder, then ClassifierChain": lambda d, j: fit_score(
        make_pipeline(make_numbers(), ClassifierChain(LogisticRegression())),
        type(d)(data=d.data, complete=d.complete.isin(["A", "absent"])),
        tasks=2,
    ),
    "SelfTrainingClassifier": lambda d, j: fit_score(
        SelfTrainingClassifier(make_model(), max_iter=1), semi_supervised(d)
    ),
    "ImageEmbedder, then SelfTrainingClassifier": lambda d, j: fit_score(
        make_pipeline(make_numbers(), SelfTrainingClassifier(LogisticRegression())),
        semi_supervised(d),
    ),
    "Pipeline, embedding and LogisticRegression": lambda d, j: fit_score(
        make_pipeline(make_lesion_transformer(), ImageEmbedder(**SIZE), LogisticRegression()), d
    ),
    "imblearn Pipeline, RandomOverSampler": lambda d, j: fit_score(
        make_resampling_pipeline(
            make_lesion_transformer(), RandomOverSampler(random_state=0), make_model()[-1]
        ),
        d,
    ),
    "GridSearchCV in cross_val_score": lambda d, j: len(
        cross_val_score(
            GridSearchCV(make_model(), {LR: [0.01]}, cv=2),
            d.data,
            d.target,
            cv=FOLDS,
            n_jobs=j,
            error_score="raise",
            **by_groups(d),
        )
    ),
    "WeightedFusionClassifier of Pipelines": lambda d, j: fit_score(
        WeightedFusionClassifier([("a", make_model()), ("b", make_model())], cv=2, n_jobs=j),
        d,
        groups=d.groups,
    ),
    "FusionM4NetClassifier of a Pipeline": lambda d, j: fit_score(
        FusionM4NetClassifier(make_model(), "logistic_regression", cv=2, n_jobs=j),
        d,
        groups=d.groups,
    ),
}


def attempt(case, data, n_jobs, routing):
    """Return "ok", or what went wrong."""
    with warnings.catch_warnings(), config_context(enable_metadata_routing=routing):
        warnings.simplefilter("ignore")
        try:
            CASES[case](data, n_jobs)
        except Exception as error:
            return f"{type(error).__name__}: {str(error).strip().splitlines()[-1][:90]}"
    return "ok"


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--smallest", action="store_true", help="two of them, in one process")
    options = parser.parse_args()
    cases = list(CASES)[:2] if options.smallest else options.cases
    data = make_lesions(36, image_size=32, images_per_lesion=2, n_tasks=2, random_state=0)
    data.tasks, data.target = data.target.astype(object), data.target["diagnosis"]
    data.complete = data.tasks.astype(str)
    data.tasks.iloc[::5, 1] = None
    print("| around a Pipeline | routing off | 2 processes | routing on | 2 processes |")
    print("| --- | --- | --- | --- | --- |")
    for case in cases:
        modes = [(1, False), (2, False), (1, True), (2, True)]
        found = [
            "" if options.smallest and jobs > 1 else attempt(case, data, jobs, routing)
            for jobs, routing in modes
        ]
        print(f"| {case} | {' | '.join(found)} |", flush=True)


if __name__ == "__main__":
    main()
