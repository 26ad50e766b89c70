"""One image, one encoder, one head: the baseline of the two-image networks."""

from collections.abc import Sequence

from torch import Tensor, nn

from sklearn_skin.modules._missing_modality import MissingModality
from sklearn_skin.modules._network import LesionNetwork, check_images
from sklearn_skin.modules._staged_encoder import StagedEncoder
from sklearn_skin.modules.heads import fusion_head


class SingleImageNet(LesionNetwork):
    """Classify one image with a `fusion_head`.

    Parameters
    ----------
    encoder : StagedEncoder
        Encoder of the image.
    n_classes : sequence of int
        Number of classes of each task.
    head_hidden : sequence of int, default=(512, 128)
        Widths of the head's layers before the tasks' own.
    dropout : float, default=0.3
        Dropout in the head, in [0, 1).
    allow_missing_images : bool, default=False
        Learn a stand-in for missing images.
    modality_dropout : float, default=0.0
        Accepted for symmetry; a row's only image is never hidden.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import SingleImageNet, StagedEncoder
    >>> net = SingleImageNet(StagedEncoder("test_resnet"), [5, 2]).eval()
    >>> [task.shape[1] for task in net([torch.rand(3, 3, 32, 32)])["image"]]
    [5, 2]
    """

    branches = ("image",)

    def __init__(
        self,
        encoder: StagedEncoder,
        n_classes: Sequence[int],
        *,
        head_hidden: Sequence[int] = (512, 128),
        dropout: float = 0.3,
        allow_missing_images: bool = False,
        modality_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.missing = MissingModality(
            [encoder.out_features], 0, allow_missing_images=allow_missing_images
        )
        self.head = fusion_head(
            encoder.out_features, n_classes, hidden=head_hidden, dropout=dropout
        )

    @property
    def feature_sources(self) -> list[tuple[nn.Module, str]]:
        """The encoder, where no weight of its first steps is trained."""
        return self.encoder.sources(self.encoder.n_frozen_steps)

    def features(self, images: Sequence[Tensor]) -> list[Tensor]:
        """Map the one image (n, 3, h, w), pixels in [0, 1], as far as the encoder is frozen."""
        check_images(images, 1)
        return [self.encoder.start(images[0], self.encoder.n_frozen_steps)]

    def forward_features(
        self,
        features: Sequence[Tensor],
        metadata: Tensor | None = None,
        present: Tensor | None = None,
    ) -> dict[str, list[Tensor]]:
        """Classify what `features` returned; metadata are ignored."""
        vector = self.encoder(features[0], self.encoder.n_frozen_steps)
        (filled,), _ = self.missing([vector], None, present)
        return {"image": self.head(filled)}
