import subprocess
import sys

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from sklearn_skin.model_selection import StudyObjective, make_study, run_study
from sklearn_skin.model_selection._choices import distribution_of

X, Y = make_classification(40, 6, random_state=0)
PIPE = make_pipeline(StandardScaler(), LogisticRegression())
NAME = "logisticregression"


def objective_of(choices, name=NAME):
    return StudyObjective(PIPE, X, Y, {name: choices}, cv=2)


def labels_of(choices):
    return list(distribution_of(choices).choices)


def chosen(objective, label, name=NAME):
    held = {name: CategoricalDistribution((label,))}
    trial = optuna.trial.create_trial(params={name: label}, distributions=held, value=0.0)
    return objective.params_of(trial)[name]


@pytest.mark.parametrize("choose", [list, CategoricalDistribution])
@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
def test_a_label_means_the_same_estimator_in_any_order(choose):
    machines = [SVC(), SVC(C=2.0), SVC(C=3.0, kernel="linear"), LogisticRegression()]
    labels = labels_of(machines)
    assert labels == ["SVC()", "SVC(C=2.0)", "SVC(C=3.0, kernel='linear')", "LogisticRegression()"]
    reordered = objective_of(choose(machines[::-1]))
    for label, machine in zip(labels, machines):
        assert chosen(reordered, label) is machine


def test_long_labels_are_cut_and_differ():
    pipes = [make_pipeline(StandardScaler(), FunctionTransformer(), SVC(C=c)) for c in (1.5, 2.5)]
    pipes += [make_pipeline(*[StandardScaler()] * n, SVC()) for n in (5, 6)]
    labels = labels_of(pipes)
    assert max(map(len, labels)) == 100
    assert all(label.startswith("Pipeline(steps=[('standardscaler") for label in labels)
    assert len(set(labels)) == 4
    backwards = objective_of(pipes[::-1])
    assert all(chosen(backwards, label) is pipe for label, pipe in zip(labels, pipes))


def test_choices_that_print_the_same_are_numbered():
    machines = [SVC(), SVC(), SVC()]
    assert labels_of(machines) == ["SVC()", "SVC() 2", "SVC() 3"]
    assert chosen(objective_of(machines), "SVC() 2") is machines[1]


class Holder(BaseEstimator):
    def __init__(self, values=None):
        self.values = values


def test_labels_are_one_line_whatever_they_hold():
    arrays = [np.arange(2000.0), np.arange(2000.0) + (np.arange(2000) == 1000)]
    first, second = labels_of([Holder(array) for array in arrays])
    assert first[:-8] == second[:-8]
    assert first[-8:] != second[-8:]
    held = [[SVC(C=2.0)], {"a": (1, None)}, {3, 2}, (np.int64(4),), np.eye(2), SVC]
    assert labels_of([*map(Holder, held), (8, 8)]) == [
        "Holder(values=[SVC(C=2.0)])",
        "Holder(values={'a': (1, None)})",
        "Holder(values={2, 3})",
        "Holder(values=(4,))",
        "Holder(values=array([[1.0, 0.0], [0.0, 1.0]]))",
        "Holder(values=<class 'sklearn.svm._classes.SVC'>)",
        "(8, 8)",
    ]


def test_the_configured_display_does_not_matter():
    with config_context(print_changed_only=False):
        assert labels_of([SVC(C=2.0)]) == ["SVC(C=2.0)"]


def test_labels_are_the_same_in_another_process():
    code = """
from sklearn.preprocessing import FunctionTransformer
from sklearn_skin.model_selection._choices import distribution_of
def f(x): pass
class C: pass
print(distribution_of([FunctionTransformer(f, kw_args={"a": {"x", "y", "z"}, "b": C()})]).choices)
"""
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    assert len({run.stdout for run in runs}) == 1
    assert "<function f>" in runs[0].stdout


def test_a_trial_of_another_space():
    objective = objective_of([SVC(), SVC(C=2.0)])
    with pytest.raises(
        ValueError, match=r"'SVC\(C=9\.0\)' for 'logisticregression', which .* no l"
    ):
        chosen(objective, "SVC(C=9.0)")
    with pytest.raises(ValueError, match="1.0 for 'logisticregression__C', which is not in the sp"):
        chosen(objective, 1.0, "logisticregression__C")
    rates = objective_of(FloatDistribution(0, 1), "logisticregression__C")
    with pytest.raises(ValueError, match="'low' for 'logisticregression__C', which the space has"):
        chosen(rates, "low", "logisticregression__C")


@pytest.mark.parametrize(
    "corrected", [[0.1, 1.0, 9.0], [1.0, 0.1], [0.2, 1.0], FloatDistribution(0.1, 1.0)]
)
@pytest.mark.parametrize("n_trials", [2, 4])
def test_a_corrected_space_needs_another_study(tmp_path, corrected, n_trials):
    name = f"{NAME}__C"
    study = run_study(make_study("rates", tmp_path / "s.db"), objective_of([0.1, 1.0], name), 2)
    objective = objective_of(corrected, name)
    with pytest.raises(ValueError, match=f"{name}'.*the study 'rates' had .*; give another name"):
        run_study(study, objective, n_trials)
    assert len(study.trials) == 2
    assert len(run_study(make_study("rates 2", tmp_path / "s.db"), objective, 2).trials) == 2


def test_a_logarithmic_range_needs_another_study():
    name = f"{NAME}__C"
    study = make_study("a", ":memory:")
    run_study(study, objective_of(FloatDistribution(0.1, 1.0), name), 1)
    with pytest.raises(ValueError, match="kind of a range"):
        run_study(study, objective_of(FloatDistribution(0.1, 1.0, log=True), name), 2)


@pytest.mark.filterwarnings("ignore:.*UniformDistribution:FutureWarning")
def test_a_study_goes_on_with_what_optuna_allows(tmp_path):
    first = {NAME: [LogisticRegression(), SVC()], "standardscaler__copy": np.array([True, False])}
    # Parameters come and go, and a range may be narrowed.
    later = first | {f"{NAME}__C": optuna.distributions.UniformDistribution(0.1, 1.0)}
    last = {NAME: first[NAME], f"{NAME}__C": FloatDistribution(0.2, 0.8)}
    for n_trials, space in enumerate([first, first, later, later, last], start=1):
        objective = StudyObjective(PIPE, X, Y, space, cv=2)
        study = run_study(make_study("a", tmp_path / "s.db"), objective, n_trials)
        assert len(study.trials) == n_trials


def test_functions_have_no_space_to_compare():
    study = make_study("a", ":memory:")
    run_study(study, objective_of([0.1, 1.0], f"{NAME}__C"), 1)

    def space(trial):
        return {f"{NAME}__C": trial.suggest_float("C", 0.1, 1.0)}

    assert len(run_study(study, StudyObjective(PIPE, X, Y, space, cv=2), 2).trials) == 2
