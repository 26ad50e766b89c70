"""Over- and under-sampling of rows to a number per class."""

from collections.abc import Mapping
from numbers import Integral

import numpy as np
import pandas as pd
from imblearn.base import BaseSampler
from imblearn.utils import check_target_type
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_consistent_length

from sklearn_skin.sampling._rows import check_rows, take_rows
from sklearn_skin.utils import DocLinkMixin


class ClassBalancedSampler(DocLinkMixin, BaseSampler):
    """Repeat rows of rare classes and drop rows of frequent ones, to a number per class.

    Rows are moved as they are, so tables may hold images, text and missing values. Repeated
    images are marked, and augmentation varies them.

    A class with too many rows keeps a random part of them. A class with too few keeps all of
    them and repeats them evenly: how often two of its rows appear differs by one at most.

    Parameters
    ----------
    n_per_class : "auto", int or dict, default="auto"
        Rows of each class afterwards. ``"auto"`` is the mean number of rows per class, so that
        the table keeps its length, up to rounding. A dict gives a number for each class that it
        names and leaves the others alone; 0 drops a class.
    random_state : int, RandomState instance or None, default=None
        Decides which rows are kept and which are repeated once more.

    Attributes
    ----------
    sampling_strategy_ : dict
        Class -> rows afterwards.
    sample_indices_ : ndarray of shape (n_new,)
        Position of every row of the result in X: kept rows in their order, then repetitions.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where all are strings.

    See Also
    --------
    MultiTaskSampler : The same for several targets.

    Notes
    -----
    Put it into an imbalanced-learn ``Pipeline``, which samples in `fit` only; sampling before
    splitting would put copies of one image on both sides. Groups travel as a column of X: what the
    Pipeline's `fit` is given, weights or groups, it hands on as it was, for other rows. With
    metadata routing say ``set_fit_request(groups=False)`` of a network behind a sampler.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.sampling import ClassBalancedSampler
    >>> X = np.arange(6)[:, None]
    >>> sampler = ClassBalancedSampler(n_per_class=2, random_state=0)
    >>> X_new, y_new = sampler.fit_resample(X, ["nevus"] * 5 + ["melanoma"])
    >>> y_new
    ['nevus', 'nevus', 'melanoma', 'melanoma']
    >>> X_new.ravel()[2:]
    array([5, 5])
    """

    # imbalanced-learn would check `sampling_strategy`, a parameter that there is not.
    _sampling_type = "bypass"

    _parameter_constraints = {
        "n_per_class": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left"), Mapping],
        "random_state": ["random_state"],
    }

    def __init__(self, n_per_class="auto", *, random_state=None):
        self.n_per_class = n_per_class
        self.random_state = random_state

    def fit(self, X, y):
        """Check the data and find the number of rows per class.

        Parameters
        ----------
        X : {DataFrame, ndarray, sparse matrix, list} of shape (n, n_columns)
            The rows.
        y : array-like of shape (n,)
            Their labels.

        Returns
        -------
        self : ClassBalancedSampler
            The instance.
        """
        self._labels(X, y)
        return self

    def fit_resample(self, X, y):
        """Return the rows, repeated or dropped.

        Parameters
        ----------
        X : {DataFrame, ndarray, sparse matrix, list} of shape (n, n_columns)
            The rows.
        y : array-like of shape (n,)
            Their labels.

        Returns
        -------
        X_resampled : of the type of X
            The rows, with their dtypes and row labels.
        y_resampled : of the type of y
            Their labels.

        Raises
        ------
        ValueError
            If `n_per_class` names a class that is not there, or `y` holds a single class, no
            class labels or missing ones.
        """
        # Not the base class's method: it takes the table apart and asks for numbers.
        labels = self._labels(X, y)
        self._resample(X, labels)
        return take_rows(X, self.sample_indices_), take_rows(y, self.sample_indices_)

    def _fit_resample(self, X, y):
        self._resample(X, y)
        return take_rows(X, self.sample_indices_), take_rows(y, self.sample_indices_)

    def _labels(self, X, y):
        self._validate_params()
        check_rows(self, X)
        check_consistent_length(X, y)
        # As objects: beside texts NumPy makes the word "nan" of a NaN, which is no gap any more.
        if np.any(pd.isna(np.asarray(y, dtype=object))):
            raise ValueError("y has missing labels. Drop these rows, or use MultiTaskSampler.")
        # imbalanced-learn's own samplers take one task as a column of 0 and 1 per class.
        one_task = np.ndim(y) < 2 or np.shape(y)[1] == 1
        if not (one_task or type_of_target(y) == "multilabel-indicator"):
            raise ValueError(
                f"y should be a 1d array, the labels of one task; got shape {np.shape(y)}. "
                "MultiTaskSampler balances the classes of several."
            )
        check_classification_targets(y)
        labels = check_target_type(y)
        self.sampling_strategy_ = self._targets(labels)
        return labels

    def _targets(self, labels):
        classes, counts = np.unique(labels, return_counts=True)
        if len(classes) < 2:
            raise ValueError(f"y must hold at least two classes; got the class {classes.tolist()}.")
        now = dict(zip(classes.tolist(), counts.tolist()))
        if self.n_per_class == "auto":
            return dict.fromkeys(now, max(1, round(len(labels) / len(classes))))
        if isinstance(self.n_per_class, Integral):
            return dict.fromkeys(now, int(self.n_per_class))
        unknown = [label for label in self.n_per_class if label not in now]
        if unknown:
            raise ValueError(f"`n_per_class` names classes {unknown}; y has {list(now)}.")
        for label, number in self.n_per_class.items():
            if not isinstance(number, Integral) or number < 0:
                raise ValueError(f"`n_per_class` must hold ints >= 0; got {label!r}: {number!r}.")
        return now | {label: int(number) for label, number in self.n_per_class.items()}

    def _resample(self, X, labels):
        rng = check_random_state(self.random_state)
        kept, repeated = [], []
        for label, target in self.sampling_strategy_.items():
            rows = np.flatnonzero(labels == label)
            rounds, rest = divmod(target, len(rows))
            # Without replacement, so that no row is repeated twice before another is once.
            some = rng.choice(rows, size=rest, replace=False)
            if rounds == 0:
                kept.append(some)
            else:
                kept.append(rows)
                repeated.extend([np.tile(rows, rounds - 1), some])
        self.sample_indices_ = np.concatenate([np.sort(np.concatenate(kept)), *repeated])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.sampler_tags.sample_indices = True
        return tags
