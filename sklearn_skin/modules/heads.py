"""Classifiers from a feature vector to one vector of logits per task."""

from collections.abc import Sequence

from torch import Tensor, nn


class LinearHeads(nn.Module):
    """Optional dense layers, then one linear classifier per task.

    Parameters
    ----------
    in_features : int
        Length d of the feature vector.
    n_classes : sequence of int
        Number of classes of each task.
    hidden : sequence of int, default=()
        Widths of dense layers (Linear, ReLU, dropout) shared by the tasks.
    dropout : float, default=0.0
        Probability in [0, 1) of dropping an input of any layer.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import LinearHeads
    >>> [t.shape[1] for t in LinearHeads(8, [5, 2], hidden=(4,))(torch.ones(3, 8))]
    [5, 2]
    """

    def __init__(
        self,
        in_features: int,
        n_classes: Sequence[int],
        *,
        hidden: Sequence[int] = (),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Dropout(dropout)] if dropout else []
        for width in hidden:
            layers += [nn.Linear(in_features, width), nn.ReLU()]
            layers += [nn.Dropout(dropout)] if dropout else []
            in_features = width
        self.layers = nn.Sequential(*layers)
        self.tasks = nn.ModuleList(nn.Linear(in_features, c) for c in n_classes)

    def forward(self, features: Tensor) -> list[Tensor]:
        """Map features (n, d) to logits, one (n, C_t) per task."""
        features = self.layers(features)
        return [task(features) for task in self.tasks]


class Head(nn.Module):
    """Two dense layers with BatchNorm and SiLU, then one linear classifier per task.

    Linear(d, 512), BN, SiLU, dropout, Linear(512, 128), BN, SiLU, dropout, and Linear(128, C_t)
    for each task t.

    Parameters
    ----------
    in_features : int
        Length d of the feature vector.
    n_classes : sequence of int
        Number of classes of each task.
    hidden : sequence of int, default=(512, 128)
        Widths of the dense layers.
    dropout : float, default=0.3
        Probability in [0, 1) after each activation.

    References
    ----------
    .. [1] The heads of FusionNet, AMMFM and PEMM (systems S4 to S6 of the user guide), as in
       their public code; the thesis' table 6.2 prints a single layer.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import Head
    >>> head = Head(64, [5, 2, 3]).eval()
    >>> [logits.shape[1] for logits in head(torch.ones(4, 64))]
    [5, 2, 3]
    """

    def __init__(
        self,
        in_features: int,
        n_classes: Sequence[int],
        *,
        hidden: Sequence[int] = (512, 128),
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [nn.Linear(in_features, width), nn.BatchNorm1d(width), nn.SiLU()]
            layers += [nn.Dropout(dropout)]
            in_features = width
        self.layers = nn.Sequential(*layers)
        self.tasks = nn.ModuleList(nn.Linear(in_features, c) for c in n_classes)

    def forward(self, features: Tensor) -> list[Tensor]:
        """Map features (n, d) to logits, one (n, C_t) per task."""
        features = self.layers(features)
        return [task(features) for task in self.tasks]
