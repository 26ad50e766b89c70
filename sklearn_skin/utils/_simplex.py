"""Weights of several predictions that maximise accuracy, searched on the simplex."""

from itertools import combinations
from math import comb
from numbers import Integral
from typing import NamedTuple

import numpy as np

from sklearn_skin.utils._simplex_bounds import BranchAndBound, settle_inside
from sklearn_skin.utils._simplex_exact import maximise_on_segment, maximise_on_triangle
from sklearn_skin.utils._simplex_objective import Objective, distance_to_uniform
from sklearn_skin.utils._targets import known_task_labels, task_probabilities, task_weights

_SEARCHES = ("auto", "exact", "grid")
_MAX_LATTICE = 50_000
_MAX_START_LATTICE = 5_000


class FoundWeights(NamedTuple):
    """What a search returns: `weights` (K,), their `score`, and whether it is `proven` best."""

    weights: np.ndarray
    score: float
    proven: bool


def search_simplex_weights(
    predictions, y, *, search="auto", n_grid=50, sample_weight=None, classes=None
):
    r"""Find the weights of a weighted average that maximise its accuracy.

    The prediction of branch k for row i and task t is a vector over the task's classes,
    :math:`P_{k,i}^t`. The weights :math:`w` are non-negative, sum to one, and maximise the mean
    over tasks of the (weighted) accuracy

    .. math::

        A(w) = \frac{1}{T} \sum_t \frac{\sum_i s_i^t\,
        [\arg\max_c \sum_k w_k P_{k,i,c}^t = y_i^t]}{\sum_i s_i^t}

    over the rows whose label is known. A tie between the true class and another one counts as
    an error, so that the score never rests on the order of the columns.

    Parameters
    ----------
    predictions : list of K array-like of shape (n, C), or K lists of T such arrays
        Probabilities (or logits) of every branch; T arrays (n, C_t) each where `y` is 2-D.
    y : array-like of shape (n,) or (n, T)
        True labels. NaN and None are missing and left out.
    search : {"auto", "exact", "grid"}, default="auto"
        ``"auto"`` returns the maximum over all weights for up to three branches, and for more
        where it can be proven with bounded work; else the best weights found. ``"exact"`` does
        the same, and without a proof is an error. ``"grid"`` tries the candidates of the
        published loops. See Notes.
    n_grid : int, default=50
        Equally spaced values per weight of ``search="grid"``, at least 2. The second stage of
        FusionM4Net uses 100 for its two predictions.
    sample_weight : array-like of shape (n,) or (n, T), default=None
        Non-negative weight of every row (of every row in every task). Weights inverse to the
        class frequencies turn the accuracy into balanced accuracy, and likewise for any other
        score that is a weighted mean of right and wrong rows.
    classes : array-like of shape (C,) or list of T array-like, default=None
        Labels in the order of the columns. By default the sorted labels in `y`.

    Returns
    -------
    weights : ndarray of shape (K,)
        Non-negative, sum 1.
    score : float
        The mean over tasks of the accuracy with these weights, in [0, 1].
    proven : bool
        Whether no weights have a higher score. Always so for up to three branches, never for
        the grid. The three are also attributes of what is returned.

    Raises
    ------
    ValueError
        If `predictions`, `y`, `classes` and `sample_weight` do not fit together, a task has no
        label, `search` or `n_grid` is out of range, or ``search="exact"`` finds no proof.

    Notes
    -----
    A row is right where all its margins "true class minus another class" are positive, and each
    margin is linear in w, so A is constant on the cells that the zero planes of the margins cut
    the simplex into: :math:`O(m^{K-1})` cells for m margins that change sign.

    For two branches the simplex is a line: the points where rows become right or wrong, sorted,
    give the score between them, in :math:`O(m \log m)`.

    For more, branch and bound cuts the simplex into parts. No score in a part exceeds the share
    of rows each of whose margins is positive at some corner of it, and parts that cannot
    improve on the best score known are never cut.

    With three branches, parts that few lines cross are solved by walking along each line, as
    for two branches, so that all best regions are found. At worst, where no part can be left
    out, that is :math:`O(m^2 \log m)`; where the branches know anything, few parts near the
    best weights are left, and time grows about as m does.

    With more branches all cells may have to be looked at; four branches of
    thousands of margins take seconds, and each branch more takes many times as long, the more
    so the less the branches know. Work is bounded (by a count, so that results repeat); beyond
    it the search goes on from the best weights known with exact solutions on every triangle
    spanned by them and two branches, until none improves, and `proven` is False.

    Ties go to uniform weights if they reach the maximum. Otherwise the weights lie inside a
    best region, since a region can be 1e-4 wide and a point on its border would not survive
    rounding: for up to three branches in the region nearest to uniform weights, halfway between
    its nearest point and its centre; for more in the first region found, halfway from the
    centre of its largest ball towards uniform weights. Regions narrower than 1e-10 count for
    nothing.

    The grid takes all ratios i : j : z of :math:`n_{grid}` equally spaced values in [0, 1] for
    three branches, each distinct ratio once (Algorithm 1 of [1]_), values of the first weight in
    [0, 1] for two (Algorithm 2), and for more a lattice of multiples of 1/N with the largest
    N < `n_grid` that has at most 50 000 points.

    References
    ----------
    .. [1] :ref:`Tang et al. (2022) <tang2022>`, "FusionM4Net".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.utils import search_simplex_weights
    >>> sure = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    >>> wrong_twice = np.array([[0.3, 0.7], [0.9, 0.1], [0.1, 0.9]])
    >>> weights, score, proven = search_simplex_weights([sure, wrong_twice], [0, 1, 1])
    >>> weights.round(2), score, proven
    (array([0.68, 0.32]), 1.0, True)
    """
    _check_options(search, n_grid)
    objective = _make_objective(predictions, y, sample_weight, classes)
    if search == "grid" and objective.n_branches > 1:
        weights, proven = _best_candidate(objective, _grid(objective.n_branches, n_grid)), False
    else:
        weights, proven = _maximise(objective)
    if search == "exact" and not proven:
        margins, power = len(objective.margins), objective.n_branches - 1
        raise ValueError(
            f"`search` 'exact' found no proof for {power + 1} branches: {margins} margins cut the "
            f"weights into up to {margins}**{power} regions. search='auto' returns the best "
            "weights found, and says that they are not proven."
        )
    return FoundWeights(weights, float(objective.score(weights[None])[0]), proven)


def score_simplex_weights(predictions, y, weights, *, sample_weight=None, classes=None):
    """Score weighted averages as `search_simplex_weights` does.

    Parameters
    ----------
    predictions, y
        As in :func:`search_simplex_weights`.
    weights : array-like of shape (m, K)
        Weights to score, one row each.
    sample_weight, classes : default=None
        As in :func:`search_simplex_weights`.

    Returns
    -------
    scores : ndarray of shape (m,)
        Mean over tasks of the accuracy, in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.utils import score_simplex_weights
    >>> first = np.array([[0.9, 0.1], [0.6, 0.4]])
    >>> second = np.array([[0.6, 0.4], [0.1, 0.9]])
    >>> score_simplex_weights([first, second], [0, 1], [[1, 0], [0.5, 0.5]])
    array([0.5, 1. ])
    """
    objective = _make_objective(predictions, y, sample_weight, classes)
    return objective.score(np.asarray(weights, dtype=np.float64))


def simplex_lattice(n_weights, n_steps):
    """Return all weights that are multiples of ``1 / n_steps`` and sum to 1.

    Parameters
    ----------
    n_weights : int
        Number of weights K, at least 2.
    n_steps : int
        Steps per weight, at least 1.

    Returns
    -------
    weights : ndarray of shape (m, K)

    Examples
    --------
    >>> from sklearn_skin.utils import simplex_lattice
    >>> simplex_lattice(2, 2).tolist()
    [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]
    """
    return _lattice(n_weights, n_steps, np.inf)


def _check_options(search, n_grid):
    if search not in _SEARCHES:
        raise ValueError(f"`search` must be one of {list(_SEARCHES)}; got {search!r}.")
    if not isinstance(n_grid, Integral) or n_grid < 2:
        raise ValueError(f"`n_grid` must be an int >= 2; got {n_grid!r}.")


def _make_objective(predictions, y, sample_weight, classes):
    if not isinstance(predictions, list | tuple) or len(predictions) == 0:
        raise ValueError(
            "`predictions` must be a non-empty list with one entry per branch; got "
            f"{type(predictions).__name__}."
        )
    tasks = known_task_labels(y)
    weights = task_weights(sample_weight, len(tasks[0].known), len(tasks))
    branches = []
    for number, branch in enumerate(predictions):
        tables, labels = task_probabilities(branch, tasks, classes, f"predictions[{number}]")
        branches.append(tables)
    return Objective.from_branches(branches, tasks, labels, weights)


def _maximise(objective):
    """Return the best weights found, and whether there are no better ones."""
    n_branches = objective.n_branches
    uniform = np.full(n_branches, 1 / n_branches)
    if n_branches == 1 or len(objective.margins) == 0:
        return uniform, True
    if n_branches == 2:
        return maximise_on_segment(objective, uniform), True
    if n_branches == 3:
        return maximise_on_triangle(objective, uniform), True
    lattice = _lattice(n_branches, 10, _MAX_START_LATTICE)
    start = _best_candidate(objective, np.vstack([uniform, lattice]))
    weights, proven = BranchAndBound(objective, start).run()
    if not proven:
        weights = _ascend(objective, weights)
    # Uniform weights, where they are as good, were the start and never left.
    return weights if (weights == uniform).all() else settle_inside(objective, weights), proven


def _ascend(objective, weights):
    """Solve on triangles (current weights, branch i, branch j) until nothing improves."""
    best = objective.score(weights[None])[0]
    improved = True
    while improved:
        improved = False
        for pair in combinations(range(objective.n_branches), 2):
            corners = np.vstack([weights, np.eye(objective.n_branches)[list(pair)]])
            found = maximise_on_triangle(objective.restrict(corners), np.array([1.0, 0, 0]))
            candidate = found @ corners
            score = objective.score(candidate[None])[0]
            if score > best + objective.tolerance:
                weights, best, improved = candidate, score, True
    return weights


def _best_candidate(objective, candidates):
    scores = objective.score(candidates)
    best = candidates[scores >= scores.max() - objective.tolerance]
    return best[np.argmin(distance_to_uniform(best))]


def _grid(n_branches, n_grid):
    if n_branches == 2:
        first = np.linspace(0, 1, n_grid)
        return np.column_stack([first, 1 - first])
    if n_branches == 3:
        return _ratios(n_grid)
    return _lattice(n_branches, n_grid - 1, _MAX_LATTICE)


def _ratios(n_grid):
    """Return every distinct i : j : z with i, j, z in 0 .. n_grid - 1, normalised."""
    values = np.arange(n_grid)
    triples = np.stack(np.meshgrid(values, values, values, indexing="ij"), axis=-1).reshape(-1, 3)
    # Coprime triples stand for all their multiples; the gcd of (0, 0, 0) is 0.
    triples = triples[np.gcd.reduce(triples, axis=1) == 1]
    return triples / triples.sum(axis=1, keepdims=True)


def _lattice(n_branches, steps, max_points):
    """Return all multiples of 1 / N on the simplex, N <= steps, at most `max_points`."""
    while steps > 1 and comb(steps + n_branches - 1, n_branches - 1) > max_points:
        steps -= 1
    # Stars and bars: the gaps between K - 1 bars are the K weights.
    bars = np.array(list(combinations(range(steps + n_branches - 1), n_branches - 1)))
    edges = np.full((len(bars), 1), -1), np.full((len(bars), 1), steps + n_branches - 1)
    return (np.diff(np.hstack([edges[0], bars, edges[1]]), axis=1) - 1) / steps
