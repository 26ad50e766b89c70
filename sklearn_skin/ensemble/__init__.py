"""Meta-estimators that combine the probabilities of several branches or models."""

from sklearn_skin._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_fusion_m4net": ["FusionM4NetClassifier"],
        ".utils": ["search_simplex_weights"],
        "_weighted_fusion": ["WeightedFusionClassifier"],
    },
)
