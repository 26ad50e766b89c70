"""Rows to batches: pixels, metadata, targets and weights as one torch data set."""

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

from sklearn_skin.image import load_pixels

# Pixels up to this size stay in memory for the whole fit; beyond, every batch reads the cache.
MAX_BYTES_IN_MEMORY = 2 * 1024**3


class LesionDataset(Dataset):
    """Rows of a `LesionTable` as batches of tensors.

    A batch is a pair: a dict with ``images`` uint8 (n, k, h, w, 3), ``present`` bool (n, k),
    ``repeated`` bool (n,), ``metadata`` float32 (n, p), ``rows`` int64 (n,), perhaps
    ``sample_weight`` (n,) and ``features``; and the class codes int64 (n, T).
    """

    def __init__(
        self, table, size, *, cache=None, codes=None, sample_weight=None, missing_ok=False
    ):
        self.table = table
        self.size = size
        self.cache = cache
        self.codes = codes
        self.sample_weight = sample_weight
        self.missing_ok = missing_ok
        self.features = None
        n_bytes = len(table) * len(table.images) * size[0] * size[1] * 3
        self.pixels = self._load(table) if n_bytes <= MAX_BYTES_IN_MEMORY else None
        copies = [np.asarray(images.copies) > 0 for images in table.images.values()]
        self.repeated = np.any(copies, axis=0) if copies else np.zeros(len(table), dtype=bool)

    def __len__(self):
        return len(self.table)

    def __getitem__(self, row):
        return self.__getitems__([row])

    def __getitems__(self, rows):
        rows = np.asarray(rows, dtype=np.int64)
        inputs = {"rows": torch.from_numpy(rows), **self._image_inputs(rows)}
        inputs["metadata"] = torch.from_numpy(self.table.metadata[rows])
        inputs["repeated"] = torch.from_numpy(self.repeated[rows])
        if self.sample_weight is not None:
            inputs["sample_weight"] = torch.from_numpy(self.sample_weight[rows])
        codes = np.zeros((len(rows), 0), np.int64) if self.codes is None else self.codes[rows]
        return inputs, torch.from_numpy(codes)

    def _image_inputs(self, rows):
        if not self.table.images:
            return {}
        if self.pixels is None:
            pixels, present = self._load(self.table.take(rows))
        else:
            pixels, present = self.pixels[0], self.pixels[1][rows]
            pixels = None if self.features is not None else pixels[rows]
        inputs = {"present": torch.from_numpy(present)}
        if self.features is None:
            inputs["images"] = torch.from_numpy(pixels)
        else:
            inputs["features"] = [feature[rows] for feature in self.features]
        return inputs

    def _load(self, table):
        if not table.images:
            return None
        loaded = [
            load_pixels(images, self.size, cache=self.cache, row_labels=table.labels, column=name)
            for name, images in table.images.items()
        ]
        present = np.stack([here for _, here in loaded], axis=1)
        self._check_missing(table, present)
        return np.stack([pixels for pixels, _ in loaded], axis=1), present

    def _check_missing(self, table, present):
        needed = present.any(axis=1) if self.missing_ok else present.all(axis=1)
        if self.missing_ok and table.metadata.shape[1]:
            return
        if not needed.all():
            rows = table.labels[~needed]
            shown = ", ".join(repr(label) for label in rows[:5])
            raise ValueError(
                f"{len(rows)} rows lack an image in {list(table.images)}: {shown}"
                f"{', …' if len(rows) > 5 else ''}. allow_missing_images=True lets a network "
                "learn a stand-in for them where something else of the row is known."
            )


class WholeBatchSampler(BatchSampler):
    """Batches of row numbers, where a last batch of one row joins the batch before it.

    BatchNorm cannot train on a single row.
    """

    def __init__(self, sampler, batch_size, merge=True):
        super().__init__(sampler, batch_size, drop_last=False)
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
        full, rest = divmod(len(self.sampler), self.batch_size)
        return full + int(rest > (1 if self.merge and full else 0))


def make_loader(
    dataset, batch_size, *, training=False, generator=None, row_weights=None, workers=0
):
    """Return a DataLoader whose batches are what `LesionDataset.__getitems__` gives."""
    if not training:
        sampler = SequentialSampler(dataset)
    elif row_weights is None:
        sampler = RandomSampler(dataset, generator=generator)
    else:
        sampler = WeightedRandomSampler(row_weights, len(dataset), generator=generator)
    return DataLoader(
        dataset,
        batch_sampler=WholeBatchSampler(sampler, batch_size, merge=training),
        collate_fn=_identity,
        num_workers=workers,
        generator=generator,
        # Forking a process that runs threads can deadlock.
        multiprocessing_context="spawn" if workers else None,
        persistent_workers=bool(workers),
    )


def balanced_row_weights(codes):
    """Return weights (n,) with which every class of every task is drawn equally often.

    A row's weight is the mean over its labelled tasks of 1 / (rows of its class).
    """
    weights = np.full(codes.shape, np.nan)
    for task, column in enumerate(codes.T):
        here = column >= 0
        counts = np.bincount(column[here])
        weights[here, task] = 1.0 / counts[column[here]]
    labelled = ~np.isnan(weights).all(axis=1)
    result = np.zeros(len(codes))
    result[labelled] = np.nanmean(weights[labelled], axis=1)
    return result


def _identity(batch):
    return batch
