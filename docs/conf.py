"""Sphinx: how the documentation is built (`make site`)."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

import mqbg  # noqa: E402
import reference_from_code  # noqa: E402 - it lies beside this file

project = "mqbg"
author = "the mqbg developers"
version = release = mqbg.__version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_static"]
nitpicky = False
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# Outputs come from `make test-notebooks`, which runs every notebook; building the site runs none.
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"  # tables of the model card
suppress_warnings = ["mystnb.unknown_mime_type"]  # widgets' own types, beside the text they carry

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "mqbg"
html_show_sphinx = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["tables.css"]

GENERATED = HERE / "_generated"
NOTEBOOKS = HERE / "_notebooks"
EXECUTED_NOTEBOOKS = ROOT / "build" / "notebooks"


def write_generated_pages(_app: Sphinx) -> None:
    """Write what is made from the code, and lay the notebooks where Sphinx reads them."""
    GENERATED.mkdir(exist_ok=True)
    for name, page in reference_from_code.pages().items():
        (GENERATED / name).write_text(page, encoding="utf-8")
    NOTEBOOKS.mkdir(exist_ok=True)
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        executed = EXECUTED_NOTEBOOKS / notebook.name
        shutil.copyfile(executed if executed.is_file() else notebook, NOTEBOOKS / notebook.name)


def setup(app: Sphinx) -> None:
    """Sphinx calls this once, before it reads the pages."""
    for name in ("cron", "csv"):  # Pygments has none
        app.add_lexer(name, TextLexer)
    app.connect("builder-inited", write_generated_pages)
