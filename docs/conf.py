"""Sphinx settings. The build needs no network; set SKLEARN_SKIN_GALLERY=1 to run the examples."""

import html
import importlib
import os
import re
import sys
from pathlib import Path

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from sphinx.util import logging

import sklearn_skin

logger = logging.getLogger(__name__)

project = "sklearn_skin"
author = copyright = "the sklearn_skin developers"
version = release = sklearn_skin.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = [
    "_build",
    "user_guide/*_table.rst",
    "sg_execution_times.rst",
]
default_role = "literal"

autosummary_generate = True
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {
    "members": True,
    # What scikit-learn, pandas, torch and skorch document themselves.
    "inherited-members": "BaseEstimator, TransformerMixin, ClassifierMixin, MetaEstimatorMixin, "
    "_BaseHeterogeneousEnsemble, _MetadataRequester, BaseSampler, SamplerMixin, "
    "_SetOutputMixin, ColumnTransformer, ExtensionArray, ExtensionDtype, Module, Callback, "
    "Warning, Exception, tuple, object",
    "exclude-members": "set_fit_request, set_score_request, set_predict_request, "
    "set_transform_request, set_split_request, set_partial_fit_request, __new__",
}
numpydoc_show_class_members = False
myst_heading_anchors = 3

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "/plot_",
    "ignore_pattern": r"/(benchmarks|reproduce)/|__init__\.py",
    "plot_gallery": os.environ.get("SKLEARN_SKIN_GALLERY", "") == "1",
    "download_all_examples": False,
    "show_memory": False,
    "remove_config_comments": True,
}

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "sklearn_skin"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["docs.css"]
html_theme_options = {
    "logo": {"text": "sklearn_skin"},
    "navigation_depth": 3,
    "show_toc_level": 2,
    "header_links_before_dropdown": 7,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "install": [], "results": [], "changelog": [], "contributing": []}


def _to_mathml(node, as_block=False):
    # What docutils' converter lacks; fences stretch by themselves in MathML.
    tex = re.sub(r"\\Big(?![a-z])", "", node.astext().replace(r"\dots", r"\ldots"))
    tex = re.sub(r"\\([td]?frac)\s*(\w)\s*(\w)", r"\\\1{\2}{\3}", tex)
    try:
        return latex2mathml.tex2mathml(tex, as_block)
    except MathError as error:
        logger.warning("%s", error, location=node)
        return f"<code>{html.escape(node.astext())}</code>"


def _inline_math(writer, node):
    writer.body.append(_to_mathml(node))
    raise nodes.SkipNode


def _math_block(writer, node):
    writer.body.append(f'<div class="math-block">{_to_mathml(node, as_block=True)}</div>')
    raise nodes.SkipNode


def write_generated_pages():
    """Write what is a copy of facts of the code: the reference and the guide's tables."""
    sys.path.insert(0, str(Path(__file__).parent))
    for name in ("make_api", "make_dataset_table", "make_operator_table", "make_preset_table"):
        script = importlib.import_module(name)
        page = script.make_page()
        # An untouched file keeps its time, and Sphinx what it has built of it.
        if not script.TARGET.exists() or script.TARGET.read_text(encoding="utf-8") != page:
            script.TARGET.write_text(page, encoding="utf-8")


def setup(app):
    """Write formulas as MathML, which browsers show without fetching a script."""
    app.add_html_math_renderer("mathml", (_inline_math, None), (_math_block, None))
    # Before Sphinx looks for pages.
    write_generated_pages()
