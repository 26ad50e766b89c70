"""Diagrams lead to the documentation."""

from importlib.metadata import PackageNotFoundError

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_skin.ensemble import WeightedFusionClassifier
from sklearn_skin.neural_network import BaseImageNetwork, ImageClassifier
from sklearn_skin.preprocessing import CLAHE, make_lesion_transformer
from sklearn_skin.utils import _doc_link, all_estimators

ESTIMATORS = [pytest.param(cls, id=name) for name, cls in all_estimators()]
REQUIRED = {"estimators": [("a", LogisticRegression())], "sampler": None}


@pytest.fixture(autouse=True)
def docs(monkeypatch):
    monkeypatch.setenv("SKLEARN_SKIN_DOCS", "file:///docs/")
    _doc_link._published.cache_clear()
    yield
    _doc_link._published.cache_clear()


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


PAGE = "/generated/sklearn_skin.preprocessing.CLAHE.html"


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("https://d.example/", "https://d.example"),
        (" https://d.example\n", "https://d.example"),
        ("https://d.example/{version}", "https://d.example/%7Bversion%7D"),
        ("https://d.example/%7Eme/a?b=1", "https://d.example/%7Eme/a?b=1"),
        ('https://d.example/">', "https://d.example/%22%3E"),
        ("file:/srv/docs", "file:/srv/docs"),
        ("/srv/my docs", "file:///srv/my%20docs"),
        ("~/docs", "file:///home/me/docs"),
    ],
)
def test_addresses_and_folders_as_they_are_written(monkeypatch, given, address):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("SKLEARN_SKIN_DOCS", given)
    assert CLAHE()._get_doc_link() == address + PAGE
    assert f'href="{address}{PAGE}"' in CLAHE()._repr_html_()


def test_a_folder_beside_the_notebook(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKLEARN_SKIN_DOCS", "docs/html")
    assert CLAHE()._get_doc_link() == (tmp_path / "docs" / "html").as_uri() + PAGE


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_address_is_none(monkeypatch, blank):
    monkeypatch.setenv("SKLEARN_SKIN_DOCS", blank)
    assert CLAHE()._get_doc_link() == ""
    assert "sklearn_skin.preprocessing.CLAHE.html" not in CLAHE()._repr_html_()


def test_the_transformer_of_lesions_leads_to_the_function_that_makes_it(monkeypatch):
    page = "file:///docs/generated/sklearn_skin.preprocessing.make_lesion_transformer.html"
    transformer = make_lesion_transformer(image_steps="clahe")
    assert transformer._get_doc_link() == page and page in transformer._repr_html_()
    monkeypatch.delenv("SKLEARN_SKIN_DOCS")
    assert transformer._get_doc_link() == ""


def test_the_package_names_its_documentation_where_the_environment_does_not(monkeypatch):
    monkeypatch.delenv("SKLEARN_SKIN_DOCS")
    assert CLAHE()._get_doc_link() == ""
    _doc_link._published.cache_clear()

    class Published:
        def get_all(self, name):
            return ["https://a.example", "Documentation, https://b.example/docs"]

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
