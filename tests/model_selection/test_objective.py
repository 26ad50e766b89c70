import warnings
from fractions import Fraction

import numpy as np
import optuna
import pytest
from numpy.testing import assert_allclose
from optuna.distributions import CategoricalDistribution, FloatDistribution
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from skorch.callbacks import EpochScoring

from sklearn_skin.ensemble import WeightedFusionClassifier
from sklearn_skin.metrics import mean_task_balanced_accuracy
from sklearn_skin.model_selection import PruningCallback, StudyObjective, make_study, run_study
from sklearn_skin.model_selection._scoring import find_scorer
from sklearn_skin.neural_network import MetadataClassifier

optuna.logging.set_verbosity(optuna.logging.ERROR)
X, Y = make_classification(120, 6, flip_y=0.2, random_state=0)
GROUPS = np.arange(120) // 4
WEIGHT = np.random.default_rng(0).uniform(0.1, 5, size=120)
SPACE = {"logisticregression__C": FloatDistribution(1e-3, 10, log=True)}
PIPE = make_pipeline(StandardScaler(), LogisticRegression())
TINY = MetadataClassifier(hidden=(4,), max_epochs=4, random_state=0, device="cpu")


def fixed(**params):
    return optuna.trial.FixedTrial(params)


def test_the_value_is_that_of_cross_val_score():
    objective = StudyObjective(PIPE, X, Y, SPACE, cv=4, groups=GROUPS, scoring="roc_auc")
    value = objective(fixed(logisticregression__C=0.3))
    expected = cross_val_score(
        clone(PIPE).set_params(logisticregression__C=0.3),
        X,
        Y,
        groups=GROUPS,
        cv=StratifiedGroupKFold(4),
        scoring="roc_auc",
    )
    assert_allclose(value, expected.mean())
    assert PIPE.get_params()["logisticregression__C"] == 1.0


@pytest.mark.parametrize("routing", [False, True])
def test_sample_weights_reach_fit_and_score(routing):
    with config_context(enable_metadata_routing=True):
        linear = LogisticRegression().set_fit_request(sample_weight=True)
        model = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), linear)
        model.set_params(logisticregression__C=0.3)
        linear.set_score_request(sample_weight=True)
        expected = cross_validate(
            model,
            X,
            Y,
            cv=StratifiedGroupKFold(4),
            params={"sample_weight": WEIGHT, "groups": GROUPS},
            error_score="raise",
        )["test_score"].mean()
    with config_context(enable_metadata_routing=routing):
        objective = StudyObjective(
            model if routing else PIPE,
            X,
            Y,
            SPACE,
            cv=4,
            groups=GROUPS,
            sample_weight=WEIGHT,
        )
        assert_allclose(objective(fixed(logisticregression__C=0.3)), expected)


def test_several_tasks_and_the_package_s_scorers():
    y = np.column_stack([Y, X[:, 0] > 0]).astype(object)
    y[::9, 1] = None
    space = {"lr": FloatDistribution(1e-3, 1e-2)}
    objective = StudyObjective(TINY, X, y, space, cv=2, scoring="mean_task_balanced_accuracy")
    net, scores = clone(TINY).set_params(lr=0.01), []
    for train, test in StratifiedKFold(2).split(X, Y):
        predicted = net.fit(X[train], y[train]).predict(X[test])
        scores.append(mean_task_balanced_accuracy(y[test], predicted))
    assert_allclose(objective(fixed(lr=0.01)), np.mean(scores))


@pytest.mark.parametrize("routing", [False, True])
def test_groups_that_a_fit_does_not_need_are_ignored(routing):
    with config_context(enable_metadata_routing=routing):
        net = clone(TINY)
        space = {"early_stopping": CategoricalDistribution([False, True])}
        objective = StudyObjective(net, X, Y, space, cv=2, groups=GROUPS)
        found = objective(fixed(early_stopping=False))
        folds = list(StratifiedGroupKFold(2).split(X, Y, GROUPS))
        plain = cross_val_score(clone(TINY), X, Y, cv=folds)
        assert_allclose(found, plain.mean())
        assert np.isfinite(objective(fixed(early_stopping=True)))


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
def test_estimators_and_tuples_are_choices_in_a_file_too(tmp_path):
    space = {
        "mlpclassifier": CategoricalDistribution((SVC(), SVC(C=9.0), MLPClassifier(max_iter=5))),
        "standardscaler__with_mean": CategoricalDistribution((True, False)),
    }
    names = ["SVC()", "SVC(C=9.0)", "MLPClassifier(max_iter=5)"]
    pipe = make_pipeline(StandardScaler(), MLPClassifier())
    objective = StudyObjective(pipe, X, Y, space, cv=2)
    sampler = optuna.samplers.GridSampler(
        {"mlpclassifier": names, "standardscaler__with_mean": [True]}
    )
    for _ in range(2):
        study = make_study("a", tmp_path / "s.db", sampler=sampler)
        run_study(study, objective, 3)
    chosen = {trial.params["mlpclassifier"] for trial in study.trials}
    assert chosen == set(names)
    for trial in study.trials:
        assert repr(objective.params_of(trial)["mlpclassifier"]) == trial.params["mlpclassifier"]
    assert repr(objective.make_best(study)[-1]) == study.best_params["mlpclassifier"]

    widths = {"hidden": CategoricalDistribution(((4,), (8, 8)))}
    objective = StudyObjective(TINY, X, Y, widths, cv=2)
    for _ in range(2):
        study = run_study(make_study("b", tmp_path / "s.db"), objective, 2)
    assert objective.params_of(study.best_trial)["hidden"] in ((4,), (8, 8))


def test_a_space_may_be_a_function():
    def space(trial):
        if trial.suggest_categorical("kind", ["linear", "rbf"]) == "linear":
            return {"kernel": "linear"}
        return {"kernel": "rbf", "gamma": trial.suggest_float("gamma", 0.01, 1, log=True)}

    objective = StudyObjective(SVC(), X, Y, space, cv=2)
    linear = cross_val_score(SVC(kernel="linear"), X, Y, cv=2).mean()
    assert objective(fixed(kind="linear")) == pytest.approx(linear)
    study = run_study(make_study("a", ":memory:", random_state=0), objective, 6)
    assert objective.params_of(study.best_trial)["kernel"] == study.best_params["kind"]
    assert objective.make_best(study).kernel == study.best_params["kind"]


def test_a_space_is_a_dict_or_returns_one():
    with pytest.raises(TypeError, match="`space` must be a dict .*; got list. Of a list of dicts"):
        StudyObjective(SVC(), X, Y, [{"C": [1.0, 2.0]}], cv=2)
    objective = StudyObjective(SVC(), X, Y, lambda trial: trial.suggest_float("C", 1, 2) and None)
    message = "`space` is a function, and must return a dict .*; it returned None"
    with pytest.raises(TypeError, match=message):
        objective(fixed(C=1.0))
    with pytest.raises(RuntimeError, match=message):
        run_study(make_study("a", ":memory:"), objective, 1)


def test_what_would_fail_in_every_trial_is_an_error_before_the_first():
    with pytest.raises(ValueError, match="`scoring` .*'acuracy'; did you mean 'accuracy'"):
        StudyObjective(PIPE, X, Y, SPACE, scoring="acuracy")
    with pytest.raises(ValueError, match="`monitor` must be 'score' or one of .*; got 'val_loss'"):
        StudyObjective(TINY, X, Y, {"lr": FloatDistribution(0.1, 1)}, monitor="val_loss")


def test_a_monitor_of_validation_rows_needs_a_network_that_holds_some_out():
    space = {"lr": FloatDistribution(0.1, 1)}
    with pytest.raises(ValueError, match="`monitor` 'valid_loss' .* holds none out; set early"):
        StudyObjective(TINY, X, Y, space, monitor="valid_loss")
    StudyObjective(TINY, X, Y, space, monitor="train_loss")
    stopped = clone(TINY).set_params(early_stopping=True)
    StudyObjective(stopped, X, Y, space, monitor="valid_loss")
    StudyObjective(make_pipeline(StandardScaler(), stopped), X, Y, {}, monitor="valid_loss")
    for name, choices in [("early_stopping", [False, True]), ("lr_schedule", [None, "plateau"])]:
        StudyObjective(TINY, X, Y, {name: choices}, monitor="valid_loss")
    StudyObjective(TINY, X, Y, lambda trial: {}, monitor="valid_loss")
    replaced = make_pipeline(StandardScaler(), LogisticRegression())
    StudyObjective(replaced, X, Y, {"logisticregression": [stopped]}, monitor="valid_loss")


def test_a_monitor_is_a_column_that_a_network_may_have():
    space, stopped = {"lr": [0.1]}, clone(TINY).set_params(early_stopping=True)
    scored = clone(stopped).set_params(monitor=find_scorer(None, "accuracy"))
    StudyObjective(scored, X, Y, space, monitor="valid_score")
    with pytest.raises(TypeError, match="`monitor` must be .* 'valid_score'; got"):
        StudyObjective(scored, X, Y, space, monitor=scored.monitor)
    StudyObjective(stopped, X, Y, {"monitor": ["accuracy"]}, monitor="accuracy")
    callbacks = [EpochScoring("accuracy", name="mine", on_train=True)]
    StudyObjective(clone(TINY).set_params(callbacks=callbacks), X, Y, space, monitor="mine")


def test_choices_that_are_right_together_alone_are_no_error():
    net = clone(TINY).set_params(class_weight="balanced")
    space = {"class_weight": [None], "sampler": ["balanced"], "early_stopping": [True]}
    StudyObjective(net, X, Y, space, monitor="valid_loss")
    # Nothing is resolved, which would ask for the device.
    far = clone(TINY).set_params(device="no such", early_stopping=True)
    StudyObjective(far, X, Y, {"lr": [0.1]}, monitor="valid_loss")


def test_trials_that_hold_no_rows_out_go_on_unreported():
    space = {"early_stopping": [False, True]}
    study = make_study("a", ":memory:", sampler=optuna.samplers.BruteForceSampler())
    with pytest.warns(UserWarning, match="'valid_loss' is not in .* which has \\['train_loss'\\]"):
        run_study(study, StudyObjective(TINY, X, Y, space, cv=2, monitor="valid_loss"), 2)
    reported = {t.params["early_stopping"]: len(t.intermediate_values) for t in study.trials}
    assert reported[False] == 0 and reported[True] > 0
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE"]


def test_networks_of_an_ensemble_report_where_they_can():
    nets = [("a", TINY), ("b", clone(TINY).set_params(early_stopping=True))]
    objective = StudyObjective(
        WeightedFusionClassifier(nets, cv=2), X, Y, {"a__lr": [0.1]}, cv=2, monitor="valid_loss"
    )
    study = make_study("a", ":memory:")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`monitor` 'valid_loss' is not")
        run_study(study, objective, 1)
    assert study.trials[0].state.name == "COMPLETE" and study.trials[0].intermediate_values


def test_a_study_without_a_finished_trial_has_no_best_estimator(tmp_path):
    objective = StudyObjective(TINY, X, Y, {"lr": [-1.0]}, cv=2)
    study = make_study("a", tmp_path / "s.db")
    with pytest.raises(ValueError, match="study 'a' has no best trial: none .* 0 has a value.$"):
        objective.make_best(study)
    with pytest.raises(RuntimeError, match="No trial"):
        run_study(study, objective, 1, max_failures=1)
    reason = "none .* 1 has a value; the first failure: InvalidParameterError: The 'lr'"
    with pytest.raises(ValueError, match=reason):
        objective.make_best(study)


@pytest.mark.parametrize("scoring", [["accuracy"], {"accuracy"}, {"a": "accuracy"}])
def test_a_study_has_one_score(scoring):
    with pytest.raises(TypeError, match="`scoring` must be one score.*got (list|set|dict)"):
        StudyObjective(PIPE, X, Y, SPACE, scoring=scoring)


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        ("5", "cv.* as an integer"),
        (1, "at least 2 folds"),
        (0, "got 0"),
        (
            StratifiedGroupKFold(2),
            r"`cv` Strat.* makes no folds .* of every row in `groups=`\.$",
        ),
        (LeaveOneGroupOut(), "makes no folds .*None.* Name the group of every row in `groups=`"),
        (StratifiedKFold(90), "makes no folds of the rows: .*each class.$"),
        (90, r"asks for 90 folds, .* no more than \d\d: .* rows of the most frequent class"),
        ([], "`cv` makes no fold"),
        ([(np.arange(60), np.arange(60, 121))], "fold 0 must .* some of the 120 rows"),
        ([(np.arange(60), [60]), (np.arange(60), [])], r"fold 1 must .*; got \[\]"),
    ],
)
def test_folds_that_cannot_be_made(cv, message):
    with pytest.raises(ValueError, match=message):
        StudyObjective(PIPE, X, Y, SPACE, cv=cv)


def test_fewer_groups_than_folds():
    with pytest.raises(ValueError, match="asks for 31 folds, .* no more than 30: too few groups"):
        StudyObjective(PIPE, X, Y, SPACE, cv=31, groups=GROUPS)
    assert len(StudyObjective(PIPE, X, Y, SPACE, cv=30, groups=GROUPS).folds) == 30
    with pytest.raises(ValueError, match=r"all rows belong to one group"):
        StudyObjective(PIPE, X, Y, SPACE, cv=2, groups=np.zeros(120))


def test_every_trial_has_the_same_folds():
    cv = StratifiedKFold(3, shuffle=True)
    objective = StudyObjective(PIPE, X, Y, SPACE, cv=cv, scoring="neg_log_loss")
    first, second = (objective(fixed(logisticregression__C=1.0)) for _ in range(2))
    assert_allclose(first, second)


@pytest.mark.parametrize("cv", [None, np.int64(5)])
def test_every_five_is_the_same_folds(cv):
    groups = np.random.default_rng(0).permutation(GROUPS)
    found, expected = (
        StudyObjective(PIPE, X, Y, SPACE, cv=n, groups=groups, scoring="neg_log_loss")
        for n in (cv, 5)
    )
    trial = fixed(logisticregression__C=1.0)
    assert_allclose(found(trial), expected(trial))


def test_a_generator_of_folds_serves_every_trial():
    folds = StratifiedGroupKFold(4).split(X, Y, GROUPS)
    objective = StudyObjective(PIPE, X, Y, SPACE, cv=folds)
    first, second = (objective(fixed(logisticregression__C=1.0)) for _ in range(2))
    expected = cross_val_score(PIPE, X, Y, cv=StratifiedGroupKFold(4), groups=GROUPS).mean()
    assert_allclose([first, second], expected)


@pytest.mark.parametrize("name", ["y", "groups", "sample_weight"])
def test_rows_that_lack_a_label_group_or_weight(name):
    rows = {"y": Y, "groups": GROUPS, "sample_weight": WEIGHT}
    rows[name] = rows[name][:-5]
    with pytest.raises(ValueError, match="inconsistent numbers of samples: .*115"):
        StudyObjective(PIPE, X, space=SPACE, **rows)


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
def test_a_choice_comes_before_its_parameters_and_stays_as_it_is():
    stages = [SVC(), LogisticRegression()]
    space = {
        "logisticregression__C": FloatDistribution(0.01, 1),
        "logisticregression": CategoricalDistribution(stages),
    }
    objective = StudyObjective(PIPE, X, Y, space, cv=2)
    value = objective(fixed(logisticregression="SVC()", logisticregression__C=0.01))
    expected = cross_val_score(make_pipeline(StandardScaler(), SVC(C=0.01)), X, Y, cv=2)
    assert_allclose(value, expected.mean())
    assert stages[0].C == 1.0


def test_ranges_of_unknown_parameters():
    with pytest.raises(ValueError, match="'forest__depth', which is no parameter"):
        StudyObjective(PIPE, X, Y, {"forest__depth": FloatDistribution(0, 1)})
    with pytest.raises(ValueError, match="'max_iters', which is .*; did you mean 'max_iter'"):
        StudyObjective(LogisticRegression(), X, Y, {"max_iters": FloatDistribution(0, 1)})
    with pytest.raises(TypeError, match="'C' must be a list .*; got tuple, which could"):
        StudyObjective(LogisticRegression(), X, Y, {"C": (0, 1)})
    with pytest.raises(ValueError, match="choices for 'C' is empty"):
        StudyObjective(LogisticRegression(), X, Y, {"C": []})
    with pytest.raises(TypeError, match="got ndarray"):
        StudyObjective(LogisticRegression(), X, Y, {"C": np.ones((2, 2))})


@pytest.mark.parametrize(
    "choices",
    [list(np.arange(50, 53)), np.arange(50, 53), range(50, 53), np.array([50, 51], dtype=object)],
)
def test_choices_as_grid_search_takes_them(tmp_path, choices):
    objective = StudyObjective(LogisticRegression(), X, Y, {"max_iter": choices}, cv=2)
    study = run_study(make_study("a", tmp_path / "s.db"), objective, 3)
    for trial in study.trials:
        value = objective.params_of(trial)["max_iter"]
        assert type(value) is int
        assert value == trial.params["max_iter"]


class Anything(DummyClassifier):
    """A classifier whose `constant` is not checked."""

    _parameter_constraints = {}


def test_choices_that_json_cannot_hold_and_not_a_number(tmp_path):
    choices = [np.float32(0.5), Fraction(1, 3), np.nan, None, np.str_("a"), (np.int64(4),)]
    objective = StudyObjective(Anything(), X, Y, {"constant": choices}, cv=2)
    study = make_study("a", tmp_path / "s.db")
    study.sampler = optuna.samplers.BruteForceSampler()
    run_study(study, objective, len(choices))
    found = [objective.params_of(trial)["constant"] for trial in study.trials]
    assert {str(value) for value in found} == {str(value) for value in choices}


def test_epochs_report_the_running_mean_over_folds():
    study = optuna.create_study()
    trial = study.ask()
    net = clone(TINY).set_params(callbacks=[PruningCallback(trial, "train_loss")])
    curves = []
    for train, _ in StratifiedGroupKFold(2).split(X, Y, GROUPS):
        fitted = clone(net).fit(X[train], Y[train])
        curves.append([row["train_loss"] for row in fitted.history_])
    values = study.trials[0].intermediate_values
    assert sorted(values) == list(range(8))
    assert_allclose([values[i] for i in range(4)], curves[0])
    assert_allclose([values[i] for i in range(4, 8)], np.mean(curves, axis=0))


def test_the_sign_follows_the_study():
    study = optuna.create_study(direction="maximize")
    trial = study.ask()
    clone(TINY).set_params(callbacks=[PruningCallback(trial, "train_loss")]).fit(X, Y)
    assert max(study.trials[0].intermediate_values.values()) < 0


class PruneFrom(optuna.pruners.BasePruner):
    def __init__(self, step):
        self.step = step

    def prune(self, study, trial):
        return trial.last_step is not None and trial.last_step >= self.step


@pytest.mark.parametrize("step", [2, 5])
def test_a_trial_is_pruned_between_epochs_of_any_fold(step):
    study = make_study("a", ":memory:", pruner=PruneFrom(step))
    space = {"lr": FloatDistribution(1e-3, 1e-2)}
    objective = StudyObjective(TINY, X, Y, space, cv=3, monitor="train_loss")
    run_study(study, objective, 1)
    assert study.trials[0].state == optuna.trial.TrialState.PRUNED
    assert study.trials[0].last_step == step


def test_folds_can_be_pruned_by_their_score():
    study = make_study("a", ":memory:", pruner=PruneFrom(1))
    run_study(study, StudyObjective(PIPE, X, Y, SPACE, cv=3, monitor="score"), 1)
    assert sorted(study.trials[0].intermediate_values) == [0, 1]


def test_monitors_that_are_not_there():
    trial = optuna.create_study().ask()
    net = clone(TINY).set_params(callbacks=[PruningCallback(trial, "valid_loss")])
    with pytest.warns(UserWarning, match="`monitor` 'valid_loss' is not in .* early_stopping=True"):
        net.fit(X, Y)
    with pytest.raises(ValueError, match="no network"):
        StudyObjective(PIPE, X, Y, SPACE, monitor="train_loss")


def test_optuna_search_cv_agrees_with_plain_cross_validation():
    search_cv = pytest.importorskip("optuna_integration").OptunaSearchCV
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = search_cv(
            PIPE, SPACE, cv=StratifiedGroupKFold(4), n_trials=3, random_state=0, error_score="raise"
        )
        search.fit(X, Y, groups=GROUPS, logisticregression__sample_weight=WEIGHT)
    best = clone(PIPE).set_params(**search.best_params_)
    folds = StratifiedGroupKFold(4).split(X, Y, GROUPS)
    expected = [
        clone(best)
        .fit(X[train], Y[train], logisticregression__sample_weight=WEIGHT[train])
        .score(X[test], Y[test])
        for train, test in folds
    ]
    assert_allclose(search.best_score_, np.mean(expected))
    refitted = best.fit(X, Y, logisticregression__sample_weight=WEIGHT)
    assert_allclose(search.best_estimator_.predict_proba(X), refitted.predict_proba(X))
