"""Sphinx builds these pages with MyST."""

project = "Anchor"
author = "The Anchor authors"
extensions = ["myst_parser", "sphinxcontrib.mermaid"]
myst_fence_as_directive = ["mermaid"]
html_theme = "furo"
myst_heading_anchors = 3
exclude_patterns = ["_build"]
