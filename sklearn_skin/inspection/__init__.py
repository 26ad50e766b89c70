"""What a fitted network looks at: displays and the numbers behind them."""

from sklearn_skin._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_branch_weights": ["BranchWeightsDisplay"],
        "_embedding": ["EmbeddingDisplay"],
        "_feature_relevance": ["FeatureRelevanceDisplay"],
        "_grad_cam": ["GradCAMDisplay", "grad_cam"],
        "_integrated_gradients": ["integrated_gradients"],
        "_learning_curve": ["LearningCurveDisplay"],
        "_mask_overlap": ["mask_overlap"],
        "_modality_relevance": ["ModalityRelevanceDisplay"],
    },
)
