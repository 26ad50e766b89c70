"""What `check_data` and `check_leakage` must find, and must leave alone."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_skin import audit
from sklearn_skin.audit._columns import leaky_names
from sklearn_skin.audit._image_copies import (
    ORIENTATIONS,
    _hashes,
    _low_frequencies,
    _turn,
    _turn_frequencies,
)
from sklearn_skin.datasets import (
    load_ham10000,
    load_milk10k,
    load_pad_ufes_20,
    make_lesions,
)
from sklearn_skin.exceptions import DataLeakageWarning
from sklearn_skin.image import ImageArray, ImageCell, load_pixels
from sklearn_skin.preprocessing import make_lesion_transformer


def check_data(*args, **options):
    return audit.check_data(*args, **{"cache_dir": None, "on_leak": "ignore"} | options)


def check_leakage(*args, **options):
    return audit.check_leakage(*args, **{"cache_dir": None, "on_leak": "ignore"} | options)


@pytest.fixture(scope="module")
def lesions():
    return make_lesions(60, images_per_lesion=2, random_state=0)


@pytest.fixture(scope="module")
def singles():
    return make_lesions(40, image_size=128, random_state=1)


def with_picture(X, row, picture):
    images = X["image"].copy()
    images.iloc[row] = picture if isinstance(picture, ImageCell) else ImageCell(picture)
    return X.assign(image=images)


def jpeg(image, quality=80):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


COPIES = {
    "recompressed": jpeg,
    "smaller": lambda image: image.resize((80, 80)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "recoloured": lambda image: Image.fromarray(
        (np.asarray(image) * [1.0, 0.9, 0.8]).astype(np.uint8)
    ),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "turned back": lambda image: image.transpose(Image.Transpose.ROTATE_270),
    "transverse": lambda image: image.transpose(Image.Transpose.TRANSVERSE),
}


# -- groups and rows across a split ------------------------------------------------------


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
    pictures = [cell.pixels for cell in X["image"]]
    noise = [np.clip(p + rng.normal(0, 3, p.shape), 0, 255).astype(np.uint8) for p in pictures]
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


# -- images ------------------------------------------------------------------------------


def test_identical_images_across_a_split(singles):
    X = with_picture(singles.data, 30, singles.data["image"].iloc[3])
    report = check_leakage(X, splits=KFold(2))
    pair = report.images.iloc[0]
    assert len(report.images) == 1 and (pair["kind"], pair["splits"]) == ("identical", "0, 1")
    assert [pair["row_1"], pair["row_2"]] == X.index[[3, 30]].tolist()
    assert check_leakage(X, splits=([0, 3, 30], [5, 6])).ok


@pytest.mark.parametrize("name", sorted(COPIES))
def test_nearly_identical_images_are_found(singles, name):
    source = Image.fromarray(singles.data["image"].iloc[3].pixels)
    X = with_picture(singles.data, 30, COPIES[name](source))
    pairs = check_leakage(X).images
    assert pairs[["row_1", "row_2"]].to_numpy().tolist() == [X.index[[3, 30]].tolist()]
    assert pairs["kind"].tolist() == ["near"]
    assert check_leakage(X, max_distance=None).ok
    assert check_data(X).ok


def test_different_lesions_are_not_copies():
    lesions = make_lesions(300, random_state=3)
    assert check_leakage(lesions.data, lesions.target).images.empty


def test_flat_images_are_not_near_each_other():
    flat = [np.full((32, 32, 3), value, np.uint8) for value in range(100, 140)]
    assert check_leakage(pd.DataFrame({"image": ImageArray(flat)})).ok


def test_many_copies_are_linked_across_a_split():
    picture = make_lesions(1, random_state=0).data["image"].iloc[0].pixels
    X = pd.DataFrame({"image": ImageArray([picture.copy() for _ in range(500)])})
    pairs = check_leakage(X, splits=(np.arange(0, 250), np.arange(250, 500))).images
    assert 1 <= len(pairs) < 500


def test_copies_within_a_group_cannot_be_parted(singles):
    X = with_picture(singles.data, 30, singles.data["image"].iloc[3])
    groups = np.arange(40)
    assert not check_leakage(X, groups=groups).ok
    groups[30] = 3
    assert check_leakage(X, groups=groups).ok
    assert check_leakage(X, groups=groups, splits=GroupKFold(4)).ok


def test_one_picture_in_two_columns():
    two = make_lesions(12, image_columns=("clinic", "derm"), random_state=0).data
    cells = two["derm"].array.cells.copy()
    cells[0] = two["clinic"].array.cells[0]  # of the same row: no leak
    cells[1] = two["clinic"].array.cells[5]
    pairs = check_data(two.assign(derm=pd.Series(ImageArray(cells), two.index))).images
    assert pairs[["row_1", "column_1", "row_2", "column_2"]].to_numpy().tolist() == [
        [two.index[5], "clinic", two.index[1], "derm"]
    ]


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_hashes_of_turned_pictures_need_no_pictures(name):
    gray = np.random.default_rng(0).uniform(0, 255, (5, 64, 64)).astype(np.float32)
    turned = np.ascontiguousarray(_turn(gray, ORIENTATIONS[name]))
    frequencies, expected = (
        np.array([_low_frequencies(picture) for picture in pictures]) for pictures in (gray, turned)
    )
    oriented = _turn_frequencies(frequencies, ORIENTATIONS[name])
    np.testing.assert_allclose(oriented, expected, atol=0.1)
    assert np.bitwise_count(_hashes(oriented) ^ _hashes(expected)).max() <= 1


def test_duplicates_with_different_labels(singles):
    X, y = singles.data, singles.target.copy()
    first, second = 3, int(np.flatnonzero(y.to_numpy() != y.iloc[3])[0])
    X = with_picture(X, second, X["image"].iloc[first])
    for report in (check_data(X, y), check_leakage(X, y, splits=([first, second], [1, 2]))):
        found = report.labels.iloc[0]
        rows = sorted([first, second])
        assert [found["row_1"], found["row_2"]] == X.index[rows].tolist()
        assert [found["label_1"], found["label_2"]] == y.iloc[rows].tolist()
    assert check_data(X, y.where(np.arange(40) != first)).labels.empty
    assert check_data(X, pd.DataFrame({"a": 0, "b": y})).labels["task"].tolist() == ["b"]


def test_unreadable_images_are_named(tmp_path):
    X = make_lesions(6, folder=tmp_path, random_state=0).data
    path = X["image"].array.cells[2]
    with open(path, "wb") as file:
        file.write(b"<html>not found</html>")
    report = check_data(X, on_leak="ignore")
    found = report.unreadable.iloc[0]
    assert len(report.unreadable) == 1 and report.n_images == 5
    assert (found["row"], found["column"], found["path"]) == (X.index[2], "image", path)
    assert X.index[2] in repr(report) and path in repr(report)


def test_text_columns_of_paths(tmp_path):
    X = make_lesions(6, folder=tmp_path, random_state=0).data
    paths = X.assign(image=X["image"].astype(str), again=X["image"].astype(str))
    assert check_data(paths, image_columns=["image"]).n_images == 6
    with pytest.raises(ValueError, match="`image_columns`"):
        check_data(X, image_columns="photo")


# -- columns -----------------------------------------------------------------------------


def test_leaky_names():
    leaky = [
        "dx_type",
        "dx",
        "biopsed",
        "diagnosis_confirm_type",
        "diagnosis_full",
        "management",
        "level_of_diagnostic_difficulty",
        "seven_point_score",
        "invasion_thickness_interval",
        "mel_thick_mm_thickness",
        "histopathology",
        "Benign_Malignant",
        "follow-up",
    ]
    fine = [
        "age",
        "sex",
        "localization",
        "skin_cancer_history",
        "cancer_history",
        "fitzpatrick",
        "skin_tone_class",
        "itch",
        "changed",
        "family_history",
        "diameter_1",
        "site",
        "idx",
        3,
    ]
    assert leaky_names([*leaky, *fine]) == leaky


@pytest.mark.parametrize("pattern", ["diam", "diameter", "Ward_7", "ward 7"])
def test_further_leaky_names(singles, pattern):
    X = singles.data.assign(Ward_7=1.0)
    found = check_data(X, leaky_columns=[pattern]).columns["column"]
    assert found.tolist() == ["diameter" if "diam" in pattern else "Ward_7"]


@pytest.mark.parametrize("kind", ["number", "text"])
def test_a_column_that_holds_the_label(kind):
    lesions = make_lesions(150, random_state=0)
    codes = lesions.target.astype("category").cat.codes
    secret = codes * 10.0 if kind == "number" else "ward " + codes.astype(str)
    report = check_data(lesions.data.assign(ward=secret), lesions.target)
    assert report.columns["column"].tolist() == ["ward"]
    assert report.columns["auc"].iloc[0] > 0.99
    assert check_data(lesions.data, lesions.target).ok


def test_infinity_is_a_number_like_any_other():
    y = np.tile(["A", "B"], 20)
    X = pd.DataFrame({"secret": np.where(y == "A", -np.inf, np.inf), "age": np.arange(40.0)})
    X.loc[:2, "age"] = np.inf, np.nan, 1e300
    assert check_data(X, y).columns["column"].tolist() == ["secret"]


def test_few_patients_prove_nothing():
    groups = np.repeat(np.arange(5), 20)
    y, sex = np.where(groups % 2, "A", "B"), np.where(groups % 2, "f", "m")
    X = pd.DataFrame({"sex": sex})
    assert check_leakage(X, y, groups).columns["column"].tolist() == ["sex"]
    assert check_leakage(X[groups < 4], y[groups < 4], groups[groups < 4]).columns.empty


def test_identifiers_predict_only_where_groups_are_not_kept_whole(lesions):
    X = lesions.data.assign(patient=lesions.groups)
    many = pd.concat([X.set_axis(X.index + str(k)) for k in range(4)])[["sex", "patient"]]
    y = np.tile(lesions.target, 4)
    assert check_data(many, y).columns["column"].tolist() == ["patient"]
    assert check_leakage(many, y, np.tile(lesions.groups, 4)).columns.empty


def test_gaps_that_predict_the_label(singles):
    lesions = make_lesions(200, random_state=0)
    gaps = (lesions.target == "A") & (np.arange(200) % 3 > 0)
    X = lesions.data.assign(smoke=np.where(gaps, np.nan, 1.0))
    found = check_data(X, lesions.target).missingness
    assert found[["column", "class", "n_missing"]].to_numpy().tolist() == [
        ["smoke", "A", int(gaps.sum())]
    ]
    # Without the class every gap is still as frequent: AUC = (1 + P(gap | A)) / 2.
    assert found["auc"].iloc[0] == pytest.approx((1 + gaps[lesions.target == "A"].mean()) / 2)
    assert check_data(X, np.random.default_rng(0).permutation(lesions.target)).ok


def test_gaps_of_many_rows_of_few_patients_prove_nothing():
    y, groups = np.repeat(["A", "B"], 100), np.repeat(np.arange(10), 20)
    X = pd.DataFrame({"smoke": np.where(np.isin(groups, [0, 1, 5]), np.nan, 1.0)})
    X.loc[groups == 5, "smoke"] = 1.0
    assert len(check_data(X, y).missingness) == 1
    assert check_leakage(X, y, groups).missingness.empty


# -- the report --------------------------------------------------------------------------


def test_on_leak(singles):
    X = singles.data.assign(dx_type="histo")
    with pytest.warns(DataLeakageWarning, match="'dx_type'"):
        check_data(X, on_leak="warn")
    with pytest.raises(ValueError, match="columns that give the label away: 1"):
        check_leakage(X, on_leak="raise")
    with pytest.raises(ValueError, match=re.escape("'on_leak' parameter")):
        check_data(X, on_leak="shout")


def test_one_table_of_all_findings(lesions):
    X = lesions.data.assign(dx_type="histo")
    report = check_leakage(X, lesions.target, lesions.groups, splits=([0, 2], [1, 3]))
    frame = report.to_frame()
    assert frame["check"].tolist() == ["groups", "groups", "columns"]
    assert lesions.groups.iloc[0] in frame["finding"].iloc[0]
    assert "&lt;LeakageReport" in report._repr_html_()


def test_small_and_odd_tables():
    assert check_data(np.zeros((3, 2)), [0, 1, 0]).ok
    assert check_leakage(pd.DataFrame({"age": [1.0, 2.0]}), [np.nan, np.nan], [1, 2]).ok
    assert check_data(pd.DataFrame({"image": ImageArray([None, None])}), [0, 1]).n_images == 0
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        check_data(np.zeros((3, 2)), [0, 1])


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


# -- real data ---------------------------------------------------------------------------


def test_pad_ufes_20(real_data, tmp_path):
    pad = load_pad_ufes_20(real_data("pad_ufes_20"), include_leaky=True)
    report = check_data(pad.data, pad.target, cache_dir=tmp_path)
    assert (report.images["kind"] == "identical").sum() == 16 and len(report.labels) == 13
    assert report.columns["column"].tolist() == ["biopsed"]
    found = report.missingness.set_index("column")
    assert set(pad.missingness_columns) <= set(found.index)
    assert (found.loc[pad.missingness_columns, "auc"] > 0.75).all()
    assert found.loc["smoke", "n_missing"] == 804
    by_group = check_leakage(
        pad.data[["image"]], pad.target, pad.groups, StratifiedGroupKFold(3), cache_dir=tmp_path
    )
    assert by_group.groups.empty and by_group.images.empty and len(by_group.labels) == 13


def test_ham10000(real_data, tmp_path):
    ham = load_ham10000(real_data("ham10000"), include_leaky=True)
    report = check_leakage(ham.data, ham.target, cache_dir=tmp_path)
    pairs = report.images.set_index("kind")
    assert [set(pair) for pair in pairs.loc["identical", ["row_1", "row_2"]].to_numpy()] == [
        {"ISIC_0029861", "ISIC_0024366"},
        {"ISIC_0029938", "ISIC_0024777"},
    ]
    near = pairs.loc["near"]
    one_lesion = ham.groups[near["row_1"]].to_numpy() == ham.groups[near["row_2"]].to_numpy()
    assert 60 < len(near) < 120
    assert near[["row_1", "row_2"]][~one_lesion].to_numpy().tolist() == [
        ["ISIC_0030074", "ISIC_0025226"]
    ]  # recoloured
    assert report.columns["column"].tolist() == ["dx_type"] and report.missingness.empty


def test_milk10k(real_data, tmp_path):
    milk = load_milk10k(real_data("milk10k"), include_leaky=True)
    report = check_data(milk.data, milk.target, cache_dir=tmp_path)
    assert len(report.images) == 5 and report.labels.empty
    assert set(report.columns["column"]) == set(milk.leaky_columns)
    assert "diagnosis_full" in set(report.columns.query("reason == 'predicts the label'")["column"])
