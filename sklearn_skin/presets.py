"""The published systems as unfitted pipelines, with the whole recipe of their source."""

from dataclasses import dataclass, field

from imblearn.pipeline import Pipeline

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
from sklearn_skin.preprocessing import make_lesion_transformer
from sklearn_skin.sampling import ClassBalancedSampler

__all__ = ["PRESETS", "make_preset"]

_COSINE_ADAM = {"optimizer": "adam", "lr": 3e-5, "lr_schedule": "cosine", "max_epochs": 250}


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
        Parameters of the estimator that the source states.
    transformer : dict
        Parameters of `make_lesion_transformer`.
    sampler : dict or None
        Parameters of `ClassBalancedSampler`, where the source resamples rows.
    wrapper : type or None
        Meta-estimator that takes the network as its first parameter, where it is only a part.
    deviations : tuple of str
        What differs from the source, or what the source leaves open.
    """

    system: str
    classifier: type
    parameters: dict
    transformer: dict = field(default_factory=dict)
    sampler: dict | None = None
    wrapper: type | None = None
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
        deviations=(
            "widths of the dense layers, dropout, learning rate, epochs and patience are not "
            "stated; the last three are this package's defaults",
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
        deviations=(
            "attention reads a token per metadata column, without the clinical perceptron; with "
            "the other operators that perceptron has BatchNorm",
            "attention reads spatial tokens; fusion_options={'tokens': 'vector'} is literal",
            "widths of the classifier and strength of the jitter are not stated; only repeated "
            "rows are augmented",
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
        deviations=(
            "the variant with the weighted sampler, the source's best; sampler=None and "
            "class_weight='balanced' give the others",
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
            "optimizer": "sgd",
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
        deviations=(
            "backbone is one of five in the source; TTA is flips and turns, their number is not "
            "stated",
            "validation rows for early stopping are held out of the training rows",
        ),
    ),
    "ammfm": Preset(
        "S4",
        AsymmetricFusionClassifier,
        {
            "attention": "aab",
            "backbone": "swinv2_tiny_window8_256",
            "clinical_backbone": "mobilenetv3_small_100",
            **_COSINE_ADAM,
            "lr_schedule": None,
            "batch_size": 24,
            "averaging": {"name": "swa", "epochs": 50},
            "tta": 6,
            "branch_weights": "search",
            "augment": ["geometric", {"brightness": 0.2}],
        },
        deviations=(
            "strengths of the augmentation and views of TTA are not stated",
            "weights of the branches are found on held-out training rows",
            "the published parameter counts of AAB fit no reading of the text",
        ),
    ),
    "pemm": Preset(
        "S5",
        SharedFusionClassifier,
        {
            "attention": "shared",
            "clinical_weight": 0.1,
            "backbone": "swinv2_tiny_window8_256",
            **_COSINE_ADAM,
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
        deviations=(
            "epochs, those that are averaged, views of TTA and strengths of the augmentation are "
            "not stated; "
            "the first two are those of S4",
            "weights of the branches are found on held-out training rows",
        ),
    ),
    "fusionm4net": Preset(
        "S6",
        FusionNetClassifier,
        {
            "backbone": "resnet50",
            **_COSINE_ADAM,
            "batch_size": 32,
            "early_stopping": True,
            # As long as the training: nothing stops early, and the best epoch is brought back.
            "patience": 250,
            "monitor": "mean_task_accuracy",
            "tta": 6,
            "augment": {"flip": 0.5, "shift": 0.1},
        },
        wrapper=FusionM4NetClassifier,
        deviations=(
            "no distortions among the augmentations; their strengths and the views are not stated",
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
            "optimizer": "sgd",
            "lr": 0.01,
            "lr_schedule": {"name": "step", "step_size": 15, "gamma": 0.1},
            "max_epochs": 70,
            "batch_size": 32,
            "class_weight": "balanced",
            "augment": [{"flip": 0.5, "scale": 0.2}, "color"],
        },
        {"imputation": "neural", "image_steps": ("shades_of_gray", "clahe")},
        deviations=(
            "standard weighted cross-entropy in place of the printed eq. 3",
            "strengths of the augmentation and momentum (0.9) are not stated",
        ),
    ),
}


def make_preset(name, **overrides):
    """Make a published system: preparation, resampling and network, with its settings.

    The steps of the pipeline are ``prep`` (`make_lesion_transformer`), perhaps ``sample``
    (`ClassBalancedSampler`) and ``net``, or ``model`` where a meta-estimator holds the network.

    Parameters
    ----------
    name : str
        A key of `PRESETS`, such as "jif-mmfa".
    **overrides
        Parameters of the network to set otherwise, such as ``backbone="resnet18"`` or
        ``weights=None``, or nested ones of the pipeline, such as ``prep__numeric=…``.

    Returns
    -------
    pipeline : imblearn.pipeline.Pipeline
        Unfitted.

    Raises
    ------
    ValueError
        If the name or a parameter is unknown.

    Examples
    --------
    >>> from sklearn_skin.presets import make_preset
    >>> model = make_preset("jif-mmfa", backbone="mobilenetv2_100", weights=None)
    >>> model["net"].fusion, model["net"].lr
    ('mmfa', 0.005)
    """
    if name not in PRESETS:
        raise ValueError(f"`name` must be one of {sorted(PRESETS)}; got {name!r}.")
    preset = PRESETS[name]
    # Nested names are set last: they may name a step's part that is made here.
    nested = {key: overrides.pop(key) for key in list(overrides) if "__" in key}
    net = preset.classifier(**preset.parameters).set_params(**overrides)
    steps = [("prep", make_lesion_transformer(**preset.transformer))]
    if preset.sampler is not None:
        steps.append(("sample", ClassBalancedSampler(**preset.sampler)))
    wrapped = preset.wrapper is not None
    steps.append(("model", preset.wrapper(net)) if wrapped else ("net", net))
    return Pipeline(steps).set_params(**nested)
