"""Grad-CAM: where in an image the evidence for a class lies."""

import numpy as np
import torch
from sklearn.utils import Bunch

from sklearn_skin.inspection._map_tap import MapTap, find_site, tapped
from sklearn_skin.inspection._plotting import panels
from sklearn_skin.inspection._rows import ExplainedRows, explaining
from sklearn_skin.utils import optional_import


def grad_cam(estimator, X, *, image_column=None, target=None, task=0, branch=None):
    r"""Compute where in an image a network finds evidence for a class.

    .. math:: L = \mathrm{ReLU}\Big(\sum_k \alpha_k A^k\Big), \quad
        \alpha_k = \frac{1}{h'w'} \sum_{i,j} \frac{\partial s_c}{\partial A^k_{ij}}

    with the last feature map A of the image's backbone and the logit s of class c. The map is
    enlarged to the image bilinearly and divided by its maximum.

    Parameters
    ----------
    estimator : network classifier, or Pipeline that ends in one
        Fitted model. Augmentation and TTA are left out; frozen backbones are run, too.
    X : DataFrame
        Rows as `estimator.predict` takes them.
    image_column : str, default=None
        Image column to explain; None takes the first.
    target : label or array-like of shape (n,), default=None
        Class to explain, for all rows or per row; None takes the predicted class.
    task : int, default=0
        Task to explain.
    branch : str, default=None
        Branch whose logit is explained; None takes the final one.

    Returns
    -------
    result : Bunch
        ``heatmaps`` float32 (n, h, w) in [0, 1], zero where nothing speaks for the class or
        the image is missing; ``pixels`` uint8 (n, h, w, 3) as the network sees them;
        ``present`` bool (n,); ``map_size`` (h', w'); ``target`` (n,) labels; ``probability``
        (n,) of the target; ``row_names`` (n,).

    Raises
    ------
    TypeError
        If `estimator` holds no network of this package.
    ValueError
        If a column, class, task or branch is unknown, or the branch does not see the image's
        last map.
    ImportError
        If captum is not installed.

    References
    ----------
    .. [1] :ref:`Selvaraju et al. (2017) <selvaraju2017>`, "Grad-CAM".

    Examples
    --------
    >>> from sklearn_skin.datasets import make_lesions
    >>> from sklearn_skin.inspection import grad_cam
    >>> from sklearn_skin.neural_network import ImageClassifier
    >>> lesions = make_lesions(20, image_size=64, random_state=0)
    >>> net = ImageClassifier(backbone="resnet10t", weights=None, image_size=64, max_epochs=1)
    >>> net = net.fit(lesions.data, lesions.target)
    >>> grad_cam(net, lesions.data[:5]).heatmaps.shape
    (5, 64, 64)
    """
    attr = optional_import("captum.attr", "explain")
    rows = ExplainedRows(estimator, X)
    column = rows.image_column(image_column)
    task = rows.check_task(task)
    codes = rows.targets(target, task)
    # Gradients are in single precision, what is told of the prediction is as it was predicted.
    probability = rows.probabilities(task)[np.arange(len(codes)), codes]
    parts = []
    with explaining(rows.module):
        for batch in rows.batches:
            explainer = _BatchExplainer(rows, column, task, branch, batch)
            parts.append(explainer.attribute(attr, batch.images, codes[batch.rows]))
    maps = torch.cat(parts)
    pixels, present = rows.pixels(column)
    heatmaps = _normalised(attr, maps, pixels.shape[1:3])
    heatmaps[~present] = 0
    return Bunch(
        heatmaps=heatmaps,
        pixels=pixels,
        present=present,
        map_size=tuple(maps.shape[2:]),
        target=rows.classes[task][codes],
        probability=probability,
        row_names=rows.row_names,
    )


class _BatchExplainer:
    """A batch's logits as a function of one image column."""

    def __init__(self, rows, column, task, branch, batch):
        self.rows = rows
        self.column = rows.image_columns.index(column)
        self.task = task
        self.branch = rows.branch(branch)
        self.batch = batch

    def run(self, images):
        outputs = self.rows.module(images, self.batch.metadata, self.batch.present)
        return outputs[self.branch][self.task]

    def attribute(self, attr, images, codes):
        """Return the maps (n, 1, h', w')."""
        tap = MapTap()
        site = find_site(self.run, self.rows.module, images, self.column)
        with tapped(site, tap) as start:

            def forward(image):
                start()
                return self.run([*images[: self.column], image, *images[self.column + 1 :]])

            target = torch.from_numpy(codes).to(self.rows.device)
            image = images[self.column].detach().requires_grad_()
            try:
                maps = attr.LayerGradCam(forward, tap).attribute(
                    image, target, relu_attributions=True
                )
            # torch has no error class of its own for an input that the output does not depend on.
            except RuntimeError as error:
                if "unused" not in str(error) and "not have been used" not in str(error):
                    raise
                raise ValueError(
                    f"`branch` {self.branch!r} does not depend on the last map of image column "
                    f"{self.rows.image_columns[self.column]!r}."
                ) from error
        return maps.detach().float().cpu()


def _normalised(attr, maps, size):
    """Enlarge maps (n, 1, h', w') and divide each by its maximum."""
    large = attr.LayerAttribution.interpolate(maps, size, interpolate_mode="bilinear")
    large = large[:, 0].clamp(min=0)
    # Each map by its own maximum: logits of different rows have no common scale.
    highest = large.amax(dim=(1, 2), keepdim=True)
    return torch.where(highest > 0, large / highest, 0).numpy()


class GradCAMDisplay:
    """Grad-CAM heat maps over their images.

    Make it with :meth:`from_estimator`, or from heat maps of any origin. After plotting,
    `figure_` and `axes_` hold what was drawn.

    Parameters
    ----------
    pixels : uint8 ndarray of shape (n, h, w, 3)
        Images as the network sees them.
    heatmaps : ndarray of shape (n, h, w)
        Attribution in [0, 1].
    titles : sequence of str, default=None
        Text above each image.
    present : bool ndarray of shape (n,), default=None
        Rows that have an image; all by default.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn_skin.datasets import make_lesions
    >>> from sklearn_skin.inspection import GradCAMDisplay
    >>> from sklearn_skin.neural_network import ImageClassifier
    >>> lesions = make_lesions(20, image_size=64, random_state=0)
    >>> net = ImageClassifier(backbone="resnet10t", weights=None, image_size=64, max_epochs=1)
    >>> net = net.fit(lesions.data, lesions.target)
    >>> display = GradCAMDisplay.from_estimator(net, lesions.data[:4])
    >>> display.heatmaps.shape, display.axes_.shape
    ((4, 64, 64), (2, 6))
    """

    def __init__(self, pixels, heatmaps, *, titles=None, present=None):
        self.pixels = np.asarray(pixels)
        self.heatmaps = np.asarray(heatmaps)
        if self.pixels.shape[:3] != self.heatmaps.shape:
            raise ValueError(
                "`heatmaps` must have the shape (n, h, w) of `pixels` (n, h, w, 3); got "
                f"{self.heatmaps.shape} and {self.pixels.shape}."
            )
        self.titles = titles
        self.present = np.ones(len(self.pixels), bool) if present is None else present

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        image_column=None,
        target=None,
        task=0,
        branch=None,
        ax=None,
        **plot_options,
    ):
        """Compute and draw the heat maps of a fitted network.

        Parameters
        ----------
        estimator, X, image_column, target, task, branch
            As in :func:`grad_cam`; every row of X is drawn.
        ax : matplotlib Axes, default=None
            Place to draw in; a new figure by default.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        display : GradCAMDisplay
            Also with the attributes `target`, `probability`, `row_names` and `map_size`.
        """
        found = grad_cam(
            estimator, X, image_column=image_column, target=target, task=task, branch=branch
        )
        rows = zip(found.row_names, found.target, found.probability)
        titles = [f"{label}\n{target} ({chance:.2f})" for label, target, chance in rows]
        display = cls(found.pixels, found.heatmaps, titles=titles, present=found.present)
        display.target, display.probability = found.target, found.probability
        display.row_names, display.map_size = found.row_names, found.map_size
        return display.plot(ax, **plot_options)

    def plot(self, ax=None, *, n_columns=3, cmap="jet", alpha=0.45, masks=None):
        """Draw each image beside itself with its heat map on it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Place to draw in; a new figure by default.
        n_columns : int, default=3
            Rows of X side by side; each takes two panels.
        cmap : str or Colormap, default="jet"
            Colours of the heat map.
        alpha : float, default=0.45
            Opacity of the heat map in [0, 1].
        masks : sequence of n arrays of shape (h, w), default=None
            Lesion masks to outline.

        Returns
        -------
        self : GradCAMDisplay
        """
        n = len(self.pixels)
        n_columns = max(1, min(n_columns, n))
        n_rows = -(-n // n_columns)
        self.figure_, self.axes_ = panels(ax, n_rows, 2 * n_columns, (1.7, 2.1))
        for panel in self.axes_.flat:
            panel.set_axis_off()
        for row, left, right in zip(range(n), self.axes_[:, ::2].flat, self.axes_[:, 1::2].flat):
            title = "" if self.titles is None else self.titles[row]
            left.set_title(title, fontsize=8, loc="left")
            if not self.present[row]:
                left.imshow(np.full_like(self.pixels[row], 230))
                left.text(0.5, 0.5, "no image", ha="center", transform=left.transAxes)
                continue
            left.imshow(self.pixels[row])
            right.imshow(self.pixels[row])
            right.imshow(self.heatmaps[row], cmap=cmap, alpha=alpha, vmin=0, vmax=1)
            if masks is not None:
                _outline(right, masks[row], self.pixels[row].shape[:2])
        return self


def _outline(ax, mask, size):
    """Draw the border of a mask of any size over a picture of `size`."""
    mask = np.asarray(mask, dtype=float)
    steps = [np.linspace(-0.5, n - 0.5, 2 * m + 1)[1::2] for n, m in zip(size, mask.shape)]
    ax.contour(steps[1], steps[0], mask > mask.max() / 2, levels=[0.5], colors="white")
