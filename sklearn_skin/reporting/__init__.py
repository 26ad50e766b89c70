"""Reports for people who decide about a model."""

from sklearn_skin._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {"_clinical_report": ["clinical_report"]})
