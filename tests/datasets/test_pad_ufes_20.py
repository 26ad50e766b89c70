"""PAD-UFES-20: words made uniform, and columns whose gaps tell."""

import pytest
from layouts import write_image, write_table

from sklearn_skin.datasets import load_pad_ufes_20

TABLE = "metadata.csv"
LABELS = ("BCC", "ACK", "NEV", "SEK", "SCC", "MEL")

pytestmark = pytest.mark.filterwarnings("ignore:The table's class counts:UserWarning")


def write(root, suffix=".png", flat=False):
    n = 6
    empty_where_benign = [True, None, None, None, False, True]
    ids = [f"PAT_{i}_{i + 10}_{i + 100}.png" for i in range(n)]
    truth = ["True", "False", "UNK", "False", "True", "False"]
    history = (
        "smoke",
        "drink",
        "pesticide",
        "skin_cancer_history",
        "cancer_history",
        "has_piped_water",
        "has_sewage_system",
    )
    write_table(
        root / "metadata.csv",
        {
            "patient_id": ["PAT_0", "PAT_0", "PAT_2", "PAT_3", "PAT_4", "PAT_5"],
            "lesion_id": [10, 11, 12, 12, 14, 15],
            **{column: empty_where_benign for column in history},
            "background_father": ["BRASIL", None, None, None, "BRAZIL", "UNK"],
            "background_mother": ["POMERANIA", None, None, None, "GERMANY", "ITALY"],
            "age": [55, 8, 77, 60, 40, 33],
            "gender": ["FEMALE", None, None, None, "MALE", "FEMALE"],
            "fitspatrick": [3.0, None, None, None, 1.0, 6.0],
            "region": ["NECK", "ARM", "FACE", "FACE", "BACK", "EAR"],
            "diameter_1": [6.0, None, None, None, 0.0, 5.0],
            "diameter_2": [5.0, None, None, None, 9.0, 0.0],
            "diagnostic": LABELS,
            **{
                column: truth
                for column in ("itch", "grew", "hurt", "changed", "bleed", "elevation")
            },
            "img_id": ids,
            "biopsed": [True, False, False, False, True, True],
        },
    )
    for place, name in enumerate(ids):
        folder = root / "images" if flat else root / "images" / f"imgs_part_{1 + place % 3}"
        write_image(folder / name.replace(".png", suffix), 40 * place)
    return root


@pytest.mark.parametrize(("suffix", "flat"), [(".png", False), (".jpg", True)])
def test_pad_ufes_20(tmp_path, suffix, flat):
    pad = load_pad_ufes_20(write(tmp_path, suffix, flat))
    data = pad.data
    assert len(pad.metadata_columns) == 21 and len(pad.missingness_columns) == 13
    assert data["background_father"].dropna().tolist() == ["BRAZIL", "BRAZIL"]
    assert set(data["smoke"].dropna()) == set(data["itch"].dropna()) == {"True", "False"}
    assert data["itch"].isna().sum() == 1
    assert data["diameter_1"].tolist()[0] == 6 and data["diameter_1"].isna().sum() == 4
    assert pad.groups.nunique() == 5 and data.index[0] == "PAT_0_10_100"
    assert pad.subgroups["skin_tone"].dropna().tolist() == ["3", "1", "6"]
    assert all(path.endswith(suffix) for path in data["image"].array.cells)
