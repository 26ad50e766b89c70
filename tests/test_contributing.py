"""The recipes of CONTRIBUTING.md, followed to the letter."""

import importlib
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_skin.datasets import make_lesions
from sklearn_skin.modules.fusion import FUSIONS, make_fusion
from sklearn_skin.neural_network import JointFusionClassifier
from sklearn_skin.preprocessing import make_lesion_transformer

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"
TINY = {"backbone": "test_resnet", "weights": None, "image_size": 32, "max_epochs": 1}
TINY |= {"cache_dir": None, "random_state": 0, "device": "cpu"}


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Return a function: file name on the page -> module made of the code that follows it."""
    text = PAGE.read_text(encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    def make(name):
        code = re.search(rf"`\S*/{name}\.py`.*?```python\n(.*?)```", text, flags=re.DOTALL)[1]
        (tmp_path / f"recipe{name}.py").write_text(code, encoding="utf-8")
        monkeypatch.delitem(sys.modules, f"recipe{name}", raising=False)
        return importlib.import_module(f"recipe{name}")

    return make


@pytest.fixture(scope="module")
def lesions():
    return make_lesions(24, image_size=32, random_state=0)


def assert_described(cls, names):
    """The suite refuses a public class without its parameters or an example."""
    assert "Examples\n    --------\n" in cls.__doc__
    for name in names:
        assert re.search(rf"^    {name} :", cls.__doc__, flags=re.MULTILINE), name


def test_the_recipe_for_an_operator(recipe, lesions, monkeypatch):
    cls = recipe("_sum").SumFusion
    monkeypatch.setitem(FUSIONS, "sum", cls)
    assert_described(cls, ["image_dim", "metadata_dim"])
    operator = make_fusion("sum", 4, 3)
    image, metadata = torch.rand(2, 4), torch.rand(2, 3)
    weight, bias = (p.detach().numpy() for p in operator.project.parameters())
    expected = image.numpy() @ weight.T + bias + metadata.numpy()
    assert_allclose(operator(image, metadata).detach(), expected, rtol=1e-5)
    check = runpy.run_path(str(PAGE.parent / "tests/modules/test_fusion.py"))
    check["test_additive_operators_and_no_others_have_no_second_difference"]("sum", {})
    net = JointFusionClassifier(fusion="sum", **TINY)
    model = make_pipeline(make_lesion_transformer(), net).fit(lesions.data, lesions.target)
    assert type(model[-1].module_.fusion).__name__ == "SumFusion"
    assert_allclose(model.predict_proba(lesions.data).sum(axis=1), 1.0)


def test_the_recipe_for_a_system(recipe, lesions):
    cls = recipe("_tempered").TemperedClassifier
    net = cls(metadata_weight=0.5, **TINY)
    assert clone(net).metadata_weight == 0.5 and clone(net).backbone == "test_resnet"
    assert_described(cls, [*cls().get_params(), "module_"])
    model = make_pipeline(make_lesion_transformer(), net)
    scores = cross_val_score(model, lesions.data, lesions.target, cv=2, error_score="raise")
    assert np.isfinite(scores).all()
    branches = model.fit(lesions.data, lesions.target)[-1].branch_weights_
    assert list(branches) == ["image", "metadata", "fusion"]
    gap = lesions.data.copy()
    gap.loc[gap.index[0], "image"] = None
    model[-1].set_params(allow_missing_images=True)
    assert np.isfinite(model.fit(gap, lesions.target).predict_proba(gap)).all()
