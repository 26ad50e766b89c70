"""What a network computes of images before anything that is trained: once per image, and kept."""

import os
import tempfile
from functools import cached_property
from hashlib import blake2b

import numpy as np
import torch
from torch.utils.data import Subset

from sklearn_skin.neural_network._batches import Batches, as_floats, columns_of
from sklearn_skin.neural_network._rows import MAX_BYTES_IN_MEMORY
from sklearn_skin.utils import warn_user, weights_digest

_ROWS_AT_ONCE = 1024


class Features:
    """Features of every row, in one or several views, of which each batch gets one per row.

    Parameters
    ----------
    columns : list of Tensors of shape (n, n_views, ...)
        Per image column.
    with_originals : bool, default=False
        Whether the first view is the image as it is, for rows that are not repetitions.
    """

    def __init__(self, columns, with_originals=False):
        self.columns = columns
        self.with_originals = with_originals

    def take(self, rows, repeated):
        """Return the features of some rows, in views drawn from torch's global generator."""
        n_views, first = self.columns[0].shape[1], int(self.with_originals)
        views = torch.zeros(len(rows), dtype=torch.int64)
        if n_views > 1:
            views = torch.randint(first, n_views, (len(rows),))
        if first:
            views[~torch.from_numpy(repeated)] = 0
        return [column[torch.from_numpy(rows), views] for column in self.columns]


class FeatureMaker:
    """Computes features, or finds them in the cache.

    The name of a feature is the digest of the weights that it follows from, which of the module's
    outputs it is, the arithmetic, and what tells the image's pixels from all others: where the
    cache has the feature, no pixel is read. Nothing else counts, so that folds, trials,
    estimators and processes share what one of them has computed.

    Parameters
    ----------
    sources : list of (torch.nn.Module, str)
        Per image column what its features follow from; see `LesionNetwork.feature_sources`.
    compute : callable
        From images per column to features per column.
    precision : str
        Arithmetic of `compute`.
    batch_size, device, workers
        How images come.
    """

    def __init__(self, sources, compute, precision, batch_size, device, workers=0):
        self.sources = sources
        self.compute = compute
        self.precision = precision
        self.batch = (batch_size, device, workers)

    @cached_property
    def prefixes(self):
        """Per image column how the names of its features begin."""
        digests = {id(module): _digest(module) for module, _ in self.sources}
        return [f"{digests[id(m)]} {what} {self.precision}".encode() for m, what in self.sources]

    def make(self, dataset, augment=None, n_views=0, share=None):
        """Return the features of a data set's images; those of missing images mean nothing.

        Parameters
        ----------
        dataset : LesionDataset
            Rows.
        augment : callable, default=None
            Random change of float images (n, k, 3, h, w) in [0, 1].
        n_views : int, default=0
            Random changes of each image; with 0 the image is taken as it is. They follow from
            the images and the number of the view alone.
        share : Share, default=None
            Which rows of each chunk are computed; all by default.

        Returns
        -------
        features : Features
        """
        with_originals = n_views > 0 and bool(dataset.repeated.any())
        views = list(range(1, n_views + 1))
        if with_originals or not views:
            views = [0, *views]
        store = _Store(dataset, len(views))
        with torch.inference_mode(), torch.random.fork_rng():
            for start in range(0, len(dataset), _ROWS_AT_ONCE):
                rows = np.arange(start, min(start + _ROWS_AT_ONCE, len(dataset)))
                if share is not None:
                    rows = rows[slice(*share(len(rows)))]
                for place, view in enumerate(views if len(rows) else []):
                    self._fill(store, rows, place, view, augment)
        columns = [torch.from_numpy(column) for column in store.columns if column is not None]
        return Features(columns, with_originals)

    def _fill(self, store, rows, place, view, augment):
        dataset = store.dataset
        keeps = dataset.cache.path is not None
        images = _image_keys(dataset, rows) if view or keeps else []
        names = self._names(images, view, augment) if keeps else []
        lacking = rows[store.find(rows, place, names)]
        for batch in Batches(Subset(dataset, lacking), *self.batch):
            places = batch.rows - rows[0]
            pixels = as_floats(batch.pixels, batch.device)
            if view:
                seeds = [_seed([column[i] for column in images], view) for i in places]
                pixels = torch.cat([_drawn(augment, p[None], s) for p, s in zip(pixels, seeds)])
            features = self.compute(columns_of(pixels))
            values = [column.float().cpu().numpy() for column in features]
            store.add(batch.rows, place, [[column[i] for i in places] for column in names], values)

    def _names(self, images, view, augment):
        """Return per column the name of every row's feature; None where it is not kept."""
        ends = [b""] * len(images[0])
        if view:
            how = f"{augment.__self__!r} {view}".encode()
            # A draw follows from all images of the row, which may move alike.
            ends = [how + b"".join(key or b"-" for key in keys) for keys in zip(*images)]
        return [
            [None if key is None else prefix + key + end for key, end in zip(column, ends)]
            for prefix, column in zip(self.prefixes, images)
        ]


class _Store:
    """Features of all rows and views per column, filled from the cache or with what is new."""

    def __init__(self, dataset, n_views):
        self.dataset = dataset
        self.n_views = n_views
        self.columns = [None] * len(dataset.readers)

    def find(self, rows, place, names):
        """Fill in what the cache has; return of which rows something is missing."""
        lacking = self.dataset.present[rows].copy()
        for column, keys in enumerate(names):
            asked = [i for i, key in enumerate(keys) if key is not None]
            found = self.dataset.cache.get_many([keys[i] for i in asked])
            known = [i for i, value in zip(asked, found) if value is not None]
            self._put(column, rows[known], place, [value for value in found if value is not None])
            lacking[known, column] = False
        # Without one known feature their shape is not known either.
        return lacking.any(axis=1) | any(column is None for column in self.columns)

    def add(self, rows, place, names, columns):
        """Take the features of some rows, and keep them in the cache."""
        new: dict[bytes, np.ndarray] = {}
        for column, values in enumerate(columns):
            self._put(column, rows, place, values)
        for keys, values in zip(names, columns):
            new |= {key: value for key, value in zip(keys, values) if key is not None}
        self.dataset.cache.put_many(new)

    def _put(self, column, rows, place, values):
        if len(rows) == 0:
            return
        if self.columns[column] is None:
            shape = (len(self.dataset), self.n_views, *values[0].shape)
            self.columns[column] = _zeros(shape, self.dataset.cache.path)
        self.columns[column][rows, place] = np.stack(values)


def _zeros(shape, folder):
    """Return zeros in memory or, where they are many, in a file without a name."""
    n_bytes = int(np.prod(shape)) * 4
    if n_bytes <= MAX_BYTES_IN_MEMORY or folder is None:
        return np.zeros(shape, np.float32)
    file = tempfile.TemporaryFile(dir=folder)
    try:
        if hasattr(os, "posix_fallocate"):
            # Writing to a mapped file on a full disk would kill the process.
            os.posix_fallocate(file.fileno(), 0, n_bytes)
        return np.memmap(file, np.float32, "w+", shape=shape)
    except OSError as error:
        once = ("features", str(error))
        warn_user(f"{n_bytes >> 20} MB of features stay in memory: {error}.", once=once)
        return np.zeros(shape, np.float32)


def _image_keys(dataset, rows):
    return [
        [key if here else None for key, here in zip(reader.keys(rows), dataset.present[rows, c])]
        for c, reader in enumerate(dataset.readers)
    ]


def _seed(keys, view):
    text = b"".join(key or b"-" for key in keys) + str(view).encode()
    return int.from_bytes(blake2b(text, digest_size=7).digest())


def _drawn(augment, images, seed):
    torch.manual_seed(seed)
    return augment(images)


def _digest(module):
    """Return what tells a module, as far as no training changes it, from all others.

    Buffers that the state leaves out count, such as a backbone's normalisation: equal weights see
    other pixels with another one.
    """
    weights: dict[str, torch.Tensor] = {}
    for path, part in module.named_modules():
        own = dict(part.named_parameters(recurse=False))
        if not any(value.requires_grad for value in own.values()):
            own |= dict(part.named_buffers(recurse=False))
        kept = {name: value for name, value in own.items() if not value.requires_grad}
        weights |= {f"{path}.{name}": value for name, value in kept.items()}
    # Two architectures may have weights of the same names and shapes.
    return blake2b(
        repr(module).encode() + weights_digest(weights).encode(), digest_size=16
    ).hexdigest()
