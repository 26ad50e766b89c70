"""Learned stand-ins for a modality that a row lacks, or that training hides from it."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class MissingModality(nn.Module):
    r"""Replace missing image maps and hidden metadata by learned tokens.

    A missing image's feature map becomes one learned vector at every position. Modality dropout
    hides, in training, each image of a row with probability p where another modality of the row
    remains, and each group of metadata features with probability p where an image remains, so
    that no row is ever left empty and the network learns to do without.

    Parameters
    ----------
    widths : sequence of int
        Channels of the feature map, or length of the vector, of each image column.
    n_metadata : int
        Number of metadata features p; may be 0.
    metadata_groups : list of list of int, default=None
        Columns of the metadata that are hidden together; all of them by default.
    allow_missing_images : bool, default=False
        Whether rows may lack images.
    modality_dropout : float, default=0.0
        Probability p in [0, 1).

    Raises
    ------
    ValueError
        If `modality_dropout` is out of range; in `forward`, if an image is missing and
        `allow_missing_images` is false.

    References
    ----------
    .. [1] :ref:`Neverova et al. (2016) <neverova2016>`, "ModDrop".

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import MissingModality
    >>> missing = MissingModality([4], 2, allow_missing_images=True).eval()
    >>> maps, metadata = missing(
    ...     [torch.ones(2, 4, 3, 3)], torch.ones(2, 2), torch.tensor([[True], [False]])
    ... )
    >>> maps[0].sum(dim=(1, 2, 3)).tolist()
    [36.0, 0.0]
    """

    group_of: Tensor

    def __init__(
        self,
        widths: Sequence[int],
        n_metadata: int,
        metadata_groups: list[list[int]] | None = None,
        *,
        allow_missing_images: bool = False,
        modality_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= modality_dropout < 1:
            raise ValueError(f"`modality_dropout` must be in [0, 1); got {modality_dropout!r}.")
        self.allow_missing_images = allow_missing_images
        self.modality_dropout = modality_dropout
        learns = allow_missing_images or modality_dropout > 0
        self.image_tokens = nn.ParameterList(
            nn.Parameter(torch.zeros(width)) for width in (widths if learns else ())
        )
        self.metadata_token = (
            nn.Parameter(torch.zeros(n_metadata)) if modality_dropout and n_metadata else None
        )
        groups = metadata_groups or [list(range(n_metadata))]
        group_of = torch.full((n_metadata,), len(groups))
        for number, group in enumerate(groups):
            group_of[group] = number
        # Columns in no group are hidden together, by the last draw.
        self.n_groups = len(groups) + 1
        # Not persistent: it follows from the options, and weights fit other groupings too.
        self.register_buffer("group_of", group_of, persistent=False)

    def forward(
        self, maps: list[Tensor], metadata: Tensor | None, present: Tensor | None
    ) -> tuple[list[Tensor], Tensor | None]:
        """Fill what is missing.

        Parameters
        ----------
        maps : list of k Tensors of shape (n, d, h, w) or (n, d)
            One feature map or vector per image column.
        metadata : Tensor of shape (n, p) or None
            Metadata features.
        present : bool Tensor of shape (n, k) or None
            Which images there are; None means all.

        Returns
        -------
        maps : list of k Tensors
        metadata : Tensor of shape (n, p) or None
        """
        if present is not None and not self.allow_missing_images and not bool(present.all()):
            raise ValueError(
                "Some images are missing; pass allow_missing_images=True to learn a stand-in."
            )
        if not len(self.image_tokens) or not maps:
            return maps, metadata
        if self.training and self.modality_dropout:
            if present is None:
                present = maps[0].new_ones((len(maps[0]), len(maps)), dtype=torch.bool)
            # Images first: a row that lost them all must keep its metadata.
            present = self._drop_images(present, metadata is not None)
            if metadata is not None:
                metadata = self._drop_metadata(metadata, present)
        if present is None:
            return maps, metadata
        return [self._fill(image, present[:, j], j) for j, image in enumerate(maps)], metadata

    def _fill(self, image: Tensor, present: Tensor, column: int) -> Tensor:
        positions = [1] * (image.ndim - 2)
        token = self.image_tokens[column].view(-1, *positions).to(image.dtype)
        return torch.where(present.view(-1, 1, *positions), image, token)

    def _drop_images(self, present: Tensor, has_metadata: bool) -> Tensor:
        kept = present & (torch.rand(present.shape, device=present.device) >= self.modality_dropout)
        if has_metadata:
            return kept
        # Rows that would be left empty keep all they had.
        return torch.where(kept.any(dim=1, keepdim=True), kept, present)

    def _drop_metadata(self, metadata: Tensor, present: Tensor) -> Tensor:
        if self.metadata_token is None:
            return metadata
        draw = torch.rand((len(metadata), self.n_groups), device=metadata.device)
        hidden = (draw < self.modality_dropout) & present.any(dim=1, keepdim=True)
        token = self.metadata_token.to(metadata.dtype)
        return torch.where(hidden[:, self.group_of], token, metadata)
