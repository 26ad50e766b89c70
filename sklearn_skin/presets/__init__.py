"""The published systems as unfitted pipelines, with the whole recipe of their source."""

from sklearn_skin._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__, {"_make_preset": ["make_preset"], "_recipes": ["PRESETS"]}
)
