"""One fit in several processes, as torchrun starts them, with the result of one process.

Every process computes its share of the rows of each batch. The outputs are gathered, so that all
compute the loss of the whole batch, whatever it divides by; gradients are added up.
"""

import atexit
import inspect
import multiprocessing
import os
import socket
import threading
import traceback
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import joblib
import numpy as np
import torch
from skorch.callbacks import Checkpoint
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import Subset

from sklearn_skin.neural_network._recipe import INDIFFERENT
from sklearn_skin.neural_network._shared_batch_norm import SharedBatchNorm
from sklearn_skin.neural_network._shared_batches import Share, gather_outputs

_VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_OPTIONS = inspect.signature(DistributedDataParallel).parameters
# Its name since torch 2.13, and the one before.
_BUFFERS = "forward_sync_buffers" if "forward_sync_buffers" in _OPTIONS else "broadcast_buffers"
# A forked worker has a copy of its parent's group, and no part in it.
_inherited = False


def _look_back():
    global _inherited
    _inherited = dist.is_available() and dist.is_initialized()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_look_back)


@contextmanager
def data_parallel(recipe):
    """Give a fit's recipe, and its `Ranks` where several processes fit together, else None.

    Parameters
    ----------
    recipe : Recipe
        Settings of the fit.

    Yields
    ------
    recipe : Recipe
        With the seed of the first process, and the device of this one.
    ranks : Ranks or None
    """
    if not _is_one_of_several():
        yield recipe, None
        return
    ranks = Ranks(recipe.device)
    try:
        yield ranks.agree(recipe), ranks
        ranks.wait()
    except BaseException as error:
        _let_go(error)
        # gloo's errors have no class of their own.
        of_gloo = isinstance(error, RuntimeError) and "gloo" in str(error)
        if of_gloo or isinstance(error, dist.DistError):
            raise RuntimeError(
                f"process {ranks.rank} lost the others in a fit of {ranks.size} processes: one of "
                "them has failed, been stopped, or called no `fit`; its own message says why."
            ) from error
        raise
    finally:
        # After an error this is what tells the others, who would wait.
        ranks.close()


def _let_go(error):
    """Clear what the frames of an error hold: a group whose object lives keeps its connections."""
    chain: BaseException | None = error
    while chain is not None:
        traceback.clear_frames(chain.__traceback__)
        chain = chain.__cause__ or chain.__context__


def on_first(ranks, function):
    """Return what a function returns in the first process; its error is one in all of them."""
    if ranks is None:
        return function()
    found = error = None
    if ranks.rank == 0:
        try:
            found = function()
        except Exception as caught:
            error = caught
    found, error = ranks.first((found, error))
    if error is not None:
        raise error
    return found


def from_all(ranks, value):
    """Return the values of all processes, in order."""
    return [value] if ranks is None else ranks.gather(value)


def _is_one_of_several():
    # Threads and workers of a process fit by themselves: nobody in another process waits for them.
    if threading.current_thread() is not threading.main_thread() or _inherited:
        return False
    if not dist.is_available():
        return False
    if not dist.is_initialized():
        started = all(os.environ.get(name) for name in _VARIABLES)
        if not started or int(os.environ["WORLD_SIZE"]) < 2:
            return False
        # joblib's workers inherit torchrun's variables.
        if multiprocessing.parent_process() is not None:
            return False
        # Each fit makes its own groups; this one only lets the processes meet.
        dist.init_process_group("gloo")
        atexit.register(_leave)
    return dist.get_world_size() > 1


def _leave():
    if dist.is_initialized():
        dist.destroy_process_group()


class Ranks:
    """The processes of a fit, as one of them sees them.

    Parameters
    ----------
    device : str
        A torch device; "cuda" is the GPU of this process.

    Attributes
    ----------
    rank, size : int
        Number of this process, and of all.
    share : Share
        Which rows are those of this process.
    """

    def __init__(self, device):
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.share = Share(self.rank, self.size)
        self.device = _own_device(device)
        # Of the fit alone, so that closing them does not end what others use.
        self.words: Any = dist.new_group(backend="gloo")
        places = self.gather((socket.gethostname(), self.device))
        # NCCL needs a GPU for each process.
        nccl = self.device.startswith("cuda") and len(set(places)) == self.size
        self.tensors: Any = dist.new_group(backend="nccl" if nccl else "gloo")
        # Gradients are sent when they are ready, not in an order that both kinds could share.
        self.norms: Any = dist.new_group(backend="nccl" if nccl else "gloo")
        self.forward: Any = None

    def close(self):
        """Leave the others, who get an error if they still wait for this process."""
        self.forward = None
        for group in (self.words, self.tensors, self.norms):
            dist.destroy_process_group(group)
        del group
        self.words = self.tensors = self.norms = None

    def gather(self, value):
        """Return the values of all processes, in order."""
        values = [None] * self.size
        dist.all_gather_object(values, value, group=self.words)
        return values

    def first(self, value):
        """Return the value of the first process."""
        values = [value]
        dist.broadcast_object_list(values, src=0, group=self.words)
        return values[0]

    def wait(self):
        """Wait for all processes."""
        dist.barrier(group=self.words)

    def agree(self, recipe):
        """Return the recipe with the seed of the first process and this one's device."""
        if recipe.batch_size < self.size:
            raise ValueError(
                f"`batch_size` is the number of rows of all {self.size} processes together, of "
                f"which each needs one; got {recipe.batch_size}."
            )
        return replace(recipe, fit_seed=self.first(recipe.fit_seed), device=self.device)

    def check(self, data, recipe):
        """Raise an error in all processes where they have different rows or settings."""
        simple = bool | int | float | str | tuple
        parameters = recipe.parameters.items()
        parts = [data.train] if data.valid is None else [data.train, data.valid]
        facts = {
            "rows": [part.table.row_names for part in parts],
            "labels or weights": [(part.codes, part.weight) for part in parts],
            "parameters": [
                (k, v) for k, v in parameters if k not in INDIFFERENT and isinstance(v, simple)
            ],
        }
        hashes = self.gather([joblib.hash(fact) for fact in facts.values()])
        # Computed numbers may differ in their last digits between machines.
        sums = self.gather([part.table.metadata.astype(float).mean(axis=0) for part in parts])
        for what, of_all in zip(facts, zip(*hashes)):
            if len(set(of_all)) > 1:
                self._refuse(what, [value != of_all[0] for value in of_all])
        bad = [not all(map(np.allclose, own, sums[0], [1e-3] * len(own))) for own in sums]
        if any(bad):
            self._refuse("metadata", bad)

    def _refuse(self, what, others):
        raise ValueError(
            f"`fit` got other {what} in process {others.index(True)} than in process 0. Every "
            "process must be given all rows, in the same order: set `random_state` wherever a "
            "script splits, samples or imputes."
        )

    def prepare(self, net):
        """Make a net that is initialised one of several that train together."""
        net.ranks = self
        net.precision = self.first(net.precision)
        # Otherwise the shares of a batch would be augmented and dropped out alike.
        if self.rank:
            torch.manual_seed(net.seed + self.rank * 2**32)
        options: dict[str, Any] = {_BUFFERS: False}
        # A token for missing images is without a gradient where no image is missing; buffers are
        # equal, since their statistics are those of whole batches.
        options |= {"process_group": self.tensors, "find_unused_parameters": True}
        self.forward = DistributedDataParallel(_Run(net), **options)

    def run(self, net, batch, images, counts):
        """Return the outputs of this process's rows in training."""
        # Measuring BatchNorm's statistics anew takes no gradients.
        forward = self.forward if torch.is_grad_enabled() else net.run
        with SharedBatchNorm(counts, self.norms):
            return forward(batch, images)

    def whole(self, outputs, batch):
        """Return outputs, codes and inputs of a whole batch, from the outputs of our rows."""
        inputs = {"rows": batch.rows}
        if batch.sample_weight is not None:
            inputs["sample_weight"] = batch.sample_weight
        return gather_outputs(outputs, batch, self.tensors), batch.codes, inputs

    def over_rows(self, function, dataset):
        """Return branch -> arrays (n, C_t) of which every process computes its rows."""
        start, stop = self.share(len(dataset))
        own = function(Subset(dataset, range(start, stop) or [0]))
        shares = self.gather(
            {name: [part[: stop - start] for part in tasks] for name, tasks in own.items()}
        )
        return {
            name: [np.concatenate(parts) for parts in zip(*(share[name] for share in shares))]
            for name in own
        }

    def finish(self, net):
        """Give every process the weights of the first, whatever callbacks did, and part."""
        for value in net.module_.state_dict().values():
            dist.broadcast(value, src=0, group=self.tensors)
        self.forward = None
        # From here on every process predicts by itself.
        del net.ranks

    def callbacks(self, callbacks):
        """Return the user's callbacks that act here: only the first process writes and shows."""
        return [c for c in callbacks if self.rank == 0 or not _writes(c)]


def _own_device(device):
    if torch.device(device).type != "cuda":
        return device
    index = torch.device(device).index
    if index is None:
        # Without torchrun's variable, whoever made the group has chosen.
        local = os.environ.get("LOCAL_RANK", torch.cuda.current_device())
        index = int(local) % torch.cuda.device_count()
    torch.cuda.set_device(index)
    return f"cuda:{index}"


def _writes(callback):
    callback = callback[1] if isinstance(callback, tuple) else callback
    kind = callback if isinstance(callback, type) else type(callback)
    return kind.__module__ == "skorch.callbacks.logging" or issubclass(kind, Checkpoint)


class _Run(torch.nn.Module):
    """What DistributedDataParallel wraps: the forward pass of a net."""

    def __init__(self, net):
        super().__init__()
        self.module = net.module_
        self.run = net.run
        # torch warns in every process where a network has no parameter that is not used.
        self.idle = torch.nn.Parameter(torch.zeros(1, device=net.device))

    def forward(self, batch, images):
        return self.run(batch, images)
