"""Multiplicative fusion whose backbone also learns to enlarge the image."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from sklearn_skin.modules._decoder import Decoder
from sklearn_skin.modules._missing_modality import MissingModality
from sklearn_skin.modules._network import LesionNetwork, check_images, check_metadata
from sklearn_skin.modules._upsampling import FrozenUpsampler
from sklearn_skin.modules.backbones import Backbone
from sklearn_skin.modules.heads import TaskHeads
from sklearn_skin.modules.metadata import MetadataEncoder

_MODES = ("bicubic", "bilinear")


class SuperResolutionNet(LesionNetwork):
    r"""Weigh image features by metadata features, with super-resolution as a second task.

    .. math:: z = f_I \odot f_M, \quad f_I = \mathrm{pool}(\mathrm{conv}_{1 \times 1}(V)), \quad
        f_M = \mathrm{MLP}(m)

    V is the last map of the backbone. A decoder predicts from V the input image at twice its
    size; the target is the input enlarged, or given. The image is the input as the network gets
    it, in [0, 1], after augmentation.

    Parameters
    ----------
    backbone : Backbone
        For the one image column.
    n_metadata : int
        Number of metadata features p; with 0, z is the image's feature.
    n_classes : sequence of int
        Number of classes of each task.
    upsampling : {"bilinear", "bicubic"}, callable or None, default="bilinear"
        How the target is made: by interpolation, or by a callable (n, 3, h, w) -> (n, 3, 2 h, 2 w)
        such as a trained network, which is never trained here. None: in training the images come
        at twice the size; they are the targets, and the input is their average over 2 x 2 pixels.
    feature_dim : int, default=512
        Length of f_I and f_M.
    metadata_hidden : sequence of int, default=(64, 128, 256)
        Layers of the metadata perceptron before its last, with ReLU.
    classifier_hidden : sequence of int, default=(256,)
        Widths of dense layers before the linear classifiers.
    dropout : float, default=0.0
        Dropout in the classifier, in [0, 1).
    metadata_groups : list of list of int, default=None
        Columns that `modality_dropout` hides together.
    allow_missing_images : bool, default=False
        Learn a stand-in for missing images; they add nothing to the reconstruction's error.
    modality_dropout : float, default=0.0
        Probability of hiding a modality in training; see `MissingModality`.

    Attributes
    ----------
    branches : tuple of str
        ``("fusion",)``.

    Raises
    ------
    ValueError
        If `upsampling` is unknown.

    References
    ----------
    .. [1] :ref:`Khurshid et al. (2024) <khurshid2024>`, "Multimodal data and auxiliary task
       integration", eqs. 1, 2 and 4.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import SuperResolutionNet, make_backbone
    >>> net = SuperResolutionNet(make_backbone("resnet10t"), 5, [3])
    >>> out = net([torch.rand(2, 3, 32, 32)], torch.rand(2, 5))
    >>> out["fusion"][0].shape, out["reconstruction"].shape, out["target"].shape
    (torch.Size([2, 3]), torch.Size([2, 3, 64, 64]), torch.Size([2, 3, 64, 64]))
    """

    # Never `frozen`: in training the target is made of the images, so kept maps would not do.
    branches = ("fusion",)

    def __init__(
        self,
        backbone: Backbone,
        n_metadata: int,
        n_classes: Sequence[int],
        *,
        upsampling: str | Callable[[Tensor], Tensor] | None = "bilinear",
        feature_dim: int = 512,
        metadata_hidden: Sequence[int] = (64, 128, 256),
        classifier_hidden: Sequence[int] = (256,),
        dropout: float = 0.0,
        metadata_groups: list[list[int]] | None = None,
        allow_missing_images: bool = False,
        modality_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.set_upsampling(upsampling)
        self.backbone = backbone
        # Both tasks read the map.
        backbone.drop_vector()
        self.n_metadata = n_metadata
        self.missing = MissingModality(
            [backbone.out_features],
            n_metadata,
            metadata_groups,
            allow_missing_images=allow_missing_images,
            modality_dropout=modality_dropout,
        )
        self.project = nn.Conv2d(backbone.out_features, feature_dim, 1)
        self.encoder: MetadataEncoder | None = None
        if n_metadata:
            self.encoder = MetadataEncoder(
                n_metadata,
                (*metadata_hidden, feature_dim),
                batch_norm=False,
                last_activation=False,
            )
        drops: dict[str, Any] = {"dropout": dropout, "input_dropout": dropout}
        self.classifier = TaskHeads(feature_dim, n_classes, hidden=classifier_hidden, **drops)
        self.decoder = Decoder(backbone.out_features)

    def set_upsampling(self, upsampling: str | Callable[[Tensor], Tensor] | None) -> None:
        """Decide how targets are made, as the parameter `upsampling` does."""
        if not (upsampling is None or callable(upsampling) or upsampling in _MODES):
            raise ValueError(
                f"`upsampling` must be one of {list(_MODES)}, a callable or None; "
                f"got {upsampling!r}."
            )
        made = FrozenUpsampler(upsampling) if callable(upsampling) else upsampling
        self.upsampling: Any = made

    def features(self, images: Sequence[Tensor]) -> list[Tensor]:
        """Map the one image (n, 3, h, w), pixels in [0, 1], to its feature map."""
        check_images(images, 1)
        return [self.backbone(images[0])]

    def forward_features(
        self,
        features: Sequence[Tensor],
        metadata: Tensor | None = None,
        present: Tensor | None = None,
    ) -> dict[str, list[Tensor]]:
        """Classify the one map (n, d, h', w') and metadata (n, p), without the decoder."""
        check_metadata(metadata, self.n_metadata)
        filled, metadata = self.missing(list(features), metadata, present)
        fused = self.project(filled[0]).mean(dim=(2, 3))
        if self.encoder is not None:
            fused = fused * self.encoder(metadata)
        return {"fusion": self.classifier(fused)}

    def enlarge(self, image: Tensor) -> Tensor:
        """Enlarge images (n, 3, h, w) in [0, 1] to twice their size."""
        if isinstance(self.upsampling, FrozenUpsampler):
            twice = self.upsampling(image)
        else:
            twice = interpolate(image, scale_factor=2.0, mode=self.upsampling, align_corners=False)
        return twice.clamp(0, 1)  # bicubic overshoots at edges

    def reconstruct(self, images: Sequence[Tensor]) -> Tensor:
        """Draw images at twice their size from their feature map.

        Parameters
        ----------
        images : sequence of one Tensor of shape (n, 3, h, w)
            Pixels in [0, 1].

        Returns
        -------
        reconstruction : Tensor of shape (n, 3, 2 h, 2 w)
            The decoder's output, which may leave [0, 1].
        """
        return self._decode(self.features(images)[0], images[0])

    def _decode(self, map_: Tensor, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        drawn: Tensor = self.decoder(map_, (2 * height, 2 * width))
        return drawn

    def forward(
        self,
        images: Sequence[Tensor],
        metadata: Tensor | None = None,
        present: Tensor | None = None,
    ) -> dict[str, Any]:
        """Classify; in training reconstruct as well.

        Parameters
        ----------
        images : sequence of one Tensor of shape (n, 3, h, w)
            Pixels in [0, 1]; in training, with ``upsampling=None``, of twice the size.
        metadata : Tensor of shape (n, p), default=None
            Metadata features.
        present : bool Tensor of shape (n, 1), default=None
            Which images there are; None means all.

        Returns
        -------
        output : dict
            ``"fusion"``: list of logits (n, C_t); in training also ``"reconstruction"`` and
            ``"target"``, Tensors of shape (n, 3, 2 h, 2 w) for `ReconstructionLoss`.
        """
        if not self.training:
            return super().forward(images, metadata, present)
        check_images(images, 1)
        image, target = self._input_and_target(images[0])
        # The decoder sees the map before a stand-in replaces it, and the backbone runs once.
        maps = self.features([image])
        output: dict[str, Any] = dict(self.forward_features(maps, metadata, present))
        drawn = self._decode(maps[0], image)
        if present is not None:
            # Where there is no image the target is the drawing itself, whose error is zero.
            target = torch.where(present[:, 0, None, None, None], target, drawn.detach())
        return output | {"reconstruction": drawn, "target": target}

    def _input_and_target(self, image: Tensor) -> tuple[Tensor, Tensor]:
        if self.upsampling is None:
            return avg_pool2d(image, 2), image
        return image, self.enlarge(image)
