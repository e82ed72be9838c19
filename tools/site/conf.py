"""Sphinx's configuration; Sphinx reads these names.

See https://www.sphinx-doc.org/en/master/usage/configuration.html.
"""

from importlib.metadata import version as version_of

project = "Locaria"
author = "The Locaria authors"
copyright = author
version = release = version_of("locaria")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"Locaria {release}"
html_static_path: list[str] = []

# Headings get anchors as on GitHub, so that a link works in both places.
myst_heading_anchors = 4
myst_enable_extensions = ["fieldlist"]
# Diagrams and output have no language of their own.
highlight_language = "none"

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
add_module_names = False
# Diagrams in Mermaid are shown as their source; Pygments does not know the language.
suppress_warnings = ["misc.highlighting_failure"]
