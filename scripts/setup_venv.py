"""Set up the project's own environment: ``python scripts/setup_venv.py .venv``.

Needs nothing but Python's standard library. Says what it does and how far it is.
"""

from __future__ import annotations

import queue
import re
import subprocess
import sys
import threading
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUPPORTED = ((3, 11), (3, 13))
EVERY = 15  # seconds between two lines of progress


def say(text: str) -> None:
    print(text, flush=True)


def works(python: Path) -> bool:
    """Is there an interpreter of a supported version, with pip?"""
    test = (
        f"import sys, pip; sys.exit(not {SUPPORTED[0]} <= sys.version_info[:2] <= {SUPPORTED[1]})"
    )
    try:
        return subprocess.run([python, "-c", test], capture_output=True).returncode == 0
    except OSError:
        return False


def pip(python: Path, *arguments: str, packages: int = 0) -> None:
    """Run pip quietly, with a line of progress now and then; show its words only if it fails."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "install", *arguments]
    start, last, seen, phase = time.time(), time.time(), 0, "looking up"
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
    )
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    log = []
    while True:
        try:
            line = lines.get(timeout=1)
        except queue.Empty:
            line = ""
        if line is None:
            break
        if line:
            log.append(line)
        if re.match(r"Collecting |Requirement already satisfied: ", line):
            seen, phase = seen + 1, "downloading"
        elif line.startswith("Installing collected"):
            phase = "unpacking and compiling"
        if packages and time.time() - last > EVERY:
            last = time.time()
            of = f" {min(seen, packages)} of {packages} packages" if phase == "downloading" else ""
            say(f"    {last - start:4.0f} s  {phase}{of}")
    if process.wait():
        say("".join(log[-40:]))
        say(f"pip failed: {' '.join(command)}")
        sys.exit(1)


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".venv")
    folder = folder if folder.is_absolute() else ROOT / folder
    bin_folder = folder / ("Scripts" if sys.platform == "win32" else "bin")
    python = bin_folder / "python"
    start = time.time()
    if not works(python):
        if not SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
            sys.exit(f"Python 3.11, 3.12 or 3.13 is needed, this is {sys.version.split()[0]}")
        say(f"==> a new environment in {folder.name} (Python {sys.version.split()[0]}; seconds)")
        venv.EnvBuilder(clear=True, with_pip=True, symlinks=sys.platform != "win32").create(folder)

    requirements = (ROOT / "requirements.txt").read_text()
    count = len(re.findall(r"^[\w.-]+==", requirements, re.MULTILINE))
    say(f"==> about {count} pinned packages (the first time a download of 900 MB: 1 to 5 minutes)")
    pip(python, "--compile", "--require-hashes", "-r", "requirements.txt", packages=count)
    say("==> the package itself, editable (seconds)")
    pip(python, "--no-deps", "--no-build-isolation", "-e", ".")
    (folder / ".installed").touch()
    say(f"==> set up in {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
