"""Links from an estimator's diagram to its page of the documentation."""

import os
from importlib.metadata import PackageNotFoundError, metadata


class DocLinkMixin:
    """Give an estimator's HTML diagram its "?", which leads to the class's page.

    The pages are those under the environment variable ``SKLEARN_SKIN_DOCS``, such as
    "file:///home/me/sklearn_skin/docs/_build/html" or a server of the hospital's; without it,
    under the address that the installed package calls its documentation. Where there is neither,
    a diagram has no link. It stands before BaseEstimator among the bases.

    Examples
    --------
    >>> import os
    >>> from sklearn_skin.preprocessing import CLAHE
    >>> os.environ["SKLEARN_SKIN_DOCS"] = "https://docs.example"
    >>> CLAHE()._get_doc_link()
    'https://docs.example/generated/sklearn_skin.preprocessing.CLAHE.html'
    >>> del os.environ["SKLEARN_SKIN_DOCS"]
    """

    _doc_link_module = "sklearn_skin"

    @property
    def _doc_link_template(self):
        return f"{_address()}/generated/{{estimator_module}}.{{estimator_name}}.html"

    def _get_doc_link(self):
        return super()._get_doc_link() if _address() else ""


def _address():
    """Return where the documentation is, or an empty text."""
    return (os.environ.get("SKLEARN_SKIN_DOCS") or _published()).rstrip("/")


def _published():
    try:
        urls = metadata("sklearn_skin").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    named = dict(url.split(", ", 1) for url in urls)
    return named.get("Documentation", "")
