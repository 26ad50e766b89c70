"""Image corrections as transformers whose parameters can be searched."""

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval

from sklearn_skin.preprocessing._base import BaseImageTransformer
from sklearn_skin.utils import Choice, Range


class ShadesOfGray(BaseImageTransformer):
    r"""Remove the colour of the light, estimated by a Minkowski mean of each channel.

    .. math:: e_c = \Big(\frac{1}{N} \sum_i x_{ic}^p\Big)^{1/p}, \quad
              x'_{ic} = x_{ic} \, \frac{(e_R e_G e_B)^{1/3}}{e_c}

    Gray images stay as they are; gains on the channels change at most the brightness.

    Parameters
    ----------
    power : float, default=6.0
        Minkowski exponent p >= 1; 1 is gray world.

    Attributes
    ----------
    n_features_in_ : int
        Number of image columns.
    feature_names_in_ : ndarray of str
        Their names, for DataFrames.

    References
    ----------
    .. [1] :ref:`Finlayson and Trezzi (2004) <finlayson2004>`, "Shades of gray and colour
       constancy".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.preprocessing import ShadesOfGray
    >>> reddish = np.full((1, 2, 2, 3), (200, 100, 50), dtype=np.uint8)
    >>> ShadesOfGray(power=6).fit_transform(reddish)[0, 0, 0].tolist()
    [100, 100, 100]
    """

    _step = "shades_of_gray"
    _parameter_constraints: dict = {"power": [Interval(Real, 1, None, closed="left")]}
    _search_ranges = {"power": Choice((1, 2, 4, 6, 8))}

    def __init__(self, power=6.0):
        self.power = power


class GrayWorld(BaseImageTransformer):
    """Remove the colour of the light, assuming that the scene is gray on average.

    Attributes
    ----------
    n_features_in_ : int
        Number of image columns.
    feature_names_in_ : ndarray of str
        Their names, for DataFrames.

    References
    ----------
    .. [1] :ref:`Buchsbaum (1980) <buchsbaum1980>`, "A spatial processor model for object colour
       perception".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.preprocessing import GrayWorld
    >>> reddish = np.full((1, 2, 2, 3), (200, 100, 50), dtype=np.uint8)
    >>> GrayWorld().fit_transform(reddish)[0, 0, 0].tolist()
    [100, 100, 100]
    """

    _step = "gray_world"


class CLAHE(BaseImageTransformer):
    """Equalise the lightness locally, with limited contrast; a and b of Lab stay.

    Parameters
    ----------
    clip_limit : float, default=2.0
        Highest allowed histogram bin, as a multiple of a flat histogram's; larger is stronger.
    grid : int or (int, int), default=8
        Number of tiles per side, or (rows, columns).

    Attributes
    ----------
    n_features_in_ : int
        Number of image columns.
    feature_names_in_ : ndarray of str
        Their names, for DataFrames.

    References
    ----------
    .. [1] :ref:`Zuiderveld (1994) <zuiderveld1994>`, "Contrast limited adaptive histogram
       equalization".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.preprocessing import CLAHE
    >>> CLAHE(clip_limit=3.0).fit_transform(np.zeros((1, 16, 16, 3), dtype=np.uint8)).shape
    (1, 16, 16, 3)
    """

    _step = "clahe"
    _parameter_constraints: dict = {
        "clip_limit": [Interval(Real, 0, None, closed="neither")],
        "grid": [Interval(Integral, 1, None, closed="left"), tuple, list],
    }
    _search_ranges = {"clip_limit": Range(1.0, 4.0)}

    def __init__(self, clip_limit=2.0, grid=8):
        self.clip_limit = clip_limit
        self.grid = grid


class HairRemoval(BaseImageTransformer):
    """Find dark hairs by a black hat, and paint them over with the skin around them.

    Lengths are fractions of the image's shorter side, so one setting fits every resolution.
    Pixels away from the mask stay as they are.

    Parameters
    ----------
    width : float, default=0.03
        Widest hair; sets the kernel of the black hat.
    threshold : float, default=10.0
        Least contrast of a hair, in gray levels (0 to 255).
    min_length : float, default=0.07
        Shortest straight piece; shorter ones may take pigment network for hair.
    margin : float, default=0.004
        How far the mask is widened before painting; at least one pixel.

    Attributes
    ----------
    n_features_in_ : int
        Number of image columns.
    feature_names_in_ : ndarray of str
        Their names, for DataFrames.

    References
    ----------
    .. [1] :ref:`Lee et al. (1997) <lee1997>`, "DullRazor".
    .. [2] :ref:`Telea (2004) <telea2004>`, "An image inpainting technique based on the fast
       marching method".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.preprocessing import HairRemoval
    >>> skin = np.full((1, 100, 100, 3), 200, dtype=np.uint8)
    >>> skin[:, :, 50] = 30
    >>> bool(HairRemoval().fit_transform(skin).min() >= 199)
    True
    """

    _step = "remove_hair"
    _parameter_constraints: dict = {
        "width": [Interval(Real, 0, 1, closed="neither")],
        "threshold": [Interval(Real, 0, 255, closed="both")],
        "min_length": [Interval(Real, 0, None, closed="left")],
        "margin": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(self, width=0.03, threshold=10.0, min_length=0.07, margin=0.004):
        self.width = width
        self.threshold = threshold
        self.min_length = min_length
        self.margin = margin


class CenterCrop(BaseImageTransformer):
    """Cut out the middle of each image.

    Parameters
    ----------
    size : float, int, (int, int) or None, default=None
        A float in (0, 1]: that fraction of each side. An int: a square of that many pixels.
        (h, w): that many pixels. None: the largest square.

    Attributes
    ----------
    n_features_in_ : int
        Number of image columns.
    feature_names_in_ : ndarray of str
        Their names, for DataFrames.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.preprocessing import CenterCrop
    >>> CenterCrop().fit_transform(np.zeros((2, 60, 80, 3), dtype=np.uint8)).shape
    (2, 60, 60, 3)
    """

    _step = "center_crop"
    _parameter_constraints: dict = {
        "size": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="right"),
            tuple,
            list,
            None,
        ]
    }

    def __init__(self, size=None):
        self.size = size


class Resize(BaseImageTransformer):
    """Scale each image to a given size; the aspect ratio is not kept.

    Parameters
    ----------
    size : int or (int, int), default=224
        Side of a square, or (h, w), in pixels.

    Attributes
    ----------
    n_features_in_ : int
        Number of image columns.
    feature_names_in_ : ndarray of str
        Their names, for DataFrames.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.preprocessing import Resize
    >>> Resize(32).fit_transform(np.zeros((2, 60, 80, 3), dtype=np.uint8)).shape
    (2, 32, 32, 3)
    """

    _step = "resize"
    _parameter_constraints: dict = {
        "size": [Interval(Integral, 1, None, closed="left"), tuple, list]
    }

    def __init__(self, size=224):
        self.size = size


IMAGE_TRANSFORMERS = {
    cls._step: cls for cls in (ShadesOfGray, GrayWorld, CLAHE, HairRemoval, CenterCrop, Resize)
}
