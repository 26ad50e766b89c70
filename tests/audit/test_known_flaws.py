"""What is known of the public data sets is found."""

import numpy as np
from audited import check_data, check_leakage
from sklearn.model_selection import StratifiedGroupKFold

from sklearn_skin.datasets import load_ham10000, load_milk10k, load_pad_ufes_20


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
    recoloured = ["ISIC_0030074", "ISIC_0025226"]
    # All copies are among the rows of lesions with several images.
    kept = ham.groups.duplicated(keep=False) | ham.data.index.isin(recoloured)
    report = check_leakage(ham.data[kept], ham.target[kept], cache_dir=tmp_path)
    pairs = report.images.set_index("kind")
    assert [set(pair) for pair in pairs.loc["identical", ["row_1", "row_2"]].to_numpy()] == [
        {"ISIC_0029861", "ISIC_0024366"},
        {"ISIC_0029938", "ISIC_0024777"},
    ]
    near = pairs.loc["near"]
    one_lesion = ham.groups[near["row_1"]].to_numpy() == ham.groups[near["row_2"]].to_numpy()
    assert 60 < len(near) < 120
    assert near[["row_1", "row_2"]][~one_lesion].to_numpy().tolist() == [recoloured]
    assert report.columns["column"].tolist() == ["dx_type"] and report.missingness.empty


def test_milk10k(real_data, tmp_path):
    milk = load_milk10k(real_data("milk10k"), include_leaky=True)
    table = milk.data.drop(columns=milk.image_columns)
    columns = check_data(table, milk.target).columns
    assert set(columns["column"]) == set(milk.leaky_columns)
    assert "diagnosis_full" in set(columns.query("reason == 'predicts the label'")["column"])
    copies = [
        ["IL_1562251", "IL_2734125", "clinical"],
        ["IL_2812139", "IL_9590648", "clinical"],
        ["IL_1808002", "IL_5835237", "dermoscopy"],
        ["IL_2779245", "IL_6365837", "dermoscopy"],
        ["IL_6755192", "IL_9247349", "dermoscopy"],
    ]
    named = [row for pair in copies for row in pair[:2]]
    rows = milk.data.index.isin(named) | (np.arange(len(milk.data)) < 400)
    report = check_data(milk.data.loc[rows, milk.image_columns], milk.target[rows])
    found = report.images[["row_1", "row_2", "column_1"]].to_numpy().tolist()
    assert found == copies and report.labels.empty
