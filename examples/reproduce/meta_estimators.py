"""
scikit-learn's meta-estimators, searches and curves around a Pipeline of this package.

``python examples/reproduce/meta_estimators.py`` puts a Pipeline of `make_lesion_transformer` and a
network of image and metadata into each of them, with metadata routing off and on and with one
process and two, and prints a table: "ok" where labels, probabilities and scores are those of fits
without it, or finite and of the right shape where it changes the fits; otherwise the error's last
line.
"""

import argparse
import warnings

import numpy as np
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_resampling_pipeline
from sklearn import config_context, get_config
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.exceptions import FitFailedWarning
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


def make_model(lr=0.001):
    """Return the Pipeline that is put into everything."""
    net = JointFusionClassifier(max_epochs=1, lr=lr, **SIZE)
    return make_pipeline(make_lesion_transformer(), net)


def make_numbers():
    """Return the Pipeline with the image as features, for what takes numbers alone."""
    return make_pipeline(make_lesion_transformer(), ImageEmbedder(**SIZE))


def make_data():
    """Return drawn lesions of two tasks, and what fits without any meta-estimator give."""
    data = make_lesions(36, image_size=32, images_per_lesion=2, n_tasks=2, random_state=0)
    data.tasks, data.target = data.target.astype(object), data.target["diagnosis"]
    data.complete = data.tasks.astype(str)
    data.tasks.iloc[::5, 1] = None
    data.proba = make_model().fit(data.data, data.target).predict_proba(data.data)
    data.fold_scores, data.fold_proba = [], np.empty_like(data.proba)
    for train, test in FOLDS.split(data.data, data.target, data.groups):
        model = make_model().fit(data.data.iloc[train], data.target.iloc[train])
        X, y = data.data.iloc[test], data.target.iloc[test]
        data.fold_scores.append(model.score(X, y))
        data.fold_proba[test] = model.predict_proba(X)
    return data


def check_finite(values, shape):
    """Raise an error unless there are as many numbers as there should be, all of them finite."""
    values = np.asarray(values, dtype=float)
    if values.shape != shape or not np.isfinite(values).all():
        raise ValueError(f"wanted finite numbers of shape {shape}; got {values.tolist()}")


def check_same(values, expected):
    """Raise an error unless numbers are those of a fit without the meta-estimator."""
    check_finite(values, np.shape(expected))
    # Processes of one thread add up in another order.
    if not np.allclose(values, expected, atol=1e-3):
        off = np.abs(np.subtract(values, expected)).max()
        raise ValueError(f"differs from a plain fit by {off:.3g}")


def fit_checked(estimator, data, y=None, proba=None, **params):
    """Fit on the rows; predictions must be known labels, and probabilities the expected ones."""
    y = data.target if y is None else y
    estimator.fit(data.data, y, **params)
    predicted = estimator.predict(data.data)
    if np.shape(predicted) != np.shape(y) or not np.isin(predicted, np.unique(y)).all():
        raise ValueError(f"predicted {np.shape(predicted)} {np.unique(predicted).tolist()}")
    if np.ndim(y) == 1 and hasattr(estimator, "predict_proba"):
        found = estimator.predict_proba(data.data)
        check_finite(found, (len(y), len(estimator.classes_)))
        check_same(found.sum(axis=1), np.ones(len(y)))
        if proba is not None:
            check_same(found, proba)
    return estimator


def by_groups(data):
    """Return groups as scikit-learn's functions take them, with routing or without."""
    groups = {"groups": data.groups}
    return {"params": groups} if get_config()["enable_metadata_routing"] else groups


def cross(function, data, n_jobs, model=None, **options):
    """Call a function of folds, such as cross_val_score, with the patients' folds."""
    given = {"cv": FOLDS, "n_jobs": n_jobs, **by_groups(data), **options}
    return function(make_model() if model is None else model, data.data, data.target, **given)


def curve(function, data, n_jobs, **options):
    """Compute a curve of two points, of which the last is the Pipeline as it is."""
    *_, train, test = cross(function, data, n_jobs, error_score="raise", **options)
    check_finite(train, (2, 2))
    check_same(test[-1], data.fold_scores)
    check_finite(test, (2, 2))


def curve_display(data, n_jobs):
    """Draw the learning curve, without groups, which it does not take."""
    shown = LearningCurveDisplay.from_estimator(
        make_model(),
        data.data,
        data.target,
        cv=2,
        train_sizes=[0.5, 1.0],
        n_jobs=n_jobs,
        error_score="raise",
    )
    check_finite(shown.test_scores, (2, 2))


def validate(data, n_jobs):
    """Cross-validate; the fitted Pipelines come back."""
    found = cross(cross_validate, data, n_jobs, return_estimator=True, error_score="raise")
    check_same(found["test_score"], data.fold_scores)
    for model in found["estimator"]:
        check_finite(model.predict_proba(data.data), data.proba.shape)


def validate_tasks(data, n_jobs):
    """Cross-validate two tasks, the second one with gaps."""
    folds = MultiTaskStratifiedGroupKFold(2)
    tasks = type(data)(data=data.data, target=data.tasks, groups=data.groups)
    found = cross(cross_validate, tasks, n_jobs, cv=folds, error_score="raise")
    check_finite(found["test_score"], (2,))


def grid(search, data, n_jobs, **options):
    """Search two rates with the patients' folds; the best one is fitted on all rows."""
    rates = {LR: [0.01, 0.001]}
    made = search(make_model(), rates, cv=FOLDS, n_jobs=n_jobs, error_score="raise", **options)
    made.fit(data.data, data.target, groups=data.groups)
    scores = made.cv_results_["mean_test_score"]
    check_finite(scores, (len(scores),))
    plain = make_model(made.best_params_[LR]).fit(data.data, data.target)
    check_same(made.predict_proba(data.data), plain.predict_proba(data.data))


def nested(data, n_jobs):
    """Cross-validate a search whose one candidate is the Pipeline as it is."""
    search = GridSearchCV(make_model(), {LR: [0.001]}, cv=2, error_score="raise")
    found = cross(cross_val_score, data, n_jobs, search, error_score="raise")
    check_same(found, data.fold_scores)


def permute_labels(data, n_jobs):
    """Compare the score with those of permuted labels."""
    score, permuted, p_value = cross(permutation_test_score, data, n_jobs, n_permutations=2)
    check_same(score, np.mean(data.fold_scores))
    check_finite(permuted, (2,))
    check_finite(p_value, ())


def permute_columns(data, n_jobs):
    """Measure what each raw column counts."""
    fitted = make_model().fit(data.data, data.target)
    found = permutation_importance(fitted, data.data, data.target, n_repeats=2, n_jobs=n_jobs)
    check_finite(found.importances, (data.data.shape[1], 2))


def threshold(estimator, data):
    """Fit on the rows of two classes; probabilities are those of the Pipeline inside."""
    keep = data.target.isin(["A", "B"])
    two = type(data)(data=data.data[keep], target=data.target[keep])
    plain = make_model().fit(two.data, two.target)
    fit_checked(estimator, two, proba=plain.predict_proba(two.data))


def each_task(data, n_jobs):
    """Fit one Pipeline per task; the first task's is the one that is fitted alone."""
    made = fit_checked(MultiOutputClassifier(make_model(), n_jobs=n_jobs), data, data.complete)
    check_same(made.predict_proba(data.data)[0], data.proba)


def half_labelled(data):
    """Return codes of the labels with a third of them unknown, which scikit-learn writes -1."""
    codes = data.target.map({"A": 0, "B": 1, "C": 2}).to_numpy().copy()
    codes[::3] = -1
    return codes


def pair():
    """Return two members for an ensemble."""
    return [("a", make_model()), ("b", make_model())]


def frozen(data):
    """Return the Pipeline, fitted and frozen."""
    return FrozenEstimator(make_model().fit(data.data, data.target))


# Of data and a number of processes; what is wrong is an error.
CASES = {
    "cross_val_score": lambda d, j: check_same(
        cross(cross_val_score, d, j, error_score="raise"), d.fold_scores
    ),
    "cross_validate, return_estimator": validate,
    "cross_val_predict": lambda d, j: check_same(
        cross(cross_val_predict, d, j, method="predict_proba"), d.fold_proba
    ),
    "cross_validate, two tasks with gaps": validate_tasks,
    "GridSearchCV": lambda d, j: grid(GridSearchCV, d, j),
    "RandomizedSearchCV": lambda d, j: grid(RandomizedSearchCV, d, j, n_iter=2),
    "HalvingGridSearchCV": lambda d, j: grid(HalvingGridSearchCV, d, j, min_resources=12),
    "HalvingRandomSearchCV": lambda d, j: grid(HalvingRandomSearchCV, d, j, min_resources=12),
    "learning_curve": lambda d, j: curve(learning_curve, d, j, train_sizes=[0.5, 1.0]),
    "LearningCurveDisplay": curve_display,
    "validation_curve": lambda d, j: curve(
        validation_curve, d, j, param_name=LR, param_range=[0.01, 0.001]
    ),
    "permutation_test_score": permute_labels,
    "permutation_importance": permute_columns,
    "CalibratedClassifierCV": lambda d, j: fit_checked(
        CalibratedClassifierCV(make_model(), cv=2, n_jobs=j), d
    ),
    "CalibratedClassifierCV, frozen": lambda d, j: fit_checked(
        CalibratedClassifierCV(frozen(d), n_jobs=j), d
    ),
    "TunedThresholdClassifierCV": lambda d, j: threshold(
        TunedThresholdClassifierCV(make_model(), cv=2, n_jobs=j), d
    ),
    "FixedThresholdClassifier": lambda d, j: threshold(
        FixedThresholdClassifier(make_model(), threshold=0.3), d
    ),
    "VotingClassifier": lambda d, j: fit_checked(
        VotingClassifier(pair(), voting="soft", n_jobs=j), d, proba=d.proba
    ),
    "StackingClassifier": lambda d, j: fit_checked(StackingClassifier(pair(), cv=2, n_jobs=j), d),
    "BaggingClassifier": lambda d, j: fit_checked(BaggingClassifier(make_model(), 2, n_jobs=j), d),
    "OneVsRestClassifier": lambda d, j: fit_checked(OneVsRestClassifier(make_model(), n_jobs=j), d),
    "OneVsOneClassifier": lambda d, j: fit_checked(OneVsOneClassifier(make_model(), n_jobs=j), d),
    "ImageEmbedder, then OneVsOneClassifier": lambda d, j: fit_checked(
        make_pipeline(make_numbers(), OneVsOneClassifier(LogisticRegression(), n_jobs=j)), d
    ),
    "OutputCodeClassifier": lambda d, j: fit_checked(
        OutputCodeClassifier(make_model(), n_jobs=j), d
    ),
    "MultiOutputClassifier": each_task,
    "ClassifierChain": lambda d, j: fit_checked(ClassifierChain(make_model()), d, d.complete),
    "ImageEmbedder, then ClassifierChain": lambda d, j: fit_checked(
        make_pipeline(make_numbers(), ClassifierChain(LogisticRegression())),
        d,
        d.complete.isin(["A", "absent"]),
    ),
    "SelfTrainingClassifier": lambda d, j: fit_checked(
        SelfTrainingClassifier(make_model(), max_iter=1), d, half_labelled(d)
    ),
    "ImageEmbedder, then SelfTrainingClassifier": lambda d, j: fit_checked(
        make_pipeline(make_numbers(), SelfTrainingClassifier(LogisticRegression())),
        d,
        half_labelled(d),
    ),
    "Pipeline, embedding and LogisticRegression": lambda d, j: fit_checked(
        make_pipeline(make_lesion_transformer(), ImageEmbedder(**SIZE), LogisticRegression()), d
    ),
    "imblearn Pipeline, RandomOverSampler": lambda d, j: fit_checked(
        make_resampling_pipeline(
            make_lesion_transformer(), RandomOverSampler(random_state=0), make_model()[-1]
        ),
        d,
    ),
    "GridSearchCV in cross_val_score": nested,
    "WeightedFusionClassifier of Pipelines": lambda d, j: fit_checked(
        WeightedFusionClassifier(pair(), cv=2, n_jobs=j), d, proba=d.proba, groups=d.groups
    ),
    "FusionM4NetClassifier of a Pipeline": lambda d, j: fit_checked(
        FusionM4NetClassifier(make_model(), "logistic_regression", cv=2, n_jobs=j),
        d,
        groups=d.groups,
    ),
}


def attempt(case, data, n_jobs, routing):
    """Return "ok", or what went wrong."""
    with warnings.catch_warnings(), config_context(enable_metadata_routing=routing):
        warnings.simplefilter("ignore")
        # Some fits of a search may fail without an error.
        warnings.simplefilter("error", FitFailedWarning)
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
    data = make_data()
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
