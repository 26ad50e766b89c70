import matplotlib

matplotlib.use("Agg")

import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_skin.datasets import make_lesions
from sklearn_skin.neural_network import JointFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer
from sklearn_skin.reporting import clinical_report

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
EVIL = '<script>window.broken = 1</script>"><img src=x onerror="window.broken = 1">$x_'


@pytest.fixture(scope="session")
def lesions():
    bunch = make_lesions(72, image_size=32, images_per_lesion=2, random_state=0)
    # What comes from files may hold markup.
    bunch.target = bunch.target.replace({"A": EVIL})
    bunch.data.index = bunch.subgroups.index = [f"{EVIL}{row}" for row in bunch.data.index]
    bunch.subgroups.loc[bunch.subgroups.index[30:40], "sex"] = None
    return bunch


@pytest.fixture(scope="session")
def numbers():
    """Metadata alone, for models without images."""
    bunch = make_lesions(300, image_size=8, images_per_lesion=3, n_tasks=2, random_state=1)
    bunch.data = make_lesion_transformer().fit_transform(bunch.data.drop(columns="image"))
    return bunch


@pytest.fixture(scope="session")
def report(lesions, tmp_path_factory):
    """A report with everything: a network, a forest, training rows, folds."""
    X, y, groups = lesions.data, lesions.target, lesions.groups
    train, test = slice(0, 24), slice(24, None)
    network = make_pipeline(make_lesion_transformer(), JointFusionClassifier(**TINY))
    forest = make_pipeline(
        make_lesion_transformer(),
        FunctionTransformer(drop_images),
        RandomForestClassifier(8, random_state=0),
    )
    models = {EVIL: network.fit(X[train], y[train]), "forest": forest.fit(X[train], y[train])}
    return clinical_report(
        models,
        X[test],
        y[test],
        groups=groups[test],
        subgroups=lesions.subgroups,
        X_train=X[train],
        groups_train=groups[train],
        cv_scores={EVIL: [0.7, 0.8, 0.7, 0.8, 0.9, 0.8], "forest": [0.6, 0.6, 0.6, 0.5, 0.6, 0.6]},
        n_examples=2,
        n_resamples=50,
        output=tmp_path_factory.mktemp("report") / "report.html",
    )


def drop_images(X):
    return X.drop(columns="image")
