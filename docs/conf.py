"""Sphinx builds these pages with MyST."""

project = "Anchor"
author = "The Anchor authors"
extensions = ["myst_parser"]
html_theme = "furo"
myst_heading_anchors = 3
exclude_patterns = ["_build"]
