"""BatchNorm over the rows of all processes, on any device."""

from typing import Any

import torch
from torch import distributed as dist
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class SharedBatchNorm(TorchFunctionMode):
    """Within it, BatchNorm in training normalises by the statistics of all processes' rows.

    torch's SyncBatchNorm does so on GPUs alone, and would have to take the place of the layers,
    of which libraries have their own; every one of them calls the function that is changed here.

    Parameters
    ----------
    counts : bool
        Whether the rows of this process count.
    group : torch.distributed.ProcessGroup
        The processes.
    """

    def __init__(self, counts, group):
        super().__init__()
        self.counts = counts
        self.group = group

    def __torch_function__(self, func, types, args=(), kwargs=None):
        called = self._normalise if func is F.batch_norm else func
        return called(*args, **(kwargs or {}))

    def _normalise(
        self,
        input,
        running_mean,
        running_var,
        weight=None,
        bias=None,
        training=False,
        momentum=0.1,
        eps=1e-5,
    ):
        if not training:
            return F.batch_norm(input, running_mean, running_var, weight, bias, eps=eps)
        n_rows, mean, var = self._statistics(input.detach())
        if running_mean is not None:
            running_mean.lerp_(mean.to(running_mean), momentum)
            running_var.lerp_((var * n_rows / (n_rows - 1)).to(running_var), momentum)
        statistics = (1 / n_rows).float(), mean.float(), var.float()
        return _Normalise.apply(input, weight, bias, *statistics, eps, self.counts, self.group)

    def _statistics(self, x):
        n_here = x.numel() // x.shape[1]
        var, mean = torch.var_mean(x.float(), _axes(x), correction=0)
        # In float64, where the difference of the squares is exact enough.
        mean, var = mean.double(), var.double()
        sums = torch.stack([torch.ones_like(mean), mean, var + mean**2])
        sums *= n_here if self.counts else 0
        dist.all_reduce(sums, group=self.group)
        n_rows, mean = sums[0], sums[1] / sums[0]
        if n_here <= 1 and n_rows[0] <= 1:
            raise ValueError(
                f"Expected more than 1 value per channel when training, got {tuple(x.shape)} in "
                "all processes together."
            )
        return n_rows, mean, (sums[2] / n_rows - mean**2).clamp(min=0)


def _axes(x):
    return [0, *range(2, x.ndim)]


class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(var + eps), with mean and var those of all processes' x."""

    @staticmethod
    def forward(ctx: Any, x, weight, bias, one_nth, mean, var, eps, counts, group):
        ctx.save_for_backward(x, weight, one_nth, mean, var)
        ctx.eps, ctx.counts, ctx.group = eps, counts, group
        return F.batch_norm(x, mean, var, weight, bias, eps=eps)

    @staticmethod
    def backward(ctx: Any, *gradients):
        x, weight, one_nth, mean, var = ctx.saved_tensors
        shape = [1, -1] + [1] * (x.ndim - 2)
        inverse = torch.rsqrt(var + ctx.eps)
        gradient = gradients[0].float()
        normal = (x.float() - mean.view(shape)) * inverse.view(shape)
        own = torch.stack([gradient.sum(_axes(x)), (gradient * normal).sum(_axes(x))])
        means = own * one_nth
        # Every process's rows have moved the mean and the variance of all.
        dist.all_reduce(means, group=ctx.group)
        gradient = gradient - means[0].view(shape) - normal * means[1].view(shape)
        # A row that does not count has moved nothing.
        scale = inverse if weight is None else inverse * weight
        gradient = gradient * (scale * ctx.counts).view(shape)
        of_weight, of_bias = (None, None) if weight is None else (own[1], own[0])
        return gradient.to(x.dtype), of_weight, of_bias, None, None, None, None, None, None
