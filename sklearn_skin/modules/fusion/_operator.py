"""What every fusion operator declares."""

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn


class FusionOperator(nn.Module, ABC):
    """From an image feature and a metadata feature to one fused vector.

    A subclass takes ``(image_dim, metadata_dim, **options)``, sets `out_features`, writes
    `forward` and, where the defaults do not fit, the class attributes below. Put into
    `FUSIONS`, it is known to all networks and estimators.

    Attributes
    ----------
    takes : {"vector", "map", "tokens"}, default="vector"
        Whether the image comes as its pooled vector (n, d), or as its feature map (n, d, h, w)
        of any size.
    metadata : {"encoded", "raw"}, default="encoded"
        Whether the metadata come as the encoder's feature or as they are.
    uses_groups : bool, default=False
        Whether the option `metadata_groups`, the columns of each raw variable, is understood.
    additive : bool, default=False
        Whether z = g(image) + h(metadata) in evaluation: what one modality says does not
        depend on the other, whatever is learnt. With some operators it depends on options.
    out_features : int
        Length of the fused vector.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules.fusion import FusionOperator
    >>> class SumFusion(FusionOperator):
    ...     additive = True
    ...
    ...     def __init__(self, image_dim, metadata_dim):
    ...         super().__init__()
    ...         self.project = torch.nn.Linear(image_dim, metadata_dim)
    ...         self.out_features = metadata_dim
    ...
    ...     def forward(self, image, metadata):
    ...         return self.project(image) + metadata
    >>> SumFusion(8, 4)(torch.ones(2, 8), torch.ones(2, 4)).shape
    torch.Size([2, 4])
    """

    takes: str = "vector"
    metadata: str = "encoded"
    uses_groups: bool = False
    additive: bool = False
    out_features: int

    def __init__(self) -> None:
        super().__init__()

    @classmethod
    def inputs(cls, **options: Any) -> tuple[str, str]:
        """Tell what an operator with these options takes, before it is made.

        Parameters
        ----------
        **options
            The operator's own parameters.

        Returns
        -------
        takes : {"vector", "map", "tokens"}
        metadata : {"encoded", "raw"}
        """
        return cls.takes, cls.metadata

    @abstractmethod
    def forward(self, image: Tensor, metadata: Tensor) -> Tensor:
        """Fuse `image` (n, d) or (n, d, h, w) with `metadata` (n, p) into (n, out_features)."""
