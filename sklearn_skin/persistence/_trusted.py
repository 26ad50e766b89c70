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
_IMBLEARN = {
    "over_sampling._random_over_sampler": ["RandomOverSampler"],
    "pipeline": ["Pipeline"],
    "under_sampling._prototype_selection._random_under_sampler": ["RandomUnderSampler"],
}
_OWN = {
    "ensemble._branches": ["CodedClassifier", "TaskClassifiers"],
    "ensemble._fusion_m4net": ["FusionM4NetClassifier"],
    "ensemble._second_stage": ["JointClassifier", "StageData"],
    "ensemble._stage_features": ["MetadataColumns"],
    "ensemble._weighted_fusion": ["WeightedFusionClassifier"],
    "neural_network._asymmetric": ["AsymmetricFusionClassifier"],
    "neural_network._embedder": ["ImageEmbedder"],
    "neural_network._fusionnet": ["FusionNetClassifier"],
    "neural_network._image": ["ImageClassifier"],
    "neural_network._joint": ["JointFusionClassifier"],
    "neural_network._joint_individual": ["JointIndividualFusionClassifier"],
    "neural_network._lesionnet": ["LesionNetClassifier"],
    "neural_network._metadata": ["MetadataClassifier"],
    "neural_network._shared_encoder": ["SharedFusionClassifier"],
    "neural_network._super_resolution": ["SuperResolutionFusionClassifier"],
    "neural_network._table": ["Columns"],
    "persistence._compiled": ["SavedPredictor", "SavedTree"],
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
    "sampling._class_balanced": ["ClassBalancedSampler"],
    "sampling._multi_task": ["MultiTaskSampler"],
    "sampling._synthetic": ["SyntheticSampler"],
    "utils._labels": ["LabelCodec"],
}


def _full(package, modules):
    return [f"{package}.{module}.{name}" for module, names in modules.items() for name in names]


TRUSTED = [
    "numpy.dtype",
    *_full("imblearn", _IMBLEARN),
    *_full("sklearn", _SKLEARN),
    *_full("sklearn_skin", _OWN),
]
