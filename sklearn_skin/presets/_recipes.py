"""The whole recipe of each published system, as its source states it."""

from dataclasses import dataclass, field

from sklearn_skin.ensemble import FusionM4NetClassifier
from sklearn_skin.neural_network import (
    AsymmetricFusionClassifier,
    FusionNetClassifier,
    JointFusionClassifier,
    JointIndividualFusionClassifier,
    LesionNetClassifier,
    SharedFusionClassifier,
    SuperResolutionFusionClassifier,
)
from sklearn_skin.preprocessing import NeuralImputer

_ADAM = {"optimizer": "adam", "lr": 3e-5, "max_epochs": 250}


@dataclass(frozen=True)
class Preset:
    """One system's recipe.

    Parameters
    ----------
    system : str
        Key of the system in the user guide, "S0" to "S7".
    classifier : type
        Estimator class.
    parameters : dict
        Parameters of the estimator.
    transformer : dict
        Parameters of `make_lesion_transformer`.
    sampler : dict or None
        Parameters of `ClassBalancedSampler`, where the source resamples rows.
    wrapper : type or None
        Meta-estimator that takes the network as its first parameter, where it is only a part.
    unstated : dict of str to str
        What the source leaves open, by parameter as `make_preset` takes it: "value", or the part
        of it, such as "momentum". These values are this package's; all others are the source's.
    deviations : tuple of str
        What differs from the source, and what it leaves open beside parameters.
    """

    system: str
    classifier: type
    parameters: dict
    transformer: dict = field(default_factory=dict)
    sampler: dict | None = None
    wrapper: type | None = None
    unstated: dict = field(default_factory=dict)
    deviations: tuple = ()


PRESETS = {
    "frozen-efficientnet": Preset(
        "S0",
        JointFusionClassifier,
        {
            "fusion": "concat",
            "backbone": "efficientnet_b0",
            "freeze": "backbone",
            "image_dropout": 0.3,
            "metadata_hidden": (64, 32),
            "classifier_hidden": (128,),
            "class_weight": "balanced",
            "early_stopping": True,
            "validation_fraction": 0.2,
        },
        {"imputation": "mean"},
        unstated={
            "image_dropout": "rate",
            "metadata_hidden": "widths",
            "classifier_hidden": "number and widths",
            "class_weight": "formula",
            **dict.fromkeys(("optimizer", "lr", "batch_size", "max_epochs", "patience"), "value"),
            **dict.fromkeys(("image_size", "validation_fraction"), "value"),
        },
        deviations=(
            "the metadata perceptron has BatchNorm and ReLU, of which the source says nothing; "
            "categories with gaps get their mode",
        ),
    ),
    "dermiresnet-fusion": Preset(
        "S1",
        JointFusionClassifier,
        {
            "fusion": "cross_attention",
            "backbone": "dermiresnet",
            # There are none for this network.
            "weights": None,
            "classifier_hidden": (128,),
            "optimizer": "adam",
            "lr": 1e-3,
            "batch_size": 64,
            "max_epochs": 100,
            "image_size": 256,
            "augment": {"flip": 0.5, "rotate": 30.0, "scale": 0.2, "noise": 0.02},
        },
        sampler={"n_per_class": 6000},
        unstated={"classifier_hidden": "number and widths", "augment": "strengths"},
        deviations=(
            "attention reads a token per metadata column, without the clinical perceptron; with "
            "the other operators that perceptron has BatchNorm and a last ReLU",
            "attention reads spatial tokens; fusion_options={'tokens': 'vector'} is literal",
            "only repeated rows are augmented, anew in every epoch; the source stores its images",
            "dx_type, which leaks and the source reads, is out unless the loader is asked for it",
        ),
    ),
    "lesionnet": Preset(
        "S2",
        LesionNetClassifier,
        {
            "metadata_hidden": (32,) * 10,
            "optimizer": "adam",
            "lr": 1e-3,
            "batch_size": 32,
            "max_epochs": 50,
            "image_size": 256,
            "sampler": "balanced",
        },
        unstated={
            "metadata_hidden": "widths",
            "classifier_hidden": "number and widths",
            "lr_schedule": "value",
        },
        deviations=(
            "the variant with the weighted sampler, the source's best; sampler=None and "
            "class_weight='balanced' give the others",
            "10 hidden units are read as channels; kernels of 3 by 3 are this package's choice",
            "rows with gaps are imputed, not dropped; MONET scores are scaled like other numbers",
        ),
    ),
    "jif-mmfa": Preset(
        "S3",
        JointIndividualFusionClassifier,
        {
            "fusion": "mmfa",
            "beta": 0.5,
            "backbone": "resnet50",
            "optimizer": {"name": "sgd", "momentum": 0.9},
            "lr": 5e-3,
            "lr_schedule": "cosine",
            "batch_size": 128,
            "max_epochs": 150,
            "early_stopping": True,
            "patience": 30,
            "monitor": "mean_task_balanced_accuracy",
            "class_weight": "balanced",
            "augment": "geometric",
            "tta": 6,
            "branch_weights": "mean",
        },
        unstated={
            "metadata_hidden": "widths",
            "optimizer": "momentum",
            "validation_fraction": "value",
            "class_weight": "formula",
            "augment": "strengths",
            "tta": "number of views",
        },
        deviations=(
            "backbone is one of five in the source",
            "without `X_val`, rows for early stopping are held out of the training rows",
        ),
    ),
    "ammfm": Preset(
        "S4",
        AsymmetricFusionClassifier,
        {
            "attention": "aab",
            "backbone": "swinv2_tiny_window8_256",
            "clinical_backbone": "mobilenetv3_small_100",
            **_ADAM,
            "batch_size": 24,
            "averaging": {"name": "swa", "epochs": 50},
            "tta": 6,
            "branch_weights": "search",
            "augment": ["geometric", {"brightness": 0.2}],
        },
        unstated={
            "backbone": "version and size",
            "clinical_backbone": "size",
            **dict.fromkeys(("weights", "lr", "lr_schedule"), "value"),
            "augment": "strengths",
            "tta": "number of views",
        },
        deviations=(
            "version and size of the backbones follow from the published parameter counts",
            "the rate is that of S5 and S6",
            "without `X_val`, weights of the branches are found on held-out training rows",
            "the fusion branch reads the refined dermoscopic vector: the parameter counts say so, "
            "the text is silent",
        ),
    ),
    "pemm": Preset(
        "S5",
        SharedFusionClassifier,
        {
            "attention": "shared",
            "clinical_weight": 0.1,
            "backbone": "swinv2_tiny_window8_256",
            **_ADAM,
            "lr_schedule": "cosine",
            "batch_size": 24,
            "averaging": {"name": "swa", "epochs": 50},
            "tta": 6,
            "branch_weights": "search",
            "augment": {
                "flip": 0.5,
                "rotate": 30.0,
                "shift": 0.1,
                "brightness": 0.2,
                "contrast": 0.2,
            },
        },
        unstated={
            "backbone": "version",
            **dict.fromkeys(("weights", "max_epochs"), "value"),
            "averaging": "epochs",
            "augment": "strengths",
            "tta": "number of views",
        },
        deviations=(
            "epochs and those that are averaged are those of S4",
            "without `X_val`, weights of the branches are found on held-out training rows",
            "attention maps are exchanged, as the name says; attention_maps='own' is the text's",
        ),
    ),
    "fusionm4net": Preset(
        "S6",
        FusionNetClassifier,
        {
            "backbone": "resnet50",
            **_ADAM,
            "lr_schedule": "cosine",
            "batch_size": 32,
            "early_stopping": True,
            # As long as the training: nothing stops early, and the best epoch is brought back.
            "patience": 250,
            "monitor": "mean_task_accuracy",
            "tta": 6,
            "augment": {"flip": 0.5, "shift": 0.1},
        },
        wrapper=FusionM4NetClassifier,
        unstated={"augment": "strengths", "tta": "number of views"},
        deviations=(
            "no distortions among the augmentations",
            "mean over tasks and heads of three layers, as in the public code; the text prints "
            "task_reduction='sum' and head_hidden=()",
            "without `X_val`, the best epoch is found on held-out training rows and the weights on "
            "cross-fitted predictions; the search is exact, search='grid' is the source's",
            "the second stage learns from cross-fitted predictions; cv='half' is the source's",
            "leaky metadata (difficulty, management) are out unless the loader is asked for them",
        ),
    ),
    "sr-fusion": Preset(
        "S7",
        SuperResolutionFusionClassifier,
        {
            "alpha": 0.5,
            "sr_weight": 1.0,
            "backbone": "resnet50",
            "optimizer": {"name": "sgd", "momentum": 0.9},
            "lr": 0.01,
            "lr_schedule": {"name": "step", "step_size": 15, "gamma": 0.1},
            "max_epochs": 70,
            "batch_size": 32,
            "class_weight": "balanced",
            "augment": [{"flip": 0.5, "scale": 0.2}, "color"],
        },
        {
            "imputation": NeuralImputer(fallback="never", keep_empty_features=True),
            "image_steps": ("shades_of_gray", "clahe"),
        },
        unstated={
            "optimizer": "momentum",
            "class_weight": "formula",
            "augment": "strengths",
            "prep__image__shadesofgray__power": "value",
            "prep__image__clahe__clip_limit": "value",
            "prep__image__clahe__grid": "value",
            "prep__metadata__impute__keep_empty_features": "value",
        },
        deviations=(
            "backbone is one of five in the source",
            "standard weighted cross-entropy; classification_loss='binary' is eq. 3 as printed",
            "the imputing network, and the widths of classifier and decoder, are this package's",
        ),
    ),
}
