"""What all loaders do, on tiny folders that each data set's own test module writes."""

import importlib
import re
import shutil
import warnings

import pandas as pd
import pytest

from sklearn_skin import datasets
from sklearn_skin.image import ImageDtype
from sklearn_skin.preprocessing import make_lesion_transformer

LOADERS = [name for name in datasets.__all__ if name.startswith("load_")]
pytestmark = pytest.mark.filterwarnings("ignore:The table's class counts:UserWarning")


@pytest.fixture(params=LOADERS)
def case(request, tmp_path):
    """Return the loader, its folder, the table with the patients, and where the data are from."""
    load, name = getattr(datasets, request.param), request.param.removeprefix("load_")
    module = importlib.import_module(f"test_{name}")
    root = module.write(tmp_path / name)
    return load, root, module.TABLE, re.search(r":Source: (\S+)", load(root).DESCR)[1]


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


def test_no_column_is_named_like_an_identifier(case):
    load, root, *_ = case
    bunch = load(root, include_leaky=True)
    X = pd.concat([bunch.data[bunch.metadata_columns]] * 3, ignore_index=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*identifier")
        make_lesion_transformer().fit(X)


def test_return_X_y(case):
    load, root, *_ = case
    bunch, (X, y) = load(root), load(root, return_X_y=True)
    assert X.equals(bunch.data) and y.equals(bunch.target)


def test_a_missing_table_is_named_with_where_to_get_it(case):
    load, root, table, source = case
    (root / table).unlink()
    with pytest.raises(FileNotFoundError, match=f"{table.split('/')[-1]}.*{re.escape(source)}"):
        load(root)


def test_a_missing_folder_is_named_with_where_to_get_it(case):
    load, root, _, source = case
    with pytest.raises(FileNotFoundError, match=f"`root` must be.*{re.escape(source)}"):
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
    with pytest.raises(
        FileNotFoundError, match=f"1 of .* image files are missing.*{re.escape(source)}"
    ):
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
