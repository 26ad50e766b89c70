"""Short names for content: the same bytes have the same digest in every process."""

from hashlib import blake2b

import numpy as np


def array_digest(array):
    """Return the digest of an array's type, shape and values.

    Parameters
    ----------
    array : ndarray of numbers or booleans
        Such as the pixels of an image.

    Returns
    -------
    digest : bytes of length 16
        BLAKE2b.

    Raises
    ------
    TypeError
        If the array holds objects: their bytes are addresses.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.utils import array_digest
    >>> row = np.arange(6, dtype=np.uint8)
    >>> array_digest(row) == array_digest(row.copy()), array_digest(row) == array_digest(row[None])
    (True, False)
    """
    array = np.asarray(array)
    if array.dtype.hasobject:
        raise TypeError(f"`array` must hold numbers or booleans; got {array.dtype}.")
    digest = blake2b(f"{array.dtype.str}{array.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(array))
    return digest.digest()


def as_content(value):
    """Return what joblib can hash by content: networks as their structure and weights.

    A pickled tensor names its address in memory, so equal networks would hash differently.

    Parameters
    ----------
    value : object
        Such as a parameter of an estimator.

    Returns
    -------
    content : object
        The value; of a torch module its repr and the digest of its weights.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.utils import as_content
    >>> as_content(3), as_content(torch.nn.ReLU())[0]
    (3, 'ReLU()')
    """
    return (repr(value), weights_digest(value)) if hasattr(value, "state_dict") else value


def weights_digest(weights):
    """Return the digest of the parameters and buffers of a torch module.

    Parameters
    ----------
    weights : torch.nn.Module, or dict of str to Tensor
        On any device, in any precision. Of a module its `state_dict` is taken.

    Returns
    -------
    digest : str of 32 hexadecimal digits
        BLAKE2b of the names and bytes.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.utils import weights_digest
    >>> module = torch.nn.Linear(2, 2)
    >>> before = weights_digest(module)
    >>> _ = torch.nn.init.zeros_(module.bias)
    >>> before == weights_digest(module)
    False
    """
    import torch

    state = weights if isinstance(weights, dict) else weights.state_dict()
    digest = blake2b(digest_size=16)
    for name, value in state.items():
        digest.update(name.encode())
        # As bytes, for NumPy has no bfloat16; flat, for a scalar cannot be viewed as bytes.
        flat = value.detach().cpu().contiguous().view(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()
