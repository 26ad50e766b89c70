"""The score of a weighted average of branches, over all weights."""

import numpy as np
import pandas as pd

from sklearn_skin.inspection._plotting import own_axes
from sklearn_skin.inspection._rows import find_network
from sklearn_skin.utils import score_simplex_weights, search_simplex_weights, simplex_lattice

_CORNERS = np.array([[0, 0], [1, 0], [0.5, np.sqrt(3) / 2]])


class BranchWeightsDisplay:
    """Mean task accuracy of a weighted average of two or three branches, over its weights.

    Parameters
    ----------
    branches : sequence of K str
        Names.
    weights : ndarray of shape (m, K)
        Points of the simplex.
    scores : ndarray of shape (m,)
        Mean over tasks of accuracy, in [0, 1].
    best_weights : ndarray of shape (K,)
        Optimum of the exact search.
    best_score : float
        Its score.
    used_weights : ndarray of shape (K,), default=None
        Weights that the model uses.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        What was drawn.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from sklearn_skin.inspection import BranchWeightsDisplay
    >>> sure = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    >>> wrong_twice = np.array([[0.3, 0.7], [0.9, 0.1], [0.1, 0.9]])
    >>> display = BranchWeightsDisplay.from_predictions(
    ...     {"image": sure, "metadata": wrong_twice}, [0, 1, 1]
    ... )
    >>> display.best_score
    1.0
    """

    def __init__(self, branches, weights, scores, *, best_weights, best_score, used_weights=None):
        self.branches = list(branches)
        self.weights = weights
        self.scores = scores
        self.best_weights = best_weights
        self.best_score = best_score
        self.used_weights = used_weights

    @classmethod
    def from_estimator(cls, estimator, X, y, *, branches=None, n_steps=60, ax=None):
        """Score and draw the branches of a fitted network.

        Parameters
        ----------
        estimator : network classifier, or Pipeline that ends in one
            Fitted model with two or three branches.
        X, y : DataFrame and array-like
            Rows to score, which should not be those that it was trained on.
        branches : sequence of str, default=None
            Two or three branches to weigh; all by default.
        n_steps : int, default=60
            Weights are multiples of ``1 / n_steps``.
        ax : matplotlib Axes, default=None
            Place to draw in; a new figure by default.

        Returns
        -------
        display : BranchWeightsDisplay
        """
        network, transformers = find_network(estimator)
        for transformer in transformers:
            X = transformer.transform(X)
        found = network.predict_branches(X)
        used = network.branch_weights_
        if branches is not None:
            _check_known(branches, found)
            found = {name: found[name] for name in branches}
            # The weights in use are of all branches, and say nothing about some of them.
            used = None
        return cls.from_predictions(
            found, y, used_weights=used, classes=network.classes_, n_steps=n_steps, ax=ax
        )

    @classmethod
    def from_predictions(
        cls, predictions, y, *, used_weights=None, classes=None, n_steps=60, ax=None
    ):
        """Score and draw branches whose probabilities are there already.

        Parameters
        ----------
        predictions : dict of str to ndarray (n, C), or to list of T arrays (n, C_t)
            Probabilities of two or three branches.
        y : array-like of shape (n,) or (n, T)
            True labels.
        used_weights : dict of str to float, default=None
            Weights to mark beside the optimum.
        classes : array-like or list of them, default=None
            Labels in the order of the columns; by default the sorted labels in `y`.
        n_steps : int, default=60
            Weights are multiples of ``1 / n_steps``.
        ax : matplotlib Axes, default=None
            Place to draw in; a new figure by default.

        Returns
        -------
        display : BranchWeightsDisplay

        Raises
        ------
        ValueError
            If there are not two or three branches.
        """
        names, tables = list(predictions), list(predictions.values())
        if len(names) not in (2, 3):
            raise ValueError(f"Two or three branches can be drawn; got {len(names)}: {names}.")
        weights = simplex_lattice(len(names), n_steps)
        best, score, _ = search_simplex_weights(tables, y, classes=classes)
        used = None if used_weights is None else np.array([used_weights[n] for n in names])
        return cls(
            names,
            weights,
            score_simplex_weights(tables, y, weights, classes=classes),
            best_weights=best,
            best_score=score,
            used_weights=used,
        ).plot(ax)

    @property
    def table(self):
        """Weights and scores as a DataFrame with a row per point of the simplex."""
        return pd.DataFrame(self.weights, columns=self.branches).assign(score=self.scores)

    def plot(self, ax=None, *, cmap="viridis"):
        """Draw the score as a curve for two branches, over a triangle for three.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Place to draw in; a new figure by default.
        cmap : str or Colormap, default="viridis"
            Colours of the triangle.

        Returns
        -------
        self : BranchWeightsDisplay
        """
        ax = own_axes(ax, (6, 4.5))
        if len(self.branches) == 2:
            self._plot_curve(ax)
        else:
            self._plot_triangle(ax, cmap)
        pairs = zip(self.branches, self.best_weights)
        shown = ", ".join(f"{name} {weight:.2f}" for name, weight in pairs)
        ax.set_title(f"Best {self.best_score:.3f}: {shown}", fontsize=9)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _plot_curve(self, ax):
        order = np.argsort(self.weights[:, 0])
        ax.step(self.weights[order, 0], self.scores[order], where="mid", color="tab:blue")
        ax.plot(self.best_weights[0], self.best_score, "*", color="tab:red", ms=14, label="best")
        if self.used_weights is not None:
            ax.axvline(self.used_weights[0], color="0.4", linestyle=":", label="used")
        ax.set(xlabel=f"Weight of {self.branches[0]}", ylabel="Mean task accuracy")
        ax.legend(frameon=False)

    def _plot_triangle(self, ax, cmap):
        x, y = (self.weights @ _CORNERS).T
        image = ax.tripcolor(x, y, self.scores, cmap=cmap, shading="gouraud")
        ax.figure.colorbar(image, ax=ax, label="Mean task accuracy")
        ax.plot(
            *(self.best_weights @ _CORNERS),
            "*",
            color="tab:red",
            mec="white",
            ms=15,
            label="best",
            linestyle="none",
        )
        if self.used_weights is not None:
            ax.plot(
                *(self.used_weights @ _CORNERS),
                "o",
                color="white",
                mec="black",
                ms=8,
                label="used",
                linestyle="none",
            )
        places = [("right", "top"), ("left", "top"), ("center", "bottom")]
        for corner, name, (ha, va) in zip(_CORNERS, self.branches, places):
            ax.annotate(name, corner, ha=ha, va=va)
        ax.set_aspect("equal")
        ax.margins(0.12)
        ax.set_axis_off()
        ax.legend(loc="upper right", frameon=False)


def _check_known(branches, found):
    unknown = [name for name in branches if name not in found]
    if unknown:
        raise ValueError(f"`branches` has unknown names {unknown}; known are {list(found)}.")
