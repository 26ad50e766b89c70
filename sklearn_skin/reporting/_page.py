"""From sections to one file."""

import base64
import hashlib
import os
from importlib import resources
from pathlib import Path

from sklearn_skin.utils import optional_import


def render(**values):
    """Return the page as text; everything but our own markup is escaped.

    Parameters
    ----------
    **values
        What the template shows.
    """
    jinja2 = optional_import("jinja2", "report")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sklearn_skin.reporting", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (resources.files("sklearn_skin.reporting") / "script.html").read_text("utf-8")
    # The browser runs this script and no other, and loads nothing from anywhere.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    template = environment.get_template("report.html")
    return template.render(script=script, policy=policy, **values)


def check_output(output):
    """Return `output` as a Path, or raise before any work is done.

    Parameters
    ----------
    output : path-like
        File to write.
    """
    path = Path(output).expanduser()
    if path.is_dir():
        raise IsADirectoryError(f"`output` must be a file; {path} is a folder.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"`output`: the folder {path.parent} does not exist.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"`output`: the folder {path.parent} is not writable.")
    return path
