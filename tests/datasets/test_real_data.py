"""The loaders on the real data sets, where they are there; see the fixture `real_data`."""

import pytest

from sklearn_skin.datasets import load_ham10000, load_milk10k, load_pad_ufes_20
from sklearn_skin.image import read_image

pytestmark = pytest.mark.filterwarnings("error")


def test_ham10000(real_data):
    ham = load_ham10000(real_data("ham10000"))
    assert ham.data.shape == (10015, 4) and ham.groups.nunique() == 7470
    assert ham.target.value_counts()["nv"] == 6705
    assert ham.data.isna().sum().to_dict() == {
        "image": 0,
        "age": 57 + 39,
        "sex": 57,
        "localization": 234,
    }
    assert read_image(ham.data["image"].array.cells[-1]).shape == (150, 200, 3)


def test_ham10000_sample_is_a_part_of_the_images(real_data):
    root = real_data("ham10000_600x450")
    with pytest.raises(FileNotFoundError, match="9865 of 10015 image files are missing"):
        load_ham10000(root)
    ham = load_ham10000(root, on_missing="drop")
    assert len(ham.data) == 150
    assert read_image(ham.data["image"].array.cells[0]).shape == (450, 600, 3)


def test_pad_ufes_20(real_data):
    pad = load_pad_ufes_20(real_data("pad_ufes_20"))
    assert pad.data.shape == (2298, 22) and pad.groups.nunique() == 1373
    lost = pad.data[pad.missingness_columns].isna().all(axis=1)
    assert lost.sum() == 804 and set(pad.target[lost]) == {"ACK", "SEK", "NEV"}


def test_milk10k(real_data):
    milk = load_milk10k(real_data("milk10k"), tasks="concepts", include_leaky=True)
    assert milk.target.shape == (5240, 8) and milk.data.shape == (5240, 2 + 4 + 7 + 3)
    assert milk.data[["age_approx", "site"]].isna().sum().tolist() == [20, 31]
    assert milk.target["diagnosis"].value_counts()["MAL_OTH"] == 9
    melanoma = milk.data["diagnosis_full"].str.startswith("Melanoma")
    assert (milk.target["diagnosis"][melanoma] == "MEL").mean() > 0.99
