"""What comes before anything that is trained is computed once, kept and shared."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from PIL import Image

from sklearn_skin.image import PixelCache, load_pixels
from sklearn_skin.modules import (
    Backbone,
    JointFusionNet,
    LesionNetwork,
    StagedEncoder,
    make_augmentation,
    make_backbone,
)
from sklearn_skin.modules._two_images import TwoImageNetwork
from sklearn_skin.neural_network import (
    AsymmetricFusionClassifier,
    FusionNetClassifier,
    ImageClassifier,
    ImageEmbedder,
    JointFusionClassifier,
    _features,
)
from sklearn_skin.neural_network._batches import LesionDataset
from sklearn_skin.neural_network._features import FeatureMaker, Features
from sklearn_skin.neural_network._table import learn_columns, read_columns
from sklearn_skin.sampling import ClassBalancedSampler

SETTINGS = {"backbone": "test_resnet", "image_size": 32, "batch_size": 8, "device": "cpu"}


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "weights.pt"
    torch.save(make_backbone("test_resnet").body.network.state_dict(), path)
    return path


@pytest.fixture
def embedded(monkeypatch):
    """Numbers of images that pass a backbone, by call."""
    counts = []
    forward = Backbone.forward

    def count(backbone, images, n_started=0):
        counts.append(len(images))
        return forward(backbone, images, n_started)

    monkeypatch.setattr(Backbone, "forward", count)
    return counts


def fit(cls, X, y, cache_dir, **settings):
    options = SETTINGS | {"weights": None, "max_epochs": 3, "random_state": 0} | settings
    return cls(cache_dir=cache_dir, **options).fit(X, y)


@pytest.mark.parametrize("freeze", [2, "backbone"])
@pytest.mark.parametrize("attention", ["none", "aab"])
@pytest.mark.parametrize("kept", [True, False])
def test_networks_train_on_kept_features_as_on_images(
    table, freeze, attention, kept, tmp_path, monkeypatch
):
    X, y = table
    X = X.assign(second=X["image"].array[::-1])
    options = {"freeze": freeze, "allow_missing_images": True}
    options |= {"clinical_backbone": "test_resnet", "attention": attention}
    options |= {"clinical_column": "image", "dermoscopy_column": "second"}
    X.loc[3, "second"] = None
    cache_dir = tmp_path / "cache" if kept else None
    net = fit(AsymmetricFusionClassifier, X, y, cache_dir, **options)
    assert net.module_.feature_sources
    proba = net.predict_proba(X)
    monkeypatch.setattr(TwoImageNetwork, "feature_sources", [])
    whole = fit(AsymmetricFusionClassifier, X, y, None, **options).predict_proba(X)
    assert_allclose(proba, whole, atol=1e-4)


@pytest.mark.parametrize("fusion", ["concat", "metablock"])
@pytest.mark.parametrize("freeze", [2, "backbone"])
def test_joint_networks_do_so_with_vectors_and_maps(table, fusion, freeze, tmp_path, monkeypatch):
    X, y = table
    X = X.assign(age=np.linspace(-1, 1, 20))
    options = {"fusion": fusion, "freeze": freeze}
    proba = fit(JointFusionClassifier, X, y, tmp_path / "cache", **options).predict_proba(X)
    monkeypatch.setattr(JointFusionNet, "feature_sources", [])
    whole = fit(JointFusionClassifier, X, y, None, **options).predict_proba(X)
    assert_allclose(proba, whole, atol=1e-4)


def test_files_pass_a_frozen_backbone_once_whatever_trains_on_them(
    table, weights, embedded, tmp_path
):
    X, y = table
    options = {"freeze": "backbone", "weights": weights}
    cache_dir = tmp_path / "cache"
    fit(ImageClassifier, X, y, cache_dir, **options)
    assert sum(embedded) == 20
    # Other rows, another network, another estimator, and prediction.
    fit(ImageClassifier, X[5:], y[5:], cache_dir, random_state=1, **options).predict(X)
    X_age = X.assign(age=np.linspace(-1, 1, 20))
    fit(JointFusionClassifier, X_age, y, cache_dir, **options)
    embedder = ImageEmbedder(**SETTINGS, weights=weights, cache_dir=cache_dir)
    vectors = embedder.fit_transform(X)
    assert sum(embedded) == 20
    whole = ImageEmbedder(**SETTINGS, weights=weights, cache_dir=None).fit_transform(X)
    assert sum(embedded) == 40
    assert_allclose(vectors, whole, atol=1e-5)


def test_encoders_of_two_images_share_them_with_networks_of_one(
    table, weights, monkeypatch, tmp_path
):
    X, y = table
    steps = []
    step = StagedEncoder.step
    monkeypatch.setattr(
        StagedEncoder, "step", lambda *args: (steps.append(args[1]), step(*args))[1]
    )
    options = {"freeze": "backbone", "weights": weights}
    X = X.assign(second=X["image"].array[::-1])
    columns = {"clinical_column": "image", "dermoscopy_column": "second"}
    fit(FusionNetClassifier, X, y, tmp_path / "cache", **columns, **options)
    # 20 files in batches of 8, and none of them for the second column.
    assert steps.count(0) == 2 * 3
    fit(ImageClassifier, X[["image"]], y, tmp_path / "cache", **options)


def test_features_are_found_by_content_without_reading_pixels(table, tmp_path, monkeypatch):
    X, y = table
    net = fit(ImageClassifier, X, y, tmp_path / "cache", freeze="backbone")
    expected = net.predict_proba(X)

    def fail(*args):
        raise AssertionError("pixels were read")

    monkeypatch.setattr(LesionDataset, "pixels", fail)
    assert_allclose(net.predict_proba(X), expected, atol=1e-6)
    assert_allclose(net.predict_proba(X.iloc[::-1]), expected[::-1], atol=1e-6)
    monkeypatch.undo()
    # Another picture under the same name is another picture.
    Image.new("RGB", (40, 40), (9, 99, 9)).save(tmp_path / "0.png")
    assert not np.allclose(net.predict_proba(X)[0], expected[0], atol=1e-6)
    assert_allclose(net.predict_proba(X)[1:], expected[1:], atol=1e-6)
    uncached = net.set_params(cache_dir=None).predict_proba(X)
    assert_allclose(uncached[1:], expected[1:], atol=1e-6)


class PlainFeatures(LesionNetwork):
    """A frozen layer that is no backbone, and a classifier."""

    branches = ("image",)

    def __init__(self, shapes, weight):
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 2, 1)
        torch.nn.init.constant_(self.layer.weight, weight)
        self.layer.requires_grad_(False)
        self.classify = torch.nn.Linear(2, shapes.n_classes[0])

    @property
    def feature_sources(self):
        return [(self.layer, "mean")]

    def features(self, images):
        return [self.layer(images[0]).mean((2, 3))]

    def forward_features(self, features, metadata=None, present=None):
        return {"image": [self.classify(features[0])]}


def test_kept_features_are_those_of_their_weights_in_any_layer(table, tmp_path):
    X, y = table

    def train(weight, cache_dir):
        net = ImageClassifier(**SETTINGS, cache_dir=cache_dir, max_epochs=1, random_state=0)
        net.make_module = lambda shapes, recipe: PlainFeatures(shapes, weight)
        return net.fit(X, y)

    train(0.5, tmp_path / "cache")
    found, whole = (train(-0.5, folder) for folder in (tmp_path / "cache", None))
    assert_allclose(found.predict_proba(X), whole.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("cache", ["cache", None])
def test_more_features_than_fit_into_memory_lie_in_a_file(table, cache, tmp_path, monkeypatch):
    X, y = table
    cache_dir = cache and tmp_path / cache
    expected = fit(ImageClassifier, X, y, cache_dir, freeze=2).predict_proba(X)
    monkeypatch.setattr(_features, "MAX_BYTES_IN_MEMORY", 0)
    mapped = []
    memmap = np.memmap
    monkeypatch.setattr(np, "memmap", lambda *a, **k: (mapped.append(a), memmap(*a, **k))[1])
    proba = fit(ImageClassifier, X, y, cache_dir, freeze=2).predict_proba(X)
    assert_allclose(proba, expected, atol=1e-6)
    assert bool(mapped) == bool(cache)
    # The file has no name, so that none is left behind.
    assert not cache or {p.suffix for p in cache_dir.iterdir()} == {".lmdb"}


def make_features(X, weights, cache_dir, **options):
    """Kept views (n, n_views, d) of the embedder's vectors."""
    embedder = ImageEmbedder(**SETTINGS, weights=weights, cache_dir=cache_dir).fit(X)
    names = list(X.columns)
    rows = read_columns(X, learn_columns(X, names, [], None, ImageClassifier()))
    dataset = LesionDataset(rows, (32, 32), cache=PixelCache(cache_dir))
    sources = [(embedder.module_, "vector")] * len(names)
    batch_size = options.pop("batch_size", 8)
    maker = FeatureMaker(sources, embedder._embed, "fp32", batch_size, "cpu")
    found = [column.numpy() for column in maker.make(dataset, **options).columns]
    return found, embedder


def flips(policy):
    return make_augmentation(policy).forward


def test_kept_views_are_drawn_once_per_image_and_number(table, weights, tmp_path):
    X, _ = table
    options = {"augment": flips("flips"), "n_views": 3}
    (views,), embedder = make_features(X, weights, tmp_path / "cache", **options)
    assert views.shape == (20, 3, embedder.module_.vector_features)
    pixels = load_pixels(X["image"].array, 32)[0]
    every = np.stack(
        [
            embed(embedder, turned)
            for turned in (
                pixels,
                pixels[:, ::-1],
                pixels[:, :, ::-1],
                pixels[:, ::-1, ::-1],
            )
        ],
        axis=1,
    )
    distances = np.abs(views[:, :, None] - every[:, None]).max(axis=-1)
    assert distances.min(axis=2).max() < 1e-5, "each view is one of the four flips"
    drawn = distances.argmin(axis=2)
    assert len(np.unique(drawn)) == 4 and not (drawn == drawn[:, :1]).all()
    # Whatever the rows, their order, the batch, the cache and the state of torch's generator are.
    torch.manual_seed(77)
    before = torch.get_rng_state()
    (other,), _ = make_features(X[::-1][:15], weights, None, batch_size=4, **options)
    assert torch.equal(torch.get_rng_state(), before)
    assert_allclose(other[::-1], views[5:], atol=1e-5)


def embed(embedder, pixels):
    images = torch.from_numpy(pixels.copy()).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        return embedder._embed([images])[0].numpy()


def test_images_of_a_row_move_alike_in_kept_views(table, weights, tmp_path):
    X, _ = table
    X = X.assign(second=X["image"].array)
    options = {"augment": flips({"flip": 0.5, "same_on_columns": True}), "n_views": 3}
    one, two = make_features(X, weights, tmp_path / "cache", **options)[0]
    assert_allclose(one, two, atol=1e-5)
    options["augment"] = flips("flips")
    one, two = make_features(X, weights, tmp_path / "cache", **options)[0]
    assert np.abs(one - two).max() > 1e-3


def test_frozen_views_pass_the_backbone_once_and_change_from_epoch_to_epoch(
    table, weights, embedded, tmp_path
):
    X, y = table
    options = {"freeze": "backbone", "weights": weights, "augment": "flips"}
    net = fit(ImageClassifier, X, y, tmp_path / "cache", frozen_views=4, **options)
    assert sum(embedded) == 4 * 20
    again = fit(ImageClassifier, X, y, tmp_path / "cache", frozen_views=4, **options)
    other = fit(ImageClassifier, X, y, None, frozen_views=4, **options)
    assert sum(embedded) == 2 * 4 * 20
    plain = fit(ImageClassifier, X, y, tmp_path / "cache", **(options | {"augment": None}))
    proba = net.predict_proba(X)
    assert_allclose(again.predict_proba(X), proba, atol=1e-6)
    assert_allclose(other.predict_proba(X), proba, atol=1e-5)
    assert np.abs(plain.predict_proba(X) - proba).max() > 1e-4
    embedded.clear()
    fit(ImageClassifier, X, y, tmp_path / "cache", **options)
    assert sum(embedded) == 3 * 20, "without frozen_views every epoch augments anew"


def test_rows_that_no_sampler_repeated_stay_as_they_are():
    columns = [torch.arange(12.0).reshape(4, 3)]
    repeated = np.array([False, True, False, True])
    taken = [
        Features(columns, with_originals=True).take(np.arange(4), repeated)[0] for _ in range(50)
    ]
    taken = torch.stack(taken)
    assert (taken[:, [0, 2]] == torch.tensor([0.0, 6.0])).all()
    assert set(taken[:, 1].tolist()) == {4.0, 5.0} and set(taken[:, 3].tolist()) == {10.0, 11.0}
    every = torch.stack([Features(columns).take(np.arange(4), repeated)[0] for _ in range(50)])
    assert set(every[:, 0].tolist()) == {0.0, 1.0, 2.0}


def test_repetitions_of_a_sampler_get_views_and_the_others_do_not(table, weights, tmp_path):
    X, _ = table
    X = ClassBalancedSampler(random_state=0).fit_resample(X, np.arange(20) < 5)[0]
    options = {"augment": flips("flips"), "n_views": 2}
    (views,), embedder = make_features(X, weights, tmp_path / "cache", **options)
    assert views.shape[1] == 3
    assert_allclose(views[:, 0], embed(embedder, load_pixels(X["image"].array, 32)[0]), atol=1e-5)


def test_architectures_with_the_same_weights_do_not_share_features(table, tmp_path):
    X, _ = table
    torch.manual_seed(0)
    path = tmp_path / "weights.pt"
    # One pads as TensorFlow does.
    torch.save(make_backbone("efficientnet_b0").body.network.state_dict(), path)
    options = SETTINGS | {"weights": path, "cache_dir": tmp_path / "cache", "image_size": 34}
    for name in ("efficientnet_b0", "tf_efficientnet_b0"):
        kept = ImageEmbedder(**(options | {"backbone": name})).fit_transform(X)
        options["cache_dir"], folder = None, options["cache_dir"]
        whole = ImageEmbedder(**(options | {"backbone": name})).fit_transform(X)
        options["cache_dir"] = folder
        assert_allclose(kept, whole, atol=1e-5)


def test_modes_are_set_per_epoch_and_not_per_batch(table, monkeypatch):
    X, y = table
    calls = []
    train = Backbone.train
    monkeypatch.setattr(
        Backbone, "train", lambda self, mode=True: (calls.append(mode), train(self, mode))[1]
    )
    counts = []
    for batch_size in (20, 2):
        calls.clear()
        fit(ImageClassifier, X, y, None, batch_size=batch_size, freeze=2, early_stopping=True)
        counts.append(len(calls))
    assert counts[0] == counts[1]
