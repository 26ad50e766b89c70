"""Diagrams lead to the documentation."""

from importlib.metadata import PackageNotFoundError

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_skin.ensemble import WeightedFusionClassifier
from sklearn_skin.neural_network import BaseImageNetwork, ImageClassifier
from sklearn_skin.preprocessing import CLAHE
from sklearn_skin.utils import _doc_link, all_estimators

ESTIMATORS = [pytest.param(cls, id=name) for name, cls in all_estimators()]
REQUIRED = {"estimators": [("a", LogisticRegression())], "sampler": None}


@pytest.fixture(autouse=True)
def docs(monkeypatch):
    monkeypatch.setenv("SKLEARN_SKIN_DOCS", "file:///docs/")


def make(cls):
    names = cls._get_param_names()
    return cls(**{name: value for name, value in REQUIRED.items() if name in names})


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_every_public_estimator_leads_to_the_page_of_its_public_name(cls):
    package = cls.__module__.split("._")[0]
    page = f"file:///docs/generated/{package}.{cls.__name__}.html"
    assert make(cls)._get_doc_link() == page


def test_the_diagram_of_a_pipeline_has_links_to_both_libraries():
    html = make_pipeline(StandardScaler(), CLAHE(), ImageClassifier())._repr_html_()
    assert "file:///docs/generated/sklearn_skin.neural_network.ImageClassifier.html" in html
    assert "file:///docs/generated/sklearn_skin.preprocessing.CLAHE.html" in html
    assert "modules/generated/sklearn.preprocessing.StandardScaler.html" in html
    inner = WeightedFusionClassifier([("image", ImageClassifier())])
    assert "sklearn_skin.ensemble.WeightedFusionClassifier.html" in inner._repr_html_()


def test_the_package_names_its_documentation_where_the_environment_does_not(monkeypatch):
    monkeypatch.delenv("SKLEARN_SKIN_DOCS")
    assert CLAHE()._get_doc_link() == ""

    class Published:
        def get_all(self, name):
            return ["Homepage, https://a.example", "Documentation, https://b.example/docs"]

    monkeypatch.setattr(_doc_link, "metadata", lambda name: Published())
    page = "https://b.example/docs/generated/sklearn_skin.preprocessing.CLAHE.html"
    assert CLAHE()._get_doc_link() == page


def test_a_package_that_is_not_installed_has_no_address(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.delenv("SKLEARN_SKIN_DOCS")
    monkeypatch.setattr(_doc_link, "metadata", missing)
    assert CLAHE()._get_doc_link() == ""


def test_a_network_of_a_users_own_has_no_page():
    class Mine(BaseImageNetwork):
        pass

    assert Mine()._get_doc_link() == ""
