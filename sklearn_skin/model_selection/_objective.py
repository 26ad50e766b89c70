"""Cross-validation of a Pipeline as the objective of an Optuna study."""

from collections.abc import Mapping

import numpy as np
from sklearn.base import clone
from sklearn.utils import _safe_indexing, check_consistent_length

from sklearn_skin.model_selection._choices import (
    check_chosen,
    check_earlier,
    read_space,
    suggest,
)
from sklearn_skin.model_selection._folds import make_folds
from sklearn_skin.model_selection._monitor import add_callback, check_monitor
from sklearn_skin.model_selection._scoring import find_scorer
from sklearn_skin.model_selection._search_space import search_space
from sklearn_skin.model_selection._study import best_trial
from sklearn_skin.utils import metadata_for_fit


class StudyObjective:
    """Score an estimator with a trial's parameters by cross-validation, by group.

    Parameters
    ----------
    estimator : estimator
        A Pipeline or classifier; it stays as it is.
    X : DataFrame or array-like of n rows
    y : array-like of shape (n,) or (n, T)
    space : dict of str to list or optuna distribution, or callable, default=None
        Parameters, with their choices (a list, range or array of one dimension) or Optuna's
        distribution; None takes ``search_space(estimator)``. Estimators and tuples among choices
        go by what they print on one line, such as "SVC(C=2.0)", since a study's file holds texts
        and numbers; choices that print the same are numbered. A function ``space(trial)`` returns
        parameters that it suggests, so that one may depend on another.
    cv : int, splitter, iterable or None, default=5
        Folds, made once and the same for every trial. An int makes StratifiedGroupKFold where
        `groups` are given, and StratifiedKFold otherwise; None is 5, as in cross_val_score.
    groups : array-like of shape (n,), default=None
        Patients or lesions, kept whole by the folds, and by the splits inside the estimator;
        where it makes none, they are ignored.
    sample_weight : array-like of shape (n,), default=None
        Weight of each row in fit and score.
    scoring : str, callable or None, default=None
        As in cross_val_score, or a name in ``sklearn_skin.metrics.SCORERS``.
    monitor : str or None, default=None
        What the study's pruner judges a trial by: a column of the network's history, reported
        after every epoch, such as "train_loss", or "valid_loss" with early stopping; or
        "score", the mean score of the folds so far, reported after every fold. A trial whose
        network has no such column is not pruned, and a warning says so. With None, nothing is
        pruned.

    Raises
    ------
    ValueError
        If `space` names what is not there, no trial can have `monitor` in its history, `scoring`
        is unknown, `cv` makes no folds of these rows, or fewer than asked for, or lacks `groups`,
        or `X`, `y`, `groups` and `sample_weight` differ in length.
    TypeError
        If `space` is neither a dict nor a function, or a range neither a list nor an Optuna
        distribution, `scoring` holds several scores, or `monitor` is no text.

    Notes
    -----
    Folds are fitted one after the other, so that pruning spares the later ones; run several
    trials at once with ``run_study(..., n_jobs=)``. The scores of the folds are kept in the
    trial's user attribute "fold_scores".

    Examples
    --------
    >>> import optuna
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_skin.model_selection import StudyObjective
    >>> X, y = load_iris(return_X_y=True)
    >>> objective = StudyObjective(LogisticRegression(max_iter=500), X, y, cv=3)
    >>> study = optuna.create_study(direction="maximize")
    >>> study.optimize(objective, n_trials=2)
    >>> sorted(study.best_params)
    ['C']
    """

    def __init__(
        self,
        estimator,
        X,
        y,
        space=None,
        *,
        cv=5,
        groups=None,
        sample_weight=None,
        scoring=None,
        monitor=None,
    ):
        self.estimator = estimator
        self.X = X
        self.y = y
        # Once, since Optuna wants the same ranges in every trial of a study.
        self.space = search_space(estimator) if space is None else space
        self.groups = None if groups is None else np.asarray(groups)
        self.sample_weight = None if sample_weight is None else np.asarray(sample_weight)
        self.scoring = scoring
        self.monitor = monitor
        # A failure in a trial comes late, and in every trial.
        check_consistent_length(X, y, self.groups, self.sample_weight)
        self.cv = cv
        # All trials are judged by the same folds, also by those of a splitter that shuffles.
        self.folds = make_folds(cv, X, y, self.groups)
        _check_scoring(scoring, estimator)
        if not callable(self.space):
            self.space = read_space(self.space, estimator)
        check_monitor(monitor, estimator, self.space)

    def __call__(self, trial):
        """Return the mean score over the folds."""
        estimator = self._with_params(self._suggest(trial))
        if self.monitor not in (None, "score"):
            add_callback(estimator, trial, self.monitor)
        scores = []
        for train, test in self.folds:
            scores.append(self._score(estimator, train, test))
            if self.monitor == "score":
                _report(trial, float(np.mean(scores)), len(scores) - 1)
        trial.set_user_attr("fold_scores", scores)
        return float(np.mean(scores))

    def check_study(self, study):
        """Raise an error if trials of a study were drawn from another space.

        :func:`run_study` calls it before the first trial. A space that is a function cannot be
        compared.

        Parameters
        ----------
        study : optuna.study.Study

        Raises
        ------
        ValueError
            If a parameter has other choices, another order of them, or another kind of range.
        """
        if not callable(self.space):
            check_earlier(study, self.space)

    def make_best(self, study):
        """Return a fresh estimator with the best parameters of `study`, fitted on all rows.

        Parameters
        ----------
        study : optuna.study.Study
            A study of this objective.

        Returns
        -------
        estimator : estimator
            Fitted.

        Raises
        ------
        ValueError
            If no trial has a value; it names the first failure's reason.
        """
        estimator = self._with_params(self.params_of(best_trial(study)))
        return estimator.fit(self.X, self.y, **self._fit_params(estimator, slice(None)))

    def params_of(self, trial):
        """Return what a trial sets on the estimator.

        Parameters
        ----------
        trial : optuna.trial.FrozenTrial
            Such as ``study.best_trial``.

        Returns
        -------
        params : dict of str to object
            As ``estimator.set_params`` takes them; ``trial.params`` has texts where there are
            estimators or tuples.

        Raises
        ------
        ValueError
            If the trial has chosen what the space has no longer.
        """
        from optuna.trial import FixedTrial

        if not callable(self.space):
            check_chosen(trial.params, self.space)
        return self._suggest(FixedTrial(trial.params))

    def _suggest(self, trial):
        if callable(self.space):
            params = self.space(trial)
            if not isinstance(params, Mapping):
                raise TypeError(
                    "`space` is a function, and must return a dict of parameter to value; it "
                    f"returned {params!r}."
                )
            return params
        return {name: suggest(trial, name, values) for name, values in self.space.items()}

    def _with_params(self, params):
        # Shorter names first: a second stage is chosen before its own parameters are set.
        estimator = clone(self.estimator)
        for name in sorted(params, key=lambda name: name.count("__")):
            # A chosen estimator is the user's own, and its parameters are set next.
            estimator.set_params(**{name: clone(params[name], safe=False)})
        return estimator

    def _score(self, estimator, train, test):
        model = clone(estimator)
        X, y = _safe_indexing(self.X, train), _safe_indexing(self.y, train)
        model.fit(X, y, **self._fit_params(model, train))
        X, y = _safe_indexing(self.X, test), _safe_indexing(self.y, test)
        weight = {}
        if self.sample_weight is not None:
            weight = {"sample_weight": self.sample_weight[test]}
        return float(find_scorer(model, self.scoring)(model, X, y, **weight))

    def _fit_params(self, model, rows):
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        groups = None if self.groups is None else self.groups[rows]
        return metadata_for_fit(model, sample_weight=weight, groups=groups)


def _check_scoring(scoring, estimator):
    if isinstance(scoring, list | tuple | set | frozenset | dict):
        raise TypeError(
            "`scoring` must be one score, which the study judges by: a name, a callable or None; "
            f"got {type(scoring).__name__} {scoring!r}."
        )
    find_scorer(estimator, scoring)


def _report(trial, value, step):
    from optuna import TrialPruned

    trial.report(value, step)
    if trial.should_prune():
        raise TrialPruned(f"Trial was pruned after {step + 1} folds.")
