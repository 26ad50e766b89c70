"""The exact search reaches the true maximum; both searches respect labels, weights and ties."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.utils.class_weight import compute_sample_weight

from sklearn_skin.ensemble import search_simplex_weights
from sklearn_skin.utils._simplex import _ratios


def make_problem(seed, n_branches=3, n_rows=None, n_classes=None):
    rng = np.random.default_rng(seed)
    n_rows = n_rows or int(rng.integers(3, 40))
    n_classes = n_classes or rng.integers(2, 5, size=rng.integers(1, 4))
    y = np.column_stack([np.r_[:c, rng.integers(c, size=n_rows)][:n_rows] for c in n_classes])
    y = np.column_stack(
        [rng.permutation(np.minimum(column, c - 1)) for column, c in zip(y.T, n_classes)]
    )
    branches = []
    for _ in range(n_branches):
        tables = [rng.dirichlet(np.ones(c), size=n_rows) for c in n_classes]
        for task, table in enumerate(tables):
            table[np.arange(n_rows), y[:, task]] += rng.uniform(0, 0.5)
        branches.append(tables)
    return branches, y, [np.arange(c) for c in n_classes]


def accuracy(weights, branches, y, classes):
    scores = []
    for task in range(y.shape[1]):
        fused = sum(w * branch[task] for w, branch in zip(weights, branches))
        scores.append(np.mean(classes[task][fused.argmax(axis=1)] == y[:, task]))
    return np.mean(scores)


def brute_force(branches, y, candidates):
    scores = np.zeros(len(candidates))
    for task in range(y.shape[1]):
        fused = np.einsum("ck,knj->cnj", candidates, np.stack([b[task] for b in branches]))
        scores += (fused.argmax(axis=2) == y[:, task]).mean(axis=1) / y.shape[1]
    return scores.max()


def lattice(steps):
    i, j = np.meshgrid(np.arange(steps + 1), np.arange(steps + 1), indexing="ij")
    inside = i + j <= steps
    return np.column_stack([i[inside], j[inside], (steps - i - j)[inside]]) / steps


def assert_on_simplex(weights):
    assert (weights >= 0).all()
    assert_allclose(weights.sum(), 1)


@pytest.mark.parametrize("block", range(4))
def test_exact_is_never_below_the_grid_or_a_fine_lattice(block):
    fine = lattice(80)
    for seed in range(block * 20, block * 20 + 20):
        branches, y, classes = make_problem(seed)
        weights, score, _ = search_simplex_weights(branches, y, classes=classes)
        assert_on_simplex(weights)
        assert_allclose(score, accuracy(weights, branches, y, classes))
        grid_score = search_simplex_weights(branches, y, search="grid", classes=classes).score
        assert score >= grid_score - 1e-12
        assert score >= brute_force(branches, y, fine) - 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_exact_is_the_supremum_of_a_dense_random_search(seed):
    branches, y, classes = make_problem(seed, n_rows=12, n_classes=[3])
    candidates = np.random.default_rng(0).dirichlet(np.ones(3), size=200_000)
    score = search_simplex_weights(branches, y, classes=classes).score
    assert_allclose(score, brute_force(branches, y, candidates))


@pytest.mark.parametrize("seed", range(30))
def test_two_branches_match_every_breakpoint(seed):
    branches, y, classes = make_problem(seed, n_branches=2)
    first = np.linspace(0, 1, 20_001)
    weights, score, _ = search_simplex_weights(branches, y, classes=classes)
    assert_on_simplex(weights)
    assert_allclose(score, accuracy(weights, branches, y, classes))
    assert score >= brute_force(branches, y, np.column_stack([first, 1 - first])) - 1e-12


def test_grid_is_the_triple_loop_over_fifty_values():
    branches, y, classes = make_problem(3, n_rows=30, n_classes=[3, 2])
    values = np.linspace(0, 1, 8)
    best = max(
        accuracy(np.array([i, j, z]) / (i + j + z), branches, y, classes)
        for i in values
        for j in values
        for z in values
        if i + j + z > 0
    )
    score = search_simplex_weights(branches, y, search="grid", n_grid=8).score
    assert_allclose(score, best)


def test_grid_holds_each_ratio_of_the_triple_loop_once():
    i, j, z = np.meshgrid(*[np.arange(12)] * 3, indexing="ij")
    triples = np.column_stack([i.ravel(), j.ravel(), z.ravel()])[1:]
    expected = np.unique((triples / triples.sum(axis=1, keepdims=True)).round(12), axis=0)
    ratios = _ratios(12)
    assert len(ratios) == len(expected)
    assert_allclose(np.unique(ratios.round(12), axis=0), expected)


def test_second_stage_searches_one_hundred_values():
    branches, y, _ = make_problem(1, n_branches=2, n_rows=40, n_classes=[3])
    weights, score, _ = search_simplex_weights(branches, y, search="grid", n_grid=100)
    assert np.abs(np.linspace(0, 1, 100) - weights[0]).min() < 1e-12
    first = np.linspace(0, 1, 100)
    assert_allclose(score, brute_force(branches, y, np.column_stack([first, 1 - first])))


@pytest.mark.parametrize("search", ["exact", "grid"])
@pytest.mark.parametrize("n_branches", [2, 3, 4, 5])
def test_more_branches_are_never_worse_than_each_alone(search, n_branches):
    branches, y, classes = make_problem(7, n_branches=n_branches, n_rows=30, n_classes=[3, 2])
    weights, score, _ = search_simplex_weights(branches, y, search=search, classes=classes)
    assert_on_simplex(weights)
    assert_allclose(score, accuracy(weights, branches, y, classes))
    assert score >= brute_force(branches, y, np.eye(n_branches)) - 1e-12


def test_four_branches_are_never_below_a_lattice():
    for seed in range(3):
        branches, y, classes = make_problem(seed, n_branches=4, n_rows=15, n_classes=[3])
        exact = search_simplex_weights(branches, y, classes=classes).score
        grid = search_simplex_weights(branches, y, search="grid", n_grid=11, classes=classes).score
        assert exact >= grid - 1e-12


@pytest.mark.parametrize("search", ["exact", "grid"])
@pytest.mark.parametrize("n_branches", [1, 2, 3, 4])
def test_equal_branches_get_uniform_weights(search, n_branches):
    branches, y, classes = make_problem(2, n_branches=1)
    weights, _, _ = search_simplex_weights(
        branches * n_branches, y, search=search, n_grid=51, classes=classes
    )
    assert_allclose(weights, np.full(n_branches, 1 / n_branches), atol=0.02)


def test_a_perfect_branch_that_alone_is_right_still_shares_its_weight():
    y = np.array([0, 1, 0, 1])
    perfect = np.eye(2)[y] * 0.6 + 0.2
    useless = 1 - perfect
    weights, score, _ = search_simplex_weights([perfect, useless, useless], y)
    # The region is w_0 > 1/2; its point nearest to uniform is (1/2, 1/4, 1/4) and its centre
    # of mass (2/3, 1/6, 1/6).
    assert score == 1
    assert_allclose(weights, [7 / 12, 5 / 24, 5 / 24])


def test_the_point_keeps_its_score_in_single_precision():
    for seed in range(20):
        branches, y, classes = make_problem(seed, n_rows=60, n_classes=[3, 4])
        weights, score, _ = search_simplex_weights(branches, y, classes=classes)
        single = [[table.astype(np.float32) for table in branch] for branch in branches]
        assert_allclose(accuracy(weights.astype(np.float32), single, y, classes), score)


def test_a_tie_counts_as_an_error():
    votes = np.array([[1.0, 0.0], [0.0, 1.0]])
    swapped = votes[:, ::-1]
    for search in ("exact", "grid"):
        weights, score, _ = search_simplex_weights([votes, swapped], [0, 1], search=search)
        assert score == 1 and weights[0] > 0.5
    assert search_simplex_weights([np.full((2, 2), 0.5)] * 3, [0, 1])[1] == 0


def strict_accuracy(weights, tables, y):
    fused = sum(w * table for w, table in zip(weights, tables))
    rows = np.arange(len(y))
    truth = fused[rows, y].copy()
    fused[rows, y] = -np.inf
    return np.mean(truth - fused.max(axis=1) > 1e-9)


@pytest.mark.parametrize("kind", ["rounded", "votes", "near duplicates"])
@pytest.mark.parametrize("seed", range(8))
def test_degenerate_predictions_are_solved_too(kind, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=24)
    tables = []
    for _ in range(3):
        table = rng.dirichlet(np.ones(3), size=24)
        if kind == "rounded":
            table = table.round(1)
        elif kind == "votes":
            table = np.eye(3)[rng.integers(3, size=24)]
        else:
            table = np.repeat(table[:12], 2, axis=0) * (1 + 1e-15 * rng.normal(size=(24, 3)))
        tables.append(table)
    weights, score, _ = search_simplex_weights(tables, y, classes=[0, 1, 2])
    assert_allclose(score, strict_accuracy(weights, tables, y))
    grid = search_simplex_weights(tables, y, search="grid", n_grid=20, classes=[0, 1, 2]).score
    assert score >= grid - 1e-12


def test_repeated_rows_and_mirrored_margins():
    branches, y, classes = make_problem(11, n_rows=25, n_classes=[2])
    twice = [[np.vstack([table, table]) for table in branch] for branch in branches]
    once = search_simplex_weights(branches, y, classes=classes).score
    weights, score, _ = search_simplex_weights(twice, np.vstack([y, y]), classes=classes)
    assert_allclose(score, once)
    # The same row with both labels: one of the two is always right.
    weights, score, _ = search_simplex_weights(twice, np.vstack([y, 1 - y]), classes=classes)
    assert_allclose(score, 0.5)
    assert_allclose(weights, 1 / 3)


def test_a_weight_of_two_is_a_row_seen_twice():
    branches, y, classes = make_problem(5, n_rows=20, n_classes=[3, 2])
    weight = np.where(np.arange(20) < 6, 2.0, 1.0)
    rows = np.repeat(np.arange(20), weight.astype(int))
    repeated = [[table[rows] for table in branch] for branch in branches]
    weighted = search_simplex_weights(branches, y, sample_weight=weight, classes=classes)
    expected = search_simplex_weights(repeated, y[rows], classes=classes)
    assert_allclose(weighted[1], expected[1])
    assert_allclose(weighted[0], expected[0])


def test_class_weights_make_it_balanced_accuracy():
    branches, y, _ = make_problem(9, n_rows=50, n_classes=[3])
    y = y[:, 0]
    tables = [branch[0] for branch in branches]
    weights, score, _ = search_simplex_weights(
        tables, y, sample_weight=compute_sample_weight("balanced", y)
    )
    predicted = sum(w * table for w, table in zip(weights, tables)).argmax(axis=1)
    assert_allclose(score, balanced_accuracy_score(y, predicted))


@pytest.mark.parametrize("search", ["exact", "grid"])
def test_missing_labels_are_left_out(search):
    branches, y, classes = make_problem(4, n_rows=30, n_classes=[3, 3])
    holes = y.astype(object)
    holes[::3, 0] = None
    holes[1::4, 1] = np.nan
    masked = search_simplex_weights(branches, holes, search=search, classes=classes)
    weight = np.column_stack([np.arange(30) % 3 != 0, np.arange(30) % 4 != 1]).astype(float)
    weighted = search_simplex_weights(
        branches, y, search=search, sample_weight=weight, classes=classes
    )
    assert_allclose(masked[1], weighted[1])
    assert_allclose(masked[0], weighted[0])


def test_string_labels_data_frames_and_column_order():
    branches, y, _ = make_problem(6, n_rows=30, n_classes=[3])
    names = np.array(["nevus", "melanoma", "bcc"])
    tables = [branch[0] for branch in branches]
    expected = search_simplex_weights(tables, y[:, 0])
    text = pd.Series(names[y[:, 0]], index=np.arange(30) + 100)
    found = search_simplex_weights(tables, text, classes=names)
    assert_allclose(found[0], expected[0])
    assert found[1] == expected[1]
    frame = pd.DataFrame({"diagnosis": names[y[:, 0]], "benign": y[:, 0] == 0})
    both = [[table, table[:, :2]] for table in tables]
    weights = search_simplex_weights(both, frame, classes=[names, [True, False]]).weights
    assert_on_simplex(weights)


def test_a_class_without_rows_and_a_task_of_one_class():
    y = np.array([[0, 0], [2, 0], [0, 0]])
    table = np.array([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.5, 0.1, 0.4]])
    branch = [table, np.ones((3, 1))]
    weights, score, _ = search_simplex_weights([branch] * 3, y, classes=[[0, 1, 2], [0]])
    assert score == 1
    assert_allclose(weights, 1 / 3)


def test_exact_search_is_no_worse_than_a_grid_on_the_size_of_the_seven_point_checklist():
    branches, y, classes = make_problem(0, n_rows=203, n_classes=[5, 2, 3, 3, 2, 3, 3, 3])
    score = search_simplex_weights(branches, y, classes=classes).score
    grid_score = search_simplex_weights(
        branches, y, search="grid", n_grid=20, classes=classes
    ).score
    assert score >= grid_score


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"search": "random"}, "`search` must be one of"),
        ({"n_grid": 1}, "`n_grid` must be an int >= 2"),
        ({"predictions": []}, "`predictions` must be a non-empty list"),
        ({"predictions": [np.ones((3, 4))]}, r"`predictions\[0\]` has 4 columns"),
        ({"predictions": [np.full((3, 2), np.nan)]}, r"`predictions\[0\]` must be finite"),
        ({"y": [None, None, None]}, "`y` has no label"),
        ({"sample_weight": [1, 2]}, "`sample_weight` must have shape"),
        ({"sample_weight": [1, -2, 1]}, "`sample_weight` must hold finite numbers"),
        ({"sample_weight": [0, 0, 0]}, "`sample_weight` is zero"),
        ({"classes": [0, 5]}, "labels that `classes` lacks"),
    ],
)
def test_errors_name_the_parameter(change, message):
    arguments = {"predictions": [np.full((3, 2), 0.5)] * 2, "y": [0, 1, 1]} | change
    predictions, y = arguments.pop("predictions"), arguments.pop("y")
    with pytest.raises(ValueError, match=message):
        search_simplex_weights(predictions, y, **arguments)


def test_one_task_scores_like_accuracy_score():
    branches, y, _ = make_problem(8, n_rows=40, n_classes=[4])
    tables = [branch[0] for branch in branches]
    weights, score, _ = search_simplex_weights(tables, y[:, 0])
    predicted = sum(w * table for w, table in zip(weights, tables)).argmax(axis=1)
    assert_allclose(score, accuracy_score(y[:, 0], predicted))
