"""Samplers that repeat and drop whole rows, images included."""

from sklearn_skin._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_class_balanced": ["ClassBalancedSampler"],
        "_multi_task": ["MultiTaskSampler"],
        "_synthetic": ["SyntheticSampler"],
    },
)
