"""How the site is built: ``make docs``. Broken links and pages that no list names are errors."""

from __future__ import annotations

project = "splitjoin"
author = "The splitjoin developers"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "schemas"]
html_theme = "furo"
html_title = "splitjoin"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
myst_heading_anchors = 3
nitpicky = True
html_theme_options = {"footer_icons": [], "top_of_page_buttons": []}
