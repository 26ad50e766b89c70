"""Fill gaps in numbers and categories by a denoising network."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import (
    FLOAT_DTYPES,
    _check_feature_names_in,
    check_is_fitted,
    validate_data,
)

from sklearn_skin.preprocessing._columns import (
    MISSING,
    as_numbers,
    cell_errors,
    center,
    holds_text,
    is_better,
    is_number,
    learn_categories,
    range_of,
    writable,
)
from sklearn_skin.preprocessing._denoising import TableCode, reconstruct, train
from sklearn_skin.preprocessing._feature_groups import indicator_name
from sklearn_skin.utils import DocLinkMixin

_FEWEST_CHECKED = 10  # known cells of the held-out rows below which a column is not judged


class NeuralImputer(DocLinkMixin, TransformerMixin, BaseEstimator):
    """Fill missing numbers and categories by a network that learnt to restore hidden cells.

    A multilayer perceptron sees the known cells of a row, one-hot and standardised, and which
    cells are known. It is trained on the rows at hand to restore cells that are hidden on
    purpose, half of the time those missing in another row, so that whole blocks of gaps are
    practised where they occur. A part of the rows is held out: with ``fallback="auto"`` a column is
    left to the network only where it restores the held-out cells better than the median or mode
    does, by more than one standard error; all other columns get the median or mode. With "never"
    the network fills every column, as in published systems.

    Parameters
    ----------
    fallback : {"auto", "never"}, default="auto"
        Which columns get the median or mode: those where the network does no better, and all of
        them in a table of one column or of too few rows to tell; or none.
    hidden : tuple of int, default=(128, 128)
        Widths of the hidden layers.
    mask_rate : float, default=0.3
        Probability of hiding a cell in training, in (0, 1).
    max_epochs : int, default=200
        Longest training.
    patience : int, default=15
        Epochs without a better held-out loss before training stops.
    batch_size : int, default=64
        Rows per step.
    lr : float, default=0.002
        Step size of AdamW.
    validation_fraction : float, default=0.2
        Share of the rows that is held out, in (0, 1).
    add_indicator : bool, default=False
        Whether to add a column ``<name>==missing`` for each column with gaps in `fit`.
    keep_empty_features : bool, default=False
        Whether columns without any value in `fit` are kept, filled with 0, or with 'missing'
        where they hold no numbers.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, hidden cells and held-out rows. Global seeds are not touched.

    Attributes
    ----------
    statistics_ : ndarray of shape (n_features,)
        Median or mode of each column; NaN where a column is empty.
    learned_ : bool ndarray of shape (n_features,)
        Which columns the network fills; the others get their statistic.
    fallback_columns_ : ndarray of str
        Names of the columns that get their statistic.
    held_out_ : dict of str to dict
        Per judged column: 'network' and 'fallback' error on held-out cells (mean absolute
        error of numbers, error rate of categories), and 'n', the number of cells.
    n_features_in_ : int
        Number of columns in `fit`.
    feature_names_in_ : ndarray of str
        Their names, for DataFrames with text names.

    See Also
    --------
    sklearn.impute.SimpleImputer : Median or mode.
    sklearn.impute.IterativeImputer : One regression per column, numbers only.

    Notes
    -----
    Numbers are standardised for the network and its guesses are kept in the range seen in
    `fit`. Values of a category not seen in `fit` are no gaps: they stay. Training runs on the
    CPU; `transform` needs no torch.

    References
    ----------
    .. [1] :ref:`Vincent et al. (2008) <vincent2008>`, "Extracting and composing robust features
       with denoising autoencoders".
    .. [2] :ref:`Gondara and Wang (2018) <gondara2018>`, "MIDA".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_skin.preprocessing import NeuralImputer
    >>> x = np.random.RandomState(0).normal(size=(300, 1))
    >>> X = np.hstack([x, 2 * x])
    >>> X[:50, 1] = np.nan
    >>> imputer = NeuralImputer(random_state=0).fit(X)
    >>> bool(np.abs(imputer.transform(X)[:50, 1] - 2 * x[:50, 0]).mean() < 0.3)
    True
    """

    _parameter_constraints: dict = {
        "fallback": [StrOptions({"auto", "never"})],
        "hidden": ["array-like"],
        "mask_rate": [Interval(Real, 0, 1, closed="neither")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "add_indicator": ["boolean"],
        "keep_empty_features": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        fallback="auto",
        hidden=(128, 128),
        mask_rate=0.3,
        max_epochs=200,
        patience=15,
        batch_size=64,
        lr=0.002,
        validation_fraction=0.2,
        add_indicator=False,
        keep_empty_features=False,
        random_state=None,
    ):
        self.fallback = fallback
        self.hidden = hidden
        self.mask_rate = mask_rate
        self.max_epochs = max_epochs
        self.patience = patience
        self.batch_size = batch_size
        self.lr = lr
        self.validation_fraction = validation_fraction
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn medians, modes and the network.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Numbers, or a DataFrame of numbers and categories (text, object, boolean, category).
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted imputer.

        Raises
        ------
        ValueError
            If X is too small for a network and `fallback` is "never".
        """
        X = self._check(X, reset=True)
        self._categories = learn_categories(X)
        table = self._as_table(X)
        known = ~np.isnan(table)
        self._empty = ~known.any(axis=0)
        self._gaps = ~known.all(axis=0)
        self._centers = np.array([center(c, cats) for c, cats in zip(table.T, self._categories)])
        self._range = np.array([range_of(column) for column in table.T])
        self.statistics_ = self._decode_statistics()
        self._learn(table)
        names = _check_feature_names_in(self)
        self.fallback_columns_ = names[~self.learned_ & ~self._empty]
        return self

    def transform(self, X):
        """Fill the gaps.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Table with gaps; the columns of `fit`.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features_out)
            Table without gaps: an array for numbers; a DataFrame with X's dtypes where a
            DataFrame holds categories.
        """
        check_is_fitted(self)
        was_array = isinstance(X, np.ndarray)
        X = self._check(X, reset=False)
        table = self._as_table(X)
        missing = np.isnan(table)
        filled = self._fill(table, missing)
        keep = np.flatnonzero(self._kept())
        shown = np.flatnonzero(self._gaps) if self.add_indicator else []
        if isinstance(X, np.ndarray):
            parts = [filled[:, keep], missing[:, shown]]
            return np.hstack(parts).astype(X.dtype, copy=False)
        columns = {X.columns[j]: self._fill_column(X, j, filled, missing) for j in keep}
        for j in shown:
            columns[indicator_name(X.columns[j])] = missing[:, j].astype(np.float64)
        out = pd.DataFrame(columns, index=X.index)
        return out.to_numpy(dtype=object) if was_array else out

    def get_feature_names_out(self, input_features=None):
        """Return the names of the output columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the input columns; by default those of `fit`, or ``x0``, ``x1``, ….

        Returns
        -------
        names : ndarray of str
            Kept columns, then the indicators.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        shown = names[self._gaps] if self.add_indicator else []
        indicators = np.array([indicator_name(name) for name in shown], dtype=object)
        return np.concatenate([names[self._kept()], indicators])

    def _check(self, X, reset):
        """Return X as a float array, or as a DataFrame where it holds categories."""
        if isinstance(X, pd.DataFrame) and (
            not all(map(is_number, X.dtypes)) or not (reset or self._is_numeric())
        ):
            validate_data(self, X, reset=reset, skip_check_array=True)
            return X
        if isinstance(X, np.ndarray) and X.dtype.kind == "O" and X.ndim == 2 and holds_text(X):
            validate_data(self, X, reset=reset, skip_check_array=True)
            return pd.DataFrame(X).infer_objects()
        return validate_data(
            self, X, reset=reset, dtype=FLOAT_DTYPES, ensure_all_finite="allow-nan"
        )

    def _is_numeric(self):
        return self._is_number_column().all()

    def _kept(self):
        return np.full_like(self._empty, True) if self.keep_empty_features else ~self._empty

    def _as_table(self, X):
        """Return X as the float64 table that `TableCode` describes."""
        if isinstance(X, np.ndarray):
            return X.astype(np.float64)
        table = np.empty(X.shape)
        for j, categories in enumerate(self._categories):
            column = X.iloc[:, j]
            if categories is None:
                table[:, j] = as_numbers(column)
            else:
                position = {value: i for i, value in enumerate(categories)}
                gaps = column.isna().to_numpy()
                # A value that fit did not see is no gap, and has no position either.
                table[:, j] = [position.get(v, -1) for v in column.to_numpy(dtype=object)]
                table[gaps, j] = np.nan
        return table

    def _learn(self, table):
        """Train the network and judge it, column by column, on held-out rows."""
        rng = check_random_state(self.random_state)
        self._code, self._weights, self.held_out_ = None, None, {}
        self.learned_ = np.zeros(table.shape[1], dtype=bool)
        n_held = round(self.validation_fraction * len(table))
        if self._is_small(table, n_held):
            return
        order = rng.permutation(len(table))
        held, kept = table[order[:n_held]], table[order[n_held:]]
        self._code = self._make_code(kept)
        sizes = {"layers": tuple(self.hidden), "epochs": self.max_epochs}
        names = ("patience", "batch_size", "lr", "mask_rate")
        options = sizes | {name: getattr(self, name) for name in names}
        self._weights = train(self._code, kept, held, rng, **options)
        if self._weights is not None:
            self._judge(held, np.isnan(table), rng)
        if self.fallback == "never":
            if self._weights is None:
                raise ValueError(
                    "the imputation network's loss was never finite; use a smaller `lr`."
                )
            self.learned_ = ~self._empty

    def _is_small(self, table, n_held):
        """Whether a table is too small for a network; an error where there must be one."""
        never = self.fallback == "never"
        # Held-out rows judge the columns; with "never" they only tell when to stop.
        fewest = 1 if never else _FEWEST_CHECKED
        small = table.shape[1] < 2 or n_held < fewest or len(table) - n_held < 2
        if small and never:
            raise ValueError(
                'fallback="never" needs 2 columns, and rows to hold out and to learn from; got '
                f"n_features = {table.shape[1]}, n_samples = {len(table)}, {n_held} to hold out. "
                "Impute otherwise, such as by SimpleImputer."
            )
        return small

    def _make_code(self, table):
        sizes = [0 if cats is None else len(cats) for cats in self._categories]
        known = ~np.isnan(table)
        n = np.maximum(known.sum(axis=0), 1)
        # np.nanmean warns of columns without values.
        mean = np.where(known, table, 0).sum(axis=0) / n
        scale = np.sqrt((np.where(known, table - mean, 0) ** 2).sum(axis=0) / n)
        return TableCode(np.array(sizes), mean, np.where(scale > 0, scale, 1.0))

    def _judge(self, held, missing, rng):
        for j, name in enumerate(_check_feature_names_in(self)):
            known = ~np.isnan(held[:, j])
            if known.sum() < _FEWEST_CHECKED:
                continue
            truth = held[known, j]
            blanked = held[known].copy()
            donors = missing[missing[:, j]]
            if len(donors):  # hide what is missing together with this column
                blanked[donors[rng.randint(len(donors), size=len(blanked))]] = np.nan
            blanked[:, j] = np.nan
            guess = self._clip(reconstruct(self._code, self._weights, blanked))[:, j]
            wrong = [cell_errors(truth, g, self._categories[j]) for g in (guess, self._centers[j])]
            self.held_out_[str(name)] = {
                "network": float(wrong[0].mean()),
                "fallback": float(wrong[1].mean()),
                "n": int(known.sum()),
            }
            self.learned_[j] = is_better(*wrong)

    def _clip(self, table):
        return table.clip(self._range[:, 0], self._range[:, 1])

    def _fill(self, table, missing):
        fallback = np.where(np.isnan(self._centers), 0.0, self._centers)
        filled = np.where(missing, fallback, table)
        rows = np.flatnonzero((missing & self.learned_).any(axis=1))
        if len(rows):
            guess = self._clip(reconstruct(self._code, self._weights, table[rows]))
            filled[rows] = np.where(missing[rows] & self.learned_, guess, filled[rows])
        filled[:, self._empty] = np.where(self._is_number_column(), 0.0, np.nan)[self._empty]
        return filled

    def _is_number_column(self):
        return np.array([categories is None for categories in self._categories])

    def _fill_column(self, X, j, filled, missing):
        column, categories = X.iloc[:, j], self._categories[j]
        if categories is None:
            return filled[:, j]
        if self._empty[j]:
            return pd.Series(MISSING, index=column.index)
        # Known cells keep their own values and dtype; only gaps are written.
        column, rows = column.copy(), missing[:, j]
        if rows.any():
            fill = [categories[int(i)] for i in filled[rows, j]]
            column = writable(column, fill)
            column.iloc[np.flatnonzero(rows)] = fill
        return column

    def _decode_statistics(self):
        pairs = zip(self._centers, self._categories)
        values = [v if c is None or np.isnan(v) else c[int(v)] for v, c in pairs]
        return np.array(values, dtype=np.float64 if self._is_numeric() else object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags
