"""Scores for imbalanced, grouped and several-task targets, their intervals and comparison."""

from sklearn_skin._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_bootstrap": ["GroupBootstrap", "bootstrap_interval"],
        "_comparison": ["compare_models"],
        "_risk_coverage": ["risk_coverage_curve"],
        "_scorers": [
            "SCORERS",
            "mean_task_accuracy_scorer",
            "mean_task_auc_scorer",
            "mean_task_balanced_accuracy_scorer",
            "mean_task_precision_scorer",
            "mean_task_sensitivity_scorer",
            "mean_task_specificity_scorer",
        ],
        "_sensitivity_specificity": ["sensitivity_score", "specificity_score"],
        "_task_auc": ["mean_task_auc"],
        "_tasks": [
            "mean_task_accuracy",
            "mean_task_balanced_accuracy",
            "mean_task_precision",
            "mean_task_sensitivity",
            "mean_task_specificity",
        ],
    },
)
