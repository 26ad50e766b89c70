"""The first stage of FusionM4Net: its default, and lists of classifiers as a parameter."""

import pandas as pd
from sklearn.linear_model import LogisticRegression

from sklearn_skin.image import ImageDtype

FIRST = "first_stage"


def default_first_stage(X, group_column, seed):
    """Return a network for the images of X.

    FusionNet for two, joint-individual fusion for another number. Without images no network is
    needed to learn from a table.
    """
    n_images = 0
    if isinstance(X, pd.DataFrame):
        n_images = sum(isinstance(dtype, ImageDtype) for dtype in X.dtypes)
    if n_images == 0:
        return LogisticRegression(max_iter=1000)
    # torch is imported only where there are images.
    from sklearn_skin import neural_network

    name = "FusionNetClassifier" if n_images == 2 else "JointIndividualFusionClassifier"
    return getattr(neural_network, name)(group_column=group_column, random_state=seed)


def check_members(members):
    """Check a list of (name, classifier); the names become branches."""
    pairs = isinstance(members, list) and len(members) > 0
    if not pairs or not all(isinstance(m, tuple) and len(m) == 2 for m in members):
        raise ValueError(
            "`first_stage` must be a classifier or a non-empty list of (str, classifier) tuples; "
            f"got {members!r}."
        )
