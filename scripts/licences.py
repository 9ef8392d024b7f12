"""The licences of everything that `requirements.txt` installs: ``python scripts/licences.py check``.

``write`` records them in ``LICENSES-OF-DEPENDENCIES.md`` as the packages themselves declare them;
``check`` says where the list and ``requirements.txt`` differ, and which licence needs a look.
Packages of other systems than this one keep the line that they have.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "LICENSES-OF-DEPENDENCIES.md"
ABSENT = "not installed here"
# What may be used beside MIT code that only imports it. "GPL" by itself is not among them.
FREE = re.compile(
    r"MIT|BSD|Apache|PSF|Python Software Foundation|MPL|Mozilla|ISC|Unlicense|LGPL|Lesser General|"
    r"0BSD|Zlib|HPND|Historical Permission|CC0|Public Domain|WTFPL|Open Government",
    re.IGNORECASE,
)
LOOKED_AT = {
    "codespell": "a program that `make lint` starts; nothing of it is imported or passed on",
    "iris-sample-data": "data under the Open Government Licence, as README.md says",
}
HEAD = """# Licences of the dependencies

What `make setup` installs, as each package declares it. `python scripts/licences.py write` makes
this list; `make lint` checks that it is complete and that each licence allows the use.

| package | licence |
|--|--|
"""


def required() -> list[str]:
    """The packages that are pinned, in order."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return re.findall(r"^([\w.-]+)==", text, re.MULTILINE)


def recorded() -> dict[str, str]:
    if not RECORD.exists():
        return {}
    rows = re.findall(r"^\| ([\w.-]+) \| (.+) \|$", RECORD.read_text("utf-8"), re.MULTILINE)
    return {name: licence for name, licence in rows if name != "package"}


def licence_of(name: str) -> str:
    """What a package says about itself: an SPDX expression, else its classifiers, else its text."""
    try:
        package = distribution(name)
    except PackageNotFoundError:
        return ABSENT
    found = package.metadata
    if found.get("License-Expression"):
        return str(found["License-Expression"])
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in found.get_all("Classifier") or []
        if line.startswith("License ::") and not line.endswith("OSI Approved")
    ]
    if classifiers:
        return "; ".join(classifiers)
    text = str(found.get("License") or "").strip()
    if not text:
        files = [file for file in package.files or [] if file.stem.startswith(("LICEN", "COPYING"))]
        text = files[0].read_text().strip() if files else "says nothing"
    named = re.search(r"(MIT|Apache|BSD) License", text[:500])
    return named[0] if named else " ".join(text.splitlines()[0].replace("|", "/").split())[:80]


def write() -> None:
    before = recorded()
    rows = []
    for name in required():
        licence = licence_of(name)
        if licence == ABSENT:
            licence = before.get(name, ABSENT)
        rows.append(f"| {name} | {licence} |\n")
    reasons = [f"- {name}: {reason}.\n" for name, reason in LOOKED_AT.items()]
    text = HEAD + "".join(rows) + "\nLooked at, and in use because:\n\n" + "".join(reasons)
    RECORD.write_text(text, encoding="utf-8")


def problems() -> list[str]:
    """Where the record is not that of requirements.txt, and licences that nobody has looked at."""
    listed, needed = recorded(), required()
    found = [f"{name}: no licence recorded" for name in needed if name not in listed]
    found += [f"{name}: recorded, but not required" for name in listed if name not in needed]
    return found + [
        f"{name}: look at its licence ({licence})"
        for name, licence in listed.items()
        if not FREE.search(licence) and name not in LOOKED_AT
    ]


def main() -> None:
    if sys.argv[1:] == ["write"]:
        write()
    found = problems()
    print("\n".join(found) or f"{len(recorded())} packages, every licence allows the use")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
