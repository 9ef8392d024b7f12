"""The line "Time: ..." of every chapter: reading time counted, run time measured.

    python scripts/times.py check    (part of `make lint`)
    python scripts/times.py write    sets the lines that do not agree, and no others
    python scripts/times.py show

Reading time is counted: 200 words a minute for prose, ten lines of code a minute, thirty lines of
output a minute and twenty seconds for a figure, up to the next five minutes. The speeds are for
somebody who follows the argument; exercises take longer.

Run time was measured when the outputs were made (``verified`` in the notebook's metadata, see
``scripts/notebooks.py``). A notebook whose outputs are older than that record keeps its author's words.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "notebooks"
WORDS, CODE, PRINTED, FIGURE = 200, 10, 30, 1 / 3  # per minute; a figure: minutes
STEP = 5  # minutes
FACTOR = 2.5  # another machine, or another day
LINE = re.compile(r"(?P<mark>\**Time:\** )(?P<read>[^\n,]*? to read), (?P<run>[^\n]*?) to run")
HIDDEN = {"hide-input", "remove-input", "hide-cell", "remove-cell"}
LOOKED_UP = {"errors"}  # pages where nobody reads from the top have no such line
NUMBERS = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5}


def reading_minutes(nb: Any) -> int:
    """Minutes to read a notebook with its outputs, up to the next five."""
    minutes = 0.0
    for cell in nb.cells:
        tags = set(cell.metadata.get("tags", []))
        if cell.cell_type == "markdown":
            minutes += len(re.findall(r"[A-Za-z][\w'’-]*", cell.source)) / WORDS
            continue
        if cell.cell_type != "code":
            continue
        if not tags & HIDDEN:
            minutes += sum(bool(line.strip()) for line in cell.source.splitlines()) / CODE
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if any(kind.startswith("image/") for kind in data):
                minutes += FIGURE
            elif "text/markdown" in data:  # a listing of the package
                minutes += (
                    sum(bool(line.strip()) for line in data["text/markdown"].splitlines()) / CODE
                )
            else:
                text = output.get("text") or data.get("text/plain") or ""
                minutes += sum(bool(line.strip()) for line in text.splitlines()) / PRINTED
    return max(STEP, STEP * math.ceil(minutes / STEP - 0.1))


def run_words(seconds: float) -> str:
    """A measured time as a page says it."""
    if seconds <= 45:
        return "under a minute"
    if seconds < 75:
        return "about a minute"
    if seconds < 105:
        return "about a minute and a half"
    return f"about {round(seconds / 60)} minutes"


def run_seconds(words: str) -> tuple[float, float]:
    """The shortest and the longest time that a page's words stand for."""
    short = re.search(r"(?:under|less than) (a|one|two|\d+) minutes?", words)
    numbers = [
        float(NUMBERS.get(number, number))
        for number in re.findall(r"\b(a|one|two|three|four|five|\d+)\b(?! half)", words)
    ]
    if not numbers or "minute" not in words:
        raise ValueError(f"how many minutes is {words!r}?")
    if short:
        return 0.0, 60 * numbers[0]
    half = 0.5 if "and a half" in words else 0.0
    return 60 * (min(numbers) + half), 60 * (max(numbers) + half)


def time_line(nb: Any) -> re.Match[str] | None:
    for cell in nb.cells:
        if cell.cell_type == "markdown" and (found := LINE.search(cell.source)):
            return found
    return None


def stated_minutes(words: str) -> int:
    found = re.search(r"(\d+) minutes? to read", words)
    if not found:
        raise ValueError(f"how many minutes is {words!r}?")
    return int(found[1])


def disagreements(nb: Any) -> list[str]:
    """Where a page's line and what was counted and measured are too far apart."""
    line = time_line(nb)
    if not line:
        return ["no line 'Time: about ... minutes to read, about ... to run'"]
    found = []
    counted = reading_minutes(nb)
    try:
        stated = stated_minutes(line["read"])
        low, high = run_seconds(line["run"])
    except ValueError as error:
        return [str(error)]
    if abs(stated - counted) > STEP:
        found.append(f"says {stated} minutes to read, counted are {counted}")
    measured = nb.metadata.get("verified", {}).get("seconds")
    if measured is not None and not low / FACTOR <= measured <= max(high, 20) * FACTOR:
        found.append(f"says {line['run']} to run, measured were {measured} seconds")
    return found


def rewrite(nb: Any) -> bool:
    """Set the line of a notebook where it does not agree; True if it changed."""
    wrong = " ".join(disagreements(nb))
    for cell in nb.cells if wrong else []:
        line = LINE.search(cell.source) if cell.cell_type == "markdown" else None
        if not line:
            continue
        read, run = line["read"], line["run"]
        if "to read" in wrong or not re.search(r"\d", read):
            read = f"about {reading_minutes(nb)} minutes to read"
        if "to run" in wrong:
            run = run_words(nb.metadata["verified"]["seconds"])
        new = f"{line['mark']}{read}, {run} to run"
        cell.source = cell.source[: line.start()] + new + cell.source[line.end() :]
        return True
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("action", choices=["check", "write", "show"])
    parser.add_argument("paths", nargs="*", type=Path)
    options = parser.parse_args()
    bad = 0
    paths = options.paths or sorted(p for p in FOLDER.glob("*.ipynb") if p.stem not in LOOKED_UP)
    for path in paths:
        nb = nbformat.read(path, as_version=4)
        if options.action == "write" and rewrite(nb):
            nbformat.write(nb, path)
            print(f"{path.name}: {time_line(nb)[0]}")  # type: ignore[index]
        if options.action == "show":
            line, seconds = time_line(nb), nb.metadata.get("verified", {}).get("seconds")
            measured = "not measured yet" if seconds is None else f"{seconds} s"
            said = line[0] if line else "no line"
            print(f"{path.stem:24} {reading_minutes(nb):3} min, {measured:16} page: {said}")
        for wrong in disagreements(nb):
            bad += 1
            print(f"{path.name}: {wrong}: python scripts/times.py write")
    if options.action != "show":
        print(f"{bad} of {len(paths)} pages say another time than was counted or measured")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
