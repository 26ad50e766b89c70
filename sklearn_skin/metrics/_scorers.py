"""Scorers of several tasks for `cross_val_score` and searches.

scikit-learn's own scorers drop what estimators of several tasks know about their classes, so
these ask the estimator themselves. They work alike for one task.
"""

from sklearn.metrics import make_scorer
from sklearn.metrics._scorer import _Scorer

from sklearn_skin.metrics._sensitivity_specificity import (
    sensitivity_score,
    specificity_score,
)
from sklearn_skin.metrics._task_auc import mean_task_auc
from sklearn_skin.metrics._tasks import (
    mean_task_accuracy,
    mean_task_balanced_accuracy,
    mean_task_precision,
    mean_task_sensitivity,
    mean_task_specificity,
)


class _TaskScorer(_Scorer):
    """Score what `response_method` of an estimator of one or several tasks returns."""

    def _score(self, method_caller, estimator, X, y_true, **kwargs):
        predicted = getattr(estimator, self._response_method)(X)
        if self._response_method == "predict_proba":
            # A fold may lack a class that the estimator knows: columns are its classes.
            kwargs = {"classes": estimator.classes_, **kwargs}
        return self._sign * self._score_func(y_true, predicted, **{**self._kwargs, **kwargs})


mean_task_accuracy_scorer = _TaskScorer(mean_task_accuracy, 1, {}, "predict")
mean_task_balanced_accuracy_scorer = _TaskScorer(mean_task_balanced_accuracy, 1, {}, "predict")
mean_task_sensitivity_scorer = _TaskScorer(mean_task_sensitivity, 1, {}, "predict")
mean_task_specificity_scorer = _TaskScorer(mean_task_specificity, 1, {}, "predict")
mean_task_precision_scorer = _TaskScorer(mean_task_precision, 1, {}, "predict")
mean_task_auc_scorer = _TaskScorer(mean_task_auc, 1, {}, "predict_proba")

#: Name -> scorer, to be given as `scoring=` as a whole or one by one. The sensitivity and
#: specificity of one class need `make_scorer(specificity_score, pos_label="melanoma")`.
SCORERS = {
    "mean_task_accuracy": mean_task_accuracy_scorer,
    "mean_task_balanced_accuracy": mean_task_balanced_accuracy_scorer,
    "mean_task_sensitivity": mean_task_sensitivity_scorer,
    "mean_task_specificity": mean_task_specificity_scorer,
    "mean_task_precision": mean_task_precision_scorer,
    "mean_task_auc": mean_task_auc_scorer,
    "sensitivity_macro": make_scorer(sensitivity_score, average="macro", zero_division=0.0),
    "specificity_macro": make_scorer(specificity_score, average="macro", zero_division=0.0),
}
