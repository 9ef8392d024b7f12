"""Check the links to other sites: their form without the network, or each by asking it.

    python scripts/links.py form      (part of `make lint`)
    python scripts/links.py online    (`make links`: once a week)

Links inside the book are checked where it is built: Sphinx refuses an unknown label, and the tests
of the built site follow every link and anchor.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
SUFFIXES = {".md", ".ipynb", ".bib", ".cff", ".yml", ".py", ".toml"}
ADDRESS = re.compile(r"""https?://[^\s<>"'`\\{}|^\]]+""")
HERE = {"127.0.0.1", "localhost", "0.0.0.0"}
SHORTENED = {"bit.ly", "t.co", "goo.gl", "tinyurl.com"}
AGENT = "Mozilla/5.0 (compatible; a link check of the book Forecasting with LSTMs)"
REFUSED = {401, 403, 405, 406, 418, 429}  # the page is there, but not for a program
WAIT = 20.0  # seconds


def sources() -> list[Path]:
    """The files of the repository that a reader may find a link in."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    paths = [ROOT / name for name in listed if not name.startswith("tests/")]
    return sorted(path for path in paths if path.suffix in SUFFIXES and path.is_file())


def text_of(path: Path) -> str:
    """What its author wrote; of a notebook its cells, without outputs."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    if path.suffix == ".bib":  # a DOI is a link too
        text += "\n" + "\n".join(
            f"https://doi.org/{doi}"
            for doi in re.findall(r"^\s*doi\s*=\s*[{\"]([^}\"]+)", text, re.M)
        )
    return text


def addresses(text: str) -> list[str]:
    """The addresses in a text, without the marks of the sentence around them."""
    found = []
    for match in ADDRESS.finditer(text):
        address = match[0].rstrip(".,;:!?*_")
        while address.endswith(")") and address.count(")") > address.count("("):
            address = address[:-1].rstrip(".,;:!?*_")
        if text[match.end() : match.end() + 1] != "{" and "{" not in match[0]:
            found.append(address)  # an f-string's beginning is no address
    return found


def form(address: str) -> str | None:
    """What is wrong with an address, as far as can be seen without asking."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError as error:
        return f"not an address: {error}"
    if host in HERE:
        return None if parts.scheme == "http" else "a server on this machine has no https"
    if "." not in host or not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", host):
        return f"no such host can be: {host!r}"
    if parts.scheme != "https":
        return "http: use https"
    if host in SHORTENED:
        return "a shortened address: nobody sees where it leads"
    if re.search(r"[?&](utm_\w+|fbclid|gclid)=", address):
        return "counts its readers: leave the utm_... part out"
    if "#:~:text=" in address:
        return "leads to words, not to an anchor: they change"
    if parts.username or parts.password:
        return "holds a name or a password"
    return None


def where() -> dict[str, list[str]]:
    """Every address, with the files that hold it."""
    found: dict[str, list[str]] = {}
    for path in sources():
        for address in dict.fromkeys(addresses(text_of(path))):
            found.setdefault(address, []).append(path.relative_to(ROOT).as_posix())
    return found


def ask(address: str, tries: int = 2) -> tuple[str, str]:
    """What the address answers: "ok", "refused" (not to programs) or "broken", and in words."""
    said = ""
    for attempt in range(tries):
        if attempt:
            time.sleep(1.0)
        request = urllib.request.Request(
            address.split("#")[0], headers={"User-Agent": AGENT, "Accept": "*/*"}
        )
        try:
            with urllib.request.urlopen(request, timeout=WAIT) as answer:
                return "ok", f"{answer.status}"
        except urllib.error.HTTPError as error:
            if error.code in REFUSED:
                return "refused", f"{error.code} {error.reason}"
            said = f"{error.code} {error.reason}"
            if error.code in (404, 410):
                break
        except (OSError, ValueError) as error:
            said = str(getattr(error, "reason", error)) or type(error).__name__
    return "broken", said


def check_form(found: dict[str, list[str]]) -> int:
    bad = 0
    for address, files in sorted(found.items()):
        if wrong := form(address):
            bad += 1
            print(f"{files[0]}: {address}: {wrong}")
    print(f"{len(found) - bad} of {len(found)} addresses of other sites have the right form")
    return int(bad > 0)


def check_online(found: dict[str, list[str]]) -> int:
    asked = sorted(a for a in found if form(a) is None and urlsplit(a).hostname not in HERE)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, asked))
    counts = {"ok": 0, "refused": 0, "broken": 0}
    for address, (verdict, said) in zip(asked, answers, strict=True):
        counts[verdict] += 1
        if verdict != "ok":
            print(f"{verdict:8} {address} ({said}) in {', '.join(found[address])}")
    print(", ".join(f"{number} {verdict}" for verdict, number in counts.items()))
    return int(counts["broken"] > 0)


def main() -> int:
    if sys.argv[1:] not in (["form"], ["online"]):
        print("say form or online")
        return 2
    found = where()
    return check_form(found) if sys.argv[1] == "form" else check_online(found) or check_form(found)


if __name__ == "__main__":
    sys.exit(main())
