"""FusionM4Net: networks, a weighted average of their branches, classifiers upon it."""

from copy import copy

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_skin.ensemble._branches import combine, in_space, member_branches
from sklearn_skin.ensemble._first_stage import FIRST, check_members, default_first_stage
from sklearn_skin.ensemble._group_columns import named_columns, named_group_columns
from sklearn_skin.ensemble._parameters import COMMON_CONSTRAINTS
from sklearn_skin.ensemble._second_stage import (
    SECOND_STAGES,
    JointClassifier,
    StageData,
    fit_second_stage,
    groups_of_rows,
    make_second_stage,
    stage_accuracies,
    unseen_stages,
    warn_of_calibration,
)
from sklearn_skin.ensemble._stage_features import (
    MetadataColumns,
    probability_names,
)
from sklearn_skin.ensemble._two_stages import TwoStages
from sklearn_skin.utils import metadata_for_fit

# Values per weight of the published loops: three branches, then P1 and P2.
_GRID = (50, 100)


class FusionM4NetClassifier(TwoStages):
    r"""Classify by networks and by a second stage on their probabilities and metadata.

    Fusion Scheme 1 averages the branches b of the first stage, Fusion Scheme 2 averages that
    with a cluster of classifiers, one per task, which sees the probabilities of all tasks and
    the metadata m [1]_:

    .. math:: P_1 = \sum_b w_b P_b, \quad P_2^t = f_t([P_1^1, \dots, P_1^T, m]), \quad
        P_3 = W_1 P_1 + W_2 P_2

    Both sets of weights maximise the mean over tasks of the accuracy on rows that the predicting
    classifier has not seen, and the second stage is fitted on such predictions alone.

    Parameters
    ----------
    first_stage : classifier, list of (str, classifier) or None, default=None
        A classifier with `predict_branches`, or a Pipeline that ends in one; its branches are
        told apart. Of a list, every classifier is a branch. None takes `FusionNetClassifier` for
        two image columns, `JointIndividualFusionClassifier` for another number, and logistic
        regression where X has no images.
    second_stage : classifier, str or None, default=None
        Any classifier; one clone is fitted per task, on the rows that have a label of it. A
        multi-output meta-estimator is used as it is, on rows with labels of all tasks. One
        without `predict_proba` is wrapped in ``CalibratedClassifierCV(ensemble=False)``, with
        folds by group. A str is one of "svm" (radial basis functions, C = 1),
        "logistic_regression", "mlp", "hist_gradient_boosting"; None takes "svm".
    passthrough_features : "all", None or list of str or int, default="all"
        Metadata columns that the second stage sees. Texts, categories and gaps are encoded as
        by `make_lesion_transformer`.
    %(common)s

    Attributes
    ----------
    first_stage_ : classifier, or list of (str, classifier)
        The first stage, fitted on all rows.
    second_stage_ : list of T classifiers, or classifier
        The fitted second stage.
    branch_weights_ : dict of str to float
        Weight of each branch in P1.
    stage_weights_ : dict of str to float
        Weights of P1 and P2 in P3.
    stage_scores_ : dict of str to float
        Mean over tasks of the accuracy of each branch, P1, P2 and P3 on the cross-fitted rows, or
        on `X_val`. Those of P1 and P3 were maximised and are optimistic.
    search_proven_ : bool
        Whether no weights of the branches are more accurate on these rows.
    %(fitted)s

    See Also
    --------
    WeightedFusionClassifier : The weighted average alone.

    References
    ----------
    .. [1] :ref:`Tang et al. (2022) <tang2022>`, "FusionM4Net".

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_skin.ensemble import FusionM4NetClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> branches = [("linear", LogisticRegression(max_iter=500)), ("bayes", GaussianNB())]
    >>> model = FusionM4NetClassifier(branches, LogisticRegression(), random_state=0).fit(X, y)
    >>> list(model.predict_stages(X))
    ['linear', 'bayes', 'P1', 'P2', 'P3']
    """

    _parameter_constraints = COMMON_CONSTRAINTS | {
        FIRST: [HasMethods(["fit"]), list, None],
        "second_stage": [HasMethods(["fit"]), StrOptions(set(SECOND_STAGES)), None],
        "passthrough_features": [StrOptions({"all"}), "array-like", None],
    }

    def __init__(
        self,
        first_stage=None,
        second_stage=None,
        *,
        passthrough_features="all",
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
        self.first_stage = first_stage
        self.second_stage = second_stage
        self.passthrough_features = passthrough_features
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
        """Fit both stages and their weights.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows as the first stage takes them.
        y : array-like of shape (n,) or (n, T)
            Labels of one task or of T tasks; NaN or None where one of T has none.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row, in both stages and in the searches.
        groups : array-like of shape (n,), default=None
            Patients or lesions, kept whole by all folds, and by the splits inside the stages
            where these make any.
        X_val, y_val : default=None
            Rows to search all weights on, as the source does, instead of cross-fitted ones. A
            first stage whose fit takes them validates on them, too.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        # Kept for `refit_second_stage`, which must make the same folds.
        self._seed = check_random_state(self.random_state).randint(2**31 - 1)
        if isinstance(self.first_stage, list):
            check_members(self.first_stage)
            self._validate_names([name for name, _ in self.first_stage])
        if self.first_stage is None:
            # An attribute, since the routing of `fit` asks `_members` for it.
            self._default = default_first_stage(X, self.group_column, self._seed)
        members = self._members()
        params = self._route(members, sample_weight, groups)
        data = self._read_fit(
            X, y, members, sample_weight=sample_weight, groups=groups, X_val=X_val, y_val=y_val
        )
        rows, branches = self._fit_first_stage(members, data, params)
        # Paths as texts are no images by dtype; the networks' parameters tell what they are.
        images = named_columns(members, "image_columns")
        excluded = images | named_group_columns(members) | {self.group_column}
        self._metadata = MetadataColumns(self.passthrough_features, excluded).fit(data.X)
        if data.valid is None:
            self._weigh_branches(branches, data.codes[rows], data.weight_of(rows))
            self._stage_data = self._stage(data, rows, branches)
        else:
            seen, every = self._branches(data.valid.X), np.arange(len(data.valid.codes))
            self._weigh_branches(seen, data.valid.codes, None)
            valid = self._stage(data.valid, every, seen)
            self._stage_data = self._stage(data, rows, branches, valid)
        return self._fit_second_stage()

    def refit_second_stage(self, second_stage="current"):
        """Fit another second stage, on features that `fit` kept, and leave the first as it is.

        Parameters
        ----------
        second_stage : classifier, str or None, default="current"
            As the parameter of this name, which it replaces; "current" takes that as it is, as
            after ``set_params(second_stage__C=10)``.

        Returns
        -------
        self : object
            The estimator with the new second stage; as it was, if that cannot be fitted.
        """
        check_is_fitted(self)
        trial = copy(self)
        if not (isinstance(second_stage, str) and second_stage == "current"):
            trial.set_params(second_stage=second_stage)
        trial._validate_params()
        vars(self).update(vars(trial._fit_second_stage()))
        return self

    def predict_stages(self, X):
        """Return the probabilities of every branch and stage.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.

        Returns
        -------
        stages : dict of str to ndarray (n, C), or to list of T arrays (n, C_t)
            The branches, which FusionNet names ``clinical``, ``dermoscopy`` and ``fusion``,
            then ``P1``, ``P2`` and ``P3``.
        """
        return self.predict_branches(X)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the second stage's features.

        Parameters
        ----------
        input_features : ignored
            There for scikit-learn's sake.

        Returns
        -------
        names : ndarray of str
            ``P1_<task>_<class>`` (``P1_<class>`` for one task), then the metadata.
        """
        check_is_fitted(self)
        names = probability_names(self._task_names, self._codec.classes_)
        return np.array([*names, *self._metadata.feature_names()], dtype=object)

    def _fit_first_stage(self, members, data, params):
        """Set `first_stage_`; return the rows with held-out predictions, and these."""
        if self._is_prefit():
            self.first_stage_ = self.first_stage
            return np.arange(len(data.codes)), self._branches(data.X)
        is_list = isinstance(self.first_stage, list)
        result = self._cross_fit(members, data, params, self._seed, split=not is_list)
        fitted = [(name, member) for (name, _), member in zip(members, result.members)]
        self.first_stage_ = fitted if is_list else fitted[0][1]
        return result.rows, result.branches

    def _weigh_branches(self, branches, codes, sample_weight):
        """Set `branch_weights_` and the accuracies of branches and P1 on unseen rows."""
        clash = {"P1", "P2", "P3"} & set(branches)
        if clash:
            raise ValueError(f"branches must not be named {sorted(clash)}.")
        # The search sees what will be averaged: probabilities, or their logarithms.
        tables = in_space(list(branches.values()), self.space)
        weights, _, proven = self._search_weights(tables, codes, sample_weight, _GRID[0])
        self.search_proven_ = proven
        self.branch_weights_ = dict(zip(branches, weights.tolist()))
        stages = branches | {"P1": self._p1(branches)}
        self._branch_scores = stage_accuracies(stages, codes, sample_weight)

    def _p1(self, branches):
        chosen = [branches[name] for name in self.branch_weights_]
        return combine(chosen, list(self.branch_weights_.values()), self.space)

    def _stage(self, data, rows, branches, valid=None):
        """Return what the second stage learns of rows, given the branches' probabilities."""
        p1 = self._p1(branches)
        return StageData(
            np.hstack([*p1, self._metadata.transform(data.X)[rows]]),
            data.codes[rows],
            data.weight_of(rows),
            groups_of_rows(data.groups, rows),
            p1,
            valid,
        )

    def _fit_second_stage(self):
        data, classes, seed = self._stage_data, self._codec.classes_, self._seed
        classifier = make_second_stage(self.second_stage, seed)
        warn_of_calibration(self.second_stage)
        params = metadata_for_fit(classifier, sample_weight=data.sample_weight)
        self._cluster = fit_second_stage(classifier, data, classes, params, seed)
        stages, rows = unseen_stages(
            classifier, self._cluster, data, classes, params, seed, self.n_jobs
        )
        weights = self._search_weights(stages, rows.codes, rows.sample_weight, _GRID[1]).weights
        self.stage_weights_ = dict(zip(["P1", "P2"], weights.tolist()))
        named = {"P2": stages[1], "P3": combine(stages, weights)}
        scores = stage_accuracies(named, rows.codes, rows.sample_weight)
        self.stage_scores_ = self._branch_scores | scores
        joint = isinstance(self._cluster, JointClassifier)
        self.second_stage_ = self._cluster.estimator if joint else self._cluster.estimators
        if self.verbose:
            for name in ("branch_weights_", "stage_weights_", "stage_scores_"):
                shown = {key: round(value, 4) for key, value in getattr(self, name).items()}
                print(f"[FusionM4NetClassifier] {name[:-1].replace('_', ' ')}: {shown}")
        return self

    def _branches(self, X):
        if isinstance(self.first_stage_, list):
            found = [member_branches(m, X, self._codec, n, False) for n, m in self.first_stage_]
            return {name: tables for branches in found for name, tables in branches.items()}
        return member_branches(self.first_stage_, X, self._codec, FIRST, True)

    def _stages(self, X):
        check_is_fitted(self)
        X = self._read(X)
        branches = self._branches(X)
        p1 = self._p1(branches)
        # All tasks' probabilities beside each other: one task tells of the next.
        p2 = self._cluster.predict_proba(np.hstack([*p1, self._metadata.transform(X)]))
        p3 = combine([p1, p2], list(self.stage_weights_.values()))
        return branches | {"P1": p1, "P2": p2, "P3": p3}
