"""Three branches: the score and the weights are those of an exact enumeration of all cells."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_skin.utils import _simplex_triangles as triangles
from sklearn_skin.utils import score_simplex_weights, search_simplex_weights, simplex_lattice

KINDS = ["plain", "votes", "repeated", "zero rows", "opposed", "mean of two", "coarse"]
BORDERS = [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
PAIRS = [(0, 1), (0, 2), (1, 2)]


def make_problem(kind, seed, n_rows=7, n_classes=3):
    """Return three tables (n, C) of whole numbers, labels and whole weights of rows."""
    rng = np.random.default_rng(seed)
    y = rng.integers(n_classes, size=n_rows)
    tables = rng.integers(3 if kind == "coarse" else 60, size=(3, n_rows, n_classes))
    tables[:, np.arange(n_rows), y] += rng.integers(1 if kind == "coarse" else 12, size=(3, n_rows))
    if kind == "votes":
        tables[:2] = np.eye(n_classes, dtype=int)[rng.integers(n_classes, size=(2, n_rows))] * 40
    elif kind == "repeated":
        tables, y = tables[:, np.arange(n_rows) // 2], y[np.arange(n_rows) // 2]
    elif kind == "zero rows":
        tables[:, ::3] = 1
    elif kind == "opposed":
        tables[:, 1::2], y[1::2] = tables[:, :-1:2], (y[:-1:2] + 1) % n_classes
    elif kind == "mean of two":
        tables[:2] *= 2
        tables[2] = tables[:2].mean(axis=0)
    weight = rng.integers(0, 4, size=n_rows) if seed % 2 else np.ones(n_rows, dtype=int)
    weight[0] = 1
    return tables, y, weight


def margins_of(tables, y):
    """Return the margins (C - 1, 3) of every row as whole numbers."""
    return [
        [
            tuple(int(value) for value in tables[:, row, truth] - tables[:, row, other])
            for other in range(tables.shape[2])
            if other != truth
        ]
        for row, truth in enumerate(y)
    ]


def dot(margin, point):
    return sum(a * b for a, b in zip(margin, point))


def cross(a, b):
    """Return where two lines meet, in homogeneous coordinates, or None outside the triangle."""
    point = [a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)]
    if sum(point) < 0:
        point = [-value for value in point]
    return tuple(point) if sum(point) > 0 and min(point) >= 0 else None


def middles(line, lines):
    """Return a point between each two neighbours of the crossings of a line."""
    points = {
        tuple(Fraction(value, sum(point)) for value in point)
        for point in (cross(line, other) for other in lines)
        if point is not None
    }
    ordered = sorted(points)
    return [tuple((a + b) / 2 for a, b in zip(*pair)) for pair in zip(ordered[:-1], ordered[1:])]


def right_beside(rows, point, side):
    """Return which rows are right next to `point`, on the positive side of the line `side`."""

    def positive(margin):
        value = dot(margin, point)
        same_line = all(margin[i] * side[j] == margin[j] * side[i] for i, j in PAIRS)
        return value > 0 or (same_line and dot(margin, side) > 0)

    return frozenset(i for i, row in enumerate(rows) if all(map(positive, row)))


def all_cells(rows):
    """Return the set of right rows of every cell."""
    margins = {margin for row in rows for margin in row if min(margin) < 0 < max(margin)}
    lines = [*margins, *BORDERS]
    cells = set()
    for line in lines:
        for point in middles(line, lines):
            sides = [line] if line in BORDERS else [line, tuple(-value for value in line)]
            cells |= {right_beside(rows, point, side) for side in sides}
    return cells


def region_of(rows, right):
    """Return the corners of the polygon in which the `right` rows are right."""
    corners = [tuple(map(Fraction, corner)) for corner in BORDERS]
    for margin in (margin for row in right for margin in rows[row]):
        kept = []
        for here, after in zip(corners, [*corners[1:], corners[0]]):
            at_here, at_after = dot(margin, here), dot(margin, after)
            if at_here >= 0:
                kept.append(here)
            if at_here * at_after < 0:
                share = at_here / (at_here - at_after)
                kept.append(tuple(a + share * (b - a) for a, b in zip(here, after)))
        corners = kept
    return corners


def distance(point):
    return sum((value - Fraction(1, 3)) ** 2 for value in point)


def nearest_on(start, stop):
    """Return the point between two that is nearest to equal weights."""
    along = [b - a for a, b in zip(start, stop)]
    length = dot(along, along)
    share = dot([Fraction(1, 3) - a for a in start], along) / length if length else Fraction(0)
    share = min(max(share, Fraction(0)), Fraction(1))
    return tuple(a + share * step for a, step in zip(start, along))


def centre_of(corners):
    """Return the centre of mass of a polygon."""
    total, centre = Fraction(0), [Fraction(0)] * 3
    for second, third in zip(corners[1:-1], corners[2:]):
        (a, b, _), (c, d, _) = ([p - q for p, q in zip(x, corners[0])] for x in (second, third))
        area = abs(a * d - b * c)
        total += area
        for k in range(3):
            centre[k] += area * (corners[0][k] + second[k] + third[k]) / 3
    return [value / total for value in centre]


def exact_answers(tables, y, weight):
    """Return the best score, and the weights by the documented rule (several in a draw)."""
    rows = margins_of(tables, y)
    total = int(weight.sum())
    score = {
        right: Fraction(sum(int(weight[i]) for i in right), total) for right in all_cells(rows)
    }
    best = max(score.values())
    at_uniform = {i for i, row in enumerate(rows) if all(sum(margin) > 0 for margin in row)}
    if sum(int(weight[i]) for i in at_uniform) == best * total:
        return best, [[Fraction(1, 3)] * 3]
    answers = []
    for right in (right for right, value in score.items() if value == best):
        corners = region_of(rows, right)
        edges = zip(corners, [*corners[1:], corners[0]])
        nearest = min((nearest_on(*edge) for edge in edges), key=distance)
        middle = [(a + b) / 2 for a, b in zip(nearest, centre_of(corners))]
        answers.append((distance(nearest), middle))
    least = min(answers)[0]
    return best, [middle for far, middle in answers if far == least]


def check(kind, seed):
    tables, y, weight = make_problem(kind, seed)
    found = search_simplex_weights(
        list(tables.astype(float)), y, sample_weight=weight, classes=range(tables.shape[2])
    )
    best, answers = exact_answers(tables, y, weight)
    assert found.proven
    assert_allclose(found.score, float(best), atol=1e-12)
    gaps = [np.abs(found.weights - np.array(answer, dtype=float)).max() for answer in answers]
    assert min(gaps) < 1e-9


@pytest.fixture
def cut_finely(monkeypatch):
    """Cut until one line is left, a few triangles and lines at a time."""
    monkeypatch.setattr(triangles, "_FEW_LINES", 1)
    monkeypatch.setattr(triangles, "_CHUNK_OPEN", 10)
    monkeypatch.setattr(triangles, "_CHUNK_CROSSINGS", 10)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", KINDS)
def test_score_and_weights_are_those_of_exact_arithmetic(kind, seed):
    check(kind, seed)


@pytest.mark.parametrize("seed", range(5, 9))
@pytest.mark.parametrize("kind", KINDS)
def test_small_triangles_add_up_to_exact_arithmetic(kind, seed, cut_finely):
    check(kind, seed)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", [*KINDS, "nearly repeated"])
def test_cutting_the_triangle_changes_nothing(kind, seed, monkeypatch):
    tables, y, weight = make_problem(kind, seed, n_rows=150, n_classes=4)
    tables = tables / 70
    if kind == "nearly repeated":
        noise = np.random.default_rng(seed).normal(size=tables.shape)
        tables = tables[:, np.arange(150) // 3] * (1 + 1e-15 * noise)
        y = y[np.arange(150) // 3]
    found = search_simplex_weights(list(tables), y, sample_weight=weight, classes=range(4))
    # Without a cut every line is walked from end to end.
    monkeypatch.setattr(triangles, "_FEW_LINES", np.inf)
    whole = search_simplex_weights(list(tables), y, sample_weight=weight, classes=range(4))
    assert_allclose(found.score, whole.score, atol=1e-12)
    assert_allclose(found.weights, whole.weights, atol=1e-9)


def test_thousands_of_rows_are_not_walked_line_by_line(monkeypatch):
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=5000)
    tables = rng.uniform(size=(3, 5000, 2))
    tables[:, np.arange(5000), y] += 0.3
    walked = []
    walk = triangles.walk
    monkeypatch.setattr(triangles, "walk", lambda *args: walked.append(len(args[4])) or walk(*args))
    found = search_simplex_weights(list(tables), y)
    # Two classes: one line per row, and at most one crossing for each two.
    assert sum(walked) < 5000 < 5000**2 / 2
    candidates = np.vstack([simplex_lattice(3, 40), found.weights])
    assert_allclose(score_simplex_weights(list(tables), y, candidates).max(), found.score)
