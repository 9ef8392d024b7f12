"""How printed outputs of notebooks are compared: number by number.

nbval compares texts character by character. A trained network gives the same
numbers on one machine, but its last digits move with the CPU. So here a *decimal*
number (``102.31``, ``1.5e-03``, ``100.``) may move by a stated tolerance, and everything
else is compared exactly: words, punctuation, line breaks, whole numbers (counts,
shapes such as ``(6, 3, 1)``, dates, years), and how many outputs there are.
Spaces beside a number may differ, because a column is padded to its widest number.

Text written to stderr is not compared (libraries log there); pictures are not compared
(nbval skips PNG and JPEG), but that there is one is: its ``<Figure size ...>`` is text.

An author widens the tolerance of one cell, or of a notebook, by a tag in its metadata::

    "metadata": {"tags": ["rtol-0.02"]}       # 2 % in this cell
    "metadata": {"tags": ["atol-0.5"]}        # plus 0.5 in the printed unit

A message of Keras has other words in other versions of it. A cell that prints one is
compared where it is the version of ``requirements.txt``, and anywhere else it must run::

    "metadata": {"tags": ["words-of-keras"]}

An author prints four digits or more where a rounding could flip: ``0.4`` against ``0.5`` is a
change of a quarter, whatever the tolerance.
"""

from __future__ import annotations

import copy
import importlib.metadata
import math
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

RTOL = 1e-3
"""Relative tolerance of a decimal number, where no tag says otherwise."""
ATOL = 1e-6
"""Absolute tolerance: for numbers that are zero but for rounding."""
RTOL_MAX = 0.1
"""A wider tag is refused: it would prove nothing."""

WORDS_OF = {"words-of-keras": "keras"}
"""Tags of cells that print messages of a library, and the library."""
PINS = Path(__file__).resolve().parents[1] / "requirements.txt"

COMPARED_AS_NUMBERS = ("text/plain", "text/html", "text/markdown")
NOT_COMPARED = ("image/svg+xml",)

_NUMBER = re.compile(
    r"""
    (?<![\w.])                          # not inside a word (LSTM2, 0x7f) or a decimal
    (?P<number>
        (?:(?<![^\s\[({=:,<>|~±≈"'])[-+−])?  # a sign, but not the hyphen of 2014-12-31
        (?:
            (?:\d{1,3}(?:,\d{3})+|\d+)\.\d+(?!\d|\.\d)(?:[eE][-+]?\d+)?  # 1.5  1,234.5  1.5e-3
          | \d+[eE][-+]?\d+(?!\w)                                          # 1e-05
          | \d+\.(?=\s*(?:[\],)]|[-−]?\d+\.))(?!\d)                        # 100. as NumPy prints it
        )
    )
    """,
    re.VERBOSE,
)
# Beside a decimal, padding is free; elsewhere a run of blanks counts as one blank.
_BLANKS = re.compile(r"[^\S\n]+")
_TAG = re.compile(r"^(rtol|atol)-(.*)$")


def split_numbers(text: str) -> tuple[list[str], list[str]]:
    """Cut a text into what is compared exactly and the decimal numbers between.

    >>> split_numbers("X (6, 3, 1): loss 0.25, 2014-12-31")
    (['X (6, 3, 1): loss', ', 2014-12-31'], ['0.25'])
    """
    words, numbers, end = [], [], 0
    for match in _NUMBER.finditer(text):
        words.append(text[end : match.start()])
        numbers.append(match["number"])
        end = match.end()
    words.append(text[end:])
    return [_BLANKS.sub(" ", word).strip(" ") for word in words], numbers


def first_difference(
    reference: str, new: str, rtol: float = RTOL, atol: float = ATOL
) -> str | None:
    """Say what differs first between two printed outputs, or None when they agree.

    >>> first_difference("mean 102.31", "mean 102.33")
    >>> first_difference("mean 102.31", "mean 103.9")
    'number 102.31 became 103.9: a change of 0.0153, the tolerance is 0.001'
    >>> first_difference("mean 102.31", "median 102.31")
    "text 'mean' became 'median'"
    """
    if reference == new:
        return None
    old_words, old_numbers = split_numbers(reference)
    new_words, new_numbers = split_numbers(new)
    for i, (old_word, new_word) in enumerate(zip(old_words, new_words, strict=False)):
        if old_word != new_word:
            return f"text {old_word!r} became {new_word!r}"
        if i < min(len(old_numbers), len(new_numbers)):
            a, b = _value(old_numbers[i]), _value(new_numbers[i])
            if not math.isclose(a, b, rel_tol=rtol, abs_tol=atol):
                change = abs(a - b) / max(abs(a), abs(b))
                return (
                    f"number {old_numbers[i]} became {new_numbers[i]}: "
                    f"a change of {change:.3g}, the tolerance is {rtol:g}"
                )
    if len(old_numbers) != len(new_numbers):
        return f"{len(old_numbers)} decimal numbers became {len(new_numbers)}"
    return None


def _value(number: str) -> float:
    return float(number.replace(",", "").replace("−", "-"))


def tolerances(tags: list[str]) -> tuple[float, float]:
    """The tolerances that a list of tags asks for.

    >>> tolerances(["hide-input", "rtol-0.02"])
    (0.02, 1e-06)
    """
    found = {"rtol": RTOL, "atol": ATOL}
    for tag in tags:
        if match := _TAG.match(tag):
            kind, text = match.groups()
            try:
                value = float(text)
            except ValueError:
                value = math.nan
            if not value >= 0 or math.isinf(value):
                raise ValueError(f"tag {tag!r}: expected a number, as in '{kind}-0.02'")
            if kind == "rtol" and value > RTOL_MAX:
                raise ValueError(f"tag {tag!r}: at most rtol-{RTOL_MAX:g}, or it proves nothing")
            found[kind] = max(found[kind], value)
    return found["rtol"], found["atol"]


def has_other_words(tags: list[str], pins: str | None = None) -> bool:
    """Whether a cell prints messages of a library of which another version is installed.

    >>> has_other_words(["words-of-keras"], "keras==1.2.3")
    True
    >>> has_other_words(["rtol-0.02"], "keras==1.2.3")
    False
    """
    pins = PINS.read_text(encoding="utf-8") if pins is None else pins
    pinned = dict(re.findall(r"^([\w-]+)==([\w.]+)", pins, re.MULTILINE))
    libraries = [WORDS_OF[tag] for tag in tags if tag in WORDS_OF]
    return any(importlib.metadata.version(name) != pinned[name] for name in libraries)


def adopt_close_outputs(
    stored: list[Any], new: list[Any], rtol: float = RTOL, atol: float = ATOL
) -> tuple[list[Any], list[str]]:
    """Replace the texts of new outputs that agree with the stored ones by the stored texts.

    Outputs are notebook cells' (streams of one name already joined). They are paired as
    nbval pairs them: the first text/html with the first text/html, and so on.

    Returns the new outputs and, for each text that still differs, what differs first.
    """
    texts: dict[str, list[str]] = defaultdict(list)
    for kind, holder, key in _texts(stored):
        texts[kind].append(holder[key])
    seen: dict[str, int] = defaultdict(int)
    adopted = copy.deepcopy(new)
    differences = []
    for kind, holder, key in _texts(adopted):
        position, seen[kind] = seen[kind], seen[kind] + 1
        if position < len(texts[kind]):
            old = texts[kind][position]
            if difference := first_difference(old, holder[key], rtol, atol):
                differences.append(f"{kind}: {difference}")
            else:
                holder[key] = old
    return adopted, differences


def without_stderr(outputs: list[Any]) -> list[Any]:
    """The outputs without what was written to stderr."""
    return [output for output in outputs if output.get("name") != "stderr"]


def _texts(outputs: list[Any]) -> list[tuple[str, Any, str]]:
    """Every text that is compared by numbers: what it is, and where (holder and key)."""
    found: list[tuple[str, Any, str]] = []
    for output in outputs:
        if output["output_type"] == "stream":
            found.append((output["name"], output, "text"))
        for kind in COMPARED_AS_NUMBERS:
            if isinstance(output.get("data", {}).get(kind), str):
                found.append((kind, output["data"], kind))
    return found


def install() -> None:
    """Make nbval compare in this way (called by the root conftest.py)."""
    from nbval import plugin

    original = plugin.IPyNbCell.compare_outputs
    if getattr(original, "by_numbers", False):
        return

    def compare_outputs(self, test, ref, skip_compare=None):
        skip = (*(skip_compare or self.parent.skip_compare), *NOT_COMPARED)
        tags = [*self.parent.nb.metadata.get("tags", []), *self.cell.metadata.get("tags", [])]
        if has_other_words(tags):
            return True
        stored = without_stderr(ref)
        new, differences = adopt_close_outputs(stored, without_stderr(test), *tolerances(tags))
        same = original(self, new, stored, skip_compare=skip)
        if not same:
            self.comparison_traceback[:0] = differences
        return same

    compare_outputs.by_numbers = True
    plugin.IPyNbCell.compare_outputs = compare_outputs
