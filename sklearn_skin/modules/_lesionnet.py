"""MultiModalLesionNet: a small CNN and a metadata perceptron per image type."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sklearn_skin.modules._missing_modality import MissingModality
from sklearn_skin.modules._network import LesionNetwork, check_images, check_metadata
from sklearn_skin.modules.heads import TaskHeads
from sklearn_skin.modules.metadata import MetadataEncoder


def _conv_block(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


def _check_columns(
    columns: list[list[int]] | None, n_metadata: int, n_images: int
) -> list[list[int]]:
    """Return the metadata columns of each image type; all for each by default."""
    columns = columns or [list(range(n_metadata))] * n_images
    if len(columns) != n_images:
        raise ValueError(
            f"`metadata_columns` must have one list for each of the {n_images} image types; "
            f"got {len(columns)}."
        )
    return columns


class LesionNet(LesionNetwork):
    r"""Late fusion of image types, each with its own metadata and a learnable boost.

    .. math:: l_u = W_u [\mathrm{flatten}(\mathrm{CNN}_u(x_u)); b_u \,\mathrm{MLP}_u(m_u)] + c_u,
        \quad \mathrm{logits} = V_2 \,\mathrm{ReLU}(V_1 [l_1; \dots; l_k])

    for the image types u (clinical and dermoscopic in the source). Each CNN has two blocks of
    conv3x3, ReLU, conv3x3, ReLU, max-pool 2. The source ends in a softmax under a cross-entropy
    that takes logits; this network returns logits.

    Parameters
    ----------
    image_size : (int, int)
        Height and width of the images in pixels, at least 4: the map is flattened.
    n_metadata : int
        Number of metadata features p; may be 0.
    n_classes : sequence of int
        Number of classes of each task.
    n_images : int, default=2
        Number of image types k.
    channels : int, default=10
        Channels of every convolution.
    metadata_hidden : sequence of int, default=(32, 32)
        Widths of the layers of each perceptron; the source's preset has 10 layers.
    metadata_columns : list of k lists of int, default=None
        Metadata columns of each image type; all columns for each by default.
    classifier_hidden : sequence of int, default=(64,)
        Widths of dense layers before the linear classifiers.
    allow_missing_images : bool, default=False
        Learn a stand-in for missing images.
    modality_dropout : float, default=0.0
        Probability of hiding a modality in training; see `MissingModality`.

    Attributes
    ----------
    branches : tuple of str
        ``("fusion",)``.
    boosts : Parameter of shape (k,)
        :math:`b_u`, 1 at first.

    References
    ----------
    .. [1] :ref:`Gyeletshen (undated) <gyeletshen>`, "Skin lesion classification on the MILK10K
       dataset", section IV.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import LesionNet
    >>> net = LesionNet((32, 32), 6, [4], metadata_columns=[[0, 1, 2], [3, 4, 5]])
    >>> net([torch.rand(2, 3, 32, 32)] * 2, torch.rand(2, 6))["fusion"][0].shape
    torch.Size([2, 4])
    """

    branches = ("fusion",)

    def __init__(
        self,
        image_size: tuple[int, int],
        n_metadata: int,
        n_classes: Sequence[int],
        *,
        n_images: int = 2,
        channels: int = 10,
        metadata_hidden: Sequence[int] = (32, 32),
        metadata_columns: list[list[int]] | None = None,
        classifier_hidden: Sequence[int] = (64,),
        allow_missing_images: bool = False,
        modality_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        columns = _check_columns(metadata_columns, n_metadata, n_images)
        self.n_images, self.n_metadata, self.metadata_columns = n_images, n_metadata, columns
        self.image_size = tuple(image_size)
        self.convolutions = nn.ModuleList(
            nn.Sequential(_conv_block(3, channels), _conv_block(channels, channels))
            for _ in range(n_images)
        )
        self.missing = MissingModality(
            [channels] * n_images,
            n_metadata,
            columns if metadata_columns and n_metadata else None,
            allow_missing_images=allow_missing_images,
            modality_dropout=modality_dropout,
        )
        self.perceptrons = nn.ModuleList(
            MetadataEncoder(len(own), metadata_hidden, batch_norm=False) if own else nn.Identity()
            for own in columns
        )
        self.boosts = nn.Parameter(torch.ones(n_images))
        # Each block's pool rounds down.
        flat = channels * (image_size[0] // 4) * (image_size[1] // 4)
        total = sum(n_classes)
        self.modality_logits = nn.ModuleList(
            nn.Linear(flat + (metadata_hidden[-1] if own else 0), total) for own in columns
        )
        self.classifier = TaskHeads(n_images * total, n_classes, hidden=classifier_hidden)

    def freeze(self, freeze: str | int | None) -> None:
        """Stop training the first convolution blocks of every image type, for fine-tuning.

        Parameters
        ----------
        freeze : None, "backbone" or int
            None, all, or that many (0, 1 or 2) blocks; the others are trained.

        Raises
        ------
        ValueError
            If there are not so many blocks.
        """
        n_blocks = {None: 0, "backbone": 2, 0: 0, 1: 1, 2: 2}.get(freeze)
        if n_blocks is None:
            raise ValueError(f"`freeze` must be None, 'backbone', 0, 1 or 2; got {freeze!r}.")
        for blocks in self.convolutions:
            for i, block in enumerate(blocks.children()):
                block.requires_grad_(i >= n_blocks)

    @property
    def feature_sources(self) -> list[tuple[nn.Module, str]]:
        """The convolutions, where all are frozen."""
        if any(weight.requires_grad for weight in self.convolutions.parameters()):
            return []
        return [(convolutions, "map") for convolutions in self.convolutions]

    def features(self, images: Sequence[Tensor]) -> list[Tensor]:
        """Map k images (n, 3, h, w) to k feature maps (n, channels, h/4, w/4)."""
        check_images(images, self.n_images)
        for image in images:
            # A turned image would have as many pixels, but they would meet the wrong weights.
            if tuple(image.shape[-2:]) != self.image_size:
                raise ValueError(
                    f"This network was made for images of {self.image_size} pixels; got "
                    f"{tuple(image.shape[-2:])}."
                )
        return [cnn(image) for cnn, image in zip(self.convolutions, images, strict=True)]

    def forward_features(
        self,
        features: Sequence[Tensor],
        metadata: Tensor | None = None,
        present: Tensor | None = None,
    ) -> dict[str, list[Tensor]]:
        """Classify k maps (n, channels, h/4, w/4) and metadata (n, p) by branch and task."""
        check_metadata(metadata, self.n_metadata)
        maps, metadata = self.missing(list(features), metadata, present)
        logits = []
        for u, own in enumerate(self.metadata_columns):
            parts = [maps[u].flatten(1)]
            if own and metadata is not None:
                parts.append(self.boosts[u] * self.perceptrons[u](metadata[:, own]))
            logits.append(self.modality_logits[u](torch.cat(parts, dim=1)))
        return {"fusion": self.classifier(torch.cat(logits, dim=1))}
