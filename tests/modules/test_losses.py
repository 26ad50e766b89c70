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
    rows = target.numpy() >= 0
    p_true = p[np.arange(len(p)), np.maximum(target.numpy(), 0)]
    w = np.asarray(class_weight)[np.maximum(target.numpy(), 0)] * np.asarray(sample_weight) * rows
    return (w * (1 - p_true) ** gamma * -np.log(p_true)).sum() / w.sum()


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0, 3.5])
def test_matches_the_formula(case, gamma):
    logits, target, class_weight, sample_weight = case
    target = target.clone()
    target[3] = -1
    loss = weighted_cross_entropy(logits, target, class_weight, sample_weight, gamma)
    expected = reference(logits, target, class_weight, sample_weight, gamma)
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
        total, mass = total - sample_weight[i] * terms.sum(), mass + sample_weight[i]
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
    assert weighted.item() == pytest.approx(weighted_cross_entropy(*twice, class_weight).item())


def test_a_weight_of_zero_is_a_row_not_seen_even_when_it_is_infinite(case):
    logits, target, _, _ = case
    logits = logits.clone().float().requires_grad_()
    weight = torch.ones(20)
    weight[0] = 0.0
    with torch.no_grad():
        logits[0, target[0]] = -torch.inf
    loss = weighted_cross_entropy(logits, target, None, weight)
    rest = weighted_cross_entropy(logits[1:], target[1:])
    assert loss.item() == pytest.approx(rest.item())


def test_no_labels_at_all_give_zero_and_a_gradient():
    logits = torch.ones(3, 2, requires_grad=True)
    loss = weighted_cross_entropy(logits, torch.full((3,), -1))
    loss.backward()
    assert_close(torch.stack([loss, *logits.grad.flatten()]), torch.zeros(7))


def test_branches_and_tasks_add_up(case):
    logits, target, _, _ = case
    targets = torch.stack([target, target.flip(0)], dim=1)
    outputs = {"a": [logits, logits + 1], "b": [logits * 2, logits]}
    one = [
        [weighted_cross_entropy(z, targets[:, t]).item() for t, z in enumerate(tasks)]
        for tasks in (outputs["a"], outputs["b"])
    ]
    total = BranchLoss({"a": 0.25, "b": 2.0}, task_reduction="sum")(outputs, targets)
    assert total.item() == pytest.approx(0.25 * sum(one[0]) + 2.0 * sum(one[1]))
    assert BranchLoss()(outputs, targets).item() == pytest.approx(np.mean(one[0]) + np.mean(one[1]))


def test_an_unknown_reduction_is_named():
    with pytest.raises(ValueError, match=r"`task_reduction` must be one of \['mean', 'sum'\]"):
        BranchLoss(task_reduction="max")


def test_a_reconstruction_is_no_branch_and_adds_its_weighted_error(case):
    logits, target, _, _ = case
    outputs, targets = {"fusion": [logits]}, target[:, None]
    images = {"reconstruction": torch.full((2, 3), 0.5), "target": torch.zeros(2, 3)}
    plain = BranchLoss()(outputs, targets).item()
    loss = ReconstructionLoss(0.3, 2.0)
    assert loss(outputs, targets).item() == pytest.approx(0.3 * plain)
    assert loss(outputs | images, targets).item() == pytest.approx(0.3 * plain + 2.0 * 0.25)
