"""Figures wider than a phone keep a width at which they can be read, and open at full size.

A figure of 800 pixels on a page of 320 would have letters of five. Such a one is given its own
width: Sphinx then makes it a link to the picture itself, and `book.css` lets it scroll inside its
own frame on a narrow screen.

Prose that a cell prints, such as the message of an error, comes as one long line. It is wrapped:
prose does not scroll sideways. In a table of numbers short cells are not wrapped, on a phone either: a
time stays in one line, and the table scrolls.
"""

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from PIL import Image

WIDE = 540  # pixels; pictures of models are narrower, and fit
WIDER = 640  # narrower ones, such as a loss over epochs, are made to fit a phone nearly whole
LONG = 50  # characters: a longer line is prose, or of a table, whose columns have spaces between
SHORT = 34  # characters of a cell that is not prose
CELL = re.compile(r"<(t[dh])>([^<]*)</")


def mark(app: Any, doctree: nodes.document, docname: str) -> None:
    if app.builder.format != "html":
        return
    for node in doctree.findall(nodes.image):
        path = Path(app.srcdir, node["uri"])
        if path.suffix == ".png" and path.exists():
            with Image.open(path) as picture:
                width = picture.width
            if width > WIDE:
                node["classes"].append("wide" if width > WIDER else "middling")
                node["width"] = f"{width}px"
    for node in doctree.findall(nodes.literal_block):
        if {"output", "stream"} <= set(node["classes"]):
            lines = node.astext().splitlines()
            columns = any("  " in line.strip() for line in lines)
            if not columns and any(len(line) > LONG for line in lines):
                node["classes"].append("printed-prose")
    for raw in doctree.findall(nodes.raw):
        if 'class="dataframe"' in raw.rawsource or 'class="dataframe"' in raw.astext():
            raw.children = [nodes.Text(CELL.sub(short_cell, raw.astext()))]


def short_cell(found: re.Match[str]) -> str:
    """The cell of a data frame, marked if it is short: a name, or a number, a shape, a time."""
    tag, text = found.groups()
    if not 0 < len(text.strip()) <= SHORT:  # an empty corner is no cell of the table
        return found[0]
    kind = "short number" if re.match(r"[-+(]?\d", text.strip()) else "short"
    return f'<{tag} class="{kind}">{text}</'


def setup(app: Any) -> dict[str, Any]:
    app.connect("doctree-resolved", mark)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
