import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_skin.datasets import make_lesions
from sklearn_skin.image import ImageDtype


def thumbnails(column):
    """Return each image's 8 x 8 means of 32 x 32 pixels."""
    pixels = np.stack(list(column.array.cells)).astype(float) / 255
    return pixels.reshape(len(pixels), 8, 4, 8, 4, 3).mean(axis=(2, 4)).reshape(len(pixels), -1)


def numbers(metadata):
    metadata = metadata.fillna(metadata.median(numeric_only=True))
    return pd.get_dummies(metadata).to_numpy(float)


def accuracy(features, y):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=500))
    return cross_val_score(model, features, y, cv=4).mean()


@pytest.fixture(scope="module", params=[2, 3, 4])
def scores(request):
    lesions = make_lesions(400, n_classes=request.param, image_size=32, random_state=0)
    image = thumbnails(lesions.data["image"])
    metadata = numbers(lesions.data[lesions.metadata_columns])
    both = np.hstack([image, metadata])
    return [accuracy(features, lesions.target) for features in (image, metadata, both)]


def test_image_and_metadata_are_each_clearly_worse_than_both(scores):
    image, metadata, both = scores
    assert max(image, metadata) < both - 0.06
    assert both > 0.82


def test_three_classes_are_solved_by_both_and_two_thirds_by_either():
    lesions = make_lesions(600, image_size=32, random_state=1)
    image = thumbnails(lesions.data["image"])
    metadata = numbers(lesions.data[lesions.metadata_columns])
    assert 0.5 < accuracy(image, lesions.target) < 0.72
    assert 0.5 < accuracy(metadata, lesions.target) < 0.72
    assert accuracy(np.hstack([image, metadata]), lesions.target) > 0.88


def test_with_interaction_adding_is_chance_and_combining_is_not():
    lesions = make_lesions(
        600, n_classes=2, image_size=32, missing_rate=0, interaction=True, random_state=0
    )
    image = thumbnails(lesions.data["image"])
    metadata = numbers(lesions.data[lesions.metadata_columns])
    for features in (image, metadata, np.hstack([image, metadata])):
        assert accuracy(features, lesions.target) < 0.58
    look = image.reshape(len(image), 8, 8, 3)[:, 3:5, 3:5].mean(axis=(1, 2, 3))
    old = lesions.data["age"].to_numpy() > 50
    agree = (look < np.median(look)) == old
    combined = np.mean(agree == (lesions.target == "A"))
    assert max(combined, 1 - combined) > 0.8


def test_the_seed_decides_everything():
    first, second, other = (make_lesions(6, random_state=seed) for seed in (3, 3, 4))
    assert_frame_equal(first.data[first.metadata_columns], second.data[second.metadata_columns])
    assert_series_equal(first.target, second.target)
    for one, two in zip(first.data["image"].array.cells, second.data["image"].array.cells):
        np.testing.assert_array_equal(one, two)
    assert (first.data["image"].array.cells[0] != other.data["image"].array.cells[0]).any()


def test_no_global_seed_is_touched():
    state = np.random.get_state()[1].copy()
    make_lesions(3, random_state=0)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_photographs_of_a_lesion_share_all_but_the_pixels():
    lesions = make_lesions(30, images_per_lesion=(2, 4), n_tasks=2, random_state=0)
    for table in (lesions.data[lesions.metadata_columns], lesions.target):
        assert (table.groupby(lesions.groups).nunique(dropna=False) == 1).all(axis=None)
    cells = lesions.data["image"].array.cells
    assert len({cell.tobytes() for cell in cells}) == 30
    assert lesions.groups.value_counts().iloc[:-1].between(2, 4).all()
    assert len(lesions.data) == 30 and lesions.data.index.is_unique


def test_groups_suit_the_grouped_splitter():
    lesions = make_lesions(60, images_per_lesion=3, random_state=0)
    for train, test in StratifiedGroupKFold(3).split(lesions.data, lesions.target, lesions.groups):
        assert not set(lesions.groups.iloc[train]) & set(lesions.groups.iloc[test])


def test_classes_are_balanced():
    counts = make_lesions(90, n_classes=3, image_size=8, random_state=0).target.value_counts()
    assert counts.to_dict() == {"A": 30, "B": 30, "C": 30}


def test_missing_values_come_at_the_rate_asked_for():
    columns = make_lesions(500, image_size=8, missing_rate=0.3, random_state=0).data.iloc[:, 1:]
    assert np.allclose(columns.isna().mean(), 0.3, atol=0.07)
    columns = make_lesions(50, image_size=8, missing_rate=0, random_state=0).data
    assert not columns.isna().any(axis=None)


def test_two_image_columns_and_eight_tasks():
    lesions = make_lesions(
        12, image_columns=("clinical", "dermoscopy"), n_tasks=8, image_size=24, random_state=0
    )
    assert lesions.image_columns == ["clinical", "dermoscopy"]
    assert list(lesions.data)[:2] == lesions.image_columns
    assert lesions.target.shape == (12, 8)
    assert lesions.target_names["veil"] == ["absent", "present"]
    for column in lesions.image_columns:
        assert isinstance(lesions.data[column].dtype, ImageDtype)
        assert lesions.data[column].array.cells[0].shape == (24, 24, 3)


def test_a_criterion_changes_the_picture():
    lesions = make_lesions(300, n_tasks=2, image_size=32, missing_rate=0, random_state=0)
    blue = thumbnails(lesions.data["image"]).reshape(300, 8, 8, 3)[:, 3:5, 3:5]
    blue = (blue[..., 2] - blue[..., 0]).mean(axis=(1, 2))
    veil = lesions.target["veil"] == "present"
    assert blue[veil].mean() > blue[~veil].mean() + 0.05


def test_a_folder_holds_what_memory_would(tmp_path):
    folder = tmp_path / "made" / "here"
    options = {"n_samples": 5, "image_columns": ("a", "b"), "random_state": 0}
    written, memory = make_lesions(folder=folder, **options), make_lesions(**options)
    assert len(list(folder.glob("*.jpg"))) == 10
    assert_frame_equal(written.data[written.metadata_columns], memory.data[memory.metadata_columns])
    table = pd.read_csv(folder / "metadata.csv", index_col="image_id")
    assert table.index.tolist() == written.data.index.tolist()
    assert set(table) == {"a", "b", "age", "sex", "site", "diameter", "diagnosis", "lesion_id"}
    assert (folder / table["a"].iloc[0]).is_file()
    from sklearn_skin.image import read_image

    pixels = read_image(written.data["a"].array.cells[0]).astype(int)
    assert np.abs(pixels - memory.data["a"].array.cells[0]).mean() < 4


def test_subgroups_name_every_row():
    lesions = make_lesions(40, image_size=8, random_state=0)
    assert list(lesions.subgroups) == ["sex", "age_band", "site", "skin_tone"]
    assert not lesions.subgroups.isna().any(axis=None)
    assert lesions.subgroups["skin_tone"].isin(list("123456")).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_classes": 1}, "'n_classes' parameter of make_lesions must be"),
        ({"n_classes": 8, "interaction": True}, "`n_classes` must be at most 7"),
        ({"n_tasks": 9}, "'n_tasks' parameter"),
        ({"image_size": 4}, "'image_size' parameter"),
        ({"missing_rate": 1.0}, "'missing_rate' parameter"),
        ({"images_per_lesion": (3, 2)}, "`images_per_lesion` must be"),
        ({"image_columns": ("a", "a")}, "`image_columns` must be one or more different"),
        ({"image_columns": ("age",)}, "`image_columns` must not name metadata columns"),
    ],
)
def test_wrong_parameters_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        make_lesions(4, **options)


@pytest.mark.parametrize("n_classes", [2, 3, 14])
def test_every_number_of_classes(n_classes):
    assert make_lesions(28, n_classes=n_classes, image_size=8).target.nunique() == n_classes


def test_classes_may_be_rare():
    weights = [0.9, 0.095, 0.005]
    lesions = make_lesions(100, weights=weights, image_size=16, random_state=0)
    assert lesions.target.value_counts().to_dict() == {"A": 89, "B": 10, "C": 1}
    plain = make_lesions(100, image_size=16, random_state=0)
    assert plain.target.value_counts().to_dict() == {"A": 34, "B": 33, "C": 33}


@pytest.mark.parametrize("weights", [[0.5, 0.5], [0.5, 0.6, -0.1], [0.2, 0.2, 0.2], "balanced"])
def test_shares_of_classes_sum_to_one(weights):
    with pytest.raises(ValueError, match="`weights` must hold 3 numbers above 0 that sum to 1"):
        make_lesions(10, weights=weights, image_size=16)


def test_bunches_name_their_features():
    lesions = make_lesions(4, image_size=16, random_state=0)
    assert lesions.feature_names == list(lesions.data)
