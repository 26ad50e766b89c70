"""Resampling of rows for several targets at once."""

from numbers import Integral, Real

import numpy as np
from imblearn.base import BaseSampler
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length

from sklearn_skin.sampling._rows import check_rows, take_rows
from sklearn_skin.utils import DocLinkMixin, known_task_labels


class MultiTaskSampler(DocLinkMixin, BaseSampler):
    r"""Repeat and drop rows so that the classes of every task get balanced.

    Balancing one task unbalances another, so all are balanced together by iterative
    proportional fitting. Rows start with equal shares :math:`p_i`; task after task, the shares
    of the rows of class c are scaled so that they add up to what its class should have,

    .. math:: p_i \leftarrow p_i \, \frac{K_t / C_t}{\sum_{j: y_j^t = c} p_j},

    where :math:`C_t` is the number of classes and :math:`K_t` the share of the rows whose label
    is known; rows without a label in a task are left alone there. Row i then appears
    :math:`n p_i` times, rounded up or down at random (systematic sampling), so that numbers per
    class vary little between draws.

    Parameters
    ----------
    n_samples : "auto" or int, default="auto"
        Rows afterwards; ``"auto"`` is as many as before.
    max_repeats : int or float, default=10
        A row appears at most so many times, rounded up. It bounds how much a single rare row
        can be made to count, at the price of balance.
    n_iter : int, default=50
        Rounds over the tasks.
    random_state : int, RandomState instance or None, default=None
        Decides the rounding.

    Attributes
    ----------
    sampling_strategy_ : list of dict
        For each task: class -> expected number of rows afterwards.
    sample_indices_ : ndarray of shape (n_new,)
        Position of every row of the result in X: kept rows in their order, then repetitions.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where all are strings.

    See Also
    --------
    ClassBalancedSampler : For one target; it keeps all rows of a rare class.

    Notes
    -----
    Tasks whose labels exclude each other cannot be balanced at once; the shares are then those
    after the last round, and the last task is balanced best.

    References
    ----------
    .. [1] :ref:`Deming and Stephan (1940) <deming1940>`, "On a least squares adjustment of a
       sampled frequency table".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.sampling import MultiTaskSampler
    >>> X = np.arange(8)[:, None]
    >>> y = np.array([[0, 0], [0, 0], [0, 1], [0, 1], [0, 0], [0, 1], [1, 0], [1, 1]])
    >>> X_new, y_new = MultiTaskSampler(random_state=0).fit_resample(X, y)
    >>> y_new.mean(axis=0)
    array([0.5, 0.5])
    """

    # imbalanced-learn would check `sampling_strategy`, a parameter that there is not.
    _sampling_type = "bypass"

    _parameter_constraints = {
        "n_samples": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_repeats": [Interval(Real, 1, None, closed="left")],
        "n_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, n_samples="auto", *, max_repeats=10, n_iter=50, random_state=None):
        self.n_samples = n_samples
        self.max_repeats = max_repeats
        self.n_iter = n_iter
        self.random_state = random_state

    def fit(self, X, y):
        """Check the data and find how often rows of each class should appear.

        Parameters
        ----------
        X : {DataFrame, ndarray, sparse matrix, list} of shape (n, n_columns)
            The rows.
        y : array-like of shape (n,) or (n, T)
            Their labels; NaN and None are missing.

        Returns
        -------
        self : MultiTaskSampler
            The instance.
        """
        self._expected_times(X, y)
        return self

    def fit_resample(self, X, y):
        """Return the rows, repeated or dropped.

        Parameters
        ----------
        X : {DataFrame, ndarray, sparse matrix, list} of shape (n, n_columns)
            The rows.
        y : array-like of shape (n,) or (n, T)
            Their labels; NaN and None are missing.

        Returns
        -------
        X_resampled : of the type of X
            The rows, with their dtypes and row labels.
        y_resampled : of the type of y
            Their labels.

        Raises
        ------
        ValueError
            If a task has no label or a single class.
        """
        return self._fit_resample(X, y)

    def _fit_resample(self, X, y):
        times = _round_systematically(self._expected_times(X, y), self.random_state)
        rows = np.arange(len(times))
        repeated = np.repeat(rows, np.maximum(times - 1, 0))
        self.sample_indices_ = np.concatenate([rows[times > 0], repeated])
        return take_rows(X, self.sample_indices_), take_rows(y, self.sample_indices_)

    def _expected_times(self, X, y):
        self._validate_params()
        check_rows(self, X)
        tasks = known_task_labels(y)
        check_consistent_length(X, tasks[0].known)
        members = [_members(task, labels) for task, labels in enumerate(tasks)]
        n_rows = len(tasks[0].known)
        n_samples = n_rows if self.n_samples == "auto" else self.n_samples
        # More rows than the repeats allow: every row then comes equally often.
        limit = max(self.max_repeats, n_samples / n_rows) / n_samples
        times = n_samples * _balance(members, n_rows, self.n_iter, limit)
        self.sampling_strategy_ = [
            {label: float(times[rows].sum()) for label, rows in task.items()} for task in members
        ]
        return times

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.target_tags.multi_output = True
        tags.sampler_tags.sample_indices = True
        return tags


def _members(task, labels):
    """Return class -> its rows; the labels must be of two or more classes."""
    check_classification_targets(labels.labels)
    if len(labels.classes) < 2:
        raise ValueError(
            f"y must hold at least two classes in task {task}; got the class "
            f"{labels.classes.tolist()}."
        )
    known = np.flatnonzero(labels.known)
    return {label: known[labels.labels == label] for label in labels.classes.tolist()}


def _balance(members, n_rows, n_iter, limit):
    """Return the shares (n_rows,), sum 1, none above `limit`."""
    shares = np.full(n_rows, 1 / n_rows)
    for _ in range(n_iter):
        for task in members:
            known_share = sum(len(rows) for rows in task.values()) / n_rows
            for rows in task.values():
                shares[rows] *= known_share / len(task) / shares[rows].sum()
        # In every round: the next one balances what capping has unbalanced.
        shares = _cap(shares / shares.sum(), limit)
    return shares


def _cap(shares, limit):
    """Lower shares above `limit` and give the excess to the others, in proportion."""
    for _ in range(len(shares)):
        capped = shares >= limit
        excess = shares[capped].sum() - limit * capped.sum()
        if excess <= 1e-12 or capped.all():
            break
        # What others get may lift some above the limit, hence the loop; each round caps one more.
        shares = np.where(capped, limit, shares)
        shares[~capped] *= 1 + excess / shares[~capped].sum()
    return shares


def _round_systematically(times, random_state):
    """Return whole numbers with the same sum, each the one below or above `times`."""
    # Rows in random order, so that neighbours in the table do not exclude each other.
    rng = check_random_state(random_state)
    order = rng.permutation(len(times))
    passed = np.floor(np.cumsum(times[order]) + rng.uniform())
    passed[-1] = round(times.sum())  # the cumulated sum ends a rounding error off
    whole = np.empty(len(times), dtype=int)
    whole[order] = np.diff(np.minimum(passed, passed[-1]), prepend=0)
    return whole
