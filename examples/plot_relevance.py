"""
===================================================
What counts: metadata, modalities, branches, epochs
===================================================

Six pictures of one fitted network: integrated gradients of the metadata per class and for one
patient, the change when a modality is taken away, the fused features, the accuracy over all
weights of the branches, and the training.
"""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline

from sklearn_skin import inspection
from sklearn_skin.datasets import make_lesions
from sklearn_skin.neural_network import JointIndividualFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer


def fit(lesions, train):
    """Fit three branches, with modalities hidden at random so that their absence is known."""
    net = JointIndividualFusionClassifier(
        fusion="concat",
        backbone="resnet10t",
        weights=None,
        image_size=32,
        max_epochs=20,
        optimizer="adamw",
        lr=2e-3,
        augment="flips",
        modality_dropout=0.2,
        early_stopping=True,
        monitor="balanced_accuracy",
        validation_fraction=0.2,
        group_column="lesion",
        cache_dir=None,
        random_state=0,
    )
    data = lesions.data.assign(lesion=lesions.groups)
    model = make_pipeline(make_lesion_transformer(group_column="lesion"), net)
    return model.fit(data.iloc[train], lesions.target.iloc[train])


if __name__ == "__main__":
    lesions = make_lesions(300, image_size=32, images_per_lesion=2, random_state=0)
    splitter = GroupShuffleSplit(1, test_size=0.3, random_state=0)
    train, test = next(splitter.split(lesions.data, groups=lesions.groups))
    model = fit(lesions, train)
    X = lesions.data.assign(lesion=lesions.groups).iloc[test]
    y = lesions.target.iloc[test]
    print(f"accuracy {model.score(X, y):.2f}")

    figure, axes = plt.subplots(2, 3, figsize=(17, 9), layout="constrained")
    relevance = inspection.FeatureRelevanceDisplay.from_estimator(model, X, ax=axes[0, 0])
    print(relevance.raw_class_relevance.round(2))
    print(f"completeness error {relevance.completeness_error:.2%}")
    inspection.FeatureRelevanceDisplay.from_estimator(
        model, X[:1], level="instance", features="encoded", ax=axes[0, 1]
    )
    moved = inspection.ModalityRelevanceDisplay.from_estimator(model, X, ax=axes[0, 2])
    print(moved.change.mean().round(2).to_dict())
    inspection.EmbeddingDisplay.from_estimator(model, X, y, random_state=0, ax=axes[1, 0])
    inspection.BranchWeightsDisplay.from_estimator(model, X, y, ax=axes[1, 1])
    inspection.LearningCurveDisplay.from_estimator(model, ax=axes[1, 2])
    path = sys.argv[1] if len(sys.argv) > 1 else "relevance.png"
    figure.savefig(path, dpi=90)
    print(f"saved {path}")
