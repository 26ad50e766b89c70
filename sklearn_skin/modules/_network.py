"""What every whole network declares, so that nobody needs to ask what it can."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from sklearn_skin.modules.backbones import Backbone


class LesionNetwork(nn.Module, ABC):
    """From the images and the metadata of rows to logits by branch and task.

    A subclass declares `branches` and writes `forward_features`. One whose images pass a part
    that can be frozen moves that part to `features` and tells in `feature_sources` whether it is.

    Attributes
    ----------
    branches : tuple of str
        Keys of what `forward` returns, the final branch last.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import LesionNetwork, TaskHeads
    >>> class LinearNet(LesionNetwork):
    ...     branches = ("metadata",)
    ...
    ...     def __init__(self, n_metadata, n_classes):
    ...         super().__init__()
    ...         self.heads = TaskHeads(n_metadata, n_classes)
    ...
    ...     def forward_features(self, features, metadata=None, present=None):
    ...         return {"metadata": self.heads(metadata)}
    >>> LinearNet(4, [3])([], torch.rand(2, 4))["metadata"][0].shape
    torch.Size([2, 3])
    """

    branches: tuple[str, ...]

    def __init__(self) -> None:
        super().__init__()

    @property
    def feature_sources(self) -> list[tuple[nn.Module, str]]:
        """What `features` follows from, where it gives the same in every epoch; else empty.

        Per image column the module whose weights it follows from, none of them trained, and a
        word for which of its outputs it is: what is kept is found by both.
        """
        return []

    def freeze(self, freeze: str | int | None) -> None:
        """Stop training the backbones, or their first stages, and train all the rest.

        Parameters
        ----------
        freeze : None, "backbone" or int
            Nothing, everything, or the number of leading stages; see `make_backbone`.
        """
        # Backbones lie at different depths: shared, one per column, or inside an encoder.
        for part in self.modules():
            if isinstance(part, Backbone):
                part.freeze(freeze)

    def features(self, images: Sequence[Tensor]) -> list[Tensor]:
        """Compute what `forward_features` takes of the images; by default they themselves.

        Parameters
        ----------
        images : sequence of k Tensors of shape (n, 3, h, w)
            One per image column, pixels in [0, 1].

        Returns
        -------
        features : list of Tensor
            The first axis of each is the rows'.
        """
        return list(images)

    @abstractmethod
    def forward_features(
        self,
        features: Sequence[Tensor],
        metadata: Tensor | None = None,
        present: Tensor | None = None,
    ) -> dict[str, list[Tensor]]:
        """Classify what `features` returned.

        Parameters
        ----------
        features : sequence of Tensor
            What `features` returned.
        metadata : Tensor of shape (n, p), default=None
            Metadata features.
        present : bool Tensor of shape (n, k), default=None
            Which images there are; None means all.

        Returns
        -------
        logits : dict of str to list of Tensors of shape (n, C_t)
            By branch, then by task.
        """

    def forward(
        self,
        images: Sequence[Tensor],
        metadata: Tensor | None = None,
        present: Tensor | None = None,
    ) -> dict[str, Any]:
        """Classify rows.

        Parameters
        ----------
        images : sequence of k Tensors of shape (n, 3, h, w)
            One per image column, pixels in [0, 1]; empty where there is none.
        metadata : Tensor of shape (n, p), default=None
            Metadata features.
        present : bool Tensor of shape (n, k), default=None
            Which images there are; None means all.

        Returns
        -------
        logits : dict of str to list of Tensors of shape (n, C_t)
            By branch, then by task.
        """
        return self.forward_features(self.features(images), metadata, present)


def check_images(images: Sequence[Tensor], expected: int) -> None:
    """Raise a ValueError where there are not as many image columns as a network was made for."""
    if len(images) != expected:
        columns = "image column" if expected == 1 else "image columns"
        raise ValueError(f"Expected {expected} {columns}; got {len(images)}.")


def check_metadata(metadata: Tensor | None, expected: int) -> None:
    """Raise a ValueError where a network that was made for metadata gets none."""
    if expected and metadata is None:
        raise ValueError(f"Expected {expected} metadata features; got none.")
