"""Batches that several processes share: who computes which rows, and the whole again."""

from typing import Any, NamedTuple

import torch
from skorch.callbacks import Callback
from torch import distributed as dist
from torch.utils._pytree import tree_flatten, tree_unflatten
from torch.utils.data import Dataset


class WholeBatch(NamedTuple):
    """What the loss of a batch needs beside outputs: all of its rows, and which are ours."""

    codes: torch.Tensor
    sample_weight: torch.Tensor | None
    rows: torch.Tensor
    share: tuple[int, int]


class SharedRows(Dataset):
    """Batches of which a process gets its share of the inputs, and all codes and weights.

    The inputs have one entry more, ``counts`` bool (n,). A process for which a batch has no row
    gets one all the same, since not every network takes none, and it does not count.

    Parameters
    ----------
    dataset : LesionDataset
        Rows.
    share : callable
        From a number of rows to the positions (start, stop) of those of this process.
    """

    def __init__(self, dataset, share):
        self.dataset = dataset
        self.share = share

    def __len__(self):
        return len(self.dataset)

    def __getitems__(self, rows):
        start, stop = self.share(len(rows))
        inputs, _ = self.dataset.__getitems__(rows[start:stop] or rows[-1:])
        inputs["counts"] = torch.full((len(inputs["rows"]),), start < stop)
        weight = self.dataset.sample_weight
        whole = WholeBatch(
            torch.from_numpy(self.dataset.codes[rows]),
            None if weight is None else torch.from_numpy(weight[rows]),
            torch.tensor(rows),
            (start, stop),
        )
        return inputs, whole


class Share(NamedTuple):
    """Which of some rows are those of one process: consecutive ones, as many for all."""

    rank: int
    size: int

    def __call__(self, n_rows):
        """Return the first position and the one after the last."""
        return self.rank * n_rows // self.size, (self.rank + 1) * n_rows // self.size


class SharedHistory(Callback):
    """Record whole batches, and in all processes what the first one has measured.

    Whatever stops training or changes its rate then does so in all of them.
    """

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        """Record how many rows the batch has in all processes together."""
        name = "train_batch_size" if training else "valid_batch_size"
        net.history.record_batch(name, len(batch[1].rows))

    def on_epoch_end(self, net, **kwargs):
        """Take over the losses and scores of the first process."""
        row = {name: value for name, value in net.history[-1].items() if name != "batches"}
        for name, value in net.ranks.first(row).items():
            net.history.record(name, value)


def gather_outputs(outputs, batch, group):
    """Return a network's outputs for a whole batch, from those for the rows of this process.

    Parameters
    ----------
    outputs : dict, list or Tensor
        Tensors, nested in any way, with an entry per row.
    batch : WholeBatch
        What the batch is.
    group : torch.distributed.ProcessGroup
        The processes.

    Returns
    -------
    outputs : dict, list or Tensor
        Through them gradients flow to the rows of this process.
    """
    leaves, form = tree_flatten(outputs)
    start, stop = batch.share
    n_here, n_rows = max(stop - start, 1), len(batch.rows)
    if any(not torch.is_tensor(z) or not z.ndim or len(z) != n_here for z in leaves):
        raise ValueError(
            "training in several processes needs a network all of whose outputs are tensors "
            "with an entry per row."
        )
    flat = torch.cat([z.reshape(n_here, -1) for z in leaves], dim=1)[: stop - start]
    # gloo does not add numbers of 16 bits.
    flat = flat.to(torch.promote_types(flat.dtype, torch.float32))
    flat = _Gather.apply(flat, start, n_rows, group)
    parts = flat.split([z[0].numel() for z in leaves], dim=1)
    wholes = [p.reshape(n_rows, *z.shape[1:]).to(z.dtype) for p, z in zip(parts, leaves)]
    return tree_unflatten(wholes, form)


class _Gather(torch.autograd.Function):
    """Rows (k, p) of a process to those (n, p) of all."""

    @staticmethod
    def forward(ctx: Any, mine, start, n_rows, group):
        ctx.mine, ctx.size = slice(start, start + len(mine)), dist.get_world_size(group)
        # Zeros from the others: the sum is exact, and shares may differ in size.
        whole = mine.new_zeros((n_rows, mine.shape[1]))
        whole[ctx.mine] = mine
        dist.all_reduce(whole, group=group)
        return whole

    @staticmethod
    def backward(ctx: Any, *gradients):
        # Of the whole loss, which all have computed: DistributedDataParallel takes the mean of
        # the processes' gradients where the sum is wanted.
        return gradients[0][ctx.mine] * ctx.size, None, None, None
