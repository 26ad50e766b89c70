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
    return [partial(_view, flips=flips, turns=turns) for flips, turns in view_steps(n_views)]


def view_steps(n_views: int) -> list[tuple[tuple[int, ...], int]]:
    """Tell the flipped axes of each view of `tta_views`, and the quarter turns that follow."""
    if n_views not in (1, 4, 6):
        raise ValueError(f"`n_views` must be one of [1, 4, 6]; got {n_views!r}.")
    return [((), 0), ((-1,), 0), ((-2,), 0), ((-2, -1), 0), ((), 1), ((), -1)][:n_views]


# Not nested, since functions in functions cannot be pickled.
def _view(images: Tensor, flips: tuple[int, ...], turns: int) -> Tensor:
    flipped = torch.flip(images, flips) if flips else images
    return torch.rot90(flipped, turns, (-2, -1)) if turns else flipped
