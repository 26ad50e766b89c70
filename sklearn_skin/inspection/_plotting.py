"""What several displays draw."""

import numpy as np


def panels(ax, n_rows, n_columns, panel_size):
    """Return a figure and an array of axes, inside `ax` if it is given.

    Parameters
    ----------
    ax : matplotlib Axes or None
        Place to draw in; it is hidden behind the panels.
    n_rows, n_columns : int
        Shape of the grid.
    panel_size : tuple of (float, float)
        Width and height of a panel in inches, for a new figure.

    Returns
    -------
    figure : matplotlib Figure
    axes : ndarray of Axes of shape (n_rows, n_columns)
    """
    import matplotlib.pyplot as plt

    if ax is None:
        size = (panel_size[0] * n_columns, panel_size[1] * n_rows)
        return plt.subplots(n_rows, n_columns, figsize=size, squeeze=False, layout="constrained")
    ax.set_axis_off()
    grid = ax.get_subplotspec()
    if grid is None:
        raise ValueError("`ax` must be part of a subplot grid; make it with plt.subplots().")
    axes = grid.subgridspec(n_rows, n_columns).subplots(squeeze=False)
    return ax.figure, axes


def own_axes(ax, size):
    """Return `ax`, or the axes of a new figure of `size` inches."""
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(figsize=size, layout="constrained")
    return ax


def heat_table(ax, table, *, cmap, vmin=0.0, vmax=1.0, label=None):
    """Draw a DataFrame as coloured cells with their values; returns the image."""
    values = table.to_numpy(dtype=float)
    image = ax.imshow(values, cmap=cmap, vmin=vmin, vmax=vmax, aspect="auto")
    ax.set_xticks(range(table.shape[1]), [str(name) for name in table.columns])
    ax.tick_params(axis="x", labelrotation=45)
    for tick in ax.get_xticklabels():
        tick.set(ha="right", rotation_mode="anchor")
    ax.set_yticks(range(table.shape[0]), [str(name) for name in table.index])
    if values.size <= 150:
        for (row, column), value in np.ndenumerate(values):
            red, green, blue, _ = image.cmap(image.norm(value))
            dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
            color = "white" if dark else "black"
            ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=color, size=8)
    ax.figure.colorbar(image, ax=ax, label=label)
    return image
