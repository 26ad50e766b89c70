"""Comparison of models over folds, against SciPy and a worked example."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.stats import friedmanchisquare, wilcoxon

from sklearn_skin.metrics import compare_models
from sklearn_skin.metrics._comparison import _holm


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    base = rng.normal(size=12)
    return pd.DataFrame(
        {
            "image": base + rng.normal(scale=0.3, size=12),
            "fusion": base + 1 + rng.normal(scale=0.3, size=12),
            "metadata": base + rng.normal(scale=0.3, size=12),
        }
    )


def test_comparison_holds_scipys_tests(scores):
    result = compare_models(scores)
    friedman = friedmanchisquare(*scores.to_numpy().T)
    assert_allclose(result.friedman_p_value, friedman.pvalue)
    assert_allclose(result.friedman_statistic, friedman.statistic)
    for pair in result.pairs.itertuples():
        test = wilcoxon(scores[pair.model_a], scores[pair.model_b])
        assert_allclose(pair.p_value, test.pvalue)
        assert_allclose(pair.statistic, test.statistic)
        assert_allclose(pair.difference, (scores[pair.model_a] - scores[pair.model_b]).mean())
        assert_allclose(result.p_matrix.loc[pair.model_b, pair.model_a], pair.p_holm)
    assert result.summary.index[0] == "fusion"
    assert_allclose(result.summary["rank"].sum(), 6)
    significant = result.pairs.set_index(["model_a", "model_b"])["significant"]
    assert significant.to_dict() == {
        ("image", "fusion"): True,
        ("image", "metadata"): False,
        ("fusion", "metadata"): True,
    }


def test_a_dict_is_a_frame_and_losses_turn_the_ranks(scores):
    frame, mapping = compare_models(scores), compare_models(scores.to_dict("list"))
    pd.testing.assert_frame_equal(frame.pairs, mapping.pairs)
    turned = compare_models(-scores, greater_is_better=False)
    pd.testing.assert_series_equal(frame.summary["rank"], turned.summary["rank"])


def test_holm_on_a_worked_example():
    assert_allclose(_holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    assert_allclose(_holm(np.array([0.6, 0.9])), [1, 1])


@pytest.mark.parametrize(("n_models", "quantile"), [(2, 1.960), (3, 2.343), (5, 2.728)])
def test_nemenyi_uses_the_published_quantiles(n_models, quantile):
    rng = np.random.default_rng(0)
    result = compare_models({f"m{i}": rng.random(10) for i in range(n_models)})
    expected = quantile * np.sqrt(n_models * (n_models + 1) / (6 * 10))
    assert_allclose(result.critical_difference, expected, rtol=1e-3)


def test_groups_join_models_within_the_critical_difference():
    rng = np.random.default_rng(0)
    table = {f"m{i}": rng.normal(3 * (i // 2), 0.1, size=40) for i in range(4)}
    groups = compare_models(table).groups
    assert sorted(sorted(group) for group in groups) == [["m0", "m1"], ["m2", "m3"]]


def test_two_models_and_equal_models():
    result = compare_models({"a": np.arange(8) / 8, "b": np.arange(8) / 8})
    assert np.isnan(result.friedman_p_value)
    assert_allclose(result.pairs["p_value"], 1)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({"a": [1, 2, 3, 4, 5], "b": [1, 2, 3, 4, 6]}, "5 folds; with fewer than 6"),
        ({"a": range(8)}, "at least two models"),
        ({"a": range(8), "b": range(7)}, "as many folds for every model"),
        ({"a": range(8), "b": [np.nan] * 8}, "NaN or infinity in models 'b'"),
    ],
)
def test_comparison_errors(scores, message):
    with pytest.raises(ValueError, match=message):
        compare_models(scores)


def test_the_posthocs_package_agrees(scores):
    posthocs = pytest.importorskip("scikit_posthocs")
    expected = posthocs.posthoc_nemenyi_friedman(scores)
    result = compare_models(scores)
    together = {
        frozenset(pair)
        for group in result.groups
        for pair in [(a, b) for a in group for b in group if a != b]
    }
    for a in scores:
        for b in scores:
            if a != b:
                assert (expected.loc[a, b] > 0.05) == (frozenset([a, b]) in together)
