"""Classifiers from a feature vector to one vector of logits per task."""

from collections.abc import Sequence

from torch import Tensor, nn

from sklearn_skin.modules._precision import in_single_precision

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU}


class TaskHeads(nn.Module):
    """Optional dense layers, then one linear classifier per task.

    Each dense layer is Linear, BatchNorm (option), activation, dropout (option), and is shared
    by the tasks.

    Parameters
    ----------
    in_features : int
        Length d of the feature vector.
    n_classes : sequence of int
        Number of classes of each task.
    hidden : sequence of int, default=()
        Widths of the dense layers.
    activation : {"relu", "silu"}, default="relu"
        What follows each dense layer.
    batch_norm : bool, default=False
        BatchNorm before each activation.
    dropout : float, default=0.0
        Probability in [0, 1) of dropping an output of a dense layer.
    input_dropout : float, default=0.0
        Probability in [0, 1) of dropping an element of the feature vector.

    Raises
    ------
    ValueError
        If `activation` is unknown.

    Examples
    --------
    >>> import torch
    >>> from sklearn_skin.modules import TaskHeads
    >>> [logits.shape[1] for logits in TaskHeads(8, [5, 2], hidden=(4,))(torch.ones(3, 8))]
    [5, 2]
    """

    def __init__(
        self,
        in_features: int,
        n_classes: Sequence[int],
        *,
        hidden: Sequence[int] = (),
        activation: str = "relu",
        batch_norm: bool = False,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if activation not in _ACTIVATIONS:
            raise ValueError(
                f"`activation` must be one of {list(_ACTIVATIONS)}; got {activation!r}."
            )
        layers: list[nn.Module] = [nn.Dropout(input_dropout)] if input_dropout else []
        for width in hidden:
            layers += [nn.Linear(in_features, width)]
            layers += [nn.BatchNorm1d(width)] if batch_norm else []
            layers += [_ACTIVATIONS[activation]()]
            layers += [nn.Dropout(dropout)] if dropout else []
            in_features = width
        self.layers = nn.Sequential(*layers)
        self.tasks = nn.ModuleList(nn.Linear(in_features, c) for c in n_classes)

    @in_single_precision
    def forward(self, features: Tensor) -> list[Tensor]:
        """Map features (n, d) to logits, one (n, C_t) per task."""
        features = self.layers(features)
        return [task(features) for task in self.tasks]


def fusion_head(
    in_features: int,
    n_classes: Sequence[int],
    *,
    hidden: Sequence[int] = (512, 128),
    dropout: float = 0.3,
) -> TaskHeads:
    """Make the head of FusionNet, AMMFM and PEMM.

    Linear(d, 512), BN, SiLU, dropout, Linear(512, 128), BN, SiLU, dropout, and Linear(128, C_t)
    for each task t, as in FusionNet's public code and in the published parameter counts. The
    thesis' table 6.2 prints one layer per task, Linear(d, C_t): that is ``hidden=()``.

    Parameters
    ----------
    in_features : int
        Length d of the feature vector.
    n_classes : sequence of int
        Number of classes of each task.
    hidden : sequence of int, default=(512, 128)
        Widths of the layers before the tasks' own.
    dropout : float, default=0.3
        Probability in [0, 1) after each activation.

    Returns
    -------
    head : TaskHeads

    References
    ----------
    .. [1] :ref:`Tang (2024) <tang2024>`, "Deep learning-based multi-modal fusion method", chapters
       5 and 6.

    Examples
    --------
    >>> from sklearn_skin.modules.heads import fusion_head
    >>> len(fusion_head(64, [5, 2, 3]).tasks)
    3
    """
    return TaskHeads(
        in_features,
        n_classes,
        hidden=hidden,
        activation="silu",
        batch_norm=True,
        dropout=dropout,
    )
