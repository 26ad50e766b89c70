"""Features of a frozen backbone: computed once per image and kept."""

import numpy as np
import torch

from sklearn_skin.utils import array_digest, weights_digest


def precompute_features(net, dataset):
    """Put the frozen backbone's features into `dataset`, from its cache where it has them.

    The key of a row is the hash of the weights that features follow from, of the arithmetic and
    of the pixels.
    """
    weights = _frozen_weights(net.module_.feature_module)
    prefix = f"{weights_digest(weights)}{net.precision}".encode()
    net.module_.eval()
    with torch.inference_mode():
        parts = [
            _batch_features(net.module_, batch, prefix, dataset.cache)
            for batch in net.batches(dataset)
        ]
    # Tensors made in inference mode cannot take part in training; clones made outside can.
    dataset.features = [torch.cat(columns).clone() for columns in zip(*parts)]


def _batch_features(module, batch, prefix, cache):
    assert batch.pixels is not None
    images = batch.pixels.numpy()
    n_rows, n_columns = images.shape[:2]
    digests = [prefix + array_digest(row) for row in images]
    keys = [[digest + bytes([column]) for digest in digests] for column in range(n_columns)]
    known = cache.get_many([key for column in keys for key in column])
    if all(value is not None for value in known):
        kept = [known[c * n_rows : (c + 1) * n_rows] for c in range(n_columns)]
        return [torch.from_numpy(np.stack(part)) for part in kept]
    columns = [column.float().cpu() for column in module.features(batch.images)]
    for names, column in zip(keys, columns):
        cache.put_many(dict(zip(names, column.numpy())))
    return columns


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
