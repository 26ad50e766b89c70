"""The types that a model file may name without the user's word.

Every name was read for what runs when an object is made by it: nothing but attributes are set. So
a class with a ``__setstate__``, ``__reduce__`` or ``__new__`` of its own does not belong here, nor
one whose constructor opens a file or calls a parameter. skops trusts scikit-learn's estimators.
"""

_SKLEARN = {
    "calibration": ["_CalibratedClassifier", "_SigmoidCalibration", "_TemperatureScaling"],
    "compose._column_transformer": ["make_column_selector"],
    "neural_network._stochastic_optimizers": ["AdamOptimizer", "SGDOptimizer"],
    "utils._bunch": ["Bunch"],
}
_OWN = {
    "persistence._parts": ["Pairs", "SavedRequests"],
    "preprocessing._blocks": ["ColumnsOf"],
    "preprocessing._cleaning": [
        "CategoryCleaner",
        "GroupLabeler",
        "ImageLifter",
        "NumberCleaner",
        "NumberImputer",
    ],
    "preprocessing._denoising": ["TableCode"],
    # A function: the text that names an encoded feature.
    "preprocessing._feature_groups": ["encoded_name"],
    "preprocessing._image_corrections": [
        "CLAHE",
        "CenterCrop",
        "GrayWorld",
        "HairRemoval",
        "Resize",
        "ShadesOfGray",
    ],
    "preprocessing._imputation": ["ImputationPipeline", "KindKeeper"],
    "preprocessing._lesion_transformer": ["LesionColumnTransformer"],
    "preprocessing._neural_imputer": ["NeuralImputer"],
    "preprocessing._pipeline": ["MetadataPipeline"],
    "utils._labels": ["LabelCodec"],
}


def _full(package, modules):
    return [f"{package}.{module}.{name}" for module, names in modules.items() for name in names]


TRUSTED = ["numpy.dtype", *_full("sklearn", _SKLEARN), *_full("sklearn_skin", _OWN)]
