"""Losses and scores over the epochs of a fit."""

from numbers import Real

import numpy as np
import pandas as pd

from sklearn_skin.inspection._plotting import own_axes
from sklearn_skin.inspection._rows import find_network

_NOT_CURVES = ("_best", "_batch_count", "_batch_size")
_COLORS = {"train_loss": "tab:blue", "valid_loss": "tab:orange"}
_SPARE_COLORS = ["tab:green", "tab:red", "tab:purple", "tab:brown", "tab:pink"] * 9


class LearningCurveDisplay:
    """Losses and scores of a network over its epochs.

    Losses belong to the left axis and everything else that was measured per epoch to the
    right one. A dotted line marks the epoch of the lowest validation loss.

    Parameters
    ----------
    history : list of dict
        One entry per epoch, as a network's `history_`.

    Attributes
    ----------
    curves : DataFrame
        Epochs by what was measured.
    best_epoch : int or None
        Epoch of the lowest validation loss.
    ax_, figure_ : matplotlib Axes and Figure
        What was drawn; `right_ax_` is the axis of scores, or None.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import make_classification
    >>> from sklearn_skin.inspection import LearningCurveDisplay
    >>> from sklearn_skin.neural_network import MetadataClassifier
    >>> X, y = make_classification(random_state=0)
    >>> net = MetadataClassifier(max_epochs=5, random_state=0).fit(X, y)
    >>> LearningCurveDisplay.from_estimator(net).curves.shape
    (5, 1)
    """

    def __init__(self, history):
        rows = [{k: v for k, v in row.items() if _is_curve(k, v)} for row in history]
        if not rows:
            raise ValueError("`history` must hold at least one epoch; got none.")
        epochs = [row.get("epoch", i) for i, row in enumerate(history, start=1)]
        self.history = list(history)
        self.curves = pd.DataFrame(rows, index=pd.Index(epochs, name="epoch"))
        valid = self.curves.get("valid_loss")
        self.best_epoch = None if valid is None else int(valid.idxmin())

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **plot_options):
        """Draw the curves of a fitted network.

        Parameters
        ----------
        estimator : network classifier, or Pipeline that ends in one
            Fitted model.
        ax : matplotlib Axes, default=None
            Place to draw in; a new figure by default.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        display : LearningCurveDisplay
        """
        network, _ = find_network(estimator)
        return cls(network.history_).plot(ax, **plot_options)

    def plot(self, ax=None, *, curves=None):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Place to draw in; a new figure by default.
        curves : sequence of str, default=None
            Columns of `curves` to draw; all by default.

        Returns
        -------
        self : LearningCurveDisplay
        """
        names = list(self.curves.columns) if curves is None else list(curves)
        unknown = [name for name in names if name not in self.curves]
        if unknown:
            raise ValueError(
                f"`curves` has unknown names {unknown}; known are {list(self.curves.columns)}."
            )
        ax = own_axes(ax, (6, 4))
        scores = [name for name in names if "loss" not in name]
        left = [name for name in names if name not in scores]
        # Scores have a scale of their own beside losses.
        right = ax.twinx() if scores and left else None
        colors = iter(_SPARE_COLORS)
        lines = self._draw(ax, left, "-", colors)
        lines += self._draw(ax if right is None else right, scores, "--", colors)
        if self.best_epoch is not None:
            ax.axvline(self.best_epoch, color="0.6", linestyle=":", zorder=0)
        ax.set(xlabel="Epoch", ylabel="Loss" if left else "Score")
        ax.xaxis.get_major_locator().set_params(integer=True)
        if right is not None:
            right.set_ylabel("Score")
        # Above the axes: curves run through every corner of them.
        place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 3}
        ax.legend(handles=lines, frameon=False, **place)
        self.ax_, self.right_ax_, self.figure_ = ax, right, ax.figure
        return self

    def _draw(self, ax, names, style, colors):
        """Draw curves in one style; return the lines."""
        # A single point shows no line.
        marker = "o" if len(self.curves) == 1 else None
        lines = []
        for name in names:
            color = _COLORS.get(name) or next(colors)
            label = name.replace("_", " ")
            lines += ax.plot(self.curves[name], style, color=color, label=label, marker=marker)
        return lines


def _is_curve(name, value):
    """Tell whether an entry of the history is a measure of its epoch."""
    if name in ("epoch", "dur") or name.endswith(_NOT_CURVES) or name.startswith("event_"):
        return False
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)
