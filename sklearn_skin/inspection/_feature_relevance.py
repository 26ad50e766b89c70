"""Which metadata features a network's output depends on."""

from sklearn_skin.inspection._integrated_gradients import integrated_gradients
from sklearn_skin.inspection._plotting import heat_table, own_axes
from sklearn_skin.utils import check_choice


class FeatureRelevanceDisplay:
    """Relevance of metadata features, per class or per row.

    Parameters
    ----------
    result : Bunch
        What :func:`integrated_gradients` returned; its entries become attributes.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        What was drawn.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import make_classification
    >>> from sklearn_skin.inspection import FeatureRelevanceDisplay
    >>> from sklearn_skin.neural_network import MetadataClassifier
    >>> X, y = make_classification(n_features=5, random_state=0)
    >>> net = MetadataClassifier(max_epochs=5, random_state=0).fit(X, y)
    >>> display = FeatureRelevanceDisplay.from_estimator(net, X, level="class")
    >>> display.raw_class_relevance.shape
    (2, 5)
    """

    def __init__(self, result):
        for name, value in result.items():
            setattr(self, name, value)

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        target=None,
        task=0,
        branch=None,
        baseline="zero",
        n_steps=50,
        tolerance=0.01,
        ax=None,
        **plot_options,
    ):
        """Compute and draw the relevance of a fitted network's metadata.

        Parameters
        ----------
        estimator, X, target, task, branch, baseline, n_steps, tolerance
            As in :func:`integrated_gradients`.
        ax : matplotlib Axes, default=None
            Place to draw in; a new figure by default.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        display : FeatureRelevanceDisplay
        """
        result = integrated_gradients(
            estimator,
            X,
            target=target,
            task=task,
            branch=branch,
            baseline=baseline,
            n_steps=n_steps,
            tolerance=tolerance,
        )
        return cls(result).plot(ax, **plot_options)

    def table(self, *, level="class", features="raw"):
        """Return the relevance in [0, 1] as a DataFrame.

        Parameters
        ----------
        level : {"class", "instance"}, default="class"
            A row per explained class or per row of X.
        features : {"raw", "encoded"}, default="raw"
            A column per raw column or per encoded feature.

        Returns
        -------
        table : DataFrame
        """
        check_choice(level, ["class", "instance"], "level")
        check_choice(features, ["raw", "encoded"], "features")
        start = "raw_" if features == "raw" else ""
        return getattr(self, start + ("class_relevance" if level == "class" else "relevance"))

    def plot(self, ax=None, *, level="class", features="raw", max_features=20, cmap="Blues"):
        """Draw bars for one row or class, and coloured cells for several.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Place to draw in; a new figure by default.
        level : {"class", "instance"}, default="class"
            A row per explained class or per row of X.
        features : {"raw", "encoded"}, default="raw"
            Raw columns or encoded features.
        max_features : int, default=20
            The most relevant ones are drawn.
        cmap : str or Colormap, default="Blues"
            Colours of the cells.

        Returns
        -------
        self : FeatureRelevanceDisplay
        """
        table = self.table(level=level, features=features)
        # Stable: features of equal relevance keep the order of the table.
        order = table.mean().sort_values(ascending=False, kind="stable").index[:max_features]
        table = table[order]
        n_rows, n_features = table.shape
        size = (2.5 + 0.55 * n_features, 1.8 + 0.32 * n_rows) if n_rows > 1 else (5.5, 4)
        ax = own_axes(ax, size)
        if n_rows == 1:
            ax.barh([str(name) for name in order], table.iloc[0], color="tab:blue")
            ax.invert_yaxis()
            ax.set(xlim=(0, 1.02), xlabel="Relevance", ylabel=str(table.index[0]))
        else:
            heat_table(ax, table, cmap=cmap, label="Relevance")
            ax.set_ylabel("Class" if level == "class" else "Row")
        ax.set_title(f"Completeness error {self.completeness_error:.2%}", fontsize=9)
        self.ax_, self.figure_ = ax, ax.figure
        return self
