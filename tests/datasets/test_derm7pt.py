"""Derm7pt: grouped labels, names in any case, published splits."""

import pytest
from layouts import write_image, write_table

from sklearn_skin.datasets import load_derm7pt

TABLE = "meta/meta.csv"

pytestmark = pytest.mark.filterwarnings("ignore:The table's class counts:UserWarning")


def write(root):
    diagnoses = [
        "blue nevus",
        "melanoma (in situ)",
        "basal cell carcinoma",
        "lentigo",
        "seborrheic keratosis",
        "reed or spitz nevus",
    ]
    clinic = [
        "NEL/NEL025.JPG",
        "Aal/Aal002.jpg",
        "Fbl/Fbl003.jpg",
        "Fbl/FBL003.jpg",
        "Gal/Gal005.jpg",
        "Gal/Gal007.jpg",
    ]
    derm = [
        "NEL/Nel026.jpg",
        "Aal/Aal003.jpg",
        "Fbl/Fbl004.jpg",
        "Fbl/Fbl005.jpg",
        "Gal/Gal005.JPG",
        "Gal/Gal008.jpg",
    ]
    write_table(
        root / "meta" / "meta.csv",
        {
            "case_num": range(1, 7),
            "diagnosis": diagnoses,
            "seven_point_score": [0, 6, 1, 2, 0, 3],
            "pigment_network": ["absent", "atypical", "typical", "absent", "absent", "typical"],
            "streaks": ["absent", "irregular", "regular", "absent", "absent", "regular"],
            "pigmentation": [
                "absent",
                "diffuse irregular",
                "localized regular",
                "diffuse regular",
                "absent",
                "localized irregular",
            ],
            "regression_structures": [
                "absent",
                "blue areas",
                "white areas",
                "combinations",
                "absent",
                "absent",
            ],
            "dots_and_globules": ["regular", "irregular", "absent", "absent", "regular", "absent"],
            "blue_whitish_veil": ["present", "present", "absent", "absent", "absent", "absent"],
            "vascular_structures": [
                "absent",
                "dotted",
                "arborizing",
                "within regression",
                "linear irregular",
                "comma",
            ],
            "level_of_diagnostic_difficulty": ["medium", "high", "low", "low", "low", "high"],
            "elevation": ["palpable", "flat", "nodular", "flat", "palpable", "palpable"],
            "location": ["abdomen", "back", "head neck", "acral", "back", "chest"],
            "sex": ["female", "male", "male", "female", "female", "male"],
            "management": [
                "no further examination",
                "excision",
                "excision",
                "clinical follow up",
                "no further examination",
                "excision",
            ],
            "clinic": clinic,
            "derm": derm,
            "case_id": [None] * 6,
            "notes": [None] * 6,
        },
    )
    for name, places in {"train": [0, 5, 2], "valid": [1], "test": [3, 4]}.items():
        write_table(root / "meta" / f"{name}_indexes.csv", {"indexes": places})
    # Where the table repeats a name in another case, the published folder holds one file.
    for place, name in enumerate({name.lower(): name for name in clinic + derm}.values()):
        write_image(root / "images" / name.replace(".JPG", ".jpg"), 10 * place)
    return root


def test_derm7pt_groups_labels_as_published(tmp_path):
    derm = load_derm7pt(write(tmp_path))
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
    derm = load_derm7pt(write(tmp_path))
    assert derm.data["clinical"].isna().tolist() == [False] * 4 + [True, False]
    assert not derm.data["dermoscopy"].isna().any()
    assert derm.data["clinical"].array.cells[0].endswith("NEL025.jpg")
    assert derm.groups["case_0003"] == derm.groups["case_0004"]
    assert derm.groups.nunique() == 5


def test_derm7pt_splits_are_positions_and_follow_dropped_rows(tmp_path):
    root = write(tmp_path)
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
    root = write(tmp_path)
    assert load_derm7pt(root, tasks="DIAG").target.name == "DIAG"
    assert list(load_derm7pt(root, tasks=("BWV", "DIAG")).target) == ["BWV", "DIAG"]
    with pytest.raises(ValueError, match="`tasks` must be 'all' or some of"):
        load_derm7pt(root, tasks=("dots",))
    write_table(root / "meta" / "valid_indexes.csv", {"indexes": [6]})
    with pytest.raises(ValueError, match="must hold different row positions from 0 to 5"):
        load_derm7pt(root)
