import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.model_selection import GridSearchCV

from sklearn_skin.inspection import (
    BranchWeightsDisplay,
    EmbeddingDisplay,
    LearningCurveDisplay,
)
from sklearn_skin.metrics import mean_task_accuracy
from sklearn_skin.neural_network import MetadataClassifier


@pytest.fixture(scope="module")
def branches():
    rng = np.random.RandomState(0)
    y = rng.randint(0, 3, 80)
    proba = {}
    for name, strength in {"image": 2.0, "metadata": 1.0, "fusion": 1.5}.items():
        logits = rng.randn(80, 3) + strength * np.eye(3)[y]
        proba[name] = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return proba, y


def test_embedded_features_are_what_the_fusion_gives(pipeline, lesions):
    display = EmbeddingDisplay.from_estimator(pipeline, lesions.data, method="pca")
    X = pipeline[:-1].transform(lesions.data)
    net = pipeline[-1]
    metadata = torch.from_numpy(X[net.metadata_names_].to_numpy(np.float32))
    images = torch.cat([batch.images[0] for batch in net.iter_batches(X)])
    with torch.no_grad():
        module = net.module_.eval()
        maps = module.features([images])
        expected = module.encode(maps, metadata)["fusion"]
    assert_allclose(display.features, expected, atol=1e-3)
    assert display.labels.tolist() == pipeline.predict(lesions.data).tolist()


def test_pca_is_centred_and_ordered(branches):
    display = EmbeddingDisplay.from_features(np.hstack(list(branches[0].values())), method="pca")
    assert_allclose(display.embedding.mean(axis=0), 0, atol=1e-12)
    assert display.embedding[:, 0].var() >= display.embedding[:, 1].var()


def test_tsne_repeats_with_its_seed_and_takes_few_rows(branches):
    features, y = branches[0]["image"][:12], np.where(branches[1][:12] > 0, "a", None)
    one, two = (EmbeddingDisplay.from_features(features, y, random_state=0) for _ in range(2))
    assert_allclose(one.embedding, two.embedding)
    names = [text.get_text() for text in one.ax_.get_legend().get_texts()]
    assert names == ["a", "unknown"]


def test_embedding_errors():
    with pytest.raises(ValueError, match="`method` must be one of"):
        EmbeddingDisplay.from_features(np.ones((5, 2)), method="umap")
    with pytest.raises(ValueError, match="n >= 3"):
        EmbeddingDisplay.from_features(np.ones((2, 2)))


@pytest.mark.parametrize("names", [["image", "metadata"], ["image", "metadata", "fusion"]])
def test_the_corners_of_the_simplex_are_the_branches(branches, names):
    proba, y = branches
    display = BranchWeightsDisplay.from_predictions({n: proba[n] for n in names}, y, n_steps=20)
    assert_allclose(display.weights.sum(axis=1), 1)
    for k, name in enumerate(names):
        corner = display.weights[:, k] == 1
        accuracy = mean_task_accuracy(y, proba[name].argmax(axis=1))
        assert_allclose(display.scores[corner], accuracy)
    assert display.best_score >= display.scores.max() - 1e-12
    average = sum(w * proba[n] for w, n in zip(display.best_weights, names))
    assert_allclose(mean_task_accuracy(y, average.argmax(axis=1)), display.best_score)
    assert list(display.table) == [*names, "score"]


def test_branch_numbers_that_cannot_be_drawn(branches, pipeline, lesions):
    proba, y = branches
    with pytest.raises(ValueError, match="Two or three branches can be drawn; got 1"):
        BranchWeightsDisplay.from_predictions({"image": proba["image"]}, y)
    with pytest.raises(ValueError, match=r"unknown names \['audio'\]"):
        BranchWeightsDisplay.from_estimator(
            pipeline, lesions.data, lesions.target, branches=["audio", "fusion"]
        )


def test_branches_of_a_network_are_scored_as_it_predicts(lesions, tiny):
    from sklearn.pipeline import make_pipeline

    from sklearn_skin.neural_network import JointIndividualFusionClassifier
    from sklearn_skin.preprocessing import make_lesion_transformer

    net = JointIndividualFusionClassifier(**tiny, fusion="concat")
    model = make_pipeline(make_lesion_transformer(), net).fit(lesions.data, lesions.target)
    display = BranchWeightsDisplay.from_estimator(model, lesions.data, lesions.target, n_steps=30)
    middle = np.flatnonzero((abs(display.weights - 1 / 3) < 1e-9).all(axis=1))
    assert_allclose(display.scores[middle], model.score(lesions.data, lesions.target))
    assert_allclose(display.used_weights, 1 / 3)
    pair = BranchWeightsDisplay.from_estimator(
        model, lesions.data, lesions.target, branches=["image", "metadata"]
    )
    assert pair.branches == ["image", "metadata"]


def test_learning_curves_hold_losses_and_scores(lesions, tiny_table, pipeline):
    X = pipeline[:-1].transform(lesions.data).drop(columns="image")
    net = MetadataClassifier(
        **tiny_table | {"max_epochs": 4}, early_stopping=True, monitor="balanced_accuracy"
    ).fit(X, lesions.target)
    display = LearningCurveDisplay.from_estimator(net)
    assert {"train_loss", "valid_loss"} < set(display.curves)
    assert not [name for name in display.curves if name.endswith(("_best", "_count"))]
    assert "dur" not in display.curves
    assert len(display.curves) == len(net.history_)
    losses = display.curves["valid_loss"]
    assert losses.loc[display.best_epoch] == losses.min()
    assert display.right_ax_ is not None
    assert len(display.ax_.lines) == 3  # two losses and the best epoch
    only = display.plot(curves=["train_loss"])
    assert only.right_ax_ is None


def test_learning_curve_errors(pipeline):
    with pytest.raises(ValueError, match="at least one epoch"):
        LearningCurveDisplay([])
    with pytest.raises(ValueError, match=r"unknown names \['auc'\]"):
        LearningCurveDisplay.from_estimator(pipeline, curves=["auc"])


def test_a_search_is_explained_by_its_best_estimator(pipeline, lesions):
    search = GridSearchCV(pipeline, {})
    search.best_estimator_ = pipeline
    curves = LearningCurveDisplay.from_estimator(search).curves
    assert curves.equals(LearningCurveDisplay.from_estimator(pipeline).curves)


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, sklearn_skin.inspection; "
        "print([m for m in ('torch', 'matplotlib', 'captum', 'pandas') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "[]"
