"""What the networks for a clinical and a dermoscopic image of one lesion have in common."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from sklearn_skin.modules._attention import ATTENTIONS
from sklearn_skin.modules._missing_modality import MissingModality
from sklearn_skin.modules._network import LesionNetwork
from sklearn_skin.modules._staged_encoder import N_STEPS, StagedEncoder
from sklearn_skin.modules.heads import fusion_head
from sklearn_skin.utils import check_choice

BRANCHES = ("clinical", "dermoscopy", "fusion")


def find_attention(
    name: str, choices: Sequence[str], **options: Any
) -> Callable[..., nn.Module] | None:
    """Return what makes an attention block with `options`; None for ``"none"``."""
    check_choice(name, choices, "attention")
    return None if name == "none" else partial(ATTENTIONS[name], **options)


def halves(both: Tensor) -> Sequence[Tensor]:
    """Part what `torch.cat` has made of two tensors of one shape."""
    # An exported graph of `chunk` takes no other number of rows than it was made with.
    return both.unflatten(0, (2, -1)).unbind()


class EncoderPair(nn.Module):
    """Encode two images into two vectors, with an attention block after each stage.

    Where a row lacks an image, a learned vector stands in for that image's vector, and the
    other image's map passes the attention blocks unchanged where these would weigh it by the
    missing one; the missing image's pixels then have no influence on the row.

    Parameters
    ----------
    encoders : sequence of StagedEncoder
        One for both images, or one for the clinical and one for the dermoscopic image. A
        single encoder takes both as one batch, so that BatchNorm trains on their mixture.
    attention : callable, default=None
        Makes an attention block, called with the channels of both maps and `scaled`.
    scaled : bool, default=False
        Divide attention scores by the square root of the queries' width.
    allow_missing_images : bool, default=False
        Learn a stand-in for missing images.
    modality_dropout : float, default=0.0
        Probability in [0, 1) of hiding an image in training, never both of a row.

    Attributes
    ----------
    out_features : tuple of (int, int)
        Lengths of the two vectors.

    Raises
    ------
    ValueError
        If there are no or more than two encoders; in `forward`, if there are not two images,
        or one is missing and `allow_missing_images` is false.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import StagedEncoder
    >>> from sklearn_skin.modules._two_images import EncoderPair
    >>> pair = EncoderPair([StagedEncoder("test_resnet")]).eval()
    >>> [vector.shape for vector in pair(pair.start([torch.rand(3, 3, 32, 32)] * 2))]
    [torch.Size([3, 96]), torch.Size([3, 96])]
    """

    def __init__(
        self,
        encoders: Sequence[StagedEncoder],
        *,
        attention: Callable[..., nn.Module] | None = None,
        scaled: bool = False,
        allow_missing_images: bool = False,
        modality_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if len(encoders) not in (1, 2):
            raise ValueError(f"Two images need one or two encoders; got {len(encoders)}.")
        self.encoders = nn.ModuleList(encoders)
        # With one encoder both are the same.
        clinical, dermoscopy = encoders[0], encoders[-1]
        self.out_features = (clinical.out_features, dermoscopy.out_features)
        self.attentions = nn.ModuleList()
        if attention is not None:
            for widths in zip(clinical.channels, dermoscopy.channels):
                self.attentions.append(attention(*widths, scaled=scaled))
        self.allow_missing_images = allow_missing_images
        self.modality_dropout = modality_dropout
        # Attention needs to know which images are hidden before any vector exists, so hiding
        # happens here and MissingModality only fills in.
        self.missing = MissingModality(
            self.out_features, 0, allow_missing_images=allow_missing_images or modality_dropout > 0
        )

    def _hide(self, present: Tensor | None, like: Tensor) -> Tensor | None:
        """Check which images (n, 2) there are and, in training, hide some."""
        if present is not None and not self.allow_missing_images and not bool(present.all()):
            raise ValueError(
                "Some images are missing; pass allow_missing_images=True to learn a stand-in."
            )
        if not self.training or not self.modality_dropout:
            return present
        if present is None:
            present = torch.ones((len(like), 2), dtype=torch.bool, device=like.device)
        draw = torch.rand(present.shape, device=present.device)
        kept = present & (draw >= self.modality_dropout)
        return torch.where(kept.any(dim=1, keepdim=True), kept, present)

    def _n_started(self, encoder: StagedEncoder) -> int:
        """Return how many steps of an encoder nothing that is trained comes before."""
        # After the first stage the other image takes part.
        last = 2 if len(self.attentions) else N_STEPS
        return min(encoder.n_frozen_steps, last)

    def _of_images(self) -> list[StagedEncoder]:
        """Return the encoder of each image."""
        return [cast(StagedEncoder, self.encoders[k]) for k in (0, -1)]

    @property
    def sources(self) -> list[tuple[nn.Module, str]]:
        """What `start` follows from, by image; empty where it leaves an image as it is."""
        found = [encoder.sources(self._n_started(encoder)) for encoder in self._of_images()]
        return sum(found, []) if all(found) else []

    def start(self, images: Sequence[Tensor]) -> list[Tensor]:
        """Run both encoders as far as no training changes them."""
        if len(images) != 2:
            raise ValueError(
                "This network takes two images per row, clinical then dermoscopic; "
                f"got {len(images)}."
            )
        return [e.start(x, self._n_started(e)) for e, x in zip(self._of_images(), images)]

    def _step(self, number: int, pair: Sequence[Tensor]) -> Sequence[Tensor]:
        """Run one step of the encoders on both images, where `start` has not."""
        if all(number < self._n_started(encoder) for encoder in self._of_images()):
            return pair
        if len(self.encoders) == 1:
            return halves(self._of_images()[0].step(number, torch.cat(list(pair))))
        return [
            maps if number < self._n_started(encoder) else encoder.step(number, maps)
            for encoder, maps in zip(self._of_images(), pair)
        ]

    def forward(
        self, started: Sequence[Tensor], present: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Map what `start` made of two images to vectors (n, c) and (n, d).

        Parameters
        ----------
        started : sequence of 2 Tensors
            Of the clinical and the dermoscopic images.
        present : bool Tensor of shape (n, 2), default=None
            Which images there are; None means all.

        Returns
        -------
        clinical, dermoscopy : Tensor of shape (n, c) and (n, d)
        """
        present = self._hide(present, started[0])
        maps = started
        for number in range(N_STEPS):
            maps = self._step(number, maps)
            if len(self.attentions) and 1 <= number <= 4:
                maps = self.attentions[number - 1](*maps, present)
        (clinical, dermoscopy), _ = self.missing(list(maps), None, present)
        return clinical, dermoscopy


class TwoImageNetwork(LesionNetwork):
    """An `EncoderPair` and a head per branch; metadata are ignored, as in the sources.

    Attention acts between the encoders' stages, so `features` runs their first stage at most;
    without attention it runs all that is frozen.

    Parameters
    ----------
    pair : EncoderPair
        From two images to two vectors.
    widths : dict of str to int
        Length of the vector that each head takes: ``"clinical"``, ``"dermoscopy"`` and, last,
        ``"fusion"``; or ``"images"`` in place of the first two, for one head that takes both
        images as one batch, so that its BatchNorm trains on the mixture that it will see.
    n_classes : sequence of int
        Number of classes of each task.
    **head
        Parameters of `fusion_head`.
    """

    branches = BRANCHES

    def __init__(
        self, pair: EncoderPair, widths: dict[str, int], n_classes: Sequence[int], **head: Any
    ) -> None:
        super().__init__()
        self.pair = pair
        self.heads = nn.ModuleDict(
            {name: fusion_head(width, n_classes, **head) for name, width in widths.items()}
        )

    @property
    def feature_sources(self) -> list[tuple[nn.Module, str]]:
        """The encoders, where no weight of their first steps is trained."""
        return self.pair.sources

    def features(self, images: Sequence[Tensor]) -> list[Tensor]:
        """Map a clinical and a dermoscopic image (n, 3, h, w) as far as no training changes it."""
        return self.pair.start(images)

    def fuse(self, clinical: Tensor, dermoscopy: Tensor) -> Tensor:
        """Return the fusion's vector of vectors (n, c) and (n, d); by default both, (n, c + d)."""
        return torch.cat([clinical, dermoscopy], dim=1)

    def forward_features(
        self,
        features: Sequence[Tensor],
        metadata: Tensor | None = None,
        present: Tensor | None = None,
    ) -> dict[str, list[Tensor]]:
        """Classify what `features` returned by branch and task."""
        clinical, dermoscopy = self.pair(features, present)
        if "images" in self.heads:
            both = self.heads["images"](torch.cat([clinical, dermoscopy]))
            pairs = [halves(logits) for logits in both]
            found = {name: [pair[i] for pair in pairs] for i, name in enumerate(BRANCHES[:2])}
        else:
            vectors = zip(BRANCHES[:2], (clinical, dermoscopy))
            found = {name: self.heads[name](vector) for name, vector in vectors}
        # Last, so that what a head is given last is the final branch's feature.
        return found | {"fusion": self.heads["fusion"](self.fuse(clinical, dermoscopy))}
