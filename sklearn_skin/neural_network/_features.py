"""Features of a frozen backbone: computed once per image and kept."""

import hashlib

import numpy as np
import torch

from sklearn_skin.modules.backbones import Backbone
from sklearn_skin.neural_network._batches import make_loader


def precompute_features(net, dataset):
    """Put the frozen backbone's features into `dataset`, from its cache where it has them.

    The key of a row is the hash of the backbone's weights, the arithmetic and the pixels.
    """
    prefix = weights_hash(net.module_) + net.precision.encode()
    parts = []
    net.module_.eval()
    with torch.inference_mode():
        for inputs, _ in make_loader(dataset, net.batch_size):
            parts.append(_batch_features(net, inputs, prefix, dataset.cache))
    # Tensors made in inference mode cannot take part in training; clones made outside can.
    dataset.features = [torch.cat(columns).clone() for columns in zip(*parts)]


def _batch_features(net, inputs, prefix, cache):
    images = inputs["images"].numpy()
    n_rows, n_columns = images.shape[:2]
    rows = [prefix + repr(row.shape).encode() + row.tobytes() for row in images]
    digests = [hashlib.blake2b(row, digest_size=32).digest() for row in rows]
    keys = [[digest + bytes([column]) for digest in digests] for column in range(n_columns)]
    known = cache.get_many([key for column in keys for key in column])
    if all(value is not None for value in known):
        parts = [known[c * n_rows : (c + 1) * n_rows] for c in range(n_columns)]
        return [torch.from_numpy(np.stack(part)) for part in parts]
    columns = net.module_.features(net.prepare_images(inputs))
    columns = [column.float().cpu() for column in columns]
    for names, column in zip(keys, columns):
        cache.put_many(dict(zip(names, column.numpy())))
    return columns


def weights_hash(module):
    """Return a hash of the parameters and buffers of a network's backbones."""
    digest = hashlib.blake2b(digest_size=16)
    for backbone in module.modules():
        if not isinstance(backbone, Backbone):
            continue
        digest.update(repr(backbone.normalisation).encode())
        for name, value in backbone.state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.digest()
