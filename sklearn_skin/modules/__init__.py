"""Plain torch: backbones, metadata encoders, heads, losses and whole networks."""

from sklearn_skin._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_asymmetric": ["AsymmetricFusionNet"],
        "_dermiresnet": ["DermiResNet"],
        "_fusionnet": ["FusionNet"],
        "_joint": ["JointFusionNet"],
        "_joint_individual": ["JointIndividualNet"],
        "_lesionnet": ["LesionNet"],
        "_missing_modality": ["MissingModality"],
        "_network": ["LesionNetwork"],
        "_rounded": ["RoundedTwin"],
        "_shared_encoder": ["SharedFusionNet"],
        "_single_image": ["SingleImageNet"],
        "_staged_encoder": ["StagedEncoder"],
        "_super_resolution": ["SuperResolutionNet"],
        "augmentation": ["make_augmentation"],
        "backbones": ["Backbone", "make_backbone"],
        "fusion": [],
        "heads": ["TaskHeads"],
        "losses": ["BranchLoss", "ReconstructionLoss"],
        "metadata": ["MetadataEncoder", "MetadataNet"],
        "views": ["tta_views"],
    },
)
