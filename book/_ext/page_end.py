"""The end of every notebook's page: the versions and the day that its numbers come from.

They are read from ``verified`` in the notebook's metadata, where ``scripts/notebooks.py run`` put
them. Nothing is typed by hand, and a page without the record stops the build.
"""

import datetime
import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util import logging

MONTHS = [
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
]


def sentence(verified: dict[str, Any]) -> str:
    """In words: the versions, the day, and the seconds if they were measured."""
    day = datetime.date.fromisoformat(verified["on"])
    versions = f"Keras {verified['keras']}, TensorFlow {verified['tensorflow']}"
    if "python" in verified:
        versions += f", Python {verified['python']}"
    text = f"Verified with {versions} on {day.day} {MONTHS[day.month - 1]} {day.year}."
    if "seconds" in verified:
        text += f" The cells of this page ran for {verified['seconds']} seconds."
    return text


def add(app: Any, doctree: nodes.document) -> None:
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    verified = json.loads(path.read_text(encoding="utf-8"))["metadata"].get("verified")
    if not verified:
        logging.getLogger(__name__).warning(
            "no record of the run: python scripts/notebooks.py stamp", location=app.env.docname
        )
        return
    sections = [node for node in doctree.children if isinstance(node, nodes.section)]
    line = nodes.paragraph("", sentence(verified), classes=["verified"])
    (sections[-1] if sections else doctree).append(line)


def setup(app: Any) -> dict[str, Any]:
    app.connect("doctree-read", add)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
