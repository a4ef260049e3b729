"""What Sphinx is told: its theme, how it reads Markdown, and nothing from the net."""

from __future__ import annotations

from typing import Any

from pygments.lexers.special import TextLexer

import tallow

project = "Tallow"
author = "Tallow"
release = tallow.__version__
html_title = f"Tallow {release}"
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_use_index = False
html_domain_indices = False
smartquotes = False
html_theme_options = {"navigation_with_keys": True}
extensions = ["myst_parser"]
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline", "colon_fence"]
highlight_language = "text"
suppress_warnings = ["myst.header"]


def setup(app: Any) -> None:
    """Show a screen's text as it is: no lexer knows the language."""
    app.add_lexer("screen", TextLexer)
