"""The fused features of a network in two dimensions."""

from contextlib import ExitStack

import numpy as np
import pandas as pd
import torch

from sklearn_skin.inspection._plotting import own_axes
from sklearn_skin.inspection._rows import ExplainedRows, explaining
from sklearn_skin.modules import TaskHeads
from sklearn_skin.utils import check_choice


class EmbeddingDisplay:
    """Fused features of rows, reduced to two dimensions by t-SNE or PCA.

    Parameters
    ----------
    embedding : ndarray of shape (n, 2)
        Positions.
    labels : array-like of shape (n,), default=None
        Classes to colour by; missing ones are grey.
    features : ndarray of shape (n, d), default=None
        What the embedding was made of.
    method : str, default=None
        How.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        What was drawn.

    References
    ----------
    .. [1] :ref:`van der Maaten and Hinton (2008) <maaten2008>`, "Visualizing data using t-SNE".

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import make_classification
    >>> from sklearn_skin.inspection import EmbeddingDisplay
    >>> from sklearn_skin.neural_network import MetadataClassifier
    >>> X, y = make_classification(random_state=0)
    >>> net = MetadataClassifier(max_epochs=5, random_state=0).fit(X, y)
    >>> display = EmbeddingDisplay.from_estimator(net, X, y, method="pca")
    >>> display.features.shape, display.embedding.shape
    ((100, 256), (100, 2))
    """

    def __init__(self, embedding, labels=None, *, features=None, method=None):
        self.embedding = np.asarray(embedding)
        self.labels = labels
        self.features = features
        self.method = method

    @classmethod
    def from_estimator(
        cls, estimator, X, y=None, *, method="tsne", task=0, random_state=None, ax=None
    ):
        """Embed and draw what a fitted network's final classifier reads.

        Parameters
        ----------
        estimator : network classifier, or Pipeline that ends in one
            Fitted model.
        X : DataFrame or array-like of shape (n, p)
            Rows as `estimator.predict` takes them.
        y : array-like of shape (n,), default=None
            Labels to colour by; None takes the predicted ones of `task`.
        method : {"tsne", "pca"}, default="tsne"
            How the features are reduced.
        task : int, default=0
            Task whose predictions are the colours where `y` is None.
        random_state : int, RandomState or None, default=None
            Seed of t-SNE.
        ax : matplotlib Axes, default=None
            Place to draw in; a new figure by default.

        Returns
        -------
        display : EmbeddingDisplay
        """
        rows = ExplainedRows(estimator, X)
        task = rows.check_task(task)
        features = _fused_features(rows)
        if y is None:
            y = rows.classes[task][rows.probabilities(task).argmax(axis=1)]
        return cls.from_features(features, y, method=method, random_state=random_state, ax=ax)

    @classmethod
    def from_features(cls, features, y=None, *, method="tsne", random_state=None, ax=None):
        """Embed and draw features that are there already.

        Parameters
        ----------
        features : array-like of shape (n, d)
            Features, at least 3 rows.
        y : array-like of shape (n,), default=None
            Labels to colour by.
        method : {"tsne", "pca"}, default="tsne"
            How the features are reduced.
        random_state : int, RandomState or None, default=None
            Seed of t-SNE.
        ax : matplotlib Axes, default=None
            Place to draw in; a new figure by default.

        Returns
        -------
        display : EmbeddingDisplay
        """
        check_choice(method, ["pca", "tsne"], "method")
        features = np.asarray(features, dtype=np.float64)
        if features.ndim != 2 or len(features) < 3:
            raise ValueError(f"`features` must be (n, d) with n >= 3; got {features.shape}.")
        embedding = _reduce(features, method, random_state)
        return cls(embedding, y, features=features, method=method).plot(ax)

    def plot(self, ax=None, *, cmap="tab10", **scatter_options):
        """Draw a dot per row.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Place to draw in; a new figure by default.
        cmap : str or Colormap, default="tab10"
            Colours of the classes, in the order of the sorted labels.
        **scatter_options
            Passed to `Axes.scatter`.

        Returns
        -------
        self : EmbeddingDisplay
        """
        import matplotlib

        ax = own_axes(ax, (6, 4.5))
        options = {"s": 14, "alpha": 0.8} | scatter_options
        labels = pd.Series(self.labels if self.labels is not None else [None] * len(self.embedding))
        colors = matplotlib.colormaps[cmap] if isinstance(cmap, str) else cmap
        labels = labels.reset_index(drop=True)
        for number, label in enumerate(sorted(labels.dropna().unique())):
            x, y = self.embedding[(labels == label).to_numpy(dtype=bool)].T
            ax.scatter(x, y, color=colors(number % colors.N), label=str(label), **options)
        unknown = labels.isna().to_numpy()
        if unknown.any():
            ax.scatter(*self.embedding[unknown].T, color="0.7", label="unknown", **options)
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        name = {"tsne": "t-SNE", "pca": "Principal component"}.get(self.method, "Dimension")
        ax.set(xlabel=f"{name} 1", ylabel=f"{name} 2", xticks=[], yticks=[])
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _reduce(features, method, random_state):
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if method == "pca":
        return PCA(2, svd_solver="full").fit_transform(features)
    # t-SNE needs about three neighbours per unit of perplexity.
    perplexity = min(30.0, (len(features) - 1) / 3)
    reducer = TSNE(2, perplexity=perplexity, init="pca", random_state=random_state)
    return reducer.fit_transform(features)


def _fused_features(rows):
    """Return what the classifier that runs last is given: the final branch's features."""
    seen, parts = [], []
    heads = [part for part in rows.module.modules() if isinstance(part, TaskHeads)]
    if not heads:
        raise ValueError(f"{type(rows.module).__name__} has no classifier to read features of.")
    with explaining(rows.module), torch.no_grad(), ExitStack() as stack:
        for head in heads:
            # The final branch is classified last, so the last input seen is the fused feature.
            hook = head.register_forward_pre_hook(lambda head, inputs: seen.append(inputs[0]))
            stack.callback(hook.remove)
        for batch in rows.batches:
            rows.module(batch.images, batch.metadata, batch.present)
            parts.append(seen[-1].flatten(1).float().cpu())
            seen.clear()
    return torch.cat(parts).numpy()
