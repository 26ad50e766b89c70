"""A weighted average of classifiers whose weights are found on rows they have not seen."""

from numbers import Integral

import numpy as np
from sklearn.base import _fit_context
from sklearn.ensemble._base import _BaseHeterogeneousEnsemble
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import StrOptions
from sklearn.utils._repr_html.estimator import _VisualBlock
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.validation import check_is_fitted

from sklearn_skin.ensemble._branches import combine, in_space, member_tables
from sklearn_skin.ensemble._meta import FusionMixin
from sklearn_skin.ensemble._parameters import COMMON_CONSTRAINTS


class WeightedFusionClassifier(FusionMixin, _BaseHeterogeneousEnsemble):
    r"""Average the probabilities of classifiers with the weights that make it most accurate.

    .. math:: P = \sum_k w_k P_k, \quad w_k \ge 0, \quad \sum_k w_k = 1

    The interface is that of :class:`~sklearn.ensemble.VotingClassifier` with soft voting. The
    weights maximise the mean over tasks of the accuracy on rows that the classifiers have not
    been fitted on; see :func:`search_simplex_weights`.

    Parameters
    ----------
    estimators : list of (str, classifier) tuples
        Classifiers with `predict_proba`, or ``"drop"``. For y of several tasks a classifier
        with `predict_branches` (the networks of this package) or a multi-output meta-estimator
        is given all of them; of any other one clone is fitted per task, on the rows that have
        a label of it.
    weights : {"search"}, array-like of shape (K,) or None, default="search"
        Weight of each classifier that is not dropped. None weighs them equally. Without a
        search nothing is cross-fitted.
    n_grid : int, default=50
        Values per weight of ``search="grid"``.
    %(common)s

    Attributes
    ----------
    estimators_ : list of classifiers
        The fitted classifiers that are not dropped.
    named_estimators_ : Bunch
        The same by name.
    weights_ : ndarray of shape (K,)
        Their weights.
    search_score_ : float
        The accuracy that the search reached; optimistic, since it was maximised. None without
        a search.
    search_proven_ : bool
        Whether no weights are more accurate on these rows. None without a search.
    %(fitted)s

    See Also
    --------
    FusionM4NetClassifier : Adds a second stage that is fitted on the average and on metadata.

    References
    ----------
    .. [1] :ref:`Tang et al. (2022) <tang2022>`, "FusionM4Net".

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_skin.ensemble import WeightedFusionClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> members = [("linear", LogisticRegression(max_iter=500)), ("bayes", GaussianNB())]
    >>> fusion = WeightedFusionClassifier(members, random_state=0).fit(X, y)
    >>> fusion.predict_proba(X).shape
    (150, 3)
    >>> float(fusion.weights_.sum())
    1.0
    """

    _parameter_constraints = COMMON_CONSTRAINTS | {
        "estimators": [list],
        "weights": [StrOptions({"search"}), "array-like", None],
        "n_grid": [Integral],
    }

    def __init__(
        self,
        estimators,
        *,
        weights="search",
        n_grid=50,
        cv=5,
        space="proba",
        search="auto",
        group_column=None,
        classes=None,
        memory=None,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        super().__init__(estimators=estimators)
        self.weights = weights
        self.n_grid = n_grid
        self.cv = cv
        self.space = space
        self.search = search
        self.group_column = group_column
        self.classes = classes
        self.memory = memory
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, sample_weight=None, groups=None, X_val=None, y_val=None):
        """Fit the classifiers, and find their weights.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows as the classifiers take them.
        y : array-like of shape (n,) or (n, T)
            Labels of one task or of T tasks; NaN or None where one of T has none.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row, in the classifiers and in the search.
        groups : array-like of shape (n,), default=None
            Patients or lesions, kept whole by the folds, and by the splits inside the
            classifiers where these make any.
        X_val, y_val : default=None
            Rows to search the weights on instead of cross-fitted ones. Classifiers whose fit
            takes them validate on them, too.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        self._validate_estimators()
        members = self._members()
        params = self._route(members, sample_weight, groups)
        data = self._read_fit(
            X, y, members, sample_weight=sample_weight, groups=groups, X_val=X_val, y_val=y_val
        )
        branches, codes, weight = self._fit_members(members, data, params)
        self.named_estimators_ = Bunch(
            **dict(zip([name for name, _ in members], self.estimators_)),
            **{name: "drop" for name, member in self.estimators if member == "drop"},
        )
        self.weights_ = self._find_weights(branches, codes, weight)
        if self.verbose:
            print(f"[WeightedFusionClassifier] weights {self.weights_.round(3).tolist()}")
        return self

    def get_metadata_routing(self):
        """Return the routing of this object.

        Returns
        -------
        routing : MetadataRouter
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        fit = MethodMapping().add(caller="fit", callee="fit")
        return router.add(method_mapping=fit, **self._fitted_members())

    def _sk_visual_block_(self):
        names, estimators = zip(*self.estimators)
        return _VisualBlock("parallel", estimators, names=names)

    def _members(self):
        return [(name, member) for name, member in self.estimators if member != "drop"]

    def _searches(self):
        return isinstance(self.weights, str)

    def _splits(self, X_val):
        return self._searches() and X_val is None and not self._is_prefit()

    def _fit_members(self, members, data, params):
        """Set `estimators_`; return what they say of rows new to them, and these rows' labels."""
        valid = data.valid
        # Nothing is cloned: these objects are used, and the rows must be new to them.
        if self._is_prefit():
            self.estimators_ = [member for _, member in members]
            valid = data if valid is None else valid
        else:
            seed = check_random_state(self.random_state).randint(2**31 - 1)
            holds_out = self._splits(valid)
            result = self._cross_fit(members, data, params, seed, holds_out=holds_out)
            self.estimators_ = result.members
        if valid is not None:
            return self._member_tables(valid.X), valid.codes, valid.sample_weight
        rows = result.rows
        return list(result.branches.values()), data.codes[rows], data.weight_of(rows)

    def _find_weights(self, branches, codes, sample_weight):
        n_members = len(self.estimators_)
        self.search_score_ = self.search_proven_ = None
        if not self._searches():
            given = np.ones(n_members) if self.weights is None else self.weights
            weights = np.asarray(given, dtype=np.float64)
            if weights.shape != (n_members,) or (weights < 0).any() or not weights.sum() > 0:
                raise ValueError(
                    f"`weights` must hold {n_members} numbers >= 0, not all 0; "
                    f"got {self.weights!r}."
                )
            return weights / weights.sum()
        tables = in_space(branches, self.space)
        weights, self.search_score_, self.search_proven_ = self._search_weights(
            tables, codes, sample_weight, self.n_grid
        )
        return weights

    def _member_tables(self, X):
        return [member_tables(member, X, self._codec) for member in self.estimators_]

    def _stages(self, X):
        check_is_fitted(self)
        tables = self._member_tables(self._read(X))
        names = [name for name, _ in self._members()]
        return dict(zip(names, tables)) | {"fusion": combine(tables, self.weights_, self.space)}
