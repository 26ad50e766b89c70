"""
=======================================
Tuning both stages with Optuna
=======================================

A study over the fusion operator, the width of the backbone, the learning rate and the second
stage of FusionM4Net. `search_space` proposes ranges for all parameters of the pipeline; four of
them are kept. Every trial is a cross-validation with the pictures of a lesion on one side, and
is pruned between epochs where its loss lags behind. The study lives in a file: killed and
started again, this script goes on where it was.
"""

import sys
import tempfile
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.importance import MeanDecreaseImpurityImportanceEvaluator
from optuna.visualization.matplotlib import plot_optimization_history, plot_param_importances
from sklearn.pipeline import Pipeline

from sklearn_skin.datasets import make_lesions
from sklearn_skin.ensemble import FusionM4NetClassifier
from sklearn_skin.model_selection import StudyObjective, make_study, run_study, search_space
from sklearn_skin.neural_network import JointIndividualFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

TUNED = ["first_stage__fusion", "first_stage__backbone", "first_stage__lr", "second_stage"]
N_TRIALS = 10

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.simplefilter("ignore", ExperimentalWarning)


def make_model():
    """Return the pipeline to tune."""
    net = JointIndividualFusionClassifier(
        group_column="lesion",
        backbone="resnet10t",
        weights=None,
        image_size=32,
        max_epochs=4,
        random_state=0,
    )
    fusion = FusionM4NetClassifier(net, "svm", cv="half", group_column="lesion", random_state=0)
    return Pipeline(
        [("columns", make_lesion_transformer(group_column="lesion")), ("fusion", fusion)]
    )


def make_objective(lesions):
    """Return the cross-validated balanced accuracy as a function of a trial."""
    model = make_model()
    proposed = search_space(model)
    return StudyObjective(
        model,
        lesions.data.assign(lesion=lesions.groups),
        lesions.target,
        {f"fusion__{name}": proposed[f"fusion__{name}"] for name in TUNED},
        cv=2,
        groups=lesions.groups,
        scoring="balanced_accuracy",
        monitor="train_loss",
    )


def draw(study, folder):
    """Save the history of the study, and the importance of each parameter."""
    evaluator = MeanDecreaseImpurityImportanceEvaluator(seed=0)
    for name, ax in {
        "tuning_history": plot_optimization_history(study),
        "tuning_importances": plot_param_importances(study, evaluator=evaluator),
    }.items():
        path = Path(folder) / f"{name}.png"
        ax.figure.savefig(path, dpi=110, bbox_inches="tight")
        print(f"saved {path}")


if __name__ == "__main__":
    lesions = make_lesions(100, image_size=32, images_per_lesion=2, random_state=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.db"
        study = make_study("fusion_m4net", path, random_state=0)
        objective = make_objective(lesions)
        # The defaults of the pipeline are the first trial, to compare with.
        known = objective.estimator.get_params()
        study.enqueue_trial({name: known[name] for name in objective.space})
        run_study(study, objective, N_TRIALS, progress_bar=True)
        states = [trial.state.name.lower() for trial in study.trials]
        print({state: states.count(state) for state in sorted(set(states))})
        print(f"defaults {study.trials[0].value:.3f}, best {study.best_value:.3f} with")
        for name, value in study.best_params.items():
            print(f"  {name:32s} {value}")
        draw(study, sys.argv[1] if len(sys.argv) > 1 else ".")
