"""One backbone per image column, and one image feature per row."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from sklearn_skin.modules.backbones import Backbone


class ImageColumns(nn.Module):
    """Backbones over the image columns of a row.

    The columns' maps are concatenated along the channels (after averaging down to the smallest
    where backbones differ in resolution), and so are their vectors.

    Parameters
    ----------
    backbones : sequence of Backbone
        One per image column, or a single one with `share_backbone`.
    n_images : int, default=None
        Number of image columns k; ``len(backbones)`` by default.
    share_backbone : bool, default=False
        Use the only backbone for every column.

    Attributes
    ----------
    as_vectors : bool
        Whether only the pooled vectors are read; set by who reads them.

    Raises
    ------
    ValueError
        If the number of backbones does not fit.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import make_backbone
    >>> columns = ImageColumns([make_backbone("resnet10t")], 2, share_backbone=True).eval()
    >>> maps = columns.finish(columns.start([torch.rand(3, 3, 32, 32)] * 2))
    >>> columns.pool(maps).shape
    torch.Size([3, 1024])
    """

    def __init__(
        self,
        backbones: Sequence[Backbone],
        n_images: int | None = None,
        *,
        share_backbone: bool = False,
    ) -> None:
        super().__init__()
        self.n_images = len(backbones) if n_images is None else n_images
        expected = min(1, self.n_images) if share_backbone else self.n_images
        if len(backbones) != expected:
            raise ValueError(
                f"{self.n_images} image columns need {expected} backbones with "
                f"share_backbone={share_backbone}; got {len(backbones)}."
            )
        self.backbones = nn.ModuleList(backbones)
        self.map_features = sum(self._backbone(j).out_features for j in range(self.n_images))
        self.as_vectors = False

    def _backbone(self, column: int) -> Backbone:
        # A shared backbone is the first and the last for every column.
        backbone = self.backbones[min(column, len(self.backbones) - 1)]
        assert isinstance(backbone, Backbone)
        return backbone

    @property
    def vector_features(self) -> int:
        """Length of what `pool` gives."""
        return sum(self._backbone(j).vector_features for j in range(self.n_images))

    @property
    def widths(self) -> list[int]:
        """Channels of each column's map, or lengths of its vector with `as_vectors`."""
        found = [self._backbone(j) for j in range(self.n_images)]
        return [b.vector_features if self.as_vectors else b.out_features for b in found]

    @property
    def sources(self) -> list[tuple[nn.Module, str]]:
        """Per column the backbone that `start` runs, and how far; empty where it runs nothing."""
        whole = "vector" if self.as_vectors else "map"
        backbones = [self._backbone(j) for j in range(self.n_images)]
        found = [b.sources(b.n_frozen_parts, whole if b.frozen else "") for b in backbones]
        return sum(found, []) if all(found) else []

    def start(self, images: Sequence[Tensor]) -> list[Tensor]:
        """Map k images (n, 3, h, w), pixels in [0, 1], as far as no training changes it."""
        return [self._start(self._backbone(j), image) for j, image in enumerate(images)]

    def _start(self, backbone: Backbone, image: Tensor) -> Tensor:
        if not backbone.frozen:
            return backbone.start(image, backbone.n_frozen_parts)
        return backbone.pool(backbone(image)) if self.as_vectors else backbone(image)

    def finish(self, started: Sequence[Tensor]) -> list[Tensor]:
        """Map what `start` returned to k feature maps, or to vectors with `as_vectors`."""
        return [self._finish(self._backbone(j), part) for j, part in enumerate(started)]

    def _finish(self, backbone: Backbone, started: Tensor) -> Tensor:
        if backbone.frozen:
            return started
        maps: Tensor = backbone(started, backbone.n_frozen_parts)
        return backbone.pool(maps) if self.as_vectors else maps

    def join(self, maps: Sequence[Tensor]) -> Tensor:
        """Concatenate k maps into one (n, sum of channels, h', w')."""
        # Down to the smallest: enlarging the others would only invent positions.
        height = min(image.shape[2] for image in maps)
        width = min(image.shape[3] for image in maps)
        same = [
            image
            if image.shape[2:] == (height, width)
            else adaptive_avg_pool2d(image, (height, width))
            for image in maps
        ]
        return torch.cat(same, dim=1)

    def pool(self, finished: Sequence[Tensor]) -> Tensor:
        """Concatenate the vectors of what `finish` returned into one (n, sum of lengths)."""
        if self.as_vectors:
            return torch.cat(list(finished), dim=1)
        return torch.cat([self._backbone(j).pool(maps) for j, maps in enumerate(finished)], dim=1)

    def drop_vector(self) -> None:
        """Leave out the backbones' weights between map and vector, where nothing calls `pool`."""
        for j in range(self.n_images):
            self._backbone(j).drop_vector()
