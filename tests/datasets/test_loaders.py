"""All loaders, on tiny folders in the published layouts."""

import shutil

import layouts
import numpy as np
import pandas as pd
import pytest

from sklearn_skin.datasets import (
    load_derm7pt,
    load_ham10000,
    load_isic_2019,
    load_milk10k,
    load_pad_ufes_20,
)
from sklearn_skin.image import ImageDtype

CASES = {
    "ham10000": (load_ham10000, layouts.write_ham10000, "HAM10000_metadata.csv", "DBW86T"),
    "pad_ufes_20": (load_pad_ufes_20, layouts.write_pad_ufes_20, "metadata.csv", "zr7vgbcyr2"),
    "isic_2019": (
        load_isic_2019,
        layouts.write_isic_2019,
        "ISIC_2019_Training_Metadata.csv",
        "challenge.isic-archive.com",
    ),
    "milk10k": (load_milk10k, layouts.write_milk10k, "MILK10k_Training_Metadata.csv", "648456"),
    "derm7pt": (load_derm7pt, layouts.write_derm7pt, "meta/meta.csv", "derm.cs.sfu.ca"),
}
pytestmark = pytest.mark.filterwarnings("ignore:The table's class counts:UserWarning")


@pytest.fixture(params=CASES)
def case(request, tmp_path):
    load, write, table, source = CASES[request.param]
    return load, write(tmp_path / request.param), table, source


def first_image(root):
    return sorted(path for path in root.rglob("*") if path.suffix in (".jpg", ".png"))[0]


def test_what_a_loader_returns(case):
    load, root, *_ = case
    bunch = load(str(root))
    assert list(bunch.data)[: len(bunch.image_columns)] == bunch.image_columns
    assert list(bunch.data)[len(bunch.image_columns) :] == bunch.metadata_columns
    assert not set(bunch.leaky_columns) & set(bunch.data)
    for table in (bunch.target, bunch.groups, bunch.subgroups):
        assert table.index.equals(bunch.data.index)
    assert bunch.data.index.is_unique and bunch.groups.notna().all()
    for column in bunch.data:
        if column in bunch.image_columns:
            assert isinstance(bunch.data[column].dtype, ImageDtype)
        else:
            assert str(bunch.data[column].dtype) in ("str", "float64")
    assert bunch.DESCR.count(":Leaky columns:") == 1


def test_leaky_columns_come_only_when_asked_for(case):
    load, root, *_ = case
    plain, leaky = load(root), load(root, include_leaky=True)
    assert set(leaky.data) == set(plain.data) | set(plain.leaky_columns)
    assert leaky.leaky_columns == plain.leaky_columns


def test_return_X_y(case):
    load, root, *_ = case
    X, y = load(root, return_X_y=True)
    assert len(X) == len(y) and isinstance(X, pd.DataFrame)


def test_a_missing_table_is_named_with_where_to_get_it(case):
    load, root, table, source = case
    (root / table).unlink()
    with pytest.raises(FileNotFoundError, match=f"{table.split('/')[-1]}.*{source}"):
        load(root)


def test_a_missing_folder_is_named_with_where_to_get_it(case):
    load, root, _, source = case
    with pytest.raises(FileNotFoundError, match=f"`root` must be.*{source}"):
        load(root / "nowhere")


def test_a_missing_column_is_named(case):
    load, root, table, _ = case
    content = pd.read_csv(root / table)
    lost = "sex" if "sex" in content else "gender"
    content.drop(columns=lost).to_csv(root / table, index=False)
    with pytest.raises(ValueError, match=rf"must have the columns \['{lost}'\]"):
        load(root)


def test_a_missing_image_is_named_and_may_be_dropped_or_kept(case):
    load, root, _, source = case
    whole = load(root)
    first_image(root).unlink()
    with pytest.raises(FileNotFoundError, match=f"1 of .* image files are missing.*{source}"):
        load(root)
    dropped, kept = load(root, on_missing="drop"), load(root, on_missing="missing")
    assert len(dropped.data) == len(dropped.subgroups) == len(whole.data) - 1
    assert len(kept.data) == len(whole.data)
    images = whole.image_columns
    assert kept.data[images].isna().sum().sum() == whole.data[images].isna().sum().sum() + 1


def test_no_image_at_all_is_an_error_even_if_some_may_miss(case):
    load, root, *_ = case
    for folder in root.iterdir():
        if folder.is_dir() and folder.name != "meta":
            shutil.rmtree(folder)
    with pytest.raises(FileNotFoundError, match="image files are missing"):
        load(root, on_missing="drop")


def test_on_missing_is_checked(case):
    load, root, *_ = case
    with pytest.raises(ValueError, match="`on_missing` must be one of"):
        load(root, on_missing="ignore")


def test_other_class_counts_than_published_warn(case):
    load, root, *_ = case
    with pytest.warns(UserWarning, match="class counts are not the published ones: .* of ") as seen:
        load(root)
    assert seen[0].filename == __file__


@pytest.mark.parametrize("flat", [True, False])
def test_ham10000(tmp_path, flat):
    ham = load_ham10000(layouts.write_ham10000(tmp_path, flat=flat))
    assert list(ham.data) == ["image", "age", "sex", "localization"]
    assert ham.data["sex"].tolist()[:2] == ["male", "male"]
    assert ham.data.isna().sum().to_dict() == {"image": 0, "age": 2, "sex": 1, "localization": 1}
    assert ham.groups.nunique() == 5 and ham.leaky_columns == ["dx_type"]
    assert ham.target.tolist() == list(layouts.HAM_LABELS)
    for row, path in zip(ham.data.index, ham.data["image"].array.cells):
        assert path.endswith(f"{row}.jpg")


def test_ham10000_table_with_tabs(tmp_path):
    layouts.write_ham10000(tmp_path)
    table = pd.read_csv(tmp_path / "HAM10000_metadata.csv")
    (tmp_path / "HAM10000_metadata.csv").unlink()
    table.to_csv(tmp_path / "HAM10000_metadata.tab", sep="\t", index=False)
    assert len(load_ham10000(tmp_path).data) == 6


def test_unknown_class_and_repeated_id_are_named(tmp_path):
    path = layouts.write_ham10000(tmp_path) / "HAM10000_metadata.csv"
    table = pd.read_csv(path)
    table.assign(dx=["nevus", *table["dx"][1:]]).to_csv(path, index=False)
    with pytest.raises(ValueError, match="column 'dx' must hold .* row 'ISIC_0000000' has 'nevus'"):
        load_ham10000(tmp_path)
    pd.concat([table, table[:1]]).to_csv(path, index=False)
    with pytest.raises(ValueError, match="'image_id' must name each row once; 'ISIC_0000000'"):
        load_ham10000(tmp_path)


@pytest.mark.parametrize(("suffix", "flat"), [(".png", False), (".jpg", True)])
def test_pad_ufes_20(tmp_path, suffix, flat):
    pad = load_pad_ufes_20(layouts.write_pad_ufes_20(tmp_path, suffix, flat))
    data = pad.data
    assert len(pad.metadata_columns) == 21 and len(pad.missingness_columns) == 13
    assert data["background_father"].dropna().tolist() == ["BRAZIL", "BRAZIL"]
    assert set(data["smoke"].dropna()) == set(data["itch"].dropna()) == {"True", "False"}
    assert data["itch"].isna().sum() == 1
    assert data["diameter_1"].tolist()[0] == 6 and data["diameter_1"].isna().sum() == 4
    assert pad.groups.nunique() == 5 and data.index[0] == "PAT_0_10_100"
    assert pad.subgroups["skin_tone"].dropna().tolist() == ["3", "1", "6"]
    assert all(path.endswith(suffix) for path in data["image"].array.cells)


def test_isic_2019_joins_its_tables_by_image(tmp_path):
    isic = load_isic_2019(layouts.write_isic_2019(tmp_path))
    assert isic.target.tolist() == ["NV", "MEL", "SCC", "BKL"]
    assert isic.data["age_approx"].tolist()[:2] == [30.0, 55.0]
    assert np.isnan(isic.data["age_approx"].iloc[2])
    downsampled = "ISIC_0000001_downsampled"
    assert isic.groups.tolist() == ["HAM_0", downsampled, "BCN_3", "BCN_3"]
    assert isic.data["image"].array.cells[1].endswith(f"{downsampled}.jpg")


def test_isic_2019_names_an_image_without_one_class(tmp_path):
    path = layouts.write_isic_2019(tmp_path) / "ISIC_2019_Training_GroundTruth.csv"
    pd.read_csv(path).assign(NV=0.0).to_csv(path, index=False)
    with pytest.raises(ValueError, match="exactly one of .* row 'ISIC_0000000' has 0"):
        load_isic_2019(tmp_path)


def test_milk10k_pairs_images_by_type(tmp_path):
    milk = load_milk10k(layouts.write_milk10k(tmp_path))
    assert milk.image_columns == ["clinical", "dermoscopy"]
    assert milk.target.tolist() == ["MEL", "NV", "BCC"] and milk.target.name == "diagnosis"
    assert len(milk.metadata_columns) == 4 + 14
    assert milk.groups.tolist() == milk.data.index.tolist() == ["IL_0", "IL_1", "IL_2"]
    for place, row in enumerate(milk.data.index):
        for half, column in enumerate(milk.image_columns):
            assert milk.data.loc[[row], column].array.cells[0].endswith(f"ISIC_{place}{half}.jpg")
    assert milk.subgroups["skin_tone"].tolist() == ["6", "3", "1"]


def test_milk10k_concepts_leave_the_features(tmp_path):
    layouts.write_milk10k(tmp_path)
    scores = load_milk10k(tmp_path).data["dermoscopy_MONET_hair"]
    milk = load_milk10k(tmp_path, tasks="concepts")
    assert milk.target.shape == (3, 8)
    assert not [column for column in milk.data if column.startswith("dermoscopy_MONET")]
    assert (milk.target["hair"] == "present").tolist() == (scores >= 0.5).tolist()
    one = load_milk10k(tmp_path, tasks=("hair",), concept_threshold=0.9)
    assert one.target.tolist() == ["absent", "present", "absent"]
    assert "dermoscopy_MONET_erythema" in one.data and "dermoscopy_MONET_hair" not in one.data


def test_milk10k_joins_the_supplement_by_image(tmp_path):
    milk = load_milk10k(layouts.write_milk10k(tmp_path), include_leaky=True)
    assert milk.data["diagnosis_full"].tolist() == ["full 0", "full 1", "full 2"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tasks": "benign"}, "`tasks` must be 'concepts' or some of"),
        ({"tasks": ()}, "`tasks` must be"),
        ({"concept_threshold": 0}, "`concept_threshold` must be in"),
    ],
)
def test_milk10k_names_wrong_parameters(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        load_milk10k(tmp_path, **options)


def test_derm7pt_groups_labels_as_published(tmp_path):
    derm = load_derm7pt(layouts.write_derm7pt(tmp_path))
    assert list(derm.target) == ["DIAG", "BWV", "STR", "PIG", "RS", "DAG", "PN", "VS"]
    assert derm.target["DIAG"].tolist() == ["NEV", "MEL", "BCC", "MISC", "SK", "NEV"]
    assert derm.target["PIG"].tolist() == [
        "absent",
        "irregular",
        "regular",
        "regular",
        "absent",
        "irregular",
    ]
    assert derm.target["RS"].tolist() == ["absent", *3 * ["present"], "absent", "absent"]
    assert derm.target["VS"].tolist() == [
        "absent",
        "irregular",
        "regular",
        "regular",
        "irregular",
        "regular",
    ]
    assert derm.metadata_columns == ["elevation", "location", "sex"]


def test_derm7pt_finds_images_whatever_their_case(tmp_path):
    derm = load_derm7pt(layouts.write_derm7pt(tmp_path))
    assert derm.data["clinical"].isna().tolist() == [False] * 4 + [True, False]
    assert not derm.data["dermoscopy"].isna().any()
    assert derm.data["clinical"].array.cells[0].endswith("NEL025.jpg")
    assert derm.groups["case_0003"] == derm.groups["case_0004"]
    assert derm.groups.nunique() == 5


def test_derm7pt_splits_are_positions_and_follow_dropped_rows(tmp_path):
    root = layouts.write_derm7pt(tmp_path)
    splits = load_derm7pt(root).splits
    assert {name: places.tolist() for name, places in splits.items()} == {
        "train": [0, 5, 2],
        "valid": [1],
        "test": [3, 4],
    }
    (root / "images" / "Aal" / "Aal002.jpg").unlink()
    derm = load_derm7pt(root, on_missing="drop")
    assert derm.data.index[derm.splits["train"]].tolist() == ["case_0001", "case_0006", "case_0003"]
    assert derm.splits["valid"].tolist() == []


def test_derm7pt_wrong_split_files_and_tasks_are_named(tmp_path):
    root = layouts.write_derm7pt(tmp_path)
    assert load_derm7pt(root, tasks="DIAG").target.name == "DIAG"
    assert list(load_derm7pt(root, tasks=("BWV", "DIAG")).target) == ["BWV", "DIAG"]
    with pytest.raises(ValueError, match="`tasks` must be 'all' or some of"):
        load_derm7pt(root, tasks=("dots",))
    layouts.write_table(root / "meta" / "valid_indexes.csv", {"indexes": [6]})
    with pytest.raises(ValueError, match="must hold different row positions from 0 to 5"):
        load_derm7pt(root)
