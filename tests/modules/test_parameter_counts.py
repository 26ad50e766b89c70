"""The parameter counts that the sources print come out of the project's own networks."""

import importlib.util
from pathlib import Path

import pytest
import torch

from sklearn_skin.modules import SharedFusionNet, StagedEncoder

SCRIPT = Path(__file__).parents[2] / "examples" / "reproduce" / "parameter_counts.py"
SPEC = importlib.util.spec_from_file_location("parameter_counts", SCRIPT)
COUNTS = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(COUNTS)


@pytest.mark.parametrize("model", COUNTS.PUBLISHED)
def test_published_counts_come_out(model):
    published, _ = COUNTS.PUBLISHED[model]
    ours, exact = COUNTS.count(model)
    assert abs(round(ours, 2) - published) < COUNTS.TOLERANCES.get(model, 0.01) + 1e-6
    if model not in COUNTS.TOLERANCES:
        assert f"{exact:.2f}" == f"{published:.2f}"


def test_own_and_exchanged_maps_cost_the_same():
    with torch.device("meta"):
        encoders = [StagedEncoder("test_convnext")]
        own, exchanged = (
            SharedFusionNet(encoders, COUNTS.N_CLASSES, attention_maps=maps)
            for maps in ("own", "exchanged")
        )
    assert COUNTS.millions(own) == pytest.approx(COUNTS.millions(exchanged))


def test_aab_costs_less_than_bab():
    with torch.device("meta"):
        none, aab, bab = (
            COUNTS.millions(COUNTS.pair(COUNTS.MOBILE, COUNTS.SWIN, name))
            for name in ("none", "aab", "bab")
        )
    assert none < aab < bab


def test_only_the_unused_classifier_goes_with_keep_classifier():
    with torch.device("meta"):
        kept = COUNTS.make_encoder(COUNTS.RESNET)
        dropped = StagedEncoder(COUNTS.RESNET, keep_classifier=False)
    assert COUNTS.millions(kept) - COUNTS.millions(dropped) == pytest.approx(2.049)
