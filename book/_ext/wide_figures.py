"""Figures wider than a phone keep a width at which they can be read, and open at full size.

A figure of 800 pixels on a page of 320 would have letters of five. Such a one is given its own
width: Sphinx then makes it a link to the picture itself, and `book.css` lets it scroll inside its
own frame on a narrow screen.
"""

from pathlib import Path
from typing import Any

from docutils import nodes
from PIL import Image

WIDE = 540  # pixels; pictures of models are narrower, and fit


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


def setup(app: Any) -> dict[str, Any]:
    app.connect("doctree-resolved", mark)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
