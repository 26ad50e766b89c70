"""What the sources of the presets state, read in the sources, setting by setting.

Names are those of `make_preset`; "transformer" and "sampler" are the parameters of these steps.
`where` is a section, table or equation of the source, and for the README a paragraph. `open` says
what of a setting the source leaves open; the value, or that part of it, is then this package's.
"""

from typing import Any, NamedTuple


class Setting(NamedTuple):
    """A value, where it stands, and what of it does not stand there."""

    value: Any
    where: str
    open: str = ""


def not_stated(value, where="nowhere", what="value"):
    """Return a setting of which the source does not state everything."""
    return Setting(value, where, what)


# A repository's README. "par. 1" is the paragraph below the title.
S0 = {
    "steps": Setting(["LesionColumnTransformer", "JointFusionClassifier"], "par. 3 and 4"),
    "transformer.imputation": Setting("mean", "par. 3: mean age"),
    "prep__numeric__impute__strategy": Setting("mean", "par. 3"),
    "prep__numeric__scale": Setting("StandardScaler", "par. 3: age standardised"),
    "prep__categorical__encode": Setting("OneHotEncoder", "par. 3: one-hot"),
    "fusion": Setting("concat", "par. 4: concatenated"),
    "backbone": Setting("efficientnet_b0", "par. 4"),
    "weights": Setting("imagenet", "par. 4: pretrained on ImageNet"),
    "freeze": Setting("backbone", "par. 4: frozen feature extractor"),
    "image_dropout": not_stated(0.3, "par. 4: pooling and dropout", "rate"),
    "metadata_hidden": not_stated((64, 32), "par. 4: two fully connected layers", "widths"),
    "classifier_hidden": not_stated((128,), "par. 4: additional dense layers", "number and widths"),
    "dropout": Setting(0.0, "par. 4 names dropout after the pooling alone"),
    "class_weight": not_stated("balanced", "par. 5: class-weighted loss", "formula"),
    "early_stopping": Setting(True, "par. 5"),
    "monitor": Setting("valid_loss", "par. 5: based on validation loss"),
    "augment": Setting({}, "par. 3 and 4 name none"),
    "optimizer": not_stated("adam"),
    "lr": not_stated(1e-3),
    "batch_size": not_stated(32),
    "max_epochs": not_stated(50),
    "patience": not_stated(10),
    "image_size": not_stated(224),
    "validation_fraction": not_stated(0.2, "par. 3: as in earlier experiments"),
}

# Das, Agarwal and Shetty, Frontiers in Artificial Intelligence 8, 2025.
S1 = {
    "steps": Setting(
        ["LesionColumnTransformer", "ClassBalancedSampler", "JointFusionClassifier"],
        "figs. 1 and 2, 3.2.2",
    ),
    "sampler.n_per_class": Setting(6000, "3.2.2: 6 000 images per class"),
    "prep__numeric__impute__strategy": Setting("median", "3.2.4"),
    "prep__categorical__impute__strategy": Setting("most_frequent", "3.2.4: mode"),
    "prep__categorical__encode": Setting("OneHotEncoder", "3.2.4"),
    "prep__numeric__scale": Setting("StandardScaler", "3.2.4: zero mean and unit variance"),
    "image_size": Setting(256, "3.2.3"),
    "augment": not_stated(
        {"flip": 0.5, "rotate": 30.0, "scale": 0.2, "noise": 0.02},
        "3.2.2: noise on pixels, flips both ways, rotations, scaling",
        "strengths",
    ),
    "fusion": Setting("cross_attention", "3.5.8; the best of table 7"),
    "backbone": Setting("dermiresnet", "3.4.2"),
    "weights": Setting(None, "3.4.2: a network of the source's own"),
    "metadata_hidden": Setting((128, 256), "3.4.1"),
    "classifier_hidden": not_stated(
        (128,), "3.4.3: fully connected layers with ReLU", "number and widths"
    ),
    "batch_size": Setting(64, "table 5"),
    "max_epochs": Setting(100, "table 5"),
    "lr": Setting(1e-3, "table 5"),
    "optimizer": Setting("adam", "table 5"),
    "loss": Setting("cross_entropy", "table 5"),
    "class_weight": Setting(None, "table 5; classes are balanced in 3.2.2"),
    "early_stopping": Setting(False, "3.2.1: no validation set"),
    "lr_schedule": Setting(None, "table 5 names none"),
}

# Gyeletshen, report, University of Canberra.
S2 = {
    "steps": Setting(["LesionColumnTransformer", "LesionNetClassifier"], "III and IV"),
    "prep__numeric__scale": Setting("StandardScaler", "III.D"),
    "prep__categorical__encode": Setting("OneHotEncoder", "III.D"),
    "augment": Setting({}, "III.C: none, which would invalidate the MONET columns"),
    "image_size": Setting(256, "III.E"),
    "channels": Setting(10, "VI, table: hidden units"),
    "metadata_hidden": not_stated((32,) * 10, "VI, table: hidden layer DNN, 10", "widths"),
    "classifier_hidden": not_stated((64,), "IV.D: linear layers and ReLU", "number and widths"),
    "optimizer": Setting("adam", "VI, table"),
    "loss": Setting("cross_entropy", "VI, table"),
    "lr": Setting(1e-3, "VI, table"),
    "batch_size": Setting(32, "VI, table"),
    "max_epochs": Setting(50, "VI, table"),
    "sampler": Setting("balanced", "V; the best model in VIII"),
    "class_weight": Setting(None, "VII.C: model 2 has the sampler, model 1 the weights"),
    "lr_schedule": not_stated(None, "I mentions one without saying which"),
    "early_stopping": Setting(False, "VI, table: 50 epochs"),
}

# Tang, dissertation, chapter 4.
S3 = {
    "steps": Setting(["LesionColumnTransformer", "JointIndividualFusionClassifier"], "4.2"),
    "prep__categorical__encode": Setting("OneHotEncoder", "4.2.1"),
    "fusion": Setting("mmfa", "4.2.3"),
    "beta": Setting(0.5, "4.3.2"),
    "metadata_hidden": not_stated((128, 256), "4.2.1: fully connected layers", "widths"),
    "backbone": Setting("resnet50", "4.3.2: one of five"),
    "weights": Setting("imagenet", "4.3.2"),
    "max_epochs": Setting(150, "4.3.2"),
    "optimizer": not_stated({"name": "sgd", "momentum": 0.9}, "4.3.2: SGD", "momentum"),
    "lr": Setting(0.005, "4.3.2"),
    "lr_schedule": Setting("cosine", "4.3.2: CosineAnnealingLR"),
    "early_stopping": Setting(True, "4.3.2"),
    "patience": Setting(30, "4.3.2"),
    "monitor": Setting("mean_task_balanced_accuracy", "4.3.2: validation BAC"),
    "validation_fraction": not_stated(0.1),
    "loss": Setting("cross_entropy", "4.3.2"),
    "class_weight": not_stated("balanced", "4.3.2: class-weighted cross-entropy", "formula"),
    "image_size": Setting(224, "4.3.2"),
    "batch_size": Setting(128, "4.3.2"),
    "augment": not_stated(
        {"flip": 0.5, "rotate": 30.0, "shift": 0.1, "scale": 0.2},
        "4.3.2: flips both ways, shifting, rotation, scaling",
        "strengths",
    ),
    "tta": not_stated(6, "4.3.2: flipping and rotation", "number of views"),
    "branch_weights": Setting("mean", "4.3.3: 'All' averages three predictions"),
}

# The same, section 5.3.
S4 = {
    "steps": Setting(["LesionColumnTransformer", "AsymmetricFusionClassifier"], "5.3.2"),
    "attention": Setting("aab", "5.3.2.2"),
    "fusion": Setting("auto", "table 5.9; the published counts with AAB"),
    "scaled_attention": Setting(False, "5.3.2.2: a softmax of the product"),
    "backbone": not_stated(
        "swinv2_tiny_window8_256",
        "5.3.4.1: Swin-Transformer; 28.82 M in table 5.7",
        "version and size",
    ),
    "clinical_backbone": not_stated(
        "mobilenetv3_small_100", "5.3.4.1: MobilenetV3; 2.91 M in table 5.7", "size"
    ),
    "weights": not_stated("imagenet"),
    "optimizer": Setting("adam", "5.3.4.1"),
    "lr": not_stated(3e-5, "5.4.3.1 and 6.3.3 have this rate"),
    "lr_schedule": not_stated(None),
    "batch_size": Setting(24, "5.3.4.1"),
    "max_epochs": Setting(250, "5.3.4.1"),
    "loss": Setting("cross_entropy", "eq. 5.3"),
    "averaging": Setting({"name": "swa", "epochs": 50}, "5.3.4.1: the last 50 epochs"),
    "image_size": Setting(224, "5.3.4.1"),
    "augment": not_stated(
        {"flip": 0.5, "rotate": 30.0, "shift": 0.1, "scale": 0.2, "brightness": 0.2},
        "5.3.4.1: flipping, shifting, scaling, rotating, brightening",
        "strengths",
    ),
    "tta": not_stated(6, "5.3.4.1; 2.5.2: rotation and flipping", "number of views"),
    "branch_weights": Setting("search", "5.3.3, eq. 5.4"),
}

# The same, section 5.4.
S5 = {
    "steps": Setting(["LesionColumnTransformer", "SharedFusionClassifier"], "5.4.2"),
    "attention": Setting("shared", "5.4.2.2"),
    "share_encoder": Setting(True, "5.4.2.1"),
    "share_heads": Setting(False, "5.4.2.1 and table 5.16: individual classifiers"),
    "branch_loss_weights": Setting("biased", "eq. 5.7"),
    "attention_maps": Setting("exchanged", "5.4.2.2: cross-attention"),
    "clinical_weight": Setting(0.1, "5.4.3.1, table 5.17"),
    "backbone": not_stated(
        "swinv2_tiny_window8_256", "5.4.3.5: SwinTransformer (Tiny); table 5.18", "version"
    ),
    "weights": not_stated("imagenet"),
    "optimizer": Setting("adam", "5.4.3.1"),
    "lr": Setting(3e-5, "5.4.3.1"),
    "lr_schedule": Setting("cosine", "5.4.3.1"),
    "batch_size": Setting(24, "5.4.3.1"),
    "max_epochs": not_stated(250, "5.3.4.1 and 6.3.3 have as many"),
    "averaging": not_stated({"name": "swa", "epochs": 50}, "5.4.3.1", "epochs"),
    "image_size": Setting(224, "5.4.3.1"),
    "augment": not_stated(
        {"flip": 0.5, "rotate": 30.0, "shift": 0.1, "brightness": 0.2, "contrast": 0.2},
        "5.4.3.1: flips both ways, rotation, shifting, brightness and contrast",
        "strengths",
    ),
    "tta": not_stated(6, "2.5.2: rotation and flipping, in all experiments", "number of views"),
    "branch_weights": Setting("search", "5.4.3.1"),
}

# The same, chapter 6.
S6 = {
    "steps": Setting(["LesionColumnTransformer", "FusionM4NetClassifier"], "6.2.1"),
    "first_stage": Setting("FusionNetClassifier", "6.2.2"),
    "prep__categorical__encode": Setting("OneHotEncoder", "6.2.4, step 1"),
    "model__second_stage": Setting(None, "6.2.4: SVMs, which None gives"),
    "model__space": Setting("proba", "eqs. 6.5 and 6.6"),
    "model__passthrough_features": Setting("all", "6.2.4"),
    "backbone": Setting("resnet50", "6.2.2"),
    "weights": Setting("imagenet", "6.3.3"),
    "optimizer": Setting("adam", "6.3.3"),
    "lr": Setting(3e-5, "6.3.3"),
    "lr_schedule": Setting("cosine", "6.3.3"),
    "batch_size": Setting(32, "6.3.3"),
    "max_epochs": Setting(250, "6.3.3"),
    "early_stopping": Setting(True, "6.3.3: the best weights are kept"),
    "patience": Setting(250, "6.3.3: training stops after 250 epochs"),
    "monitor": Setting("mean_task_accuracy", "6.3.3: validation accuracy; 6.3.2"),
    "loss": Setting("cross_entropy", "eqs. 6.1 to 6.3"),
    "image_size": Setting(224, "6.3.3"),
    "augment": not_stated(
        {"flip": 0.5, "shift": 0.1}, "6.3.3: flips both ways, shifts, distortions", "strengths"
    ),
    "tta": not_stated(
        6,
        "5.3.4.1 follows chapter 6's paper in it; 2.5.2: rotation and flipping",
        "number of views",
    ),
}

# Khurshid, Vatsa and Singh, arXiv:2402.10454.
S7 = {
    "steps": Setting(["LesionColumnTransformer", "SuperResolutionFusionClassifier"], "2"),
    "transformer.imputation": Setting("NeuralImputer", "2: neural network based imputation"),
    "prep__metadata__impute__fallback": Setting("never", "2 names no other imputation"),
    "prep__metadata__impute__keep_empty_features": not_stated(True),
    "transformer.image_steps": Setting(
        ("shades_of_gray", "clahe"), "2: colour constancy of its [10], then CLAHE"
    ),
    "prep__image__shadesofgray__power": not_stated(6.0),
    "prep__image__clahe__clip_limit": not_stated(2.0),
    "prep__image__clahe__grid": not_stated(8),
    "alpha": Setting(0.5, "eq. 5"),
    "sr_weight": Setting(1.0, "eq. 5: beta"),
    "upsampling": Setting("bilinear", "4, of table 3: bilinear is replaced there"),
    "backbone": Setting("resnet50", "3: one of five"),
    "weights": Setting("imagenet", "3"),
    "optimizer": not_stated({"name": "sgd", "momentum": 0.9}, "3: SGD", "momentum"),
    "lr": Setting(0.01, "3"),
    "lr_schedule": Setting(
        {"name": "step", "step_size": 15, "gamma": 0.1}, "3: by 0.1 every 15 epochs"
    ),
    "max_epochs": Setting(70, "3"),
    "batch_size": Setting(32, "3"),
    "image_size": Setting(224, "3"),
    "loss": Setting("cross_entropy", "eq. 3 and 3"),
    "class_weight": not_stated(
        "balanced", "2.3: by the number of samples of each class", "formula"
    ),
    "augment": not_stated(
        {
            "flip": 0.5,
            "scale": 0.2,
            "brightness": 0.2,
            "contrast": 0.2,
            "saturation": 0.2,
            "noise": 0.02,
        },
        "3: flips both ways, scaling, brightness, contrast, saturation, noise",
        "strengths",
    ),
}

RECIPES = {
    "frozen-efficientnet": S0,
    "dermiresnet-fusion": S1,
    "lesionnet": S2,
    "jif-mmfa": S3,
    "ammfm": S4,
    "pemm": S5,
    "fusionm4net": S6,
    "sr-fusion": S7,
}

# The loss, of `ce`: by branch, the sum over tasks of the mean over rows of the cross-entropy. S0 to
# S3 and S7 have one task. The mean over rows is this package's where a source prints the sum.
LOSSES = {
    "frozen-efficientnet": lambda ce: ce["fusion"],  # par. 5
    "dermiresnet-fusion": lambda ce: ce["fusion"],  # table 5
    "lesionnet": lambda ce: ce["fusion"],  # V
    "jif-mmfa": lambda ce: 0.5 * ce["image"] + 0.5 * ce["metadata"] + ce["fusion"],  # 4.3.2
    "ammfm": lambda ce: ce["clinical"] + ce["dermoscopy"] + ce["fusion"],  # eqs. 5.2 and 5.3
    # Eqs. 5.3 and 5.7, and W of 5.4.3.1.
    "pemm": lambda ce: 0.1 * ce["clinical"] + 0.4 * ce["dermoscopy"] + 0.5 * ce["fusion"],
    # Eqs. 6.1 to 6.4; the half is the mean over the two tasks, a deviation.
    "fusionm4net": lambda ce: (ce["clinical"] + ce["dermoscopy"] + ce["fusion"]) / 2,
    "sr-fusion": lambda ce: 0.5 * ce["fusion"] + 1.0 * ce["squared error"],  # eqs. 4 and 5
}
