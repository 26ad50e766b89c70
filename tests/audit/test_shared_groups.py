"""Rows and groups on both sides of a split."""

import numpy as np
import pandas as pd
import pytest
from audited import check_data, check_leakage, with_picture
from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_skin.datasets import make_lesions
from sklearn_skin.image import ImageArray, load_pixels
from sklearn_skin.preprocessing import make_lesion_transformer


@pytest.fixture(scope="module")
def lesions():
    return make_lesions(60, images_per_lesion=2, random_state=0)


@pytest.fixture(scope="module")
def singles():
    return make_lesions(40, image_size=128, random_state=1)


def test_shared_groups_are_named(lesions):
    report = check_leakage(lesions.data, lesions.target, lesions.groups, splits=KFold(3))
    by_hand = set()
    for k, (train, test) in enumerate(KFold(3).split(lesions.data)):
        both = set(lesions.groups.iloc[train]) & set(lesions.groups.iloc[test])
        by_hand |= {(str(k), group) for group in both}
    shuffled = KFold(3, shuffle=True, random_state=0)
    report_shuffled = check_leakage(lesions.data, groups=lesions.groups, splits=shuffled)
    assert set(zip(report.groups["split"], report.groups["group"])) == by_hand
    assert not report_shuffled.ok and len(report_shuffled.groups) > 20
    first = report_shuffled.groups.iloc[0]
    assert lesions.groups[first["left_row"]] == lesions.groups[first["right_row"]] == first["group"]


def test_a_grouped_splitter_is_clean(lesions):
    report = check_leakage(
        lesions.data, lesions.target, lesions.groups, splits=StratifiedGroupKFold(3)
    )
    assert report.ok and report.to_frame().empty
    assert repr(report) == "<LeakageReport: nothing found in 60 rows and 60 images>"


@pytest.mark.parametrize("form", ["pairs", "one", "lists", "masks", "dict", "generator"])
def test_forms_of_splits(lesions, form):
    X, groups = lesions.data, lesions.groups
    train, test = np.arange(31), np.arange(31, 60)
    masks = [np.isin(np.arange(60), part) for part in (train, test)]
    splits = {
        "pairs": [(train, test)],
        "one": (train, test),
        "lists": (train.tolist(), test.tolist()),
        "masks": [tuple(masks)],
        "dict": {"train": train, "valid": test[:0], "test": test},
        "generator": (pair for pair in [(train, test)]),
    }[form]
    report = check_leakage(X, groups=groups, splits=splits)
    assert report.groups["group"].tolist() == [groups.iloc[30]]
    assert report.groups["split"].tolist() == ["train/test" if form == "dict" else "0"]


@pytest.mark.parametrize(
    "splits", [[([0], [60])], [(["a"], ["b"])], [([0], [1], [2])], [(np.zeros(3, bool),) * 2]]
)
def test_wrong_splits(lesions, splits):
    with pytest.raises(ValueError, match="`splits`"):
        check_leakage(lesions.data, splits=splits)


def test_a_row_on_both_sides(singles):
    report = check_leakage(singles.data, splits=([0, 1, 2], [2, 3]))
    assert report.rows["row"].tolist() == [singles.data.index[2]]
    assert report.groups.empty and report.images.empty


def test_missing_groups_are_no_group(singles):
    groups = np.full(40, None, dtype=object)
    report = check_leakage(singles.data, groups=groups, splits=KFold(2))
    assert report.groups.empty


def test_a_group_column_holds_groups_and_is_no_feature(lesions):
    X = lesions.data.assign(patient=lesions.groups)
    report = check_leakage(X, lesions.target, splits=KFold(7), group_column="patient")
    assert len(report.groups) and report.columns.empty
    assert check_data(X, lesions.target, group_column="patient").ok
    assert len(check_data(with_picture(X, 9, X["image"].iloc[0]), group_column="patient").images)
    with pytest.raises(ValueError, match="`group_column`"):
        check_data(X, group_column="doctor")


def test_shuffled_labels_score_at_chance_under_the_grouped_splitter():
    """A copy in the training set tells the label, though there is nothing to learn."""
    lesions = make_lesions(200, n_classes=2, image_size=16, images_per_lesion=1, random_state=0)
    X, groups = lesions.data, np.arange(200)
    X = pd.concat([X, X], ignore_index=True)
    rng = np.random.default_rng(0)
    noise = [
        np.clip(cell.pixels + rng.normal(0, 3, cell.pixels.shape), 0, 255).astype(np.uint8)
        for cell in X["image"]
    ]
    X["image"] = pd.Series(ImageArray(noise))
    groups = np.tile(groups, 2)
    y = np.tile(rng.permutation(lesions.target), 2)
    model = make_pipeline(
        FunctionTransformer(lambda X: load_pixels(X["image"].array, 16)[0].reshape(len(X), -1)),
        KNeighborsClassifier(1),
    )
    by_row, by_group = (
        cross_val_score(
            model, X, y, groups=groups, cv=cv, scoring="balanced_accuracy", error_score="raise"
        ).mean()
        for cv in (StratifiedKFold(5, shuffle=True, random_state=0), StratifiedGroupKFold(5))
    )
    # Each score has a standard error of 0.035 around chance.
    assert by_row > 0.75 and abs(by_group - 0.5) < 0.11
    assert not check_leakage(X, y, groups, StratifiedKFold(5, shuffle=True)).groups.empty
    assert check_leakage(X, y, groups, StratifiedGroupKFold(5)).ok


def test_the_model_pipeline_leaves_nothing_to_find(lesions):
    X = make_lesion_transformer().fit_transform(lesions.data, lesions.target)
    assert check_leakage(X, lesions.target, lesions.groups, StratifiedGroupKFold(3)).ok


def test_preprocessing_is_fitted_on_training_rows_alone(lesions):
    """Statistics differ by fold, and do not depend on what is held out."""
    X = lesions.data
    means = []
    for train, _ in KFold(3).split(X):
        other = X.copy()
        outside = np.setdiff1d(np.arange(len(X)), train)
        other.iloc[outside, other.columns.get_loc("age")] = 1000.0
        first, second = (make_lesion_transformer().fit(table.iloc[train]) for table in (X, other))
        shown = first.transform(X).drop(columns="image")
        pd.testing.assert_frame_equal(shown, second.transform(X).drop(columns="image"))
        means.append(shown["age"].mean())
    assert len(set(np.round(means, 6))) == 3
