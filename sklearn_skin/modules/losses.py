"""Losses over branches and tasks, with class weights, sample weights and missing labels."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_skin.utils import check_choice

MISSING_LABEL = -1


def weighted_cross_entropy(
    logits: Tensor,
    target: Tensor,
    class_weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    gamma: float = 0.0,
) -> Tensor:
    r"""Weighted mean of the (focal) cross-entropy over the rows that have a label.

    .. math:: L = \frac{\sum_i s_i\,c_{y_i}\,(1 - p_{i,y_i})^{\gamma}\,(-\log p_{i,y_i})}
                       {\sum_i c_{y_i}}

    As in PyTorch, the mean divides by the sum of the class weights. It does not divide by the
    weights of the rows, since a batch of rows that weigh twice as much must count twice: with
    weights s of mean 1 over all rows of the data, a weight of 2 is, over an epoch and up to a
    constant factor, a row that stands twice. With `gamma` 0 this is the cross-entropy.

    Parameters
    ----------
    logits : Tensor of shape (n, n_classes)
        Unnormalised log-probabilities.
    target : Tensor of shape (n,)
        Class codes; -1 marks a missing label, whose row counts for nothing.
    class_weight : Tensor of shape (n_classes,), default=None
        Weight c of each class.
    sample_weight : Tensor of shape (n,), default=None
        Weight s of each row, at least 0.
    gamma : float, default=0.0
        Focusing exponent, at least 0 [1]_.

    Returns
    -------
    loss : Tensor of shape ()
        0 where no row has a label or weight.

    References
    ----------
    .. [1] :ref:`Lin et al. (2017) <lin2017>`, "Focal loss for dense object detection", eq. 5.

    Examples
    --------
    >>> import torch
    >>> weighted_cross_entropy(torch.zeros(2, 4), torch.tensor([1, -1])).item()
    1.3862...
    """
    present = target != MISSING_LABEL
    code = target.clamp(min=0)
    # float(): under autocast logits have 8 bits, too few for the sum of exponentials.
    log_p = F.log_softmax(logits.float(), dim=1).gather(1, code[:, None]).squeeze(1)
    weight = present.to(log_p.dtype)
    if class_weight is not None:
        weight = weight * class_weight.to(log_p)[code]
    loss = -log_p
    if gamma:
        # Where p rounds to 1, a power below 1 of 0 has an infinite slope: the gradient is NaN.
        loss = loss * (-log_p.expm1()).clamp(min=torch.finfo(log_p.dtype).tiny) ** gamma
    return _weighted_mean(loss, weight, sample_weight)


def weighted_binary_cross_entropy(
    logits: Tensor,
    target: Tensor,
    class_weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
) -> Tensor:
    r"""Cross-entropy with a term, too, for each class that a row is not of.

    .. math:: L = \frac 1 n \sum_i s_i\,l_i, \quad
        l_i = -c_{y_i} \log p_{i,y_i} - \sum_{k \ne y_i} \log(1 - p_{i,k})

    with p the softmax. The source [1]_ prints
    :math:`L_{wce} = -\sum_{i=1}^N (w_i\,y_i \log(\hat y_i) + (1 - y_i) \log(1 - \hat y_i))`: its
    sum over the N classes is kept, with a weight on the first term alone; over the n rows with a
    label, of which it says nothing, a mean is taken, which divides by no weights.

    Parameters
    ----------
    logits : Tensor of shape (n, n_classes)
        Unnormalised log-probabilities.
    target : Tensor of shape (n,)
        Class codes; -1 marks a missing label, whose row counts for nothing.
    class_weight : Tensor of shape (n_classes,), default=None
        Weight c of each class.
    sample_weight : Tensor of shape (n,), default=None
        Weight s of each row.

    Returns
    -------
    loss : Tensor of shape ()
        0 where no row has a label or weight.

    References
    ----------
    .. [1] :ref:`Khurshid et al. (2024) <khurshid2024>`, "Multimodal data and auxiliary task
       integration", eq. 3.

    Examples
    --------
    >>> import torch
    >>> weighted_binary_cross_entropy(torch.zeros(2, 2), torch.tensor([1, -1])).item()
    1.3862...
    """
    present = target != MISSING_LABEL
    log_p = F.log_softmax(logits.float(), dim=1)
    own = F.one_hot(target.clamp(min=0), log_p.shape[1]).bool()
    # 1 - p as the sum of the other classes: it never rounds to 0 where p rounds to 1.
    itself = torch.eye(log_p.shape[1], dtype=torch.bool, device=log_p.device)
    others = log_p[:, None, :].masked_fill(itself, torch.finfo(log_p.dtype).min)
    gain = log_p if class_weight is None else log_p * class_weight.to(log_p)
    loss = -torch.where(own, gain, others.logsumexp(dim=2)).sum(dim=1)
    return _weighted_mean(loss, present.to(log_p.dtype), sample_weight)


def _weighted_mean(loss: Tensor, weight: Tensor, sample_weight: Tensor | None) -> Tensor:
    """Return the weighted sum of `loss` (n,) over the sum of `weight` (n,) alone."""
    part = weight if sample_weight is None else weight * sample_weight.to(loss)
    # A row without weight must not turn the sum into NaN through 0 * inf.
    loss = torch.where(part > 0, loss * part, torch.zeros_like(loss))
    # Without any weight this is 0 / tiny: a loss and gradients of zero, not of NaN.
    return loss.sum() / weight.sum().clamp(min=torch.finfo(loss.dtype).tiny)


class BranchLoss(nn.Module):
    r"""Weighted sum over branches of the tasks' losses.

    .. math:: L = \sum_b w_b \; \mathrm{reduce}_t \; L_{b,t}

    Parameters
    ----------
    branches : mapping of str to float, default=None
        Weight w of each branch's loss; None gives every branch a weight of 1. A branch of
        weight 0 is left out.
    class_weights : sequence of (Tensor or None), default=None
        Class weights per task.
    gamma : float, default=0.0
        Focusing exponent of the focal loss; 0 is the cross-entropy.
    task_reduction : {"mean", "sum"}, default="mean"
        How a branch's tasks combine.
    task_weights : sequence of float, default=None
        Factor of each task's loss; 1 by default.
    cross_entropy : {"categorical", "binary"}, default="categorical"
        Loss of a task: `weighted_cross_entropy`, or `weighted_binary_cross_entropy`, which has
        no `gamma`.

    Raises
    ------
    ValueError
        If `task_reduction` or `cross_entropy` is unknown.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import BranchLoss
    >>> loss = BranchLoss({"image": 0.5, "fusion": 1.0})
    >>> outputs = {"image": [torch.zeros(2, 3)], "fusion": [torch.zeros(2, 3)]}
    >>> loss(outputs, torch.tensor([[0], [2]])).item()
    1.6479...
    """

    def __init__(
        self,
        branches: Mapping[str, float] | None = None,
        *,
        class_weights: Sequence[Tensor | None] | None = None,
        gamma: float = 0.0,
        task_reduction: str = "mean",
        task_weights: Sequence[float] | None = None,
        cross_entropy: str = "categorical",
    ) -> None:
        super().__init__()
        check_choice(task_reduction, ["mean", "sum"], "task_reduction")
        check_choice(cross_entropy, ["binary", "categorical"], "cross_entropy")
        self.branches = None if branches is None else dict(branches)
        self.class_weights = None if class_weights is None else list(class_weights)
        self.gamma = gamma
        self.task_reduction = task_reduction
        self.task_weights = None if task_weights is None else list(task_weights)
        self.cross_entropy = cross_entropy

    def forward(
        self,
        outputs: Mapping[str, list[Tensor]],
        target: Tensor,
        sample_weight: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of `outputs` (branch -> logits per task) at `target` (n, T).

        `sample_weight` is (n,), or (n, T) where the labelled rows differ between tasks.
        """
        if sample_weight is not None and sample_weight.ndim == 1:
            sample_weight = sample_weight[:, None].expand(target.shape)
        total = target.new_zeros((), dtype=torch.float32)
        for name, logits in outputs.items():
            weight = 1.0 if self.branches is None else self.branches.get(name, 0.0)
            # Left out, not multiplied by 0: such a branch may be infinite.
            if weight:
                total = total + weight * self._branch(logits, target, sample_weight)
        return total

    def _branch(self, logits: list[Tensor], target: Tensor, weight: Tensor | None) -> Tensor:
        class_weights = self.class_weights or [None] * len(logits)
        weights = [None] * len(logits) if weight is None else weight.unbind(1)
        task_loss: Any = weighted_binary_cross_entropy
        if self.cross_entropy == "categorical":
            task_loss = partial(weighted_cross_entropy, gamma=self.gamma)
        losses = torch.stack(
            [task_loss(z, target[:, t], class_weights[t], weights[t]) for t, z in enumerate(logits)]
        )
        if self.task_weights is not None:
            losses = losses * losses.new_tensor(self.task_weights)
        return losses.sum() if self.task_reduction == "sum" else losses.mean()


class ReconstructionLoss(BranchLoss):
    r"""Classification loss and the mean squared error of a reconstruction.

    .. math:: L = \alpha L_{class} + \lambda \frac{1}{N} \lVert \hat x - x \rVert^2

    Branches apart, the outputs hold ``"reconstruction"`` and ``"target"``; the second term is
    left out where they do not, as in evaluation. In it a row has the mean of its tasks' weights.

    Parameters
    ----------
    alpha : float, default=0.5
        Weight of the classification loss.
    reconstruction_weight : float, default=1.0
        Weight of the reconstruction's error.
    **options
        Parameters of `BranchLoss`.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import ReconstructionLoss
    >>> outputs = {"fusion": [torch.zeros(2, 3)]}
    >>> outputs |= {"reconstruction": torch.ones(2, 3), "target": torch.zeros(2, 3)}
    >>> ReconstructionLoss(0.5, 2.0)(outputs, torch.tensor([[0], [2]])).item()
    2.5493...
    """

    def __init__(
        self, alpha: float = 0.5, reconstruction_weight: float = 1.0, **options: Any
    ) -> None:
        super().__init__(**options)
        self.alpha = alpha
        self.reconstruction_weight = reconstruction_weight

    def forward(
        self, outputs: Mapping[str, Any], target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Return the loss of `outputs` at `target` (n, T)."""
        branches = dict(outputs)
        drawn, wanted = branches.pop("reconstruction", None), branches.pop("target", None)
        loss = self.alpha * super().forward(branches, target, sample_weight)
        if drawn is None or wanted is None:
            return loss
        error = F.mse_loss(drawn.float(), wanted.float(), reduction="none").flatten(1).mean(1)
        if sample_weight is not None and sample_weight.ndim == 2:
            sample_weight = sample_weight.mean(1)
        error = _weighted_mean(error, torch.ones_like(error), sample_weight)
        return loss + self.reconstruction_weight * error
