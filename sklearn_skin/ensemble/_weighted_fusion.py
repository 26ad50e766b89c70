"""A weighted average of classifiers whose weights are found on rows they have not seen."""

from numbers import Integral

import numpy as np
from joblib import Memory
from sklearn.base import _fit_context
from sklearn.ensemble._base import _BaseHeterogeneousEnsemble
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils._repr_html.estimator import _VisualBlock
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.validation import check_is_fitted

from sklearn_skin.ensemble._branches import (
    combine,
    in_space,
    last_step,
    member_tables,
    splits_inside,
)
from sklearn_skin.ensemble._crossfit import cross_fit, make_folds
from sklearn_skin.ensemble._meta import FusionMixin, missing_as_nan
from sklearn_skin.utils import search_simplex_weights

CV_CONSTRAINT = [None, Integral, StrOptions({"prefit"}), HasMethods(["split"]), "array-like"]


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
    search : {"exact", "grid"}, default="exact"
        See :func:`search_simplex_weights`.
    n_grid : int, default=50
        Values per weight of ``search="grid"``.
    cv : int, "prefit", splitter, iterable or None, default=None
        Where held-out predictions come from. An int is a number of folds, stratified by the
        first task and by group where groups are known; None means 5. A splitter with one
        split, such as GroupShuffleSplit(1), holds out rows once. After the weights are found,
        every classifier is fitted on all rows. With "prefit" the classifiers are fitted
        already, and the rows given to `fit` must be new to them.
    space : {"proba", "logits"}, default="proba"
        Whether probabilities or their logits are averaged.
    group_column : str, default=None
        Column of X that tells which rows belong together, where `fit` is not given `groups`.
        It is never a feature.
    classes : array-like or list of array-like, default=None
        All labels (per task), where some may be absent from the training rows.
    memory : str or joblib.Memory, default=None
        Where fits are kept, so that the same classifier, parameters and rows are not fitted
        again.
    n_jobs : int, default=None
        Processes that fit, with one thread each.
    random_state : int, RandomState instance or None, default=None
        Decides the folds.
    verbose : int, default=0
        1 prints the weights.

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
    classes_ : ndarray, or list of ndarray
        Labels (per task).
    n_features_in_ : int
        Columns seen in fit.
    feature_names_in_ : ndarray of str
        Their names, where X had names.

    See Also
    --------
    FusionM4NetClassifier : Adds a second stage that is fitted on the average and on metadata.

    References
    ----------
    .. [1] Tang et al., "FusionM4Net: A multi-stage multi-modal learning algorithm for
       multi-label skin lesion classification", Medical Image Analysis 76, 2022.

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

    _parameter_constraints = {
        "estimators": [list],
        "weights": [StrOptions({"search"}), "array-like", None],
        "search": [StrOptions({"exact", "grid"})],
        "n_grid": [Integral],
        "cv": CV_CONSTRAINT,
        "space": [StrOptions({"proba", "logits"})],
        "group_column": [str, None],
        "classes": ["array-like", list, None],
        "memory": [str, Memory, None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    # Repeating a row puts copies on both sides of a fold, unless the copies are one group.
    _expected_failed_checks = {
        "check_sample_weight_equivalence_on_dense_data": "folds differ when rows are repeated",
    }

    def __init__(
        self,
        estimators,
        *,
        weights="search",
        search="exact",
        n_grid=50,
        cv=None,
        space="proba",
        group_column=None,
        classes=None,
        memory=None,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        super().__init__(estimators=estimators)
        self.weights = weights
        self.search = search
        self.n_grid = n_grid
        self.cv = cv
        self.space = space
        self.group_column = group_column
        self.classes = classes
        self.memory = memory
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, sample_weight=None, groups=None):
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
            Patients or lesions, kept whole by the folds.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If groups are given where nothing is split by them.
        """
        self._validate_estimators()
        members = self._members()
        params = self._route(members, sample_weight, groups)
        if groups is not None and not self._uses_groups():
            raise ValueError(
                f"`groups` were given, but with cv={self.cv!r} and weights={self.weights!r} "
                "nothing is split by them."
            )
        X, y, codes, sample_weight, groups = self._read_fit(
            X, y, sample_weight, groups, self._known_classes(members)
        )
        held_out = self._fit_members(members, X, y, codes, groups, params)
        self.named_estimators_ = Bunch(
            **dict(zip([name for name, _ in members], self.estimators_)),
            **{name: "drop" for name, member in self.estimators if member == "drop"},
        )
        self.weights_ = self._find_weights(held_out, codes, sample_weight)
        if self.verbose:
            print(f"[WeightedFusionClassifier] weights {self.weights_.round(3).tolist()}")
        return self

    def predict_branches(self, X):
        """Return the probabilities of every classifier.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.

        Returns
        -------
        branches : dict of str to ndarray (n, C), or to list of T arrays (n, C_t)
            By the name of the classifier; the weighted average is the last one, ``"fusion"``.
        """
        tables = self._tables(X)
        names = [name for name, _ in self._members()]
        branches = dict(zip(names, tables)) | {"fusion": combine(tables, self.weights_, self.space)}
        return {name: self._public(table) for name, table in branches.items()}

    def get_metadata_routing(self):
        """Return the routing of this object.

        Returns
        -------
        routing : MetadataRouter
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        fit = MethodMapping().add(caller="fit", callee="fit")
        return router.add(method_mapping=fit, **dict(self._members()))

    def _sk_visual_block_(self):
        names, estimators = zip(*self.estimators)
        return _VisualBlock("parallel", estimators, names=names)

    def _members(self):
        return [(name, member) for name, member in self.estimators if member != "drop"]

    def _searches(self):
        return isinstance(self.weights, str)

    def _uses_groups(self):
        if self._is_prefit():
            return False
        return self._searches() or any(splits_inside(last_step(m)) for _, m in self._members())

    def _fit_members(self, members, X, y, codes, groups, params):
        """Set `estimators_`; return held-out rows and the members' predictions of them."""
        if self._is_prefit():
            self.estimators_ = [member for _, member in members]
            return np.arange(len(codes)), [
                member_tables(member, X, self._codec) for member in self.estimators_
            ]
        folds = []
        if self._searches():
            seed = check_random_state(self.random_state).randint(2**31 - 1)
            folds = make_folds(5 if self.cv is None else self.cv, X, codes, groups, seed)
        result = cross_fit(
            members,
            X,
            y,
            self._codec,
            params,
            folds,
            memory=self.memory,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )
        self.estimators_ = result.members
        return result.rows, list(result.branches.values())

    def _find_weights(self, held_out, codes, sample_weight):
        n_members = len(self.estimators_)
        self.search_score_ = None
        if not self._searches():
            given = np.ones(n_members) if self.weights is None else self.weights
            weights = np.asarray(given, dtype=np.float64)
            if weights.shape != (n_members,) or (weights < 0).any() or not weights.sum() > 0:
                raise ValueError(
                    f"`weights` must hold {n_members} numbers >= 0, not all 0; "
                    f"got {self.weights!r}."
                )
            return weights / weights.sum()
        rows, branches = held_out
        weights, self.search_score_ = search_simplex_weights(
            in_space(branches, self.space),
            missing_as_nan(codes[rows]),
            search=self.search,
            n_grid=self.n_grid,
            sample_weight=None if sample_weight is None else sample_weight[rows],
            classes=[np.arange(len(labels)) for labels in self._codec.classes_],
        )
        return weights

    def _tables(self, X):
        check_is_fitted(self)
        X = self._read(X)
        return [member_tables(member, X, self._codec) for member in self.estimators_]

    def _task_probabilities(self, X):
        return combine(self._tables(X), self.weights_, self.space)
