"""HAM10000: joins, groups and errors that name rows."""

import pandas as pd
import pytest
from layouts import write_image, write_table

from sklearn_skin.datasets import load_ham10000

TABLE = "HAM10000_metadata.csv"
LABELS = ("nv", "nv", "mel", "bkl", "bcc", "akiec")

pytestmark = pytest.mark.filterwarnings("ignore:The table's class counts:UserWarning")


def write(root, flat=False):
    ids = [f"ISIC_{i:07d}" for i in range(6)]
    write_table(
        root / "HAM10000_metadata.csv",
        {
            "lesion_id": ["HAM_0", "HAM_0", "HAM_2", "HAM_3", "HAM_4", "HAM_5"],
            "image_id": ids,
            "dx": LABELS,
            "dx_type": ["follow_up", "histo", "histo", "histo", "histo", "confocal"],
            "age": [80.0, 80.0, 0.0, None, 45.0, 50.0],
            "sex": ["male", "Male ", "unknown", "female", "female", "male"],
            "localization": ["scalp", "scalp", "unknown", "back", "face", "ear"],
        },
    )
    for place, name in enumerate(ids):
        folder = "images" if flat else f"HAM10000_images_part_{1 + place % 2}"
        write_image(root / folder / f"{name}.jpg", 40 * place)
    return root


@pytest.mark.parametrize("flat", [True, False])
def test_ham10000(tmp_path, flat):
    ham = load_ham10000(write(tmp_path, flat=flat))
    assert list(ham.data) == ["image", "age", "sex", "localization"]
    assert ham.data["sex"].tolist()[:2] == ["male", "male"]
    assert ham.data.isna().sum().to_dict() == {"image": 0, "age": 2, "sex": 1, "localization": 1}
    assert ham.groups.nunique() == 5 and ham.leaky_columns == ["dx_type"]
    assert ham.target.tolist() == list(LABELS)
    for row, path in zip(ham.data.index, ham.data["image"].array.cells):
        assert path.endswith(f"{row}.jpg")


def test_ham10000_table_with_tabs(tmp_path):
    write(tmp_path)
    table = pd.read_csv(tmp_path / "HAM10000_metadata.csv")
    (tmp_path / "HAM10000_metadata.csv").unlink()
    table.to_csv(tmp_path / "HAM10000_metadata.tab", sep="\t", index=False)
    assert len(load_ham10000(tmp_path).data) == 6


def test_unknown_class_and_repeated_id_are_named(tmp_path):
    path = write(tmp_path) / "HAM10000_metadata.csv"
    table = pd.read_csv(path)
    table.assign(dx=["nevus", *table["dx"][1:]]).to_csv(path, index=False)
    with pytest.raises(ValueError, match="column 'dx' must hold .* row 'ISIC_0000000' has 'nevus'"):
        load_ham10000(tmp_path)
    pd.concat([table, table[:1]]).to_csv(path, index=False)
    with pytest.raises(ValueError, match="'image_id' must name each row once; 'ISIC_0000000'"):
        load_ham10000(tmp_path)
