import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from sklearn_skin.modules.losses import (
    BranchLoss,
    ReconstructionLoss,
    weighted_binary_cross_entropy,
    weighted_cross_entropy,
)


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    logits = torch.tensor(rng.normal(size=(20, 4)) * 3, dtype=torch.float64)
    target = torch.tensor(rng.integers(0, 4, 20))
    return logits, target, torch.tensor([0.5, 1.0, 2.0, 4.0]), torch.tensor(rng.random(20))


def reference(logits, target, class_weight, sample_weight, gamma):
    """The formula of the docstring, in NumPy and float64."""
    z = logits.numpy() - logits.numpy().max(axis=1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    rows, y = target.numpy() >= 0, np.maximum(target.numpy(), 0)
    p_true = p[np.arange(len(p)), y]
    w = rows * (np.ones(p.shape[1]) if class_weight is None else np.asarray(class_weight))[y]
    s = np.ones(len(p)) if sample_weight is None else np.asarray(sample_weight)
    return (s * w * (1 - p_true) ** gamma * -np.log(p_true)).sum() / w.sum()


def reference_of_branches(
    outputs, targets, weights, class_weights=None, sample_weight=None, gamma=0.0, reduce=np.mean
):
    """The sum over branches of `weights` times the tasks' losses."""
    n_tasks = targets.shape[1]
    class_weights = class_weights or [None] * n_tasks
    s = np.ones(targets.shape) if sample_weight is None else np.asarray(sample_weight)
    s = np.broadcast_to(s.reshape(len(s), -1), targets.shape)
    return sum(
        weights[name]
        * reduce(
            [
                reference(z, targets[:, t], class_weights[t], s[:, t], gamma)
                for t, z in enumerate(tasks)
            ]
        )
        for name, tasks in outputs.items()
    )


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0, 3.5])
@pytest.mark.parametrize("by_class", [False, True])
@pytest.mark.parametrize("by_row", [False, True])
def test_matches_the_formula(case, gamma, by_class, by_row):
    logits, target, class_weight, sample_weight = case
    target = target.clone()
    target[3] = -1
    weights = class_weight if by_class else None, sample_weight if by_row else None
    loss = weighted_cross_entropy(logits, target, *weights, gamma)
    expected = reference(logits, target, *weights, gamma)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def binary_reference(logits, target, class_weight, sample_weight):
    """Eq. 3 as printed, class by class in NumPy and float64; the mean over rows with a label."""
    z = np.asarray(logits) - np.asarray(logits).max(axis=1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    total, mass = 0.0, 0.0
    for i, code in enumerate(np.asarray(target)):
        if code < 0:
            continue
        y = np.eye(p.shape[1])[code]
        terms = class_weight * y * np.log(p[i]) + (1 - y) * np.log(1 - p[i])
        total, mass = total - sample_weight[i] * terms.sum(), mass + 1
    return total / mass


def test_binary_loss_is_the_printed_equation_over_tasks(case):
    logits, target, class_weight, sample_weight = case
    targets = torch.stack([target, target.flip(0) % 3], dim=1)
    targets[3, 0] = targets[5, 1] = targets[7, :] = -1
    tasks = [logits, logits[:, :3] * 0.5 + 1]
    weights = [class_weight, torch.tensor([3.0, 0.5, 1.0])]
    expected = [
        binary_reference(z, targets[:, t], weights[t].numpy(), sample_weight.numpy())
        for t, z in enumerate(tasks)
    ]
    loss = BranchLoss(class_weights=weights, cross_entropy="binary")
    found = loss({"fusion": tasks}, targets, sample_weight).item()
    assert found == pytest.approx(np.mean(expected), rel=1e-5)
    plain = weighted_binary_cross_entropy(tasks[1], targets[:, 1]).item()
    one = binary_reference(tasks[1], targets[:, 1], np.ones(3), np.ones(20))
    assert plain == pytest.approx(one, rel=1e-5)


def test_binary_loss_stays_finite_where_probabilities_round_to_one():
    logits = torch.tensor([[200.0, 0.0, -200.0]] * 2, requires_grad=True)
    loss = weighted_binary_cross_entropy(logits, torch.tensor([1, -1]))
    # log p_1 = -200, log(1 - p_0) = -200, log(1 - p_2) = 0
    assert loss.item() == pytest.approx(400.0)
    loss.backward()
    assert_close(logits.grad, torch.tensor([[2.0, -2.0, 0.0], [0.0, 0.0, 0.0]]))
    nothing = weighted_binary_cross_entropy(logits, torch.tensor([-1, -1]))
    assert nothing.item() == pytest.approx(0.0)
    with pytest.raises(ValueError, match="`cross_entropy` must be one of"):
        BranchLoss(cross_entropy="printed")


@pytest.mark.parametrize("gamma", [0.25, 1.0, 2.0])
def test_rows_whose_probability_rounds_to_one_have_a_focal_gradient(gamma):
    gaps = np.array([0.0, 5.0, 12.0, 18.0, 40.0, 200.0])
    logits = torch.tensor(np.column_stack([gaps, 0 * gaps])).requires_grad_()
    loss = weighted_cross_entropy(logits, torch.zeros(6, dtype=torch.int64), gamma=gamma)
    p = 1 / (1 + np.exp(-gaps))
    expected = ((1 - p) ** gamma * -np.log(p)).mean()
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    loss.backward()
    # dL/dz of the true class, by the chain rule with dp/dz = p (1 - p).
    slope = gamma * (1 - p) ** gamma * p * np.log(p) - (1 - p) ** (gamma + 1)
    assert_close(logits.grad[:, 0], torch.tensor(slope / 6), rtol=1e-4, atol=1e-6)


def test_without_focus_it_is_pytorch_s_weighted_mean(case):
    logits, target, class_weight, _ = case
    expected = F.cross_entropy(logits.float(), target, weight=class_weight)
    assert weighted_cross_entropy(logits, target, class_weight).item() == pytest.approx(
        expected.item(), rel=1e-6
    )


def test_a_weight_of_two_is_a_row_seen_twice(case):
    logits, target, class_weight, _ = case
    weight = torch.ones(20)
    weight[0] = 2.0
    twice = torch.cat([logits[:1], logits]), torch.cat([target[:1], target])
    weighted = weighted_cross_entropy(logits, target, class_weight, weight)
    # Both are sums over one count of rows, by class weight: a constant factor.
    more = class_weight[twice[1]].sum() / class_weight[target].sum()
    seen = weighted_cross_entropy(*twice, class_weight) * more
    assert weighted.item() == pytest.approx(seen.item())


def test_a_batch_of_weight_two_counts_twice(case):
    logits, target, class_weight, _ = case
    once = weighted_cross_entropy(logits, target, class_weight, torch.ones(20))
    twice = weighted_cross_entropy(logits, target, class_weight, torch.full((20,), 2.0))
    assert once.item() == pytest.approx(weighted_cross_entropy(*case[:3]).item())
    assert twice.item() == pytest.approx(2 * once.item())


def test_a_weight_of_zero_is_a_row_not_seen_even_when_it_is_infinite(case):
    logits, target, _, _ = case
    logits = logits.clone().float().requires_grad_()
    weight = torch.ones(20)
    weight[0] = 0.0
    with torch.no_grad():
        logits[0, target[0]] = -torch.inf
    loss = weighted_cross_entropy(logits, target, None, weight)
    rest = weighted_cross_entropy(logits[1:], target[1:])
    assert loss.item() == pytest.approx(rest.item() * 19 / 20)
    loss.backward()
    assert_close(logits.grad[0], torch.zeros(4))


def test_no_labels_at_all_give_zero_and_a_gradient():
    logits = torch.ones(3, 2, requires_grad=True)
    loss = weighted_cross_entropy(logits, torch.full((3,), -1))
    loss.backward()
    assert_close(torch.stack([loss, *logits.grad.flatten()]), torch.zeros(7))


@pytest.fixture
def two_tasks(case):
    """Two tasks of four and three classes with gaps, in three branches; and all weights."""
    logits, target, class_weight, _ = case
    targets = torch.stack([target, target.flip(0) % 3], dim=1)
    targets[3, 0] = targets[5, 1] = targets[7, :] = -1
    outputs = {
        "a": [logits, logits[:, 1:]],
        "b": [logits * 2, logits[:, :3] + torch.arange(3)],
        "c": [logits.flip(0), logits[:, ::2].repeat(1, 2)[:, :3]],
    }
    rng = np.random.default_rng(1)
    return outputs, targets, [class_weight, torch.tensor([3.0, 0.5, 1.0])], rng.random((20, 2))


def test_an_unknown_reduction_is_named():
    with pytest.raises(ValueError, match=r"`task_reduction` must be one of \['mean', 'sum'\]"):
        BranchLoss(task_reduction="max")


@pytest.mark.parametrize("branches", [{"a": 0.25, "b": 2.0, "c": 0.0}, {"c": 1.5}, None], ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("gamma", [0.0, 2.0])
@pytest.mark.parametrize("weighed", ["no rows", "rows", "rows per task"])
def test_branches_tasks_and_weights_are_as_the_formula_says(
    two_tasks, branches, reduction, gamma, weighed
):
    outputs, targets, class_weights, rows = two_tasks
    rows = {"no rows": None, "rows": rows[:, 0], "rows per task": rows}[weighed]
    loss = BranchLoss(branches, class_weights=class_weights, gamma=gamma, task_reduction=reduction)
    found = loss(outputs, targets, None if rows is None else torch.tensor(rows))
    weights = dict.fromkeys("abc", 1.0) if branches is None else dict.fromkeys("abc", 0) | branches
    reduce = {"mean": np.mean, "sum": np.sum}[reduction]
    expected = reference_of_branches(outputs, targets, weights, class_weights, rows, gamma, reduce)
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_tasks_may_have_weights(two_tasks, reduction):
    outputs, targets, _, _ = two_tasks
    loss = BranchLoss(task_weights=[2.0, 0.5], task_reduction=reduction)

    def reduce(tasks):
        return {"mean": np.mean, "sum": np.sum}[reduction](np.array(tasks) * [2.0, 0.5])

    expected = reference_of_branches(outputs, targets, dict.fromkeys("abc", 1.0), reduce=reduce)
    assert loss(outputs, targets).item() == pytest.approx(expected, rel=1e-5)


def test_a_branch_that_is_not_named_is_left_out(two_tasks):
    outputs, targets, _, _ = two_tasks
    expected = reference_of_branches(outputs, targets, {"a": 2.0, "b": 0.0, "c": 0.0})
    assert BranchLoss({"a": 2.0})(outputs, targets).item() == pytest.approx(expected, rel=1e-5)


def test_by_default_branches_count_alike_and_tasks_are_averaged(two_tasks):
    outputs, targets, _, _ = two_tasks
    expected = reference_of_branches(outputs, targets, dict.fromkeys("abc", 1.0))
    assert BranchLoss()(outputs, targets).item() == pytest.approx(expected, rel=1e-5)


def test_a_branch_of_weight_zero_is_left_out_even_when_it_is_infinite(two_tasks):
    outputs, targets, _, _ = two_tasks
    broken = outputs | {"b": [torch.full_like(z, torch.nan) for z in outputs["b"]]}
    found = BranchLoss({"a": 1.0, "b": 0.0, "c": 1.0})(broken, targets)
    expected = reference_of_branches(outputs, targets, {"a": 1.0, "b": 0.0, "c": 1.0})
    assert found.item() == pytest.approx(expected, rel=1e-5)


def images_of(n_rows):
    rng = np.random.default_rng(2)
    drawn, wanted = rng.normal(size=(2, n_rows, 3, 4, 4))
    return drawn, wanted, {"reconstruction": torch.tensor(drawn), "target": torch.tensor(wanted)}


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("weighed", ["no rows", "rows", "rows per task"])
def test_a_reconstruction_is_no_branch_and_adds_its_weighted_error(
    two_tasks, alpha, weight, weighed
):
    outputs, targets, class_weights, rows = two_tasks
    rows = {"no rows": None, "rows": rows[:, 0], "rows per task": rows}[weighed]
    drawn, wanted, images = images_of(20)
    loss = ReconstructionLoss(
        alpha, weight, branches={"a": 0.5, "b": 2.0}, class_weights=class_weights, gamma=1.5
    )
    given = None if rows is None else torch.tensor(rows)
    branches = {"a": 0.5, "b": 2.0, "c": 0.0}
    plain = reference_of_branches(outputs, targets, branches, class_weights, rows, 1.5)
    s = np.ones(20) if rows is None else rows.reshape(20, -1).mean(axis=1)
    error = (s[:, None, None, None] * (drawn - wanted) ** 2).mean()
    for kept in ({}, {"reconstruction": images["reconstruction"]}, {"target": images["target"]}):
        alone = loss(outputs | kept, targets, given).item()
        assert alone == pytest.approx(alpha * plain, rel=1e-5)
    both = loss(outputs | images, targets, given).item()
    assert both == pytest.approx(alpha * plain + weight * error, rel=1e-5)


def test_by_default_the_classification_counts_half(two_tasks):
    outputs, targets, _, _ = two_tasks
    drawn, wanted, images = images_of(20)
    plain = reference_of_branches(outputs, targets, dict.fromkeys("abc", 1.0))
    found = ReconstructionLoss()(outputs | images, targets).item()
    assert found == pytest.approx(0.5 * plain + ((drawn - wanted) ** 2).mean(), rel=1e-5)
