"""What would flatter a score: leaks between splits, columns that tell the label, bad data."""

from sklearn_skin._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {"_checks": ["check_data", "check_leakage"]})
