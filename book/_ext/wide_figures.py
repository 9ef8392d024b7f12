"""Figures wider than a phone keep a width at which they can be read, and open at full size.

A figure of 800 pixels on a page of 320 would have letters of five. Such a one is given its own
width: Sphinx then makes it a link to the picture itself, and `book.css` lets it scroll inside its
own frame on a narrow screen.

Prose that a cell prints, such as the message of an error, comes as one long line. It is wrapped:
prose does not scroll sideways.
"""

from pathlib import Path
from typing import Any

from docutils import nodes
from PIL import Image

WIDE = 540  # pixels; pictures of models are narrower, and fit
LONG = 50  # characters: a longer line is prose, or of a table, whose columns have spaces between


def mark(app: Any, doctree: nodes.document, docname: str) -> None:
    if app.builder.format != "html":
        return
    for node in doctree.findall(nodes.image):
        path = Path(app.srcdir, node["uri"])
        if path.suffix == ".png" and path.exists():
            with Image.open(path) as picture:
                width = picture.width
            if width > WIDE:
                node["classes"].append("wide")
                node["width"] = f"{width}px"
    for node in doctree.findall(nodes.literal_block):
        if {"output", "stream"} <= set(node["classes"]):
            long = [line for line in node.astext().splitlines() if len(line) > LONG]
            if long and not any("  " in line.strip() for line in long):
                node["classes"].append("printed-prose")


def setup(app: Any) -> dict[str, Any]:
    app.connect("doctree-resolved", mark)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
