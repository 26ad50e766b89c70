"""Tokens for the attention operators: positions of a map, groups of metadata features."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_skin.modules.fusion._operator import FusionOperator
from sklearn_skin.utils import check_choice, warn_user


class TokenFusion(FusionOperator):
    """A fusion operator that attends over tokens, or takes one token per modality.

    Parameters
    ----------
    tokens : "spatial" or "vector"
        Several tokens per modality, or one: then a warning says what becomes of the operator.
    operator : str
        The operator's name, for the warning.
    consequence : str
        What one token per modality makes of the operator.

    Raises
    ------
    ValueError
        If `tokens` is neither.
    """

    takes = "tokens"
    metadata = "raw"
    uses_groups = True

    def __init__(self, tokens: str, operator: str, consequence: str) -> None:
        super().__init__()
        check_choice(tokens, ["spatial", "vector"], "tokens")
        self.spatial = tokens == "spatial"
        self.takes, self.metadata = self.inputs(tokens=tokens)
        if not self.spatial:
            warn_user(
                "With tokens='vector' each modality is one token, and the softmax over one key "
                f"is always 1, so that {operator} {consequence}. tokens='spatial' attends over "
                "the positions of the feature map and the groups of metadata features.",
                once=("one token", operator),
            )

    @classmethod
    def inputs(cls, **options: Any) -> tuple[str, str]:
        """Tell what an operator with these options takes: vectors with ``tokens="vector"``."""
        if options.get("tokens") == "vector":
            return "vector", "encoded"
        return super().inputs()


class MetadataTokens(nn.Module):
    r"""One token per group of metadata features.

    .. math:: t_g = b_g + \sum_{j \in g} m_j w_j

    Parameters
    ----------
    n_features : int
        Number of metadata features p.
    width : int
        Length of a token.
    groups : list of list of int, default=None
        The columns of each group, such as those that one-hot encode one variable. Each column
        is in exactly one group. One group per column by default.

    Attributes
    ----------
    n_tokens : int
        Number of groups g.

    Raises
    ------
    ValueError
        If the groups are not a partition of the columns.

    Examples
    --------
    >>> import torch
    >>> MetadataTokens(5, 8, [[0], [1, 2], [3, 4]])(torch.ones(2, 5)).shape
    torch.Size([2, 3, 8])
    """

    members: Tensor

    def __init__(self, n_features: int, width: int, groups: list[list[int]] | None = None) -> None:
        super().__init__()
        groups = groups or [[j] for j in range(n_features)]
        if sorted(j for group in groups for j in group) != list(range(n_features)):
            raise ValueError(
                f"`metadata_groups` must name each of the {n_features} metadata columns exactly "
                f"once; got {groups}."
            )
        self.n_tokens = len(groups)
        members = torch.zeros(len(groups), n_features, 1)
        for number, group in enumerate(groups):
            members[number, group] = 1
        self.register_buffer("members", members, persistent=False)
        # Of each group as of a linear layer of its own: within 1 / sqrt(columns in the group).
        bound = 1 / torch.sqrt((members * members.sum(dim=1, keepdim=True)).sum(dim=0))
        self.weight = nn.Parameter((2 * torch.rand(n_features, width) - 1) * bound)
        self.bias = nn.Parameter((2 * torch.rand(len(groups), width) - 1) / math.sqrt(width))

    def forward(self, metadata: Tensor) -> Tensor:
        """Map metadata (n, p) to tokens (n, g, width)."""
        tokens = torch.matmul(metadata, self.members * self.weight)
        return tokens.transpose(0, 1) + self.bias
