"""What all networks share: columns, labels, splits, weights, seeds and errors."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from skorch.callbacks import Callback, EarlyStopping

from sklearn_skin.exceptions import NonFiniteLossError
from sklearn_skin.image import as_images
from sklearn_skin.modules import LesionNetwork
from sklearn_skin.neural_network import ImageClassifier, MetadataClassifier


def first_loss(net, X, y, **fit_params):
    """The loss of the first step, on one batch of all rows without dropout."""
    return net.fit(X, y, **fit_params).history_[0]["train_loss"]


def test_a_weight_of_two_is_a_row_seen_twice(X, y, make_net):
    settings = {"batch_size": 500, "max_epochs": 1}
    twice = np.r_[0, np.arange(len(X))]
    weight = np.ones(len(X))
    weight[0] = 2.0
    # BatchNorm sees the repeated row in its batch, so the loss is compared where there is none.
    net = make_net(MetadataClassifier, **settings)
    net.make_module = lambda shapes, recipe: Linear(shapes)
    repeated = first_loss(net, X.iloc[twice], y.iloc[twice])
    net.make_module = lambda shapes, recipe: Linear(shapes)
    assert first_loss(net, X, y, sample_weight=weight) == pytest.approx(repeated, rel=1e-5)


class Linear(LesionNetwork):
    branches = ("metadata",)

    def __init__(self, shapes):
        super().__init__()
        self.linear = torch.nn.Linear(shapes.n_metadata, shapes.n_classes[0])

    def forward_features(self, features, metadata=None, present=None):
        return {"metadata": [self.linear(metadata)]}


def test_same_seed_same_predictions_and_no_global_seed_touched(X, y, make_net):
    settings = {"augment": "flips", "early_stopping": True, "validation_fraction": 0.25}
    torch.manual_seed(1)
    before = torch.get_rng_state()
    np_state = np.random.get_state()[1].copy()
    first = make_net(**settings).fit(X, y).predict_proba(X)
    assert torch.equal(torch.get_rng_state(), before)
    assert_array_equal(np.random.get_state()[1], np_state)
    torch.manual_seed(2)
    assert_array_equal(make_net(**settings).fit(X, y).predict_proba(X), first)
    other = make_net(**settings | {"random_state": 1}).fit(X, y).predict_proba(X)
    assert np.abs(other - first).max() > 1e-3


def test_rows_do_not_depend_on_their_batch_mates(X, y, make_net):
    net = make_net().fit(X, y)
    alone = np.vstack([net.predict_proba(X.iloc[[row]]) for row in range(4)])
    assert_allclose(net.predict_proba(X)[:4], alone, atol=1e-6)


def test_rows_come_back_in_order_whatever_the_index(X, y, make_net):
    net = make_net().fit(X, y)
    order = np.random.default_rng(0).permutation(len(X))
    assert_allclose(net.predict_proba(X.iloc[order]), net.predict_proba(X)[order], atol=1e-6)


def test_groups_of_a_column_reach_the_inner_split_and_are_no_feature(bunch, make_net):
    X = bunch.data[["image", "age"]].fillna({"age": 50.0}).assign(lesion=bunch.groups)
    seen = Splits()
    net = make_net(group_column="lesion", early_stopping=True, callbacks=[seen])
    net.set_params(validation_fraction=0.25).fit(X, bunch.target)
    assert net.n_features_in_ == 2
    assert "lesion" not in net.feature_names_in_
    train, valid = (X.loc[labels, "lesion"] for labels in seen.labels)
    assert len(valid) and not set(train) & set(valid)


class Splits(Callback):
    """Remember which rows were trained on and which were held out."""

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        self.labels = dataset_train.table.row_names, dataset_valid.table.row_names


def test_groups_that_nothing_uses_are_ignored(X, y, bunch, make_net):
    net = make_net(MetadataClassifier)
    alone = net.fit(X, y).predict_proba(X)
    assert_allclose(net.fit(X, y, groups=bunch.groups).predict_proba(X), alone)


def test_a_search_over_early_stopping_scores_both_with_groups(X, y, bunch, make_net):
    net = make_net(MetadataClassifier, validation_fraction=0.25)
    grid = {"early_stopping": [False, True]}
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(net, grid, cv=StratifiedGroupKFold(2), error_score="raise")
        search.fit(X, y, groups=bunch.groups)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("kind", ["images", "table", "array"])
def test_a_group_column_that_x_lacks_is_an_error(X, y, make_net, kind):
    table = X.drop(columns="image")
    rows = {"images": X, "table": table, "array": table.to_numpy()}[kind]
    net = make_net(MetadataClassifier, group_column="patinet", early_stopping=True)
    with pytest.raises(ValueError, match="`group_column` must be a column of X.*'patinet'"):
        net.fit(rows, y)


def test_validation_labels_need_validation_rows(X, y, make_net):
    with pytest.raises(ValueError, match="`X_val` and `y_val` must be given together"):
        make_net().fit(X, y, y_val=y)


@pytest.mark.parametrize("how", ["X_val", "fine_tune", "warm_start"])
def test_columns_in_another_order_are_never_taken_for_one_another(X, y, make_net, how):
    table = X.drop(columns="image")
    turned = table[table.columns[::-1]]
    net = make_net(MetadataClassifier, warm_start=how == "warm_start").fit(table, y)
    again = {
        "X_val": lambda: net.fit(table, y, X_val=turned, y_val=y),
        "fine_tune": lambda: net.fine_tune(turned, y),
        "warm_start": lambda: net.fit(turned, y),
    }
    with pytest.raises(ValueError, match="feature names of X(_val)? should match those"):
        again[how]()


def test_a_repeated_column_name_is_named(X, y, make_net):
    twice = pd.concat([X, X[["age"]]], axis=1)
    with pytest.raises(ValueError, match=r"more than one column named \['age'\]"):
        make_net().fit(twice, y)


def test_negative_weights_are_an_error(X, y, make_net):
    with pytest.raises(ValueError, match="Negative values.*sample_weight"):
        make_net().fit(X, y, sample_weight=-np.ones(len(X)))


def test_validation_rows_of_the_user_are_taken(X, y, make_net):
    seen = Splits()
    net = make_net(early_stopping=True, callbacks=[seen], monitor="balanced_accuracy")
    net.fit(X.iloc[:30], y.iloc[:30], X_val=X.iloc[30:], y_val=y.iloc[30:])
    assert_array_equal(seen.labels[1], X.index[30:])
    scores = [row["balanced_accuracy"] for row in net.history_]
    # The best epoch's weights are back.
    expected = balanced_accuracy_score(y.iloc[30:], net.predict(X.iloc[30:]))
    assert max(scores) == pytest.approx(expected)


def test_early_stopping_brings_the_best_epoch_back(X, y, make_net):
    net = make_net(MetadataClassifier, early_stopping=True, patience=3, max_epochs=60, lr=0.05).fit(
        X, y, X_val=X, y_val=y.sample(frac=1, random_state=0)
    )
    losses = [row["valid_loss"] for row in net.history_]
    assert len(losses) == int(np.argmin(losses)) + 1 + 3
    proba = net.predict_proba(X)
    shuffled = y.sample(frac=1, random_state=0).to_numpy()
    codes = np.searchsorted(net.classes_, shuffled)
    loss = -np.log(proba[np.arange(len(X)), codes]).mean()
    assert loss == pytest.approx(min(losses), rel=1e-4)


def test_ctrl_c_reaches_the_caller(X, y, make_net):
    class Interrupt(Callback):
        def on_batch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_net(callbacks=[Interrupt()]).fit(X, y)


def test_out_of_memory_says_what_to_try(X, y, make_net):
    class Exhaust(Callback):
        def on_batch_begin(self, net, **kwargs):
            raise torch.OutOfMemoryError("CUDA out of memory.")

    message = r"batch_size=16, image_size=\(32, 32\) and backbone 'test_resnet'.*try batch_size=8"
    with pytest.raises(torch.OutOfMemoryError, match=message):
        make_net(callbacks=[Exhaust()]).fit(X, y)


def test_a_user_s_early_stopping_only_stops(X, y, make_net):
    stop = EarlyStopping("train_loss", patience=1, threshold=10.0, sink=lambda text: None)
    net = make_net(callbacks=[stop], max_epochs=10).fit(X, y)
    assert 1 < len(net.history_) < 10


@pytest.mark.parametrize("lr", [1e30])
def test_a_loss_that_is_not_finite_names_epoch_batch_and_rows(X, y, make_net, lr):
    net = make_net(MetadataClassifier, optimizer="sgd", lr=lr, max_epochs=20)
    with pytest.raises(NonFiniteLossError, match=r"epoch \d+, batch \d+, with rows 'L\d+"):
        net.fit(X, y)


def test_nan_metadata_is_named_by_row_and_column(X, y, make_net):
    broken = X.copy()
    name = broken.columns[1]
    broken.iloc[3, 1] = np.nan
    with pytest.raises(ValueError, match=f"row '{X.index[3]}', column '{name}'"):
        make_net().fit(broken, y)


@pytest.mark.parametrize("kind", ["table", "array"])
def test_a_number_too_large_for_the_network_is_an_error(X, y, make_net, kind):
    broken = X.drop(columns=[] if kind == "table" else "image").astype({"age": float})
    broken.loc[X.index[3], "age"] = 1e39
    message = f"infinity: row '{X.index[3]}', column 'age'" if kind == "table" else "too large"
    with pytest.raises(ValueError, match=message):
        make_net().fit(broken if kind == "table" else broken.to_numpy(), y)


def test_text_metadata_asks_for_the_transformer(bunch, make_net):
    with pytest.raises(ValueError, match="'sex' has dtype str.*make_lesion_transformer"):
        make_net().fit(bunch.data.drop(columns=["age"]), bunch.target)


def test_a_missing_column_is_named(X, y, make_net):
    net = make_net().fit(X, y)
    with pytest.raises(ValueError, match=r"X lacks the columns \['image'\]"):
        net.predict(X.drop(columns="image"))


def test_a_missing_image_is_an_error_that_names_the_row(X, y, make_net):
    broken = X.copy()
    broken["image"] = as_images([None, *X["image"].iloc[1:]])
    with pytest.raises(ValueError, match=f"1 rows lack an image.*'{X.index[0]}'"):
        make_net().fit(broken, y)
    net = make_net(allow_missing_images=True).fit(broken, y)
    assert np.isfinite(net.predict_proba(broken)).all()
    with pytest.raises(ValueError, match="lack an image"):
        make_net(ImageClassifier, allow_missing_images=True).fit(broken, y)


def test_paths_in_a_text_column_are_images(tmp_path, bunch, y, make_net):
    from PIL import Image

    paths = []
    for label, cell in bunch.data["image"].items():
        paths.append(str(tmp_path / f"{label}.png"))
        Image.fromarray(cell.pixels).save(paths[-1])
    frame = pd.DataFrame({"file": paths}, index=bunch.data.index)
    by_path = make_net(ImageClassifier, image_columns=["file"]).fit(frame, y)
    direct = make_net(ImageClassifier).fit(bunch.data[["image"]], y)
    cells = frame.assign(file=list(bunch.data["image"]))
    assert_allclose(by_path.predict_proba(cells), direct.predict_proba(bunch.data), atol=1e-6)
    assert_allclose(by_path.predict_proba(frame), direct.predict_proba(bunch.data), atol=1e-6)


def test_absent_classes_keep_their_columns(X, y, make_net):
    with pytest.warns(UserWarning, match="no row has the class"):
        net = make_net(classes=[*np.unique(y), "zz"]).fit(X, y)
    assert net.predict_proba(X).shape == (len(X), 4)
    assert net.classes_[-1] == "zz"


def test_many_tasks_with_missing_labels(X, y, make_net):
    rng = np.random.default_rng(0)
    targets = pd.DataFrame({"a": y.to_numpy(), "b": rng.integers(0, 2, len(X)).astype(float)})
    targets.loc[:5, "b"] = np.nan
    net = make_net(early_stopping=True, validation_fraction=0.25, branch_weights="search")
    net.set_params(monitor="mean_task_accuracy").fit(X, targets)
    proba = net.predict_proba(X)
    assert [p.shape for p in proba] == [(len(X), 3), (len(X), 2)]
    assert net.predict(X).shape == (len(X), 2)
    assert [c.tolist() for c in net.classes_] == [["A", "B", "C"], [0.0, 1.0]]
    hits = net.predict(X) == targets.to_numpy(dtype=object)
    known = targets.notna().to_numpy()
    accuracy = np.mean([hits[known[:, task], task].mean() for task in range(2)])
    assert net.score(X, targets) == pytest.approx(accuracy)


def test_warm_start_goes_on_from_the_last_weights(X, y, make_net):
    net = make_net(warm_start=True, max_epochs=3).fit(X, y)
    last = net.history_[-1]["train_loss"]
    assert net.fit(X, y).history_[0]["train_loss"] < last * 1.5
    cold = make_net(max_epochs=3).fit(X, y)
    assert net.history_[0]["train_loss"] < cold.history_[0]["train_loss"]


def test_fine_tuning_freezes_refreshes_and_refuses_new_classes(X, y, make_net):
    net = make_net(class_weight="balanced").fit(X, y)
    params = str(net.get_params())
    body = net.module_.images.backbones[0].body
    stem = body.network.conv1[0].weight.detach().clone()
    last = body.network.layer4[0].conv1.weight.detach().clone()
    net.fine_tune(X, y, freeze=2, lr=1e-2, max_epochs=1)
    tuned = net.module_.images.backbones[0].body
    assert torch.equal(tuned.network.conv1[0].weight, stem)
    assert not torch.equal(tuned.network.layer4[0].conv1.weight, last)
    assert str(net.get_params()) == params
    with pytest.raises(ValueError, match="'max_epochs' parameter of fine_tune"):
        net.fine_tune(X, y, max_epochs=0)
    with pytest.raises(ValueError, match=r"not there in fit: \['new'\]"):
        net.fine_tune(X, ["new"] * len(X))


def test_settings_that_belong_to_training_are_free_after_it(X, y, make_net):
    net = make_net(image_size=32).fit(X, y)
    before = net.predict_proba(X)
    net.set_params(device="cuda:77", image_size=64, optimizer="nonsense", batch_size=3)
    assert_allclose(net.predict_proba(X), before, atol=1e-6)
    with pytest.raises(ValueError, match="'tta' parameter of JointFusionClassifier"):
        net.set_params(tta=2).predict(X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sampler": "balanced", "class_weight": "balanced"}, "both correct the class imbalance"),
        ({"monitor": "nonsense", "early_stopping": True}, "`monitor` must be"),
        ({"loss": {"name": "hinge"}}, "`loss` must be one of"),
        ({"loss": {"name": "focal", "gamma": -2}}, "`loss` takes one option"),
        ({"loss": {"name": "cross_entropy", "gamma": 2}}, "`loss` takes one option"),
        ({"class_weight": {"A": -1.0}}, "`class_weight` must hold finite weights"),
        ({"optimizer": {"name": "lion"}}, "`optimizer` must be one of"),
        ({"branch_weights": {"nope": 1.0}}, "unknown branches"),
        ({"branch_weights": [np.nan]}, "a finite weight of at least 0"),
        ({"lr": -1.0}, "'lr' parameter"),
        ({"tta": 5}, "'tta' parameter"),
        (
            {"metadata_hidden": (64, 0)},
            "'metadata_hidden' parameter .* sequence of ints",
        ),
        ({"classifier_hidden": 64}, "'classifier_hidden' parameter"),
        ({"fusion": "nonsense"}, "`fusion` must be one of"),
    ],
)
def test_bad_parameters_are_named(X, y, make_net, parameters, message):
    with pytest.raises(ValueError, match=message):
        make_net(**parameters).fit(X, y)


class Rates(Callback):
    """Remember the learning rate of every epoch."""

    def __init__(self):
        self.seen = []

    def on_epoch_begin(self, net, **kwargs):
        self.seen.append(net.optimizer_.param_groups[0]["lr"])


@pytest.mark.parametrize(
    ("lr_schedule", "expected"),
    [
        ("cosine", [(1 + np.cos(np.pi * epoch / 4)) / 2 for epoch in range(4)]),
        ({"name": "step", "step_size": 2, "gamma": 0.5}, [1, 1, 0.5, 0.5]),
        ({"name": "plateau", "patience": 0, "threshold": 1e9}, [1, 0.1, 0.01, 0.001]),
    ],
)
def test_schedules_move_the_rate(X, y, make_net, lr_schedule, expected):
    rates = Rates()
    net = make_net(MetadataClassifier, lr_schedule=lr_schedule, max_epochs=4, lr=1e-3)
    net.set_params(callbacks=[rates], validation_fraction=0.25).fit(X, y)
    assert_allclose(rates.seen, 1e-3 * np.array(expected), rtol=1e-6)


def test_tta_is_the_mean_over_flipped_images(X, y, make_net):
    net = make_net(ImageClassifier).fit(X, y)
    pictures = np.stack([cell.pixels for cell in X["image"]])
    views = [pictures, pictures[:, :, ::-1], pictures[:, ::-1], pictures[:, ::-1, ::-1]]
    one_by_one = [net.predict_proba(X.assign(image=as_images(list(v)))) for v in views]
    assert_allclose(net.set_params(tta=4).predict_proba(X), np.mean(one_by_one, axis=0), atol=1e-5)


def test_no_rows(X, y, make_net):
    with pytest.raises(ValueError, match="0 sample"):
        make_net().fit(X.iloc[:0], y.iloc[:0])


def test_workers_load_the_same_batches(X, y, make_net):
    alone = make_net(max_epochs=1).fit(X, y).predict_proba(X)
    helped = make_net(max_epochs=1, num_workers=1).fit(X, y)
    assert_allclose(helped.set_params(num_workers=0).predict_proba(X), alone, atol=1e-5)


def test_bf16_is_close_to_fp32(X, y, make_net):
    net = make_net().fit(X, y)
    exact = net.predict_proba(X)
    net.net_.set_params(precision="bf16")
    assert np.abs(net.predict_proba(X) - exact).max() < 0.05


def test_image_columns_that_are_not_named_are_no_metadata(X, y, make_net):
    two = X.assign(other=X["image"].array)
    net = make_net(image_columns=["image"], max_epochs=1).fit(two, y)
    assert "other" not in net.feature_names_in_
    with pytest.raises(TypeError, match="X must be a DataFrame with the columns"):
        net.fit(X.drop(columns="image").to_numpy(), y)


def test_settings_that_contradict_each_other_or_the_machine(X, y, make_net, tmp_path):
    with pytest.raises(ValueError, match="`warm_start` and `checkpoint_dir`"):
        make_net(warm_start=True, checkpoint_dir=tmp_path).fit(X, y)
    with pytest.raises(ValueError, match="`device` must be 'auto' or a torch device"):
        make_net(device="cuda:77").fit(X, y)


def test_groups_with_gaps_and_labels_of_two_kinds(X, y, bunch, make_net):
    groups = np.array(bunch.groups, dtype=object)
    groups[0] = None
    with pytest.raises(ValueError, match=f"1 of {len(X)} are missing"):
        make_net(early_stopping=True).fit(X, y, groups=groups)
    mixed = y.astype(object)
    mixed.iloc[0] = 3
    with pytest.raises(TypeError, match=r"labels of one type; got \['int', 'str'\]"):
        make_net().fit(X, mixed)
