"""ISIC 2019: two tables joined by image."""

import numpy as np
import pandas as pd
import pytest
from layouts import write_image, write_table

from sklearn_skin.datasets import load_isic_2019

TABLE = "ISIC_2019_Training_Metadata.csv"

pytestmark = pytest.mark.filterwarnings("ignore:The table's class counts:UserWarning")


def write(root):
    classes = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
    ids = ["ISIC_0000000", "ISIC_0000001_downsampled", "ISIC_0000002", "ISIC_0000003"]
    hot = np.eye(9)[[1, 0, 7, 4]]
    write_table(
        root / "ISIC_2019_Training_GroundTruth.csv", {"image": ids, **dict(zip(classes, hot.T))}
    )
    write_table(
        root / "ISIC_2019_Training_Metadata.csv",
        {
            "image": ids[::-1],
            "age_approx": [None, 0.0, 55.0, 30.0],
            "anatom_site_general": ["anterior torso", None, "head/neck", "upper extremity"],
            "lesion_id": ["BCN_3", "BCN_3", None, "HAM_0"],
            "sex": ["male", "female", None, "male"],
        },
    )
    for place, name in enumerate(ids):
        write_image(root / "ISIC_2019_Training_Input" / f"{name}.jpg", 40 * place)
    return root


def test_isic_2019_joins_its_tables_by_image(tmp_path):
    isic = load_isic_2019(write(tmp_path))
    assert isic.target.tolist() == ["NV", "MEL", "SCC", "BKL"]
    assert isic.data["age_approx"].tolist()[:2] == [30.0, 55.0]
    assert np.isnan(isic.data["age_approx"].iloc[2])
    downsampled = "ISIC_0000001_downsampled"
    assert isic.groups.tolist() == ["HAM_0", downsampled, "BCN_3", "BCN_3"]
    assert isic.data["image"].array.cells[1].endswith(f"{downsampled}.jpg")


def test_isic_2019_names_an_image_without_one_class(tmp_path):
    path = write(tmp_path) / "ISIC_2019_Training_GroundTruth.csv"
    pd.read_csv(path).assign(NV=0.0).to_csv(path, index=False)
    with pytest.raises(ValueError, match="exactly one of .* row 'ISIC_0000000' has 0"):
        load_isic_2019(tmp_path)
