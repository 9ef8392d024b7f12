"""Exercises: the stub to start from is made of the solution, and both are run.

    python scripts/exercises.py check    (part of `make lint`)
    python scripts/exercises.py write

A solution ends in ``assert``: its check. The stub of an exercise is that check, and ``...`` for
each name that the check reads and the solution computes. It stands in the notebook after the
exercise, and only ``write`` puts it there, so that it cannot differ from the solution.

When the notebooks are tested (``make check-notebooks``) the stub runs in the notebook's own kernel,
right before the first cell of the solution, and must fail there (``conftest.py``). Then the
solution runs and must pass. The stub fails at its first ``...``, so it costs no time.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "scripts" / "page_template.ipynb"
BEFORE = "Start from this. The last lines are the check: they fail until you are done."
BLOCK = re.compile(rf"{BEFORE}\n\n```python\n(.*?)\n```\n\n", re.DOTALL)
START = re.compile(r"^`{3,}\{solution-start\}", re.MULTILINE)


def solution(nb: Any) -> list[int]:
    """Where the code cells of the solution are; none if the page has no such exercise."""
    cells = list(enumerate(nb.cells))
    starts = [i for i, cell in cells if START.search(cell.source) and cell.cell_type == "markdown"]
    if not starts:
        return []
    end = next(i for i, cell in cells if "{solution-end}" in cell.source and i >= starts[0])
    return [i for i in range(starts[0], end) if nb.cells[i].cell_type == "code"]


def stub(code: str) -> str:
    """What a reader starts from: a ``...`` for what is asked, and the check."""
    tree = ast.parse(code)
    checks = [node for node in tree.body if isinstance(node, ast.Assert)]
    if not checks:
        raise ValueError("the solution has no check: an assert on its own line")
    read = {
        node.id
        for check in checks
        for node in ast.walk(check)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    asked: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in read:
            asked[node.id] = None
    own = {  # loop variables inside the check itself
        node.id
        for check in checks
        for node in ast.walk(check)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    names = [name for name in asked if name not in own]
    if not names:
        raise ValueError("the check reads nothing that the solution computes")
    lines = [f"{name} = ...  # your turn" for name in names]
    return "\n".join([*lines, "", *(ast.get_source_segment(code, check) or "" for check in checks)])


def stub_of(nb: Any) -> str | None:
    """The stub of a notebook's exercise; None where it has none."""
    cells = solution(nb)
    return stub("\n".join(nb.cells[i].source for i in cells)) if cells else None


def write(nb: Any) -> None:
    """Put the stub before the solution."""
    text = stub_of(nb)
    for cell in nb.cells if text else []:
        if cell.cell_type == "markdown":
            source = BLOCK.sub("", cell.source)
            found = START.search(source)
            if found:
                block = f"{BEFORE}\n\n```python\n{text}\n```\n\n"
                source = source[: found.start()] + block + source[found.start() :]
            if source != cell.source:
                cell.source = source


def run_stub_before(item: Any) -> None:
    """Run the stub in the kernel of an nbval item, if it is the first cell of the solution."""
    nb = item.parent.nb
    cells = solution(nb)
    if not cells or nb.cells[cells[0]] is not item.cell:
        return
    kernel = item.parent.kernel
    sent = kernel.execute_cell_input(stub_of(nb), allow_stdin=False)
    kernel.await_reply(sent, timeout=60)
    failed = None
    while True:
        message = kernel.get_message(stream="iopub", timeout=60)
        if message["parent_header"].get("msg_id") != sent:
            continue
        if message["msg_type"] == "error":
            failed = message["content"]["ename"]
        if message["content"].get("execution_state") == "idle":
            break
    # A name that is missing would fail as well, but not because the exercise is not done.
    if failed in (None, "NameError"):
        raise AssertionError(f"the stub of the exercise should fail its check, but: {failed}")


def problem(nb: Any) -> str | None:
    try:
        wanted = stub_of(nb)
    except ValueError as error:
        return str(error)
    found = [stub for cell in nb.cells for stub in BLOCK.findall(cell.source)]
    if found != ([wanted] if wanted else []):
        return "its stub is not that of the solution: python scripts/exercises.py write"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("action", choices=["check", "write"])
    options = parser.parse_args()
    bad = 0
    for path in [*sorted((ROOT / "notebooks").glob("*.ipynb")), TEMPLATE]:
        nb = nbformat.read(path, as_version=4)
        if options.action == "write" and problem(nb):
            write(nb)
            nbformat.write(nb, path)
        if wrong := problem(nb):
            print(f"{path.name}: {wrong}")
            bad += 1
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
