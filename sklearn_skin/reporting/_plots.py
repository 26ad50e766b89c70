"""Plots as SVG that takes the colours of the page."""

import hashlib
import io
import re
import warnings

import numpy as np

from sklearn_skin.reporting._page import Figure
from sklearn_skin.utils import optional_import

# Legible on white and on near black alike; also told apart by those who confuse red and green.
COLORS = ("#2f7fd6", "#d9660f", "#14919b", "#b458c8", "#7a8a1f", "#dc4a56", "#8a6d4b", "#6b7686")
# Stands for the page's text colour, which matplotlib does not know.
_INK = "#010203"
# Above this share the blue of a cell is so dark that dark text is harder to read than white.
_DARK = 0.8
_DASHES = ("-", "--", "-.", ":")
_WIDTH = 3.3
_MAX_NAME = 20
_STYLE = {
    # Text stays text: small, searchable, and in the font of the page.
    "svg.fonttype": "none",
    "svg.hashsalt": "sklearn_skin",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.titlecolor": _INK,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": _INK,
    # A class may be called "a$b$".
    "text.parse_math": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


def short(name):
    """Return a name that leaves room for the plot beside it."""
    return name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1] + "…"


def color(position):
    """Return the colour of the model or class at `position`."""
    return COLORS[position % len(COLORS)]


def line_style(position):
    """Return a dash pattern, another one for each round through the colours."""
    return _DASHES[position // len(COLORS) % len(_DASHES)]


def draw(plot, height, caption, alt):
    """Return the Figure that `plot(ax)` draws.

    Parameters
    ----------
    plot : callable
        Draws into the Axes that it is given.
    height : float
        In inches; all figures are as wide as a phone.
    caption, alt : str
        Text under the figure, and in its place for those who cannot see it.
    """
    matplotlib = optional_import("matplotlib", "report")
    from matplotlib.figure import Figure as Canvas

    # A context of its own, and no pyplot figure: the caller's settings stay as they are.
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        canvas = Canvas(figsize=(_WIDTH, height), layout="constrained")
        plot(canvas.subplots())
        file = io.StringIO()
        canvas.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator")))
    return Figure(_themed(file.getvalue()), caption, alt)


def _themed(svg):
    """Return SVG for use inside a page: its ids its own, its ink the page's text colour."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\n?", "", svg, flags=re.DOTALL)
    # The same figure has the same ids in every run, and no other has them.
    prefix = f"f{hashlib.blake2b(svg.encode(), digest_size=5).hexdigest()}-"

    def adapt(tag):
        tag = tag.group().replace(_INK, "currentColor")
        tag = re.sub(r'\bid="', f'id="{prefix}', tag)
        return re.sub(r'(url\(|href=")#', rf"\g<1>#{prefix}", tag)

    svg = re.sub(r"<[^>]*>", adapt, svg).replace("xlink:href", "href")
    box = re.search(r'viewBox="([^"]*)"', svg).group(1)
    opening = f'<svg class="plot" viewBox="{box}" aria-hidden="true" focusable="false">'
    return opening + svg[svg.index(">") + 1 :]


def roc_figure(curves, caption):
    """Return ROC curves of several (name, positive (n,), scores (n,)), or None without any."""
    from sklearn.metrics import RocCurveDisplay

    curves = [curve for curve in curves if curve[1].any() and not curve[1].all()]
    if not curves:
        return None

    def plot(ax):
        for position, (name, positive, scores) in enumerate(curves):
            style = {"color": color(position), "linestyle": line_style(position)}
            RocCurveDisplay.from_predictions(
                positive, scores, name=short(name), ax=ax, curve_kwargs=style, despine=True
            )
        ax.plot([0, 1], [0, 1], color=_INK, alpha=0.4, linewidth=0.8, linestyle=":")
        ax.set(xlabel="1 − specificity", ylabel="Sensitivity", aspect="equal")
        legend_below(ax)

    names = ", ".join(name for name, *_ in curves)
    return draw(plot, 3.0 + 0.17 * len(curves), caption, f"ROC curves of {names}")


def calibration_figure(curves, caption, xlabel, ylabel):
    """Return reliability curves of several (name, happened (n,), probability (n,))."""
    from sklearn.calibration import CalibrationDisplay

    def plot(ax):
        for position, (name, happened, probability) in enumerate(curves):
            if happened.all() or not happened.any():
                # scikit-learn asks for both outcomes; with one the curve is a point.
                style = {"color": color(position), "label": short(name)}
                ax.plot(probability.mean(), happened.mean(), "s", **style)
                continue
            CalibrationDisplay.from_predictions(
                happened,
                probability,
                n_bins=10,
                strategy="quantile",
                name=short(name),
                ax=ax,
                color=color(position),
                markersize=4,
            )
        # The first line is the diagonal that scikit-learn draws, or the only point.
        ax.lines[0].set(color=_INK, alpha=0.4)
        ax.set(xlabel=xlabel, ylabel=ylabel, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        ax.set_aspect("equal")
        legend_below(ax)

    names = ", ".join(name for name, *_ in curves)
    return draw(plot, 3.1 + 0.17 * len(curves), caption, f"Calibration of {names}")


def confusion_figure(counts, names, caption):
    """Return a confusion matrix: counts, coloured by the share of the true class."""
    from sklearn.metrics import ConfusionMatrixDisplay

    total = counts.sum(axis=1, keepdims=True)
    shares = np.where(total > 0, counts / np.maximum(total, 1), 0.0)

    def plot(ax):
        display = ConfusionMatrixDisplay(shares, display_labels=list(map(short, names))).plot(
            ax=ax,
            cmap=_fading_blue(),
            colorbar=False,
            im_kw={"vmin": 0, "vmax": 1},
            xticks_rotation=45 if max(map(len, names)) > 4 else 0,
        )
        for (row, column), text in np.ndenumerate(display.text_):
            share = f"\n{100 * shares[row, column]:.0f} %" if len(names) < 7 else ""
            text.set_text(f"{counts[row, column]:,.0f}{share}")
            text.set(color="white" if shares[row, column] > _DARK else _INK, fontsize=9)
        for tick in ax.get_xticklabels():
            tick.set(ha="right" if max(map(len, names)) > 4 else "center", rotation_mode="anchor")
        for side in ax.spines.values():
            side.set_visible(True)
        ax.set(xlabel="Predicted", ylabel="True")

    worst = "; ".join(f"{name}: {100 * shares[i, i]:.0f} %" for i, name in enumerate(names))
    return draw(plot, 3.1, caption, f"Confusion matrix. Share found of each class: {worst}")


def forest_figure(rows, intervals, models, caption, xlabel):
    """Return estimates with intervals: `rows` of names down, a colour for each model.

    Parameters
    ----------
    rows : sequence of str
        Names, from the top.
    intervals : sequence of list of Interval
        For each row, that of each model.
    models : list of str
        Names of the models.
    """

    def plot(ax):
        offsets = np.linspace(-0.27, 0.27, len(models)) if len(models) > 1 else [0.0]
        for model, (name, offset) in enumerate(zip(models, offsets)):
            cells = [row[model] for row in intervals]
            points = np.array([cell.estimate for cell in cells])
            ends = np.array([[cell.low, cell.high] for cell in cells])
            here = np.arange(len(rows)) + offset
            ax.hlines(here, ends[:, 0], ends[:, 1], color=color(model), linewidth=1.4)
            ax.plot(points, here, "o", color=color(model), markersize=4, label=short(name))
        ax.set_yticks(range(len(rows)), [short(row) for row in rows])
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set(xlabel=xlabel, xlim=(-0.02, 1.02))
        ax.grid(axis="x", color=_INK, alpha=0.15)
        ax.tick_params(axis="y", length=0)
        legend_below(ax)

    height = 0.8 + len(rows) * (0.14 + 0.09 * len(models)) + 0.17 * len(models)
    return draw(plot, height, caption, f"{xlabel} of {', '.join(models)}; the table has the values")


def risk_figure(curves, caption):
    """Return risk against coverage of several (name, coverage, risk)."""

    def plot(ax):
        for position, (name, coverage, risk) in enumerate(curves):
            ax.plot(coverage, risk, color=color(position), label=short(name))
        ax.set(xlabel="Share of cases answered", ylabel="Error rate among them", xlim=(0, 1.02))
        ax.set_ylim(bottom=0)
        ax.grid(color=_INK, alpha=0.15)
        legend_below(ax)

    names = ", ".join(name for name, *_ in curves)
    return draw(plot, 2.9 + 0.17 * len(curves), caption, f"Error against coverage of {names}")


def bar_figure(names, values, errors, caption, xlabel):
    """Return horizontal bars, the largest first."""

    def plot(ax):
        ax.barh(range(len(names)), values, xerr=errors, color=COLORS[0], height=0.65, ecolor=_INK)
        ax.set_yticks(range(len(names)), [short(name) for name in names])
        ax.invert_yaxis()
        ax.set(xlabel=xlabel)
        ax.axvline(0, color=_INK, linewidth=0.8)
        ax.tick_params(axis="y", length=0)

    listed = ", ".join(f"{name} {value:.2f}" for name, value in zip(names, values))
    return draw(plot, 0.9 + 0.24 * len(names), caption, f"{xlabel}: {listed}")


def heat_figure(table, caption, xlabel):
    """Return coloured cells with their values, for a DataFrame of values in [0, 1]."""
    values = table.to_numpy(dtype=float)

    def plot(ax):
        ax.imshow(values, cmap=_fading_blue(), vmin=0, vmax=1, aspect="auto")
        ax.set_xticks(range(values.shape[1]), [short(str(name)) for name in table.columns])
        ax.set_yticks(range(values.shape[0]), [short(str(name)) for name in table.index])
        for (row, column), value in np.ndenumerate(values):
            ink = "white" if value > _DARK else _INK
            ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=ink, size=8)
        ax.set(xlabel=xlabel)
        ax.tick_params(length=0)

    return draw(plot, 0.9 + 0.24 * len(values), caption, f"{caption} The table has the values.")


def _fading_blue():
    """Return a colour map from the page's paper, whatever that is, to blue."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("fade", [(0.12, 0.39, 0.68, a) for a in (0, 1)])


def legend_below(ax):
    """Put the legend under the plot, where it hides nothing on a narrow screen."""
    handles, labels = ax.get_legend_handles_labels()
    old = ax.get_legend()
    if old is not None:
        old.remove()
    kept = [(h, s) for h, s in zip(handles, labels) if s != "Perfectly calibrated"]
    ax.figure.legend(
        [h for h, _ in kept], [s for _, s in kept], loc="outside lower center", ncols=1
    )
