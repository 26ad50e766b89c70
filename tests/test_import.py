"""Importing the package is cheap, and importing a part brings in no more than it needs."""

import importlib
import subprocess
import sys

import pytest

import sklearn_skin


def loaded_after(statement):
    code = f"import sys; {statement}; print(*sorted(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


def test_the_package_alone_imports_neither_torch_nor_pandas():
    heavy = {"torch", "pandas", "skorch", "timm", "kornia", "cv2", "optuna", "matplotlib"}
    assert not heavy & loaded_after("import sklearn_skin")


def test_data_sets_need_no_torch():
    statement = "from sklearn_skin.datasets import make_lesions; make_lesions(2, image_size=16)"
    assert "torch" not in loaded_after(statement)


def test_networks_bring_no_more_than_they_need_to_be_made():
    loaded = loaded_after("from sklearn_skin.neural_network import ImageClassifier")
    assert "torch" in loaded
    assert not {"timm", "kornia", "cv2", "optuna", "matplotlib", "captum"} & loaded


@pytest.mark.parametrize("name", sklearn_skin.__all__)
def test_every_public_name_is_there(name):
    module = importlib.import_module(f"sklearn_skin.{name}")
    for attribute in getattr(module, "__all__", []):
        assert getattr(module, attribute) is not None
    assert set(getattr(module, "__all__", [])) <= set(dir(module))


def test_versions_of_everything_are_shown(capsys):
    sklearn_skin.show_versions()
    shown = capsys.readouterr().out
    for name in ("python", "torch threads", "GPU", "sklearn_skin", "scikit-learn", "captum"):
        assert f"{name}: " in shown
    assert "None" not in shown


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = sklearn_skin.nonsense
