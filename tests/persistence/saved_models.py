"""Small fitted models of every kind that can be saved."""

import functools
import inspect

import numpy as np
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from sklearn_skin.datasets import make_lesions
from sklearn_skin.ensemble import FusionM4NetClassifier, WeightedFusionClassifier
from sklearn_skin.neural_network import (
    FusionNetClassifier,
    ImageClassifier,
    ImageEmbedder,
    JointFusionClassifier,
    JointIndividualFusionClassifier,
    MetadataClassifier,
)
from sklearn_skin.preprocessing import NeuralImputer, make_lesion_transformer
from sklearn_skin.presets import PRESETS, make_preset
from sklearn_skin.sampling import ClassBalancedSampler

TINY = {
    "backbone": "test_resnet",
    "weights": None,
    "image_size": 32,
    "max_epochs": 1,
    "batch_size": 16,
    "cache_dir": None,
    "random_state": 0,
    "device": "cpu",
}
METADATA = {name: TINY[name] for name in ("max_epochs", "random_state", "device")}


@functools.cache
def lesions(n_images=1, n_tasks=1):
    columns = ("image",) if n_images == 1 else ("clinical", "dermoscopy")
    return make_lesions(
        60, image_columns=columns, n_tasks=n_tasks, image_size=32, images_per_lesion=2,
        random_state=0,
    )  # fmt: skip


def fitted(final, *, n_images=1, n_tasks=1, prepare=None, **options):
    data = lesions(n_images, n_tasks)
    prepare = make_lesion_transformer(**options) if prepare is None else prepare
    return make_pipeline(prepare, final).fit(data.data, data.target)


TWO_IMAGES = {"ammfm", "fusionm4net", "lesionnet", "pemm"}


def preset(name):
    data = lesions(2 if name in TWO_IMAGES else 1)
    settings = {"n_per_class": 20} if name == "dermiresnet-fusion" else {}
    settings |= {"cv": 2} if name == "fusionm4net" else {}
    if name == "lesionnet":
        # Its own CNN is all that it has.
        settings |= {
            key: value for key, value in TINY.items() if key not in ("backbone", "weights")
        }
    else:
        settings |= TINY
    return make_preset(name, **settings).fit(data.data, data.target)


def fine_tuned():
    model = fitted(JointFusionClassifier(**TINY))
    data = lesions()
    model[-1].fine_tune(model[0].transform(data.data), data.target, freeze=2)
    return model


def resampled():
    data = lesions()
    steps = [("prep", make_lesion_transformer()), ("sample", ClassBalancedSampler(random_state=0))]
    return Pipeline([*steps, ("net", JointFusionClassifier(**TINY))]).fit(data.data, data.target)


def partly_missing():
    data = lesions()
    X = data.data.assign(image=data.data["image"].mask(np.arange(60) % 7 == 0))
    net = JointFusionClassifier(**TINY, allow_missing_images=True, modality_dropout=0.2)
    return make_pipeline(make_lesion_transformer(), net).fit(X, data.target)


MODELS = {
    "array": lambda: MetadataClassifier(**METADATA).fit(
        np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3
    ),
    "averaging": lambda: fitted(JointFusionClassifier(**TINY | {"max_epochs": 2}, averaging="ema")),
    "bf16": lambda: fitted(ImageClassifier(**TINY, precision="bf16")),
    "calibrated": lambda: CalibratedClassifierCV(
        make_pipeline(make_lesion_transformer(), JointFusionClassifier(**TINY)), cv=2
    ).fit(lesions().data, lesions().target),
    "embedder": lambda: fitted(
        make_pipeline(
            ImageEmbedder(
                **{k: TINY[k] for k in ("backbone", "weights", "image_size", "cache_dir", "device")}
            ),
            LogisticRegression(max_iter=500),
        )
    ),
    "fine-tuned": fine_tuned,
    "forest": lambda: fitted(RandomForestClassifier(5, random_state=0), image_columns=[]),
    "boosting": lambda: fitted(GradientBoostingClassifier(n_estimators=3), image_columns=[]),
    "hist-boosting": lambda: fitted(HistGradientBoostingClassifier(max_iter=3), image_columns=[]),
    "frozen": lambda: fitted(JointFusionClassifier(**TINY, freeze="backbone")),
    "fusionm4net": lambda: fitted(
        FusionM4NetClassifier(FusionNetClassifier(**TINY), cv=2, random_state=0), n_images=2
    ),
    "fusionm4net-tasks": lambda: fitted(
        FusionM4NetClassifier(
            JointIndividualFusionClassifier(**TINY), "hist_gradient_boosting", cv=2, random_state=0
        ),
        n_tasks=2,
    ),
    "missing-images": partly_missing,
    "multi-task": lambda: fitted(JointFusionClassifier(**TINY), n_tasks=2),
    "neural-imputer": lambda: fitted(
        JointFusionClassifier(**TINY),
        imputation=NeuralImputer(random_state=0, max_epochs=5),
        image_steps=["remove_hair", "shades_of_gray"],
    ),
    "sampler": resampled,
    "searched-branches": lambda: fitted(
        JointIndividualFusionClassifier(**TINY, branch_weights="search", tta=4)
    ),
    "shared-backbone": lambda: fitted(
        JointFusionClassifier(**TINY, share_backbone=True), n_images=2
    ),
    "stacking": lambda: fitted(
        StackingClassifier(
            [("net", MetadataClassifier(**METADATA)), ("linear", LogisticRegression())], cv=2
        ),
        image_columns=[],
    ),
    "swa": lambda: fitted(
        JointFusionClassifier(**TINY | {"max_epochs": 2}, averaging={"name": "swa", "epochs": 2})
    ),
    "voting": lambda: fitted(
        VotingClassifier(
            [("net", MetadataClassifier(**METADATA)), ("linear", LogisticRegression())],
            voting="soft",
        ),
        image_columns=[],
    ),
    "weighted-fusion": lambda: fitted(
        WeightedFusionClassifier(
            [("image", ImageClassifier(**TINY)), ("metadata", MetadataClassifier(**METADATA))],
            cv=2,
        )
    ),
} | {f"preset-{name}": functools.partial(preset, name) for name in PRESETS}


@functools.cache
def fitted_model(name):
    return MODELS[name]()


def make_estimator(name, cls):
    """Return a fitted instance of a public estimator."""
    parameters = inspect.signature(cls).parameters
    data = lesions(2 if "clinical_column" in parameters else 1)
    X, y = make_lesion_transformer().fit_transform(data.data), data.target
    numbers = X.select_dtypes(float)
    settings = {key: value for key, value in TINY.items() if key in parameters}
    if hasattr(cls, "fit_resample"):
        model = cls(RandomOverSampler()) if "sampler" in parameters else cls(**settings)
        model.fit_resample(numbers, np.column_stack([y, y]) if name == "MultiTaskSampler" else y)
        return model
    if name == "WeightedFusionClassifier":
        return cls([("a", LogisticRegression()), ("b", GaussianNB())]).fit(numbers, y)
    if name == "LesionNetClassifier":
        del settings["backbone"]
    if name in ("FusionM4NetClassifier", "NeuralImputer"):
        return cls(random_state=0).fit(numbers, y)
    is_network = name.endswith("Classifier") or name == "ImageEmbedder"
    return cls(**settings).fit(X if is_network else X[["image"]], y)


def make_table(name):
    """Return rows that a model of this name takes."""
    if name == "array":
        return np.random.default_rng(1).normal(size=(20, 4))
    two = name.removeprefix("preset-") in TWO_IMAGES | {"fusionm4net", "shared-backbone"}
    return lesions(2 if two else 1).data.head(20)


def predict_all(model, X):
    """Return everything that a model predicts, by name."""
    # As texts: labels of several tasks are objects, which no file of arrays holds.
    found = {"predict": np.asarray(model.predict(X)).astype(str)}
    proba = model.predict_proba(X)
    for task, table in enumerate(proba if isinstance(proba, list) else [proba]):
        found[f"proba_{task}"] = table
    return found
