"""Views of a batch for test-time augmentation."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor


def tta_views(n_views: int) -> list[Callable[[Tensor], Tensor]]:
    """Give the flips and turns whose predictions are averaged.

    Parameters
    ----------
    n_views : {1, 4, 6}
        1: the image itself. 4: also flipped left-right, upside down, and both.
        6: also turned by +90 and -90 degrees, which swaps height and width.

    Returns
    -------
    views : list of callable
        Functions on tensors (..., h, w); the first is the identity.

    Raises
    ------
    ValueError
        If `n_views` is another number.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import tta_views
    >>> image = torch.tensor([[1, 2], [3, 4]])
    >>> [view(image).flatten().tolist() for view in tta_views(4)]
    [[1, 2, 3, 4], [2, 1, 4, 3], [3, 4, 1, 2], [4, 3, 2, 1]]
    """
    if n_views not in (1, 4, 6):
        raise ValueError(f"`n_views` must be one of [1, 4, 6]; got {n_views!r}.")
    return list(_ALL_VIEWS[:n_views])


def _identity(images: Tensor) -> Tensor:
    return images


# Partials of torch's functions, since lambdas cannot be pickled.
_ALL_VIEWS = (
    _identity,
    partial(torch.flip, dims=(-1,)),
    partial(torch.flip, dims=(-2,)),
    partial(torch.flip, dims=(-2, -1)),
    partial(torch.rot90, k=1, dims=(-2, -1)),
    partial(torch.rot90, k=-1, dims=(-2, -1)),
)
