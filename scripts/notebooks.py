"""Re-execute the notebooks and store their outputs, or check the files as they are.

    python scripts/notebooks.py run   [notebooks/univariate.ipynb ...] [--exact]
    python scripts/notebooks.py check [notebooks/univariate.ipynb ...]
    python scripts/notebooks.py spell [notebooks/univariate.ipynb ...]
    python scripts/notebooks.py stamp [notebooks/univariate.ipynb ...]

``run`` writes metadata in one normal form (stable cell ids) and keeps a stored output where the
new one agrees within the tolerance of the tests: re-running an unchanged notebook leaves no diff,
on this machine or another. ``--exact`` stores all anew.

With new outputs ``run`` also stores where they come from, as ``verified`` in the notebook's
metadata: the versions, the day, and the seconds that it took. The page ends with it, and its line
"Time:" must agree (``scripts/times.py``). ``stamp`` does the same, without running anything, for
notebooks that have no such record yet: it takes the day of the commit that last changed what the
cells print, and the versions that ``requirements.txt`` had pinned then.

``check`` (part of ``make lint``) runs nothing. It finds what a reader or the tests would stumble
over: a cell out of order, an error, text on stderr, a picture without a text for those
who cannot see it, a misspelt tag, a path of somebody's machine. ``spell`` checks the spelling of
prose, code and printed text, not of scripts and pictures. See scripts/README.md.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import copy
import datetime
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "notebooks"
sys.path.insert(0, str(ROOT / "tests"))

import notebook_comparator as comparator  # noqa: E402

CELL_TIMEOUT = 900  # seconds
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
KEPT_NOTEBOOK_KEYS = ("mystnb", "tags", "verified")
VERIFIED = {  # what `verified` holds, and how it looks
    "on": r"\d{4}-\d\d-\d\d",
    "keras": r"\d+\.\d+\.\w+",
    "tensorflow": r"\d+\.\d+\.\w+",
    "from": r"run|history",
}
VERIFIED_BY_RUN = {"python": r"3\.\d+", "seconds": r"\d+"}
KEPT_CELL_KEYS = ("mystnb", "tags")
TAGS = re.compile(
    r"nbval-(ignore-output|check-output|skip)|(hide|remove)-(input|output|cell)"
    r"|full-width|margin|output_scroll|window-explorer|install|words-of-keras|[ra]tol-[\d.e-]+"
)
# What TensorFlow's C++ side writes before Python can stop it.
LIBRARY_LOG = re.compile(
    r"^(WARNING: All log messages before absl|[IWE]0000 |\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] "
    r"|To enable the following instructions).*\n?",
    re.MULTILINE,
)
MACHINE = re.compile(r"/(?:home|root|Users|tmp)/|[A-Z]:\\\\|site-packages")


def normalise(nb: Any) -> Any:
    """The notebook in its normal form; the given one is left alone."""
    nb = copy.deepcopy(nb)
    kept = {key: nb.metadata[key] for key in KEPT_NOTEBOOK_KEYS if nb.metadata.get(key)}
    nb.metadata = nbformat.from_dict({**copy.deepcopy(NOTEBOOK_METADATA), **kept})
    nb.nbformat, nb.nbformat_minor = 4, 5
    ids: set[str] = set()
    executed = 0
    for cell in nb.cells:
        cell.metadata = nbformat.from_dict(
            {key: cell.metadata[key] for key in KEPT_CELL_KEYS if cell.metadata.get(key)}
        )
        if cell.get("id") in ids | {None}:  # the same text gives the same id
            digest = hashlib.sha1(f"{cell.source}{len(ids)}".encode()).hexdigest()
            cell["id"] = digest[:8]
        ids.add(cell["id"])
        if cell.cell_type != "code":
            continue
        ran = cell.execution_count is not None
        executed += ran
        cell.execution_count = executed if ran else None
        outputs = [normal_output(output, executed) for output in joined(cell.outputs)]
        cell.outputs = [output for output in outputs if output.get("text") != ""]
    return nb


def joined(outputs: list[Any]) -> list[Any]:
    """The outputs with the pieces of each stream put together."""
    merged: list[Any] = []
    streams: dict[str, Any] = {}
    for output in outputs:
        if output.output_type == "stream" and output.name in streams:
            streams[output.name].text += output.text
            continue
        merged.append(output)
        if output.output_type == "stream":
            streams[output.name] = output
    return merged


def normal_output(output: Any, executed: int) -> Any:
    if output.output_type == "stream" and output.name == "stderr":
        output.text = LIBRARY_LOG.sub("", output.text)
    if output.output_type == "execute_result":
        output.execution_count = executed
    if "data" in output:
        output.metadata = nbformat.from_dict({})
    return output


def problems(nb: Any) -> list[str]:
    """What is wrong with a stored notebook, one line each."""
    found = []
    if nb != normalise(nb):
        found.append("metadata or outputs are not in normal form: run `make notebooks`")
    if wrong := wrong_stamp(nb.metadata.get("verified")):
        found.append(wrong)
    executed = 0
    for i, cell in enumerate(nb.cells):
        where = f"cell {i}"
        tags = cell.metadata.get("tags", [])
        found += [f"{where}: unknown tag {tag!r}" for tag in tags if not TAGS.fullmatch(tag)]
        if cell.cell_type != "code":
            continue
        if cell.source.strip():
            executed += 1
            if cell.execution_count != executed:
                found.append(f"{where}: not run, or not in order: run `make notebooks`")
        try:
            comparator.tolerances(tags)
        except ValueError as error:
            found.append(f"{where}: {error}")
        alt = str(cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")).strip()
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"{where}: ends in {output.ename}: {output.evalue}")
            if output.get("name") == "stderr":
                found.append(f"{where}: writes to stderr: {output.text[:200].strip()!r}")
            if any(kind.startswith("image/") for kind in output.get("data", {})) and not alt:
                found.append(f"{where}: a picture without text: mystnb.image.alt in its metadata")
            texts = [output.get("text", ""), *output.get("data", {}).values()]
            for text in texts:
                if isinstance(text, str) and not is_picture(text) and MACHINE.search(text):
                    found.append(f"{where}: prints a path of this machine")
    return found


def wrong_stamp(stamp: Any) -> str | None:
    """What is wrong with a notebook's record of the run that its outputs come from."""
    if not stamp:
        return "no record of the run (`verified`): run it, or `python scripts/notebooks.py stamp`"
    wanted = {**VERIFIED, **(VERIFIED_BY_RUN if stamp.get("from") == "run" else {})}
    if set(stamp) != set(wanted):
        return f"`verified` must have {', '.join(wanted)}, not {', '.join(stamp)}"
    for key, pattern in wanted.items():
        if not re.fullmatch(pattern, str(stamp[key])):
            return f"`verified` has {key} {stamp[key]!r}"
    return None


def stamp_of_run(seconds: float) -> dict[str, Any]:
    """Where outputs come from that were made just now."""
    return {
        "from": "run",
        "keras": metadata.version("keras"),
        "on": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "seconds": max(1, round(seconds)),
        "tensorflow": tensorflow_version(),
    }


def tensorflow_version() -> str:
    for name in ("tensorflow-cpu", "tensorflow"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    raise LookupError("TensorFlow is not installed")


def stamp_from_history(path: Path) -> dict[str, Any]:
    """Where outputs come from as far as git knows: for notebooks run before runs were recorded."""
    name = path.resolve().relative_to(ROOT).as_posix()
    commits = git("log", "--format=%H %cs", "--", name).split("\n")
    commits = [line.split() for line in commits if line]
    if not commits:
        raise LookupError(f"{name} has never been committed: run it")
    last = commits[0]
    printed = what_is_printed(git("show", f"{last[0]}:{name}"))
    for commit in commits[1:]:
        if what_is_printed(git("show", f"{commit[0]}:{name}", missing="{}")) != printed:
            break
        last = commit
    pinned = git("show", f"{last[0]}:requirements.txt")
    versions = {
        package: re.findall(rf"^{pattern}==([\w.]+)", pinned, re.MULTILINE)[0]
        for package, pattern in (("keras", "keras"), ("tensorflow", r"tensorflow(?:-cpu)?"))
    }
    return {"from": "history", "on": last[1], **versions}


def what_is_printed(text: str) -> list[Any]:
    return [cell.get("outputs") for cell in json.loads(text).get("cells", [])]


def git(*arguments: str, missing: str | None = None) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode and missing is None:
        raise LookupError(done.stderr.strip())
    return str(missing) if done.returncode else done.stdout


def stamp(path: Path) -> list[str]:
    """Give a notebook that has no record of its run the one that git has."""
    nb = nbformat.read(path, as_version=4)
    if not nb.metadata.get("verified"):
        try:
            nb.metadata["verified"] = stamp_from_history(path)
        except LookupError as error:
            return [str(error)]
        nbformat.write(normalise(nb), path)
        print(f"{path.name}: outputs of {nb.metadata['verified']['on']}, says its history")
    return []


def computing_seconds(client: Any) -> float:
    """Seconds of processor time that a notebook's kernel has used, with its children."""
    import psutil

    total = 0.0
    kernel = psutil.Process(client.km.provisioner.process.pid)
    for process in [kernel, *kernel.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return float(total)


def is_picture(text: str) -> bool:
    return len(text) > 200 and not re.search(r"[^A-Za-z0-9+/=\n]", text)


def same_picture(stored: str, new: str) -> bool:
    """Do two PNGs look alike: same size, and no pixel off by more than 16 of 255?"""
    if stored == new:
        return True
    import numpy as np
    from PIL import Image

    try:
        a, b = (
            np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA"), dtype=int)
            for png in (stored, new)
        )
    except (binascii.Error, OSError):
        return False
    return a.shape == b.shape and int(abs(a - b).max()) <= 16


def keep_stored(stored: list[Any], new: list[Any], tags: list[str]) -> list[Any]:
    """The new outputs, with stored texts and pictures where they agree."""
    adopted, differences = comparator.adopt_close_outputs(stored, new, *comparator.tolerances(tags))
    if differences or len(stored) != len(new):
        return new
    for old, output in zip(stored, adopted, strict=True):
        pictures = (old.get("data", {}).get("image/png"), output.get("data", {}).get("image/png"))
        if all(pictures) and same_picture(*pictures):
            output["data"]["image/png"] = pictures[0]
    return adopted


def execute(path: Path, exact: bool) -> list[str]:
    """Run one notebook and store it; returns what is wrong with it."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    stored = nbformat.read(path, as_version=4)
    nb = copy.deepcopy(stored)
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.metadata.pop("execution", None)
    code = [i for i, cell in enumerate(nb.cells) if cell.cell_type == "code"]
    print(f"==> {path.name}: {len(code)} code cells", flush=True)
    client = NotebookClient(
        nb,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    start = time.time()
    with client.setup_kernel(stderr=subprocess.DEVNULL):  # its log; outputs come another way
        for number, i in enumerate(code, 1):
            began = time.time()
            try:
                # As nbval runs them: without history, so that a trailing ; hides nothing.
                client.execute_cell(nb.cells[i], i, execution_count=number, store_history=False)
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                print(error)
                return [f"cell {i} failed; the file is left as it was"]
            if nb.cells[i].source.strip():
                nb.cells[i].execution_count = number
            if (took := time.time() - began) > 5:
                print(f"    cell {number} of {len(code)}: {took:.0f} s", flush=True)
        # On a machine that is busy with other things the clock runs on, on several cores the
        # processors count more than the clock: the smaller one is what a reader will wait.
        seconds = min(time.time() - start, computing_seconds(client))
    nb = normalise(nb)
    changed = 0
    for old, new in zip(stored.cells, nb.cells, strict=True):
        if new.cell_type == "code":
            if not exact:
                tags = [*nb.metadata.get("tags", []), *new.metadata.get("tags", [])]
                kept = keep_stored(joined(copy.deepcopy(old.outputs)), new.outputs, tags)
                new.outputs = [nbformat.from_dict(output) for output in kept]
            changed += old.outputs != new.outputs
    old_stamp, new_stamp = stored.metadata.get("verified", {}), stamp_of_run(seconds)
    same = all(old_stamp.get(key) == new_stamp[key] for key in ("from", "keras", "tensorflow"))
    if changed or exact or not same:
        nb.metadata["verified"] = new_stamp
    wrong = problems(normalise(nb))
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs = comparator.without_stderr(cell.outputs)
    nb = normalise(nb)
    nbformat.validate(nb)
    nbformat.write(nb, path)
    spent = f"{time.time() - start:.0f} s on the clock, {seconds:.0f} s without waiting"
    print(f"    {spent}, outputs of {changed} cells changed", flush=True)
    return wrong


def spell(paths: list[Path]) -> int:
    """Check the spelling of what the reader reads; other files are codespell's own business."""
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            nb = nbformat.read(path, as_version=4)
            lines = []
            for i, cell in enumerate(nb.cells):
                printed = [output.get("text", "") for output in cell.get("outputs", [])]
                text = "\n".join([cell.source, *printed])
                lines += [f"cell {i}: {line}" for line in text.splitlines()]
            Path(folder, f"{path.stem}.txt").write_text("\n".join(lines), encoding="utf-8")
        command = [sys.executable, "-m", "codespell_lib", "--toml", str(ROOT / "pyproject.toml")]
        return subprocess.run([*command, "--context=0", "."], cwd=folder).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("action", choices=["run", "check", "spell", "stamp"])
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--exact", action="store_true", help="keep no stored output")
    options = parser.parse_args()
    paths = options.paths or sorted(FOLDER.glob("*.ipynb"))
    if not paths:
        print("no notebooks found in notebooks/")
        return 1
    if options.action == "spell":
        return spell(paths)
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("PYTHONHASHSEED", "0")
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    os.environ.pop("MPLBACKEND", None)  # figures are drawn inline
    bad = 0
    for path in paths:
        if options.action == "run":
            wrong = execute(path, options.exact)
        elif options.action == "stamp":
            wrong = stamp(path)
        else:
            wrong = problems(nbformat.read(path, as_version=4))
        for line in wrong:
            print(f"{path.name}: {line}")
        bad += bool(wrong)
    print(f"{len(paths) - bad} of {len(paths)} notebooks are in order")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
