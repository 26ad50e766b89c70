"""Features of a frozen backbone: computed once per image and kept."""

import numpy as np
import torch
from torch.utils.data import Subset

from sklearn_skin.neural_network._batches import Batches
from sklearn_skin.utils import weights_digest

_ROWS_AT_ONCE = 1024


def precompute_features(net, dataset):
    """Put the frozen backbone's features into `dataset`, from its cache where it has them.

    The key of a feature is the digest of the weights that it follows from, the arithmetic, and
    what tells the image's pixels from all others: where the cache has the feature, no pixel is
    read. Features of missing images are zero.
    """
    weights = _frozen_weights(net.module_.feature_module)
    prefix = f"{weights_digest(weights)}{net.precision}".encode()
    features = _KeptFeatures(dataset, prefix)
    unknown = features.find()
    net.module_.eval()
    with torch.inference_mode():
        batches = Batches(Subset(dataset, unknown), net.batch_size, net.device, net.workers)
        for batch in batches:
            columns = net.features(batch)
            features.add(batch.rows, [column.float().cpu().numpy() for column in columns])
    dataset.features = [torch.from_numpy(column) for column in features.columns]


class _KeptFeatures:
    """Features of all rows per column, and the cache that they are kept in."""

    def __init__(self, dataset, prefix):
        self.cache = dataset.cache
        self.readers = dataset.readers
        self.present = dataset.present
        self.prefix = prefix
        self.columns = [None] * len(dataset.readers)

    def find(self):
        """Fill in what the cache has; return the rows of which something is missing."""
        n_rows = len(self.present)
        if self.cache.path is None:
            return np.arange(n_rows)
        unknown = np.zeros(n_rows, bool)
        for start in range(0, n_rows, _ROWS_AT_ONCE):
            rows = np.arange(start, min(start + _ROWS_AT_ONCE, n_rows))
            for column, keys in enumerate(self._keys(rows)):
                asked = [i for i, key in enumerate(keys) if key is not None]
                found = self.cache.get_many([keys[i] for i in asked])
                known = [i for i, value in zip(asked, found) if value is not None]
                self._fill(column, rows[known], [value for value in found if value is not None])
                lacking = self.present[rows, column].copy()
                lacking[known] = False
                unknown[rows] |= lacking
        # Without one known feature their shape is not known either.
        return np.flatnonzero(unknown | any(column is None for column in self.columns))

    def add(self, rows, columns):
        """Take the features of some rows, and keep them in the cache."""
        new: dict[bytes, np.ndarray] = {}
        for column, (keys, values) in enumerate(zip(self._keys(rows), columns)):
            self._fill(column, rows, values)
            new |= {key: value for key, value in zip(keys, values) if key is not None}
        self.cache.put_many(new)

    def _fill(self, column, rows, values):
        if len(rows) == 0:
            return
        if self.columns[column] is None:
            shape = (len(self.present), *values[0].shape)
            self.columns[column] = np.zeros(shape, np.float32)
        self.columns[column][rows] = np.stack(values)

    def _keys(self, rows):
        """Return per column the key of every row; None where its features are not kept."""
        if self.cache.path is None:
            return [[None] * len(rows) for _ in self.readers]
        return [
            [None if key is None else self.prefix + key + bytes([c]) for key in reader.keys(rows)]
            for c, reader in enumerate(self.readers)
        ]


def _frozen_weights(module):
    """Return the parameters and buffers that no training changes, by name.

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
    return weights
