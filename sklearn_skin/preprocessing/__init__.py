"""Corrections of images and cleaning of metadata, as scikit-learn transformers."""

from sklearn_skin._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_columns": ["MISSING_WORDS"],
        "_feature_groups": ["feature_groups", "raw_column"],
        "_image_corrections": [
            "CLAHE",
            "CenterCrop",
            "GrayWorld",
            "HairRemoval",
            "Resize",
            "ShadesOfGray",
        ],
        "_lesion_transformer": ["make_lesion_transformer"],
        "_neural_imputer": ["NeuralImputer"],
    },
)
