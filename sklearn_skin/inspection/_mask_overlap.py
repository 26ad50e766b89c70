"""Whether heat maps point at the lesion."""

import numpy as np
import pandas as pd
from PIL import Image


def mask_overlap(heatmaps, masks):
    r"""Compare heat maps with lesion masks.

    .. math:: \mathrm{inside} = \frac{\sum_{ij} H_{ij} M_{ij}}{\sum_{ij} H_{ij}}, \quad
        \mathrm{pointing} = M_{\arg\max H}

    Parameters
    ----------
    heatmaps : array-like of shape (n, h, w), or sequence of n arrays of two dimensions
        Attribution of at least 0 per pixel, such as :func:`grad_cam` gives.
    masks : array-like of shape (n, h, w), or sequence of n arrays of two dimensions
        Lesions: True, or more than half of the largest value of an integer mask such as 255.
        A mask of another size than its heat map is resized to it.

    Returns
    -------
    overlap : DataFrame with n rows
        ``inside``, the share of the attribution inside the mask; ``pointing``, the share of the
        largest attributions that lie inside it (1 or 0 if there is one largest); ``area``, the
        mask's share of the picture, which a heat map without information reaches in both. All
        in [0, 1]; the first two are NaN where a heat map is zero everywhere.

    Raises
    ------
    ValueError
        If the numbers of heat maps and masks differ, an array has not two dimensions, or an
        attribution is negative or not finite.

    References
    ----------
    .. [1] :ref:`Zhang et al. (2018) <zhang2018>`, "Top-down neural attention by excitation
       backprop"; the pointing game.

    Examples
    --------
    >>> from sklearn_skin.inspection import mask_overlap
    >>> mask_overlap([[[0.0, 3.0], [1.0, 0.0]]], [[[0, 1], [0, 0]]])
       inside  pointing  area
    0    0.75       1.0  0.25
    """
    heatmaps = [np.asarray(heatmap, dtype=np.float64) for heatmap in heatmaps]
    masks = [np.asarray(mask) for mask in masks]
    if len(heatmaps) != len(masks):
        raise ValueError(
            f"`heatmaps` and `masks` must be as many; got {len(heatmaps)} and {len(masks)}."
        )
    pairs = enumerate(zip(heatmaps, masks))
    rows = [_overlap(heatmap, mask, row) for row, (heatmap, mask) in pairs]
    return pd.DataFrame(rows, columns=["inside", "pointing", "area"], dtype=np.float64)


def _overlap(heatmap, mask, row):
    if heatmap.ndim != 2 or mask.ndim != 2:
        raise ValueError(
            f"heat maps and masks must have two dimensions; got {heatmap.shape} and {mask.shape} "
            f"in row {row}."
        )
    if not np.isfinite(heatmap).all() or (heatmap < 0).any():
        raise ValueError(f"`heatmaps` must be finite and at least 0; row {row} is not.")
    covered = _cover(mask, heatmap.shape)
    total = heatmap.sum()
    if total == 0:
        return np.nan, np.nan, covered.mean()
    # A low map enlarged has many equal maxima; each counts for its share.
    highest = heatmap == heatmap.max()
    return (heatmap * covered).sum() / total, (covered[highest] >= 0.5).mean(), covered.mean()


def _cover(mask, size):
    """Return the share of each pixel of a picture of `size` that the mask covers."""
    inside = mask if mask.dtype == bool else mask > mask.max(initial=0) / 2
    if inside.shape == size:
        return inside.astype(np.float64)
    # A box average keeps the share of each pixel that the lesion covers.
    picture = Image.fromarray(inside.astype(np.float32))
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BOX), dtype=np.float64)
