"""A figure of a recorded measurement: the role ``{recorded}`name path format` ``.

``{recorded}`mutation_framing share .0%` `` writes what ``benchmarks/results/mutation_framing.json``
holds there, in that format. So no figure on a page is typed by hand, and a record that is repeated
changes the page. A place that the record does not have is an error of the build. ``matrix_*``
means all records whose names begin so, and their names are the first words of the place.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"


def figure(text: str) -> str:
    """What `text` names: a record, a place in it with dots, and a format (",", ".0%" or none).

    A place that ends in ``*`` is the sum or the count of what is there: numbers, or names.
    """
    name, place, *form = text.split()
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in records(name)}
    value: Any = found if "*" in name else found[name]
    values, several = [value], False
    for word in place.split("."):
        if word == "*":
            values, several = [part for one in values for part in parts(one)], True
            continue
        if several:  # of many, some may not have it
            values = [one for one in values if not isinstance(one, dict) or word in one]
        values = [one[int(word) if isinstance(one, list) else word] for one in values]
    if not values:
        raise KeyError(place)
    if several:
        numbers = [one for one in values if isinstance(one, (int, float))]
        value = sum(numbers) if len(numbers) == len(values) else len(values)
    else:
        (value,) = values
    return format(value, form[0] if form else "")


def records(name: str) -> list[Path]:
    """The files of a name, one or with ``*`` several."""
    return sorted(RESULTS.glob(f"{name}.json"))


def parts(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else list(value)


class Recorded(SphinxRole):
    """``{recorded}``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            text = figure(self.text)
        except (OSError, KeyError, IndexError, ValueError) as error:
            message = self.inliner.reporter.error(
                f"no such figure: {self.text} ({error!r})", line=self.lineno
            )
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]
        for path in records(self.text.split()[0]):
            self.env.note_dependency(str(path))
        return [nodes.inline(text, text)], []


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_role("recorded", Recorded())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
