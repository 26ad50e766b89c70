"""Links from an estimator's diagram to its page of the documentation."""

import os
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from urllib.parse import quote


class DocLinkMixin:
    """Give an estimator's HTML diagram its "?", which leads to the class's page.

    The pages are those under the environment variable ``SKLEARN_SKIN_DOCS``, a folder such as
    "~/sklearn_skin/docs/_build/html" or the address of a server of the hospital's; without it,
    under the address that the installed package calls its documentation. Where there is neither,
    a diagram has no link. It stands before BaseEstimator among the bases.

    Examples
    --------
    >>> import os
    >>> from unittest.mock import patch
    >>> from sklearn_skin.preprocessing import CLAHE
    >>> with patch.dict(os.environ, {"SKLEARN_SKIN_DOCS": "https://docs.example"}):
    ...     CLAHE()._get_doc_link()
    'https://docs.example/generated/sklearn_skin.preprocessing.CLAHE.html'
    """

    _doc_link_module = "sklearn_skin"

    @property
    def _doc_link_template(self):
        address = _address()
        # scikit-learn makes no link of an empty text.
        return address and f"{address}/generated/{{estimator_module}}.{{estimator_name}}.html"


def _address():
    """Return where the documentation is, or an empty text."""
    address = os.environ.get("SKLEARN_SKIN_DOCS", "").strip() or _published()
    if address and not re.match(r"[A-Za-z][\w+.-]+:", address):
        address = Path(os.path.expanduser(address)).absolute().as_uri()
    # A browser takes no blanks and quotes, and a template no braces.
    return quote(address.rstrip("/"), safe=":/?#[]@!$&()*+,;=%~")


@cache
def _published():
    """Return what the installed package calls its documentation, or an empty text."""
    try:
        urls = metadata("sklearn_skin").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    named = {name.strip(): url.strip() for name, _, url in (url.partition(",") for url in urls)}
    return named.get("Documentation", "")
