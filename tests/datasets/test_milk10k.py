"""MILK10k: pairs of images, concepts as tasks."""

import numpy as np
import pytest
from layouts import write_image, write_table

from sklearn_skin.datasets import load_milk10k

TABLE = "MILK10k_Training_Metadata.csv"

pytestmark = pytest.mark.filterwarnings("ignore:The table's class counts:UserWarning")


def write(root):
    classes = (
        "AKIEC",
        "BCC",
        "BEN_OTH",
        "BKL",
        "DF",
        "INF",
        "MAL_OTH",
        "MEL",
        "NV",
        "SCCKA",
        "VASC",
    )
    concepts = (
        "ulceration_crust",
        "hair",
        "vasculature_vessels",
        "erythema",
        "pigmented",
        "gel_water_drop_fluid_dermoscopy_liquid",
        "skin_markings_pen_ink_purple_pen",
    )
    lesions = ["IL_0", "IL_1", "IL_2"]
    write_table(
        root / "MILK10k_Training_GroundTruth.csv",
        {"lesion_id": lesions, **dict(zip(classes, np.eye(11)[[7, 8, 1]].T))},
    )
    rows, supplement = [], []
    for place, lesion in enumerate(lesions):
        for half, kind in enumerate(("clinical: close-up", "dermoscopic")):
            name = f"ISIC_{place}{half}"
            rows.append(
                {
                    "lesion_id": lesion,
                    "image_type": kind,
                    "isic_id": name,
                    "attribution": "MILK study team",
                    "copyright_license": "CC-BY-NC",
                    "image_manipulation": "altered",
                    "age_approx": [70, None, 35][place],
                    "sex": "male",
                    "skin_tone_class": [0, 3, 5][place],
                    "site": ["trunk", None, "hand"][place],
                    **{f"MONET_{c}": [0.1, 0.5, 0.9][(place + half) % 3] for c in concepts},
                }
            )
            supplement.append(
                {
                    "isic_id": name,
                    "diagnosis_full": f"full {place}",
                    "diagnosis_confirm_type": "histopathology",
                    "invasion_thickness_interval": "<0.8" if place == 0 else None,
                }
            )
            write_image(root / "MILK10k_Training_Input" / lesion / f"{name}.jpg", 40 * place + half)
    write_table(root / "MILK10k_Training_Metadata.csv", rows[::-1])
    write_table(root / "MILK10k_Training_Supplement.csv", supplement)
    return root


def test_milk10k_pairs_images_by_type(tmp_path):
    milk = load_milk10k(write(tmp_path))
    assert milk.image_columns == ["clinical", "dermoscopy"]
    assert milk.target.tolist() == ["MEL", "NV", "BCC"] and milk.target.name == "diagnosis"
    assert len(milk.metadata_columns) == 4 + 14
    assert milk.groups.tolist() == milk.data.index.tolist() == ["IL_0", "IL_1", "IL_2"]
    for place, row in enumerate(milk.data.index):
        for half, column in enumerate(milk.image_columns):
            assert milk.data.loc[[row], column].array.cells[0].endswith(f"ISIC_{place}{half}.jpg")
    assert milk.subgroups["skin_tone"].tolist() == ["6", "3", "1"]


def test_milk10k_concepts_leave_the_features(tmp_path):
    write(tmp_path)
    scores = load_milk10k(tmp_path).data["dermoscopy_MONET_hair"]
    milk = load_milk10k(tmp_path, tasks="concepts")
    assert milk.target.shape == (3, 8)
    assert not [column for column in milk.data if column.startswith("dermoscopy_MONET")]
    assert (milk.target["hair"] == "present").tolist() == (scores >= 0.5).tolist()
    one = load_milk10k(tmp_path, tasks=("hair",), concept_threshold=0.9)
    assert one.target.tolist() == ["absent", "present", "absent"]
    assert "dermoscopy_MONET_erythema" in one.data and "dermoscopy_MONET_hair" not in one.data


def test_milk10k_joins_the_supplement_by_image(tmp_path):
    milk = load_milk10k(write(tmp_path), include_leaky=True)
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
