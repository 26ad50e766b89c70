"""Networks for images, metadata and their fusion, as scikit-learn classifiers."""

from sklearn_skin._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_asymmetric": ["AsymmetricFusionClassifier"],
        "_base": ["BaseNetwork"],
        "_base_image": ["BaseImageNetwork", "make_backbones", "missing_options"],
        "_branch_classifier": ["BaseBranchClassifier"],
        "_embedder": ["ImageEmbedder"],
        "_fusionnet": ["FusionNetClassifier"],
        "_image": ["ImageClassifier"],
        "_joint": ["JointFusionClassifier"],
        "_joint_individual": ["JointIndividualFusionClassifier"],
        "_lesionnet": ["LesionNetClassifier"],
        "_metadata": ["MetadataClassifier"],
        "_shared_encoder": ["SharedFusionClassifier"],
        "_super_resolution": ["SuperResolutionFusionClassifier"],
    },
)
