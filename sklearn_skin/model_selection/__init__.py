"""Tuning of models, and their evaluation by published protocols."""

from sklearn_skin._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_evaluate": ["evaluate"],
        "_objective": ["StudyObjective"],
        "_protocols": ["PROTOCOLS"],
        "_pruning": ["PruningCallback"],
        "_search_space": ["search_space"],
        "_splitters": ["MultiTaskStratifiedGroupKFold"],
        "_study": ["make_study", "run_study"],
    },
)
