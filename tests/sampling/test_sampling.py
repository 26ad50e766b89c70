"""Samplers move whole rows: counts, originals, dtypes, marks of repeated images."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import ADASYN, SMOTE, SMOTENC
from imblearn.pipeline import make_pipeline
from imblearn.utils.estimator_checks import parametrize_with_checks
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import OneHotEncoder

from sklearn_skin.image import ImageArray
from sklearn_skin.sampling import ClassBalancedSampler, MultiTaskSampler, SyntheticSampler
from sklearn_skin.sampling._multi_task import _round_systematically

N_ROWS = 60


def contract(sampler, **kwargs):
    """Return imbalanced-learn's checks as a mark; pytest wants a list, not a generator."""
    mark = parametrize_with_checks([sampler], **kwargs)
    return pytest.mark.parametrize(mark.args[0], list(mark.args[1]), **mark.kwargs)


@contract(ClassBalancedSampler(random_state=0))
def test_class_balanced_sampler_keeps_imbalanced_learns_contract(estimator, check):
    check(estimator)


@contract(
    MultiTaskSampler(random_state=0),
    expected_failed_checks=lambda sampler: {
        "check_target_type": "it takes several targets",
        "check_samplers_multiclass_ova": "columns of y are tasks",
    },
)
def test_multi_task_sampler_keeps_imbalanced_learns_contract(estimator, check):
    check(estimator)


@pytest.fixture
def lesions():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "image": ImageArray([f"{row}.jpg" if row % 7 else None for row in range(N_ROWS)]),
            "photo": ImageArray(list(rng.integers(255, size=(N_ROWS, 2, 2, 3), dtype=np.uint8))),
            "age": rng.normal(50, 10, N_ROWS),
            "row": np.arange(N_ROWS, dtype=np.int16),
            "site": pd.array(rng.choice(["arm", "leg"], N_ROWS), dtype="str"),
            "sex": pd.Categorical(rng.choice(["f", "m"], N_ROWS)),
            "patient": rng.integers(20, size=N_ROWS),
        },
        index=[f"ISIC_{row}" for row in range(N_ROWS)],
    )
    y = pd.Series(["nevus"] * 40 + ["bcc"] * 15 + ["melanoma"] * 5, X.index, name="diagnosis")
    return X, y


@pytest.mark.parametrize(
    ("n_per_class", "expected"),
    [
        ("auto", {"nevus": 20, "bcc": 20, "melanoma": 20}),
        (17, {"nevus": 17, "bcc": 17, "melanoma": 17}),
        (100, {"nevus": 100, "bcc": 100, "melanoma": 100}),
        ({"melanoma": 12}, {"nevus": 40, "bcc": 15, "melanoma": 12}),
        ({"nevus": 10, "bcc": 0}, {"nevus": 10, "melanoma": 5}),
    ],
)
def test_classes_get_their_number(lesions, n_per_class, expected):
    X, y = lesions
    sampler = ClassBalancedSampler(n_per_class, random_state=0)
    X_new, y_new = sampler.fit_resample(X, y)
    assert Counter(y_new) == expected
    assert {label: n for label, n in sampler.sampling_strategy_.items() if n} == expected
    assert_array_equal(X_new["row"], sampler.sample_indices_)
    assert_array_equal(y_new, y.to_numpy()[sampler.sample_indices_])


@pytest.mark.parametrize("n_per_class", [3, "auto", 23, 90])
def test_rows_of_a_class_appear_equally_often(lesions, n_per_class):
    X, y = lesions
    sampler = ClassBalancedSampler(n_per_class, random_state=1)
    sampler.fit_resample(X, y)
    times = np.bincount(sampler.sample_indices_, minlength=N_ROWS)
    for label in y.unique():
        own = times[(y == label).to_numpy()]
        assert own.max() - own.min() <= 1
        assert own.sum() == sampler.sampling_strategy_[label]


SAMPLERS = [ClassBalancedSampler(30, random_state=0), MultiTaskSampler(100, random_state=0)]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=["classes", "tasks"])
def test_rows_stay_whole_with_dtypes_and_labels(lesions, sampler):
    X, y = lesions
    X_new, y_new = clone(sampler).fit_resample(X, y)
    assert X_new.dtypes.equals(X.dtypes)
    assert y_new.dtype == y.dtype and y_new.name == "diagnosis"
    originals = X.loc[X_new.index]
    for name in X.columns.difference(["image", "photo"]):
        assert_array_equal(X_new[name], originals[name])
    assert_array_equal(X_new["image"].array.cells, originals["image"].array.cells)
    for picture, original in zip(X_new["photo"].array.cells, originals["photo"].array.cells):
        assert_array_equal(picture, original)
    assert_array_equal(y_new.index, X_new.index)
    assert_array_equal(y_new, y[X_new.index])


@pytest.mark.parametrize("sampler", SAMPLERS, ids=["classes", "tasks"])
@pytest.mark.parametrize("column", ["image", "photo"])
def test_repeated_images_are_marked_and_originals_are_not(lesions, sampler, column):
    X, y = lesions
    sampler = clone(sampler)
    X_new, _ = sampler.fit_resample(X, y)
    copies = X_new[column].array.copies
    assert (copies == 0).sum() == X_new["row"].nunique()
    for row, marks in pd.Series(copies).groupby(sampler.sample_indices_):
        assert sorted(marks) == list(range(len(marks))), row
    assert (X[column].array.copies == 0).all(), "the input was changed"


def test_marks_of_an_earlier_sampler_are_kept(lesions):
    X, y = lesions
    once = ClassBalancedSampler({"melanoma": 10}, random_state=0).fit_resample(X, y)
    twice, _ = ClassBalancedSampler({"bcc": 15}, random_state=0).fit_resample(*once)
    assert_array_equal(twice["image"].array.copies, once[0]["image"].array.copies)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=["classes", "tasks"])
def test_the_seed_decides(lesions, sampler):
    X, y = lesions
    first = clone(sampler).fit(X, y).fit_resample(X, y)[0]["row"]
    again = clone(sampler).fit_resample(X, y)[0]["row"]
    other = clone(sampler).set_params(random_state=7).fit_resample(X, y)[0]["row"]
    assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_samplers_serve_a_pipeline_with_images(lesions):
    X, y = lesions
    columns = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["site"]),
        ("passthrough", ["image", "age"]),
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    for sampler in SAMPLERS:
        X_new, y_new = clone(sampler).fit_resample(X, y)
        assert columns.fit_transform(X_new)["image"].dtype.name == "image"
    pipe = make_pipeline(ClassBalancedSampler(10), LogisticRegression())
    scores = cross_val_score(pipe, X[["age"]], y, cv=3, error_score="raise")
    assert (scores >= 0).all()


@pytest.mark.parametrize(
    ("n_per_class", "message"),
    [
        (0, "'n_per_class' parameter"),
        ("all", "'n_per_class' parameter"),
        ({"scc": 3}, r"`n_per_class` names classes \['scc'\]"),
        ({"bcc": 1.5}, "`n_per_class` must hold ints >= 0"),
        ({"bcc": -1}, "`n_per_class` must hold ints >= 0"),
    ],
)
def test_bad_numbers_are_refused(lesions, n_per_class, message):
    with pytest.raises(ValueError, match=message):
        ClassBalancedSampler(n_per_class).fit_resample(*lesions)


def test_bad_targets_are_refused(lesions):
    X, y = lesions
    with pytest.raises(ValueError, match="missing labels"):
        ClassBalancedSampler().fit_resample(X, y.where(y != "bcc"))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ClassBalancedSampler().fit_resample(X, y[:-1])
    with pytest.raises(ValueError, match="at least two classes in task 1"):
        MultiTaskSampler().fit_resample(X, np.c_[np.arange(N_ROWS) % 2, np.ones(N_ROWS)])
    with pytest.raises(ValueError, match="no label in task 1"):
        MultiTaskSampler().fit_resample(X, np.c_[np.arange(N_ROWS) % 2, np.full(N_ROWS, np.nan)])


def make_tasks(n_rows=600, missing=0.0):
    rng = np.random.default_rng(0)
    y = np.column_stack(
        [
            rng.choice(3, n_rows, p=[0.7, 0.2, 0.1]),
            rng.choice(2, n_rows, p=[0.85, 0.15]),
            rng.choice(4, n_rows, p=[0.4, 0.3, 0.2, 0.1]),
        ]
    ).astype(float)
    y[rng.random(y.shape) < missing] = np.nan
    return np.arange(n_rows)[:, None], y


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("n_samples", ["auto", 1500])
def test_all_tasks_get_balanced_together(missing, n_samples):
    X, y = make_tasks(missing=missing)
    sampler = MultiTaskSampler(n_samples, max_repeats=100, random_state=0)
    X_new, y_new = sampler.fit_resample(X, y)
    assert len(X_new) == len(y_new) == (600 if n_samples == "auto" else n_samples)
    for task, expected in enumerate(sampler.sampling_strategy_):
        known = y_new[~np.isnan(y_new[:, task]), task]
        counts = np.bincount(known.astype(int))
        assert_allclose(list(expected.values()), np.mean(list(expected.values())), rtol=1e-3)
        assert_allclose(counts, counts.mean(), rtol=0.15)
        assert_allclose(np.isnan(y_new[:, task]).mean(), np.isnan(y[:, task]).mean(), atol=0.04)


def test_no_row_appears_more_often_than_allowed():
    X, y = make_tasks()
    for limit in (1, 2, 3.5):
        sampler = MultiTaskSampler(max_repeats=limit, random_state=0)
        sampler.fit_resample(X, y)
        assert np.bincount(sampler.sample_indices_).max() <= np.ceil(limit)
    assert_array_equal(np.sort(MultiTaskSampler(max_repeats=1).fit_resample(X, y)[0]), X)


def test_a_balanced_table_keeps_every_row():
    y = np.column_stack([np.arange(12) % 2, np.arange(12) // 2 % 3])
    X = np.arange(12)[:, None]
    X_new, y_new = MultiTaskSampler(random_state=0).fit_resample(X, y)
    assert_array_equal(X_new, X)
    assert_array_equal(y_new, y)


def test_text_labels_of_several_tasks_in_a_frame(lesions):
    X, y = lesions
    frame = pd.DataFrame({"diagnosis": y, "site": X["site"].where(X["row"] % 3 > 0)})
    sampler = MultiTaskSampler(random_state=0)
    _, y_new = sampler.fit_resample(X, frame)
    assert y_new.dtypes.equals(frame.dtypes)
    assert set(sampler.sampling_strategy_[1]) == {"arm", "leg"}
    assert y_new["diagnosis"].value_counts()["melanoma"] > 10


@pytest.mark.parametrize("seed", range(20))
def test_rounding_keeps_the_sum_and_stays_next_to_the_number(seed):
    rng = np.random.default_rng(seed)
    times = rng.dirichlet(np.full(30, 0.3)) * 50
    whole = _round_systematically(times, seed)
    assert whole.sum() == 50
    assert (np.abs(whole - times) < 1 + 1e-9).all()


@pytest.mark.parametrize("columns", [["image", "age"], ["photo", "age"]])
def test_bare_smote_does_not_take_images(lesions, columns):
    X, y = lesions
    with pytest.raises((TypeError, ValueError)):
        SMOTE(k_neighbors=2).fit_resample(X[columns], y)


@pytest.mark.parametrize(
    ("sampler", "columns"),
    [
        (SMOTE(k_neighbors=2), ["image", "age"]),
        (SMOTE(k_neighbors=2), ["photo", "age"]),
        (SMOTENC(["image", "sex"], k_neighbors=2), ["image", "age", "sex"]),
    ],
)
def test_mixing_images_is_refused_with_advice(lesions, sampler, columns):
    X, y = lesions
    with pytest.raises(TypeError, match=rf"\['{columns[0]}'\]. Embed the images first"):
        SyntheticSampler(sampler).fit_resample(X[columns], y)
    with pytest.raises(TypeError, match="ClassBalancedSampler"):
        SyntheticSampler(sampler).fit(X[columns], y)


def test_paths_in_a_text_column_are_images_too(lesions):
    X, y = lesions
    text = X[["age"]].assign(file=[None, *[f"{row}.PNG" for row in range(1, N_ROWS)]])
    with pytest.raises(TypeError, match=r"\['file'\]"):
        SyntheticSampler(SMOTENC(["file"])).fit_resample(text, y)


def test_metadata_is_mixed_as_the_sampler_does(lesions):
    X, y = lesions
    sampler = SMOTENC(["sex"], k_neighbors=2, random_state=0)
    found = SyntheticSampler(sampler).fit_resample(X[["age", "sex"]], y)
    expected = clone(sampler).fit_resample(X[["age", "sex"]], y)
    pd.testing.assert_frame_equal(found[0], expected[0])
    assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize("sampler", [SMOTE(k_neighbors=2), ADASYN(n_neighbors=2)])
def test_samplers_that_mix_images_get_advice(sampler, in_memory):
    pictures = [np.full((4, 4, 3), row, dtype=np.uint8) for row in range(20)]
    paths = [f"{row}.jpg" for row in range(20)]
    X = pd.DataFrame({"image": ImageArray(pictures if in_memory else paths), "age": range(20)})
    with pytest.raises(ValueError, match="Embed them first"):
        sampler.fit_resample(X, [0] * 14 + [1] * 6)


def test_a_nan_beside_texts_is_no_class():
    with pytest.raises(ValueError, match="missing labels"):
        ClassBalancedSampler().fit_resample(np.zeros((4, 1)), ["a", "a", "b", np.nan])


def test_several_tasks_are_sent_to_the_sampler_for_them():
    y = np.array([["a", "x"], ["b", "y"]] * 3)
    with pytest.raises(ValueError, match=r"got shape \(6, 2\). MultiTaskSampler balances"):
        ClassBalancedSampler().fit_resample(np.arange(6)[:, None], y)
