"""Tuning of models."""

from sklearn_skin._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_objective": ["StudyObjective"],
        "_pruning": ["PruningCallback"],
        "_search_space": ["search_space"],
        "_study": ["make_study", "run_study"],
    },
)
