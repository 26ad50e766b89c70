"""How much each modality moves a network's output."""

from contextlib import contextmanager

import pandas as pd
import torch

from sklearn_skin.inspection._plotting import own_axes
from sklearn_skin.inspection._rows import ExplainedRows, explaining
from sklearn_skin.modules import MissingModality


class ModalityRelevanceDisplay:
    r"""Change of the predicted probabilities when a modality is taken away.

    The change of a row is the total variation :math:`\frac12 \sum_c |p_c - p'_c|` between the
    probabilities with the modality and without it, in [0, 1].

    A network that was trained with `allow_missing_images` or `modality_dropout` has learned
    tokens for what is missing, and these take the modality's place. Without them an image
    becomes a surface of the column's mean colour over the rows given, and metadata become
    zeros, which after `make_lesion_transformer` are mean numbers and no category: inputs the
    network never saw, so its answers to them say less. `replaced_by` tells which it was.

    Parameters
    ----------
    change : DataFrame of shape (n, m)
        Rows by modalities, in [0, 1].
    drop : DataFrame of shape (n, m)
        Probability of the explained class minus that without the modality, in [-1, 1].
    replaced_by : dict of str to str
        What stood in for each modality.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        What was drawn.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_skin.datasets import make_lesions
    >>> from sklearn_skin.inspection import ModalityRelevanceDisplay
    >>> from sklearn_skin.neural_network import JointFusionClassifier
    >>> from sklearn_skin.preprocessing import make_lesion_transformer
    >>> lesions = make_lesions(20, image_size=32, random_state=0)
    >>> net = JointFusionClassifier(
    ...     backbone="resnet10t", weights=None, image_size=32, max_epochs=1, modality_dropout=0.2
    ... )
    >>> model = make_pipeline(make_lesion_transformer(), net).fit(lesions.data, lesions.target)
    >>> display = ModalityRelevanceDisplay.from_estimator(model, lesions.data)
    >>> display.replaced_by
    {'image': 'learned token', 'metadata': 'learned token'}
    """

    def __init__(self, change, *, drop=None, replaced_by=None):
        self.change = change
        self.drop = drop
        self.replaced_by = replaced_by or {}

    @classmethod
    def from_estimator(cls, estimator, X, *, target=None, task=0, ax=None):
        """Measure and draw how much each modality moves a fitted network's output.

        Parameters
        ----------
        estimator : network classifier, or Pipeline that ends in one
            Fitted model.
        X : DataFrame or array-like of shape (n, p)
            Rows as `estimator.predict` takes them.
        target : label or array-like of shape (n,), default=None
            Class whose probability `drop` is about; None takes the predicted class.
        task : int, default=0
            Task to explain.
        ax : matplotlib Axes, default=None
            Place to draw in; a new figure by default.

        Returns
        -------
        display : ModalityRelevanceDisplay
        """
        rows = ExplainedRows(estimator, X)
        task = rows.check_task(task)
        codes = rows.targets(target, task)
        takers = _takers(rows)
        before = rows.probabilities(task)
        change, drop = {}, {}
        for name, (_, take) in takers.items():
            after = _probabilities_without(rows, take, task)
            change[name] = abs(before - after).sum(axis=1) / 2
            drop[name] = (before - after)[range(len(codes)), codes]
        tables = [pd.DataFrame(data, index=rows.row_names) for data in (change, drop)]
        replaced_by = {name: what for name, (what, _) in takers.items()}
        return cls(tables[0], drop=tables[1], replaced_by=replaced_by).plot(ax)

    def plot(self, ax=None, *, color="tab:blue"):
        """Draw the mean change per modality, with a dot per row.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Place to draw in; a new figure by default.
        color : matplotlib colour, default="tab:blue"
            Colour of bars and dots.

        Returns
        -------
        self : ModalityRelevanceDisplay
        """
        names = list(self.change.columns)
        ax = own_axes(ax, (6, 1.2 + 0.6 * len(names)))
        ax.barh(range(len(names)), self.change.mean(), color=color, alpha=0.5)
        for place, name in enumerate(names):
            values = self.change[name]
            ax.scatter(values, [place] * len(values), color=color, s=8, alpha=0.4)
        shown = [f"{n}\n({self.replaced_by[n]})" if n in self.replaced_by else n for n in names]
        ax.set_yticks(range(len(names)), shown)
        ax.invert_yaxis()
        ax.set(xlim=(-0.02, 1.02), xlabel="Change of the probabilities without it")
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _takers(rows):
    """Return modality -> (what stands in for it, function that takes it away from a batch)."""
    missing = [part for part in rows.module.modules() if isinstance(part, MissingModality)]
    # Learned only where training allowed or hid missing images.
    image_tokens = any(len(part.image_tokens) for part in missing)
    tokens = [part.metadata_token for part in missing if part.metadata_token is not None]
    takers = {}
    for j, column in enumerate(rows.image_columns):
        if image_tokens:
            takers[column] = ("learned token", _hide_image(j))
        else:
            takers[column] = ("mean colour", _blank_image(rows, column, j))
    if rows.metadata_names:
        name = "metadata" if "metadata" not in takers else "metadata features"
        takers[name] = (
            "learned token" if tokens else "zeros",
            _replace_metadata(tokens[0].detach() if tokens else 0.0),
        )
    return takers


def _hide_image(j):
    def take(images, metadata, present):
        present = present.clone()
        present[:, j] = False
        return images, metadata, present

    return take


def _blank_image(rows, column, j):
    pixels, here = rows.pixels(column)
    means = pixels[here].mean(axis=(0, 1, 2)) / 255 if here.any() else [0.5] * 3
    color = torch.tensor(means, dtype=torch.float32)[:, None, None].to(rows.device)

    def take(images, metadata, present):
        blank = color.expand_as(images[j]).contiguous()
        return [*images[:j], blank, *images[j + 1 :]], metadata, present

    return take


def _replace_metadata(token):
    def take(images, metadata, present):
        return images, torch.zeros_like(metadata) + token, present

    return take


def _probabilities_without(rows, take, task):
    parts = []
    with explaining(rows.module), torch.no_grad(), _images_may_be_missing(rows.module):
        for batch in rows.batches:
            inputs = take(batch.images, batch.metadata, batch.present)
            parts.append(rows.combined(rows.run(*inputs), task))
    return torch.cat(parts).cpu().numpy()


@contextmanager
def _images_may_be_missing(module):
    """Let networks with learned tokens use them, also where X itself must be complete."""
    parts = module.modules()
    strict = [part for part in parts if getattr(part, "allow_missing_images", None) is False]
    for part in strict:
        part.allow_missing_images = True
    try:
        yield
    finally:
        for part in strict:
            part.allow_missing_images = False
