"""Scores against formulas written out with NumPy, and against scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    make_scorer,
    precision_score,
    recall_score,
    roc_auc_score,
)

from sklearn_skin.metrics import (
    mean_task_accuracy,
    mean_task_auc,
    mean_task_balanced_accuracy,
    mean_task_precision,
    mean_task_sensitivity,
    mean_task_specificity,
    risk_coverage_curve,
    sensitivity_score,
    specificity_score,
)

LABEL_SCORES = [
    mean_task_accuracy,
    mean_task_balanced_accuracy,
    mean_task_precision,
    mean_task_sensitivity,
    mean_task_specificity,
]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def labels(rng):
    truth = rng.integers(4, size=200)
    guess = np.where(rng.random(200) < 0.6, truth, rng.integers(4, size=200))
    return truth, guess, rng.random(200)


def specificity_by_hand(truth, guess, weight, label):
    negative = truth != label
    return weight[negative & (guess != label)].sum() / weight[negative].sum()


def test_specificity_of_each_class_is_true_negatives_over_negatives(labels):
    truth, guess, weight = labels
    expected = [specificity_by_hand(truth, guess, weight, label) for label in range(4)]
    found = specificity_score(truth, guess, average=None, sample_weight=weight)
    assert_allclose(found, expected)
    macro = specificity_score(truth, guess, average="macro", sample_weight=weight)
    assert_allclose(macro, np.mean(expected))
    support = [weight[truth == label].sum() for label in range(4)]
    weighted = specificity_score(truth, guess, average="weighted", sample_weight=weight)
    assert_allclose(weighted, np.average(expected, weights=support))


def test_micro_specificity_counts_over_all_classes(labels):
    truth, guess, _ = labels
    negatives = [(truth != c).sum() for c in range(4)]
    true_negatives = [((truth != c) & (guess != c)).sum() for c in range(4)]
    found = specificity_score(truth, guess, average="micro")
    assert_allclose(found, np.sum(true_negatives) / np.sum(negatives))


def test_specificity_is_the_sensitivity_of_the_other_class(labels):
    truth, guess = labels[0] % 2, labels[1] % 2
    assert_allclose(specificity_score(truth, guess), recall_score(truth, guess, pos_label=0))
    assert_allclose(specificity_score(truth, guess, pos_label=0), sensitivity_score(truth, guess))


@pytest.mark.parametrize("average", ["macro", "micro", "weighted", None])
def test_sensitivity_is_recall(labels, average):
    truth, guess, weight = labels
    kwargs = {"average": average, "sample_weight": weight}
    assert_allclose(sensitivity_score(truth, guess, **kwargs), recall_score(truth, guess, **kwargs))


def test_labels_select_and_order_the_classes(labels):
    truth, guess, _ = labels
    every = specificity_score(truth, guess, average=None)
    assert_allclose(specificity_score(truth, guess, labels=[2, 0], average=None), every[[2, 0]])


def test_a_class_that_all_rows_have_has_no_specificity():
    with pytest.warns(UndefinedMetricWarning, match="ill-defined"):
        assert_allclose(specificity_score([1, 1], [1, 1]), 0, atol=1e-12)
    assert_allclose(specificity_score([1, 1], [1, 1], zero_division=1.0), 1)
    assert np.isnan(specificity_score([1, 1], [1, 1], zero_division=np.nan))


def test_binary_average_asks_for_two_classes():
    with pytest.raises(ValueError, match="`average` is 'binary'"):
        specificity_score([0, 1, 2], [0, 1, 2])
    with pytest.raises(ValueError, match="`pos_label` must be one of"):
        specificity_score(["a", "b"], ["a", "b"])
    with pytest.raises(ValueError, match="`average` must be one of"):
        specificity_score([0, 1], [0, 1], average="mean")
    assert_allclose(specificity_score(["a", "b"], ["a", "a"], pos_label="b"), 1)


def task_by_task(score, truth, guess):
    return np.mean(
        [
            score(truth[:, task][known].astype(int), guess[:, task][known])
            for task, known in enumerate((~pd.isna(truth)).T)
        ]
    )


@pytest.fixture
def tasks(rng):
    truth = rng.integers(3, size=(120, 3)).astype(object)
    guess = rng.integers(3, size=(120, 3))
    truth[::4, 0] = None
    truth[1::5, 2] = np.nan
    return truth, guess


@pytest.mark.parametrize(
    ("score", "reference"),
    [
        (mean_task_accuracy, accuracy_score),
        (mean_task_balanced_accuracy, balanced_accuracy_score),
        (mean_task_sensitivity, lambda t, p: recall_score(t, p, average="macro")),
        (mean_task_precision, lambda t, p: precision_score(t, p, average="macro")),
        (
            mean_task_specificity,
            lambda t, p: np.mean([specificity_by_hand(t, p, np.ones(len(t)), c) for c in range(3)]),
        ),
    ],
)
def test_task_means_equal_the_mean_over_known_rows(tasks, score, reference):
    assert_allclose(score(*tasks), task_by_task(reference, *tasks))


@pytest.mark.parametrize("score", LABEL_SCORES)
def test_missing_rows_do_not_matter(tasks, score):
    truth, guess = tasks
    other = guess.copy()
    other[pd.isna(truth)] = 2 - other[pd.isna(truth)]
    assert_allclose(score(truth, guess), score(truth, other))


@pytest.mark.parametrize("score", LABEL_SCORES)
def test_one_task_may_be_one_dimensional_and_text(tasks, score):
    truth, guess = tasks
    names = np.array(["bcc", "melanoma", "nevus"])
    known = ~pd.isna(truth[:, 0])
    text = pd.Series([names[label] if there else None for label, there in zip(truth[:, 0], known)])
    expected = score(truth[:, [0]], guess[:, [0]])
    assert_allclose(score(text, names[guess[:, 0]]), expected)
    assert_allclose(score(text.tolist(), names[guess[:, 0]].tolist()), expected)


@pytest.mark.parametrize("score", LABEL_SCORES)
def test_a_weight_of_two_is_a_row_seen_twice(tasks, score):
    truth, guess = tasks
    weight = np.where(np.arange(120) < 30, 2, 1)
    rows = np.repeat(np.arange(120), weight)
    assert_allclose(score(truth, guess, sample_weight=weight), score(truth[rows], guess[rows]))


@pytest.mark.parametrize("score", LABEL_SCORES)
def test_bad_targets_are_refused(tasks, score):
    truth, guess = tasks
    empty = truth.copy()
    empty[:, 1] = None
    with pytest.raises(ValueError, match="`y_true` has no label in task 1"):
        score(empty, guess)
    with pytest.raises(ValueError, match="`y_pred` lacks"):
        score(truth, np.full(guess.shape, None))
    with pytest.raises(ValueError, match="`y_pred` has 2 tasks, `y_true` has 3"):
        score(truth, guess[:, :2])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        score(truth, guess[:-1])


def rank_auc(positive, scores):
    """Return the share of (positive, negative) pairs in the right order; ties count half."""
    difference = scores[positive][:, None] - scores[~positive][None]
    return np.mean((difference > 0) + 0.5 * (difference == 0))


@pytest.fixture
def probabilities(rng, tasks):
    return [rng.dirichlet(np.ones(3), size=120).round(2) for _ in range(3)]


def test_auc_is_the_share_of_ordered_pairs(tasks, probabilities):
    truth = tasks[0]
    expected = []
    for task, table in enumerate(probabilities):
        known = ~pd.isna(truth[:, task])
        labels = truth[known, task].astype(int)
        expected.append([rank_auc(labels == c, table[known, c]) for c in range(3)])
    assert_allclose(mean_task_auc(truth, probabilities, average=None), expected)
    assert_allclose(mean_task_auc(truth, probabilities), np.mean(expected))


def test_auc_of_one_task_is_scikit_learns(rng):
    truth = rng.integers(3, size=90)
    table = rng.dirichlet(np.ones(3), size=90)
    assert_allclose(mean_task_auc(truth, table), roc_auc_score(truth, table, multi_class="ovr"))
    binary = truth % 2
    assert_allclose(mean_task_auc(binary, table[:, 0]), roc_auc_score(binary, table[:, 0]))


def test_auc_averages_over_tasks_or_categories(rng):
    truth = np.column_stack([rng.integers(2, size=80), rng.integers(4, size=80)])
    tables = [rng.dirichlet(np.ones(c), size=80) for c in (2, 4)]
    first, second = mean_task_auc(truth, tables, average=None)
    assert_allclose(first[0], first[1])
    assert_allclose(mean_task_auc(truth, tables), (first.mean() + second.mean()) / 2)
    every = mean_task_auc(truth, tables, average="category")
    assert_allclose(every, np.mean([*first, *second]))
    present = mean_task_auc(truth, tables, average="category", categories=[[1], [1, 2, 3]])
    assert_allclose(present, np.mean([first[1], *second[1:]]))


def test_auc_leaves_out_classes_without_rows():
    table = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.6, 0.1, 0.3]])
    with pytest.warns(UndefinedMetricWarning, match="not defined for scc"):
        score = mean_task_auc(["bcc", "mel", "bcc"], table, classes=["bcc", "mel", "scc"])
    assert_allclose(score, 1)


def test_auc_follows_the_columns(tasks, probabilities):
    truth = tasks[0]
    turned = [table[:, [2, 0, 1]] for table in probabilities]
    found = mean_task_auc(truth, turned, classes=[[2, 0, 1]] * 3)
    assert_allclose(found, mean_task_auc(truth, probabilities))
    with pytest.raises(ValueError, match="Pass `classes`"):
        mean_task_auc(truth, [table[:, :2] for table in probabilities])
    with pytest.raises(ValueError, match="`y_proba` of task 0 must be finite"):
        mean_task_auc(truth, [np.full((120, 3), np.nan)] * 3)
    with pytest.raises(ValueError, match="`average` must be one of"):
        mean_task_auc(truth, probabilities, average="macro")


def test_specificity_works_in_make_scorer():
    scorer = make_scorer(specificity_score, pos_label="melanoma")
    X, y = np.zeros((3, 1)), ["melanoma", "nevus", "nevus"]
    for label, expected in (("nevus", 1), ("melanoma", 0)):
        model = DummyClassifier(strategy="constant", constant=label).fit(X, y)
        assert_allclose(scorer(model, X, y), expected, atol=1e-12)


def test_risk_is_the_error_rate_above_the_threshold(rng):
    truth = rng.integers(3, size=150)
    table = rng.dirichlet(np.ones(3), size=150).round(1) + 0.0
    coverage, risk, thresholds = risk_coverage_curve(truth, table)
    wrong = table.argmax(axis=1) != truth
    for share, error, threshold in zip(coverage, risk, thresholds):
        answered = table.max(axis=1) >= threshold
        assert_allclose(share, answered.mean())
        assert_allclose(error, wrong[answered].mean())
    assert_allclose(coverage[-1], 1)
    assert_allclose(risk[-1], 1 - accuracy_score(truth, table.argmax(axis=1)))
    assert (np.diff(coverage) > 0).all() and (np.diff(thresholds) < 0).all()


def test_risk_coverage_leaves_out_missing_labels_and_refuses_tasks():
    table = np.array([[0.9, 0.1], [0.3, 0.7], [0.4, 0.6]])
    found = risk_coverage_curve(["a", None, "b"], table)
    expected = risk_coverage_curve(["a", "b"], table[[0, 2]])
    for one, other in zip(found, expected):
        assert_allclose(one, other)
    with pytest.raises(ValueError, match="`y_true` must hold one task"):
        risk_coverage_curve([[0, 1], [1, 0]], [table[:2], table[:2]])


@pytest.mark.parametrize("score", [sensitivity_score, specificity_score])
@pytest.mark.parametrize("gap", [None, np.nan])
def test_rows_without_a_true_label_do_not_count(score, gap):
    y, pred = ["a", "b", "b", "a", "c"], ["a", "a", "b", "a", "b"]
    weight = np.arange(1.0, 6.0)
    options = {"average": "macro", "zero_division": 0.0}
    expected = score(y, pred, sample_weight=weight, **options)
    with_gaps = score(
        [gap, *y, gap], ["c", *pred, "a"], sample_weight=np.r_[9, weight, 9], **options
    )
    assert_allclose(with_gaps, expected)
    assert_allclose(score([1, 0, 1, gap], [1, 0, 0, 1]), score([1, 0, 1], [1, 0, 0]))
