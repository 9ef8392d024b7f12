"""The first code cell of every notebook: it installs the package where it is missing, as on Colab.

    python scripts/try_it.py check                 is the cell as it should be? (part of `make lint`)
    python scripts/try_it.py write                 put it there, or bring it up to date
    python scripts/try_it.py home ADDRESS          say where the book is, if nobody has, and write
    python scripts/try_it.py run [shapes ...]      try it: an empty environment, then the notebook
    python scripts/try_it.py run shapes --with tensorflow==2.19.0 pandas==2.2.2

The cell takes the book from the address under ``repository: url`` of ``_config.yml``. Without an
address (it is empty until the book has a public home) the cell installs from the folder that the
notebook lies in, and the pages have no button that would open it elsewhere. After a change of
the address: ``python scripts/try_it.py write``.

``run`` makes an empty virtual environment with ``ipykernel``, which every host of notebooks has,
and what ``--with`` names, for a host that comes with more. It puts the notebook alone into an
empty folder, and runs it from the first cell. The book is cloned from this folder instead of from
the address: what is committed counts. Nothing of the book's own environment is used.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

import nbformat
import yaml

import notebooks

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "scripts" / "page_template.ipynb"
TAGS = ["install", "remove-cell"]
QUICK = ["shapes", "eleven_models"]  # one that trains, one that reads a record of the repository

CELL = """\
# Where the package is missing (on Colab, say) this cell installs it. Elsewhere it does nothing.
import importlib.util
from pathlib import Path

if importlib.util.find_spec("tsforecast") is None:
    if not Path("../tsforecast").exists():
        {elsewhere}
    extras = "plots,evaluation,tuning,data" if importlib.util.find_spec("tensorflow") else "all"
    %pip install -q "..[{{extras}}]"
"""
CLONE = "!git clone -q --depth 1 {url} book\n        %cd -q book/notebooks"
NO_ADDRESS = 'raise FileNotFoundError("open this notebook in the folder notebooks/ of the book")'


def address() -> str:
    """Where the book's repository is, or "" where nobody has said."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return str(config.get("repository", {}).get("url") or "")


def with_address(config: str, url: str) -> str:
    """The text of _config.yml with an address where it had none: whoever said one is right."""
    return re.sub(r'^(repository:\n +url: )""$', rf'\1"{url}"', config, flags=re.M)


def first_cell(url: str) -> str:
    elsewhere = CLONE.format(url=url) if url else NO_ADDRESS
    return CELL.format(elsewhere=elsewhere).rstrip()


def is_install(cell: Any) -> bool:
    return "install" in cell.metadata.get("tags", [])


def with_first_cell(nb: Any, url: str) -> Any:
    """The notebook with the cell before its other code; outputs stay as they are stored."""
    nb = notebooks.normalise(nb)
    cells = [cell for cell in nb.cells if not is_install(cell)]
    place = next(i for i, cell in enumerate(cells) if cell.cell_type == "code")
    cell = nbformat.v4.new_code_cell(first_cell(url), metadata={"tags": TAGS}, execution_count=1)
    del cell["id"]  # the normal form gives one
    nb.cells = [*cells[:place], cell, *cells[place:]]
    return notebooks.normalise(nb)


def problem(nb: Any, url: str) -> str | None:
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    if [cell for cell in code if is_install(cell)] != code[:1]:
        return "its first code cell does not install the package"
    if code[0].source != first_cell(url) or code[0].metadata.get("tags") != TAGS:
        return "its first code cell does not fit _config.yml"
    return None


def run(name: str, preinstalled: list[str]) -> None:
    """Run a notebook in an environment that has nothing of this book."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        start = time.time()
        python = empty_environment(folder / "venv", ["ipykernel", *preinstalled])
        kernel = folder / "share" / "kernels" / "empty" / "kernel.json"
        kernel.parent.mkdir(parents=True)
        command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        kernel.write_text(
            json.dumps({"argv": command, "display_name": "empty", "language": "python"})
        )
        nb = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        nb = with_first_cell(nb, ROOT.as_uri())
        alone = folder / "alone"
        alone.mkdir()
        os.environ["JUPYTER_PATH"] = str(folder / "share")
        execute(nb, alone)
        versions = pip(python, "list", "--format=freeze").split()
        kept = ("keras==", "tensorflow", "numpy==", "pandas==", "statsforecast==")
        print("   ", *[line for line in versions if line.startswith(kept)])
        print(f"    {name}: every cell ran, {time.time() - start:.0f} s with the installation")


def empty_environment(folder: Path, packages: list[str]) -> Path:
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip(python, "install", "-q", *packages)
    return python


def pip(python: Path, *arguments: str) -> str:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def execute(nb: Any, folder: Path) -> None:
    from nbclient import NotebookClient

    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "MPLBACKEND", "JUPYTER_PREFER_ENV_PATH")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    client = NotebookClient(
        nb, timeout=7200, kernel_name="empty", resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env=environment)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("action", choices=["check", "write", "home", "run"])
    parser.add_argument(
        "names", nargs="*", help=f"notebooks to run, {' '.join(QUICK)} if none; or the address"
    )
    parser.add_argument("--with", nargs="+", default=[], dest="preinstalled", metavar="PACKAGE")
    options = parser.parse_args()
    if options.action == "run":
        for name in options.names or QUICK:
            print(f"==> {name}, from an empty environment", flush=True)
            run(name, options.preinstalled)
        return 0
    if options.action == "home":
        (url,) = options.names
        config = ROOT / "_config.yml"
        config.write_text(with_address(config.read_text("utf-8"), url), encoding="utf-8")
        print(f"the book is at {address()}")
    bad = 0
    for path in [*sorted((ROOT / "notebooks").glob("*.ipynb")), TEMPLATE]:
        nb = nbformat.read(path, as_version=4)
        wrong = problem(nb, address())
        if wrong and options.action in ("write", "home"):
            nbformat.write(with_first_cell(nb, address()), path)
            print(f"{path.name}: written")
        elif wrong:
            print(f"{path.name}: {wrong}: python scripts/try_it.py write")
            bad += 1
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
