"""Rows to batches: pixels, metadata, targets and weights as one torch data set."""

from typing import Any

import numpy as np
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    RandomSampler,
    SequentialSampler,
    WeightedRandomSampler,
)

from sklearn_skin.neural_network._rows import LesionRows


class LesionDataset(LesionRows, Dataset):
    """Rows of a `LesionTable` as batches of tensors; further options are those of `LesionRows`.

    A batch is a pair: a dict with ``images`` uint8 (n, k, h, w, 3), ``present`` bool (n, k),
    ``repeated`` bool (n,), ``metadata`` float32 (n, p), ``rows`` int64 (n,), perhaps
    ``sample_weight`` (n, T) and ``features``; and the class codes int64 (n, T).
    """

    def __init__(self, table, size, *, codes=None, sample_weight=None, **options):
        super().__init__(table, size, **options)
        self.codes = codes
        self.sample_weight = sample_weight
        # What stands for the pixels, once `keep_features` has computed it.
        self.features: Any = None

    def __getitem__(self, row):
        return self.__getitems__([row])

    def __getitems__(self, rows):
        # torch calls this one, if it is there, with a whole batch of positions.
        rows = np.asarray(rows, dtype=np.int64)
        inputs = {"rows": torch.from_numpy(rows), **self._image_inputs(rows)}
        inputs["metadata"] = torch.from_numpy(self.table.metadata[rows])
        inputs["repeated"] = torch.from_numpy(self.repeated[rows])
        if self.sample_weight is not None:
            inputs["sample_weight"] = torch.from_numpy(self.sample_weight[rows])
        codes = np.zeros((len(rows), 0), np.int64) if self.codes is None else self.codes[rows]
        return inputs, torch.from_numpy(codes)

    def _image_inputs(self, rows):
        if not self.readers:
            return {}
        inputs: dict[str, Any] = {"present": torch.from_numpy(self.present[rows])}
        if self.features is None:
            inputs["images"] = torch.from_numpy(self.pixels(rows))
        else:
            inputs["features"] = self.features.take(rows, self.repeated[rows])
        return inputs


class Batch:
    """Rows as a network takes them, on its device.

    Parameters
    ----------
    inputs : dict
        A batch of a `LesionDataset`.
    device : str or torch.device
        Where the tensors go.

    Attributes
    ----------
    rows : ndarray of shape (n,)
        Positions.
    metadata : Tensor of shape (n, p)
        Metadata features.
    present : bool Tensor of shape (n, k) or None
        Which images there are; None without image columns.
    pixels : uint8 Tensor of shape (n, k, h, w, 3) or None
        Images as decoded, not moved; None without image columns or with `features`.
    features : list of Tensor or None
        Features of a frozen backbone, where they were computed before.
    """

    def __init__(self, inputs, device):
        self.rows = inputs["rows"].numpy()
        self.device = device
        self.metadata = inputs["metadata"].to(device)
        self.present = inputs["present"].to(device) if "present" in inputs else None
        self.pixels = inputs.get("images")
        features = inputs.get("features")
        self.features = None if features is None else [part.to(device) for part in features]

    @property
    def images(self):
        """Images per column: channels-last tensors (n, 3, h, w) in [0, 1]."""
        if self.pixels is None:
            return []
        return columns_of(as_floats(self.pixels, self.device))


def as_floats(pixels, device):
    """Move uint8 pixels (n, k, h, w, 3) to the device, as floats (n, k, 3, h, w) in [0, 1]."""
    # Moved before they grow four times as large.
    images = pixels.to(device, non_blocking=True)
    return images.permute(0, 1, 4, 2, 3).float().div_(255.0)


def columns_of(images):
    """Part images (n, k, 3, h, w) by column, in the layout that convolutions are fast in."""
    return [c.contiguous(memory_format=torch.channels_last) for c in images.unbind(1)]


class Batches:
    """Batches of a data set in the order of its rows; may be iterated over again.

    Parameters
    ----------
    dataset : LesionDataset
        Rows.
    batch_size : int
        Rows per batch.
    device : str or torch.device
        Where the tensors go.
    workers : int, default=0
        Processes that load.
    """

    def __init__(self, dataset, batch_size, device, workers=0):
        self.dataset = dataset
        self.batch_size = batch_size
        self.device = device
        self.workers = workers

    def __len__(self):
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self):
        for inputs, _ in make_loader(self.dataset, self.batch_size, workers=self.workers):
            yield Batch(inputs, self.device)


class WholeBatchSampler(BatchSampler):
    """Batches of row numbers, where a last batch of one row joins the batch before it.

    BatchNorm cannot train on a single row.
    """

    def __init__(self, sampler, batch_size, merge=True):
        super().__init__(sampler, batch_size, drop_last=False)
        self.n_rows = len(sampler)
        self.merge = merge and batch_size > 1

    def __iter__(self):
        held = None
        for batch in super().__iter__():
            if held is None:
                held = batch
            elif len(batch) == 1 and self.merge:
                held = held + batch
            else:
                yield held
                held = batch
        if held is not None:
            yield held

    def __len__(self):
        full, rest = divmod(self.n_rows, self.batch_size)
        return full + int(rest > (1 if self.merge and full else 0))


def make_loader(
    dataset, batch_size, *, training=False, generator=None, row_weights=None, workers=0
):
    """Return a DataLoader whose batches are what `LesionDataset.__getitems__` gives."""
    sampler: Any
    if not training:
        sampler = SequentialSampler(dataset)
    elif row_weights is None:
        sampler = RandomSampler(dataset, generator=generator)
    else:
        sampler = WeightedRandomSampler(row_weights.tolist(), len(dataset), generator=generator)
    return DataLoader(
        dataset,
        batch_sampler=WholeBatchSampler(sampler, batch_size, merge=training),
        # The data set has collated already; a lambda could not be sent to a worker.
        collate_fn=_identity,
        num_workers=workers,
        generator=generator,
        # Forking a process that runs threads can deadlock.
        multiprocessing_context="spawn" if workers else None,
        persistent_workers=bool(workers),
    )


def _identity(batch):
    return batch
