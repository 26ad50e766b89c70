"""Tools for people who build on this package."""

from sklearn_skin._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__, {"_discovery": ["all_estimators"], "_optional": ["optional_import"]}
)
