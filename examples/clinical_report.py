"""
================================
A report for those who decide
================================

Three models of drawn lesions, fitted on two thirds of the patients: a scikit-learn model and a
network of the metadata, and a network of image and metadata. The others are evaluated in one
HTML file, ``clinical_report.html``: scores with intervals by patient, subgroups, calibration,
what leaks, what the models look at, and their model cards.
"""

import sys

from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_skin.datasets import make_lesions
from sklearn_skin.neural_network import JointFusionClassifier, MetadataClassifier
from sklearn_skin.preprocessing import make_lesion_transformer
from sklearn_skin.reporting import clinical_report

SETTINGS = {"optimizer": "adamw", "lr": 2e-3, "lr_schedule": "cosine", "random_state": 0}
CNN = {"backbone": "resnet10t", "weights": None, "image_size": 96, "augment": "flips"}


def drop_images(X):
    """Return the metadata columns, for models that know no images."""
    return X.drop(columns="image")


def make_models():
    """Return each model behind its preprocessing; the first two see no image."""
    network = MetadataClassifier(max_epochs=40, **SETTINGS)
    fusion = JointFusionClassifier(max_epochs=8, **CNN, **SETTINGS)
    return {
        "logistic regression": make_pipeline(
            FunctionTransformer(drop_images),
            make_lesion_transformer(),
            LogisticRegression(max_iter=1000),
        ),
        "metadata network": make_pipeline(make_lesion_transformer(), network),
        "image and metadata": make_pipeline(make_lesion_transformer(), fusion),
    }


def main(output):
    """Fit, compare over folds, and write the report."""
    lesions = make_lesions(420, image_size=96, images_per_lesion=2, random_state=0)
    X, y, groups = lesions.data, lesions.target, lesions.groups
    splitter = GroupShuffleSplit(1, test_size=1 / 3, random_state=0)
    train, test = next(splitter.split(X, y, groups))
    folds = list(
        StratifiedGroupKFold(6, shuffle=True, random_state=0).split(
            X.iloc[train], y.iloc[train], groups.iloc[train]
        )
    )
    models, scores = make_models(), {}
    for name, model in models.items():
        if name != "image and metadata":  # the folds of an image network take longer
            scores[name] = cross_val_score(
                model,
                X.iloc[train],
                y.iloc[train],
                cv=folds,
                scoring="balanced_accuracy",
                error_score="raise",
            )
        model.fit(X.iloc[train], y.iloc[train])
        print(f"fitted {name}", flush=True)
    report = clinical_report(
        models,
        X.iloc[test],
        y.iloc[test],
        groups=groups.iloc[test],
        subgroups=lesions.subgroups,
        X_train=X.iloc[train],
        groups_train=groups.iloc[train],
        cv_scores=scores,
        title="Drawn lesions: three models",
        limits=["The lesions are drawn, not photographed."],
        output=output,
    )
    metrics = report.tables["metrics"]
    print(metrics[metrics["metric"] == "Balanced accuracy"].to_string(index=False))
    print(f"saved {report.path}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "clinical_report.html")
