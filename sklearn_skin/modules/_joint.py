"""Joint fusion: one classifier over the fused feature of images and metadata."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from sklearn_skin.modules._image_columns import ImageColumns
from sklearn_skin.modules._missing_modality import MissingModality
from sklearn_skin.modules._network import LesionNetwork, check_images, check_metadata
from sklearn_skin.modules.backbones import Backbone
from sklearn_skin.modules.fusion._operator import FusionOperator
from sklearn_skin.modules.fusion._registry import find_fusion, make_fusion
from sklearn_skin.modules.heads import TaskHeads
from sklearn_skin.modules.metadata import MetadataEncoder
from sklearn_skin.utils import check_choice


class JointFusionNet(LesionNetwork):
    r"""Classify the fusion of image and metadata features.

    .. math:: \mathrm{logits}_t = C_t(F(f_I, f_M))

    The images of a row are joined into one image feature f_I (`ImageColumns`). The operator F
    gets the pooled vector or the feature map, and the encoded or the raw metadata, as its
    attributes `takes` and `metadata` say; `fusion_metadata` overrules the latter. Without metadata
    the classifier reads the pooled image (branch ``"image"``), without images the encoded metadata
    (branch ``"metadata"``). What nothing reads is not made, or taken out of the backbones.

    Parameters
    ----------
    backbones : sequence of Backbone
        One per image column, or one with `share_backbone`; empty for metadata alone.
    n_metadata : int
        Number of metadata features p; 0 for images alone.
    n_classes : sequence of int
        Number of classes of each task.
    fusion : str, default="concat"
        Name of a fusion operator.
    fusion_options : dict, default=None
        Its parameters.
    fusion_metadata : {"auto", "raw", "encoded"}, default="auto"
        What the operator gets of the metadata: what it declares; the metadata as they are; or the
        encoder's feature f_M, which alone lets the fused feature's loss train the encoder. Tokens
        of raw metadata are one per group, those of encoded metadata one per element of f_M, since
        the encoder mixes the groups.
    n_images : int, default=None
        Number of image columns; ``len(backbones)`` by default.
    share_backbone : bool, default=False
        Use one backbone for every image column.
    metadata_hidden : sequence of int, default=(128, 256)
        Layers of the metadata encoder; not used where only an operator of raw metadata would
        read it.
    metadata_groups : list of list of int, default=None
        Columns that encode one raw variable: tokens of attention over raw metadata, and units of
        dropout.
    image_dropout : float, default=0.0
        Dropout on the pooled image, in [0, 1); not used where an operator takes the map.
    classifier_hidden : sequence of int, default=()
        Widths of dense layers before the linear classifiers.
    dropout : float, default=0.0
        Dropout in the classifier, in [0, 1).
    allow_missing_images : bool, default=False
        Learn a stand-in for missing images.
    modality_dropout : float, default=0.0
        Probability of hiding a modality in training; see `MissingModality`.

    Attributes
    ----------
    branches : tuple of str
        Keys of what `forward` returns, the final branch last.

    Raises
    ------
    ValueError
        If `fusion` or `fusion_metadata` is unknown, or there is neither image nor metadata.

    References
    ----------
    .. [1] :ref:`Anonymous (undated) <efficientnet_readme>`, "multimodal-skin-lesion-efficientnet".
    .. [2] :ref:`Das et al. (2025) <das2025>`, "Comparative analysis of multimodal architectures".
    .. [3] :ref:`Tang (2024) <tang2024>`, "Deep learning-based multi-modal fusion method", section
       4.2.2, the structure JF.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import JointFusionNet, make_backbone
    >>> net = JointFusionNet([make_backbone("resnet10t")], 5, [3]).eval()
    >>> logits = net([torch.rand(2, 3, 32, 32)], torch.rand(2, 5))
    >>> {branch: [task.shape for task in tasks] for branch, tasks in logits.items()}
    {'fusion': [torch.Size([2, 3])]}
    """

    def __init__(
        self,
        backbones: Sequence[Backbone],
        n_metadata: int,
        n_classes: Sequence[int],
        *,
        fusion: str = "concat",
        fusion_options: dict[str, Any] | None = None,
        fusion_metadata: str = "auto",
        n_images: int | None = None,
        share_backbone: bool = False,
        metadata_hidden: Sequence[int] = (128, 256),
        metadata_groups: list[list[int]] | None = None,
        image_dropout: float = 0.0,
        classifier_hidden: Sequence[int] = (),
        dropout: float = 0.0,
        allow_missing_images: bool = False,
        modality_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.images = ImageColumns(backbones, n_images, share_backbone=share_backbone)
        if not self.images.n_images and not n_metadata:
            raise ValueError("A network needs image columns or metadata features; got neither.")
        self.n_metadata = n_metadata
        self.image_dropout = nn.Dropout(image_dropout)
        options = fusion_options or {}
        self._choose_inputs(fusion, options, fusion_metadata)
        # The encoder mixes the columns, so its features belong to no group.
        if find_fusion(fusion).uses_groups and self.reads_raw:
            options = {"metadata_groups": metadata_groups} | options
        self._add_fusion(fusion, options, metadata_hidden)
        self.missing = MissingModality(
            self.images.widths,
            n_metadata,
            metadata_groups,
            allow_missing_images=allow_missing_images,
            modality_dropout=modality_dropout,
        )
        widths = self._widths()
        # With one modality there is nothing to fuse, and its own branch is the last one.
        self.branches = tuple(widths) if self._individual else tuple(widths)[-1:]
        heads: dict[str, Any] = {
            "hidden": classifier_hidden,
            "dropout": dropout,
            "input_dropout": dropout,
        }
        self.classifiers = nn.ModuleDict(
            {branch: TaskHeads(widths[branch], n_classes, **heads) for branch in self.branches}
        )

    # Whether f_I and f_M are classified beside the fused feature; of the class, since __init__
    # needs it before a subclass could have set anything.
    _individual = False

    def _choose_inputs(self, name: str, options: dict[str, Any], metadata: str) -> None:
        """Decide what the operator gets of the image and of the metadata."""
        check_choice(metadata, ["auto", "encoded", "raw"], "fusion_metadata")
        # Asked of the class: the encoder is made before the operator, which needs its width.
        self.takes, declared = find_fusion(name).inputs(**options)
        self.reads_raw = (declared if metadata == "auto" else metadata) == "raw"

    def _add_fusion(self, name: str, options: dict[str, Any], hidden: Sequence[int]) -> None:
        """Make the metadata encoder and the operator, as far as anything reads them."""
        fuses = bool(self.images.n_images and self.n_metadata)
        self.encoder: MetadataEncoder | None = None
        metadata_dim = self.n_metadata
        if self.n_metadata and (self._individual or not (fuses and self.reads_raw)):
            self.encoder = MetadataEncoder(self.n_metadata, hidden)
            metadata_dim = self.n_metadata if self.reads_raw else self.encoder.out_features
        self.fusion: FusionOperator | None = None
        if fuses:
            images = self.images
            vector = self.takes == "vector"
            image_dim = images.vector_features if vector else images.map_features
            self.fusion = make_fusion(name, image_dim, metadata_dim, **options)
        # Pooling may be a network of its own (DermiResNet), so only where someone reads it.
        self.images.as_vectors = self.fusion is None or self.takes == "vector"
        self.pools = self._individual or self.images.as_vectors
        if not self.pools:
            self.images.drop_vector()

    def _widths(self) -> dict[str, int]:
        """Return the length of each branch's feature, the fused one last."""
        widths = {"image": self.images.vector_features} if self.images.n_images else {}
        if self.encoder is not None:
            widths["metadata"] = self.encoder.out_features
        if self.fusion is not None:
            widths["fusion"] = self.fusion.out_features
        return widths

    @property
    def feature_sources(self) -> list[tuple[nn.Module, str]]:
        """The backbones, where no weight of their first part is trained."""
        return self.images.sources

    def features(self, images: Sequence[Tensor]) -> list[Tensor]:
        """Map k images (n, 3, h, w), pixels in [0, 1], as far as the backbones are frozen."""
        check_images(images, self.images.n_images)
        return self.images.start(images)

    def encode(
        self, features: Sequence[Tensor], metadata: Tensor | None, present: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Compute the features that are classified, by branch.

        Parameters
        ----------
        features : sequence of k Tensors
            What `features` returned.
        metadata : Tensor of shape (n, p) or None
            Metadata features.
        present : bool Tensor of shape (n, k), default=None
            Which images there are; all by default.

        Returns
        -------
        features : dict of str to Tensor of shape (n, d)
            By branch: ``"image"``, ``"metadata"``, ``"fusion"``, as far as they are used.
        """
        check_metadata(metadata, self.n_metadata)
        maps, metadata = self.missing(self.images.finish(features), metadata, present)
        found: dict[str, Tensor] = {}
        if maps and self.pools:
            found["image"] = self.image_dropout(self.images.pool(maps))
        if self.encoder is not None:
            found["metadata"] = self.encoder(metadata)
        if self.fusion is not None:
            image = found["image"] if self.takes == "vector" else self.images.join(maps)
            found["fusion"] = self.fusion(image, metadata if self.reads_raw else found["metadata"])
        return found

    def forward_features(
        self,
        features: Sequence[Tensor],
        metadata: Tensor | None = None,
        present: Tensor | None = None,
    ) -> dict[str, list[Tensor]]:
        """Classify what `features` returned, and metadata (n, p), by branch and task."""
        found = self.encode(features, metadata, present)
        return {branch: self.classifiers[branch](found[branch]) for branch in self.branches}
