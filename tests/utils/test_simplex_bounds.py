"""Four and more branches: the best weights are proven, or said not to be."""

from itertools import combinations, product

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_skin.utils import _simplex_bounds as bounds
from sklearn_skin.utils import score_simplex_weights, search_simplex_weights, simplex_lattice


def make_problem(seed, n_branches, n_rows, n_classes=3, signal=0.3):
    """Return K tables (n, C) of probabilities, and labels."""
    rng = np.random.default_rng(seed)
    y = rng.integers(n_classes, size=n_rows)
    tables = rng.dirichlet(np.ones(n_classes), size=(n_branches, n_rows))
    tables[:, np.arange(n_rows), y] += rng.uniform(0, signal, size=(n_branches, n_rows))
    return list(tables), y


def score_everywhere(tables, y, weights, sample_weight=None):
    """The accuracy of each row of `weights`, by arg max."""
    fused = np.einsum("ck,knj->cnj", weights, np.stack(tables))
    return np.average(fused.argmax(axis=2) == y, axis=1, weights=sample_weight)


def best_of_all_cells(tables, y, sample_weight=None):
    """The best accuracy beside any corner of the arrangement of all zero planes and borders.

    Every cell has such a corner, where K - 1 planes meet, and lies on one side of each of them.
    """
    tables, rows = np.stack(tables), np.arange(len(y))
    margins = (tables[:, rows, y][:, :, None] - tables).reshape(len(tables), -1).T
    planes = np.vstack([margins[np.abs(margins).max(axis=1) > 0], np.eye(len(tables))])
    # The last weight is 1 minus the others.
    normals, offsets = planes[:, :-1] - planes[:, -1:], planes[:, -1]
    meeting = np.array(list(combinations(range(len(planes)), len(tables) - 1)))
    meeting = meeting[np.abs(np.linalg.det(normals[meeting])) > 1e-9]
    sides = np.array(list(product([-1e-8, 1e-8], repeat=len(tables) - 1)))
    values = sides[None] - offsets[meeting][:, None]
    points = np.linalg.solve(normals[meeting], values.transpose(0, 2, 1)).transpose(0, 2, 1)
    points = points.reshape(-1, len(tables) - 1)
    points = np.column_stack([points, 1 - points.sum(axis=1)])
    points = points[(points > 0).all(axis=1)]
    return score_everywhere(tables, y, points, sample_weight).max()


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize(("n_branches", "n_rows"), [(4, 12), (5, 7)])
def test_no_cell_is_better(seed, n_branches, n_rows):
    tables, y = make_problem(seed, n_branches, n_rows)
    weights, score, proven = search_simplex_weights(tables, y, search="exact", classes=range(3))
    assert proven
    assert (weights >= 0).all() and abs(weights.sum() - 1) < 1e-12
    assert_allclose(score, best_of_all_cells(tables, y))
    assert_allclose(score, score_everywhere(tables, y, weights[None])[0])


@pytest.mark.parametrize("seed", range(20))
def test_no_cell_is_better_where_rows_weigh_differently(seed):
    tables, y = make_problem(seed, 4, 14)
    weight = np.random.default_rng(seed).uniform(size=14)
    found = search_simplex_weights(tables, y, sample_weight=weight, classes=range(3))
    assert found.proven
    assert_allclose(found.score, best_of_all_cells(tables, y, weight))


def test_a_weight_of_two_is_a_row_seen_twice():
    tables, y = make_problem(0, 4, 30, signal=0.0)
    weight = np.random.default_rng(0).integers(1, 4, size=30)
    rows = np.repeat(np.arange(30), weight)
    weighted = search_simplex_weights(tables, y, sample_weight=weight, classes=range(3))
    repeated = search_simplex_weights([t[rows] for t in tables], y[rows], classes=range(3))
    assert weighted.proven and repeated.proven
    assert_allclose(weighted.score, repeated.score)
    assert_allclose(weighted.weights, repeated.weights)


def test_the_brute_force_knows_three_branches():
    for seed in range(20):
        tables, y = make_problem(seed, 3, 15)
        found = search_simplex_weights(tables, y, classes=range(3))
        assert found.proven
        assert_allclose(found.score, best_of_all_cells(tables, y))


def test_a_proof_finds_what_ends_above_solutions_on_triangles(monkeypatch):
    tables, y = make_problem(130, 4, 40, signal=0.0)
    found = search_simplex_weights(tables, y, classes=range(3))
    assert found.proven
    assert_allclose(found.score, 0.575)
    assert_allclose(score_everywhere(tables, y, found.weights[None])[0], 0.575)
    monkeypatch.setattr(bounds, "_MAX_WORK", 0)
    stopped = search_simplex_weights(tables, y, classes=range(3))
    assert not stopped.proven
    assert_allclose(stopped.score, 0.55)


def test_without_a_proof_it_says_so(monkeypatch):
    tables, y = make_problem(3, 4, 30)
    best = search_simplex_weights(tables, y, classes=range(3)).score
    monkeypatch.setattr(bounds, "_MAX_WORK", 0)
    weights, score, proven = search_simplex_weights(tables, y, classes=range(3))
    assert not proven
    corners = score_everywhere(tables, y, np.vstack([np.eye(4), np.full(4, 0.25)]))
    assert corners.max() - 1e-12 <= score <= best + 1e-12
    assert_allclose(score, score_everywhere(tables, y, weights[None])[0])
    with pytest.raises(ValueError, match=r"'exact' found no proof for 4 branches: \d+ margins"):
        search_simplex_weights(tables, y, search="exact", classes=range(3))
    # Up to three branches nothing is bounded; the grid proves nothing.
    assert search_simplex_weights(tables[:3], y, search="exact", classes=range(3)).proven
    assert not search_simplex_weights(tables, y, search="grid", n_grid=5, classes=range(3)).proven


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["votes", "rounded", "one sharp branch", "twice"])
def test_planes_that_meet_are_solved_too(kind, seed):
    tables, y = make_problem(seed, 4, 24, signal=0.4)
    if kind == "votes":
        tables = [np.eye(3)[table.argmax(axis=1)] for table in tables]
    elif kind == "rounded":
        tables = [table.round(1) for table in tables]
    elif kind == "one sharp branch":
        tables[0] = tables[0] * 1000
    else:
        tables = [*tables[:2], tables[0] * (1 + 1e-15), tables[1]]
    found = search_simplex_weights(tables, y, classes=range(3))
    assert found.proven
    random = np.random.default_rng(0).dirichlet(np.full(4, 0.7), size=20_000)
    candidates = np.vstack([simplex_lattice(4, 30), random])
    reached = score_simplex_weights(tables, y, candidates, classes=range(3))
    assert found.score >= reached.max() - 1e-12
    single = [table.astype(np.float32) for table in tables]
    assert_allclose(
        score_simplex_weights(single, y, found.weights[None], classes=range(3)), found.score
    )


@pytest.mark.parametrize(("n_branches", "n_rows"), [(4, 12), (6, 12), (9, 6)])
def test_tasks_weights_and_gaps(n_branches, n_rows):
    tables, y = make_problem(0, n_branches, n_rows)
    others, z = make_problem(1, n_branches, n_rows, n_classes=2)
    labels = np.column_stack([y, z]).astype(object)
    labels[::4, 0] = None
    weight = np.where(np.arange(n_rows) < 3, 2.0, 1.0)
    classes = [range(3), range(2)]
    branches = list(zip(tables, others))
    found = search_simplex_weights(branches, labels, sample_weight=weight, classes=classes)
    random = np.random.default_rng(0).dirichlet(np.ones(n_branches), size=20_000)
    reached = score_simplex_weights(branches, labels, random, sample_weight=weight, classes=classes)
    assert found.proven and found.score >= reached.max() - 1e-12


def test_weights_lie_inside_a_best_region_on_the_way_to_equal_ones():
    y = np.array([0, 1, 0, 1])
    right, wrong = np.eye(2)[y] * 0.4 + 0.3, 0.9 - np.eye(2)[y] * 0.8
    weights, score, proven = search_simplex_weights([right, *[wrong] * 3], y)
    assert score == 1 and proven
    # The region is 0.4 w_0 > 0.8 (1 - w_0). With the others equal, the centre of its largest ball
    # is as far from w_0 = 2/3 as from w_k = 0: w_0 - 2/3 = (1 - w_0) / 3, so w_0 = 3/4.
    first = (3 / 4 + 2 / 3) / 2
    assert_allclose(weights, [first, *[(1 - first) / 3] * 3])


@pytest.mark.parametrize("n_branches", sorted(bounds._STEPS))
def test_parts_of_a_lattice_tile_the_simplex(n_branches):
    points, children = bounds._lattice_parts(n_branches)
    assert len(children) == bounds._STEPS[n_branches] ** (n_branches - 1)
    # The volume of a part is the determinant of its corners' weights.
    volumes = np.abs(np.linalg.det(points[children]))
    assert_allclose(volumes, 1 / len(children))
    inside = np.random.default_rng(0).dirichlet(np.ones(n_branches), size=50)
    shares = inside @ np.linalg.inv(points[children])
    assert ((shares > 0).all(axis=2).sum(axis=0) == 1).all()
