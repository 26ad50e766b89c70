"""Metadata encoder: the perceptron between a row's numbers and its metadata feature."""

from collections.abc import Sequence

from torch import Tensor, nn

from sklearn_skin.modules._network import LesionNetwork, check_metadata
from sklearn_skin.modules._precision import in_single_precision
from sklearn_skin.modules.heads import TaskHeads


class MetadataEncoder(nn.Sequential):
    r"""Multi-layer perceptron over metadata features.

    Each layer is Linear, BatchNorm (option), ReLU, dropout (option):

    .. math:: f_M = \mathrm{ReLU}(\mathrm{BN}(W_2 \,\mathrm{ReLU}(\mathrm{BN}(W_1 m))))

    Parameters
    ----------
    n_features : int
        Number of metadata features p, at least 1.
    hidden : sequence of int, default=(128, 256)
        Width of each layer; the last is the width of the metadata feature.
    batch_norm : bool, default=True
        BatchNorm after each linear layer.
    last_activation : bool, default=True
        Whether the last layer ends in BatchNorm and ReLU like the others, or in its linear map.
    dropout : float, default=0.0
        Probability in [0, 1) after each activation.

    Attributes
    ----------
    out_features : int
        Width of the metadata feature.

    Raises
    ------
    ValueError
        If `n_features` is below 1 or `hidden` is empty.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import MetadataEncoder
    >>> encoder = MetadataEncoder(5).eval()
    >>> encoder(torch.zeros(2, 5)).shape
    torch.Size([2, 256])
    """

    def __init__(
        self,
        n_features: int,
        hidden: Sequence[int] = (128, 256),
        *,
        batch_norm: bool = True,
        last_activation: bool = True,
        dropout: float = 0.0,
    ) -> None:
        if n_features < 1:
            raise ValueError(f"`n_features` must be at least 1; got {n_features}.")
        if not hidden:
            raise ValueError("`hidden` must name at least one layer; got none.")
        widths = (n_features, *hidden)
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(zip(widths, widths[1:], strict=False)):
            layers.append(nn.Linear(before, after))
            if i < len(hidden) - 1 or last_activation:
                layers += [nn.BatchNorm1d(after)] * batch_norm + [nn.ReLU()]
                layers += [nn.Dropout(dropout)] if dropout else []
        super().__init__(*layers)
        self.out_features = widths[-1]

    @in_single_precision
    def forward(self, metadata: Tensor) -> Tensor:
        """Map metadata (n, p) to metadata features (n, out_features)."""
        features: Tensor = super().forward(metadata)
        return features


class MetadataNet(LesionNetwork):
    """Metadata encoder and one linear classifier per task.

    Parameters
    ----------
    n_features : int
        Number of metadata features p.
    n_classes : sequence of int
        Number of classes of each task.
    hidden : sequence of int, default=(128, 256)
        Width of each hidden layer.
    dropout : float, default=0.0
        Probability in [0, 1) after each activation.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import MetadataNet
    >>> net = MetadataNet(5, [3]).eval()
    >>> net([], torch.zeros(2, 5), None)["metadata"][0].shape
    torch.Size([2, 3])
    """

    branches = ("metadata",)

    def __init__(
        self,
        n_features: int,
        n_classes: Sequence[int],
        *,
        hidden: Sequence[int] = (128, 256),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.n_features = n_features
        self.encoder = MetadataEncoder(n_features, hidden, dropout=dropout)
        self.heads = TaskHeads(self.encoder.out_features, n_classes)

    def forward_features(
        self,
        features: Sequence[Tensor],
        metadata: Tensor | None = None,
        present: Tensor | None = None,
    ) -> dict[str, list[Tensor]]:
        """Classify metadata (n, p); images are ignored."""
        check_metadata(metadata, self.n_features)
        return {"metadata": self.heads(self.encoder(metadata))}
