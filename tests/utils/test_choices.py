"""Hints name what a word may stand for, or nothing."""

import pytest
from sklearn.metrics import get_scorer_names

from sklearn_skin.modules.fusion import FUSIONS
from sklearn_skin.neural_network import JointFusionClassifier
from sklearn_skin.utils import did_you_mean

NETWORK = JointFusionClassifier().get_params()
NESTED = ["net__lr", "net__random_state", "net__max_epochs", "prep__image__lift", "net"]


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("learning_rate", NETWORK, "lr"),
        ("epochs", NETWORK, "max_epochs"),
        ("n_epochs", NETWORK, "max_epochs"),
        ("weight_decay", NETWORK, "optimizer"),
        ("seed", NETWORK, "random_state"),
        ("group_col", NETWORK, "group_column"),
        ("early_stop", NETWORK, "early_stopping"),
        ("backbon", NETWORK, "backbone"),
        ("dropout_rate", NETWORK, "dropout"),
        ("schedule", NETWORK, "lr_schedule"),
        ("second_stage", NETWORK, None),
        ("cuda", NETWORK, None),
        ("fusion", set(NETWORK) - {"fusion", "fusion_options", "fusion_metadata"}, None),
        ("acc", get_scorer_names(), "accuracy"),
        ("auc", get_scorer_names(), "roc_auc"),
        ("acuracy", get_scorer_names(), "accuracy"),
        ("mfa", FUSIONS, "mmfa"),
        ("concatenate", FUSIONS, "concat"),
        ("net__learning_rate", NESTED, "net__lr"),
        ("net__epochs", NESTED, "net__max_epochs"),
        ("net__second_stage", NESTED, None),
        ("image__lift", NESTED, "prep__image__lift"),
        ("prep__imag__lift", NESTED, "prep__image__lift"),
        ("lr", NESTED, "net__lr"),
    ],
)
def test_hints(word, known, meant):
    assert did_you_mean(word, known) == ("." if meant is None else f"; did you mean '{meant}'?")
