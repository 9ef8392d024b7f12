"""The built book, taken as it is: these tests fail, rather than skip, where it is missing."""

import functools
import gzip
import http.server
import os
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
BUILT = Path(os.environ.get("BOOK_HTML", ROOT / "_build" / "html"))
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    *["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    *["--disable-background-networking", "--disable-component-update", "--disable-sync"],
]

TEXTS = (".html", ".css", ".js", ".svg", ".txt", ".json")  # what a server compresses


def toc_pages() -> list[str]:
    """Every page that the table of contents names, root first, without its suffix."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))

    def files(node):
        if isinstance(node, dict):
            found = [node[key] for key in ("root", "file") if key in node]
            return [*found, *(name for value in node.values() for name in files(value))]
        if isinstance(node, list):
            return [name for value in node for name in files(value)]
        return []

    return files(toc)


PAGES = toc_pages()


class Site:
    """The built pages, parsed once."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._soups: dict[Path, BeautifulSoup] = {}

    def path(self, page: str) -> Path:
        return self.folder / f"{page}.html"

    def soup(self, path: Path) -> BeautifulSoup:
        if path not in self._soups:
            self._soups[path] = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        return self._soups[path]

    def html_files(self) -> list[Path]:
        return sorted(p for p in self.folder.rglob("*.html") if "_static" not in p.parts)


@pytest.fixture(scope="session")
def site() -> Site:
    if not (BUILT / "index.html").exists():
        pytest.fail("the book is not built: run `make book` first", pytrace=False)
    return Site(BUILT)


@pytest.fixture(scope="session")
def pages() -> list[str]:
    return PAGES


@pytest.fixture(params=PAGES)
def page(request, site) -> Path:
    path = site.path(request.param)
    if not path.exists():
        pytest.fail(f"{request.param} is in _toc.yml but was not built", pytrace=False)
    return path


@pytest.fixture(scope="session")
def base_url(site):
    """The book served on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(site.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def chromium() -> str:
    for path in map(shutil.which, NAMES):
        if path:
            return path
    if reason := os.environ.get("NO_BROWSER"):
        pytest.skip(f"no Chromium: {reason}")
    if os.environ.get("CI") == "true":
        pytest.fail("no Chromium in CI: install the chromium package", pytrace=False)
    return pytest.skip("no Chromium on the PATH: install the chromium package to run these tests")


@pytest.fixture(scope="session")
def browser():
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def tab(browser, base_url):
    """A browser window that can reach the book and nothing else."""
    context = browser.new_context(color_scheme="light", reduced_motion="reduce")
    context.route(lambda url: not url.startswith(base_url), lambda route: route.abort())
    context.set_default_timeout(120_000)  # the machine may be busy
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def wire():
    """Bytes that each page brought over the wire, of those that were opened."""
    return {}


@pytest.fixture(scope="module", params=[*PAGES, "search", "genindex"])
def opened(request, tab, site, base_url, wire):
    """A page, open, with what it asked for and what went wrong."""
    name = request.param
    asked, complaints = set(), []
    listeners = {
        "console": lambda m: m.type == "error" and complaints.append(f"console: {m.text}"),
        "pageerror": lambda error: complaints.append(f"script: {error}"),
        "request": lambda r: asked.add(r.url),
        "requestfailed": lambda r: complaints.append(f"request failed: {r.url}"),
        "response": lambda r: r.status >= 400 and complaints.append(f"{r.status}: {r.url}"),
    }
    for event, listener in listeners.items():
        tab.on(event, listener)
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.goto(f"{base_url}/{name}.html", wait_until="load")
    # Pictures further down are loaded lazily: go and see them.
    tab.evaluate("() => document.querySelectorAll('img').forEach((i) => (i.loading = 'eager'))")
    tab.wait_for_load_state("networkidle")
    files = [site.folder / urlsplit(url).path.lstrip("/") for url in asked if base_url in url]
    wire[name] = sum(
        len(gzip.compress(file.read_bytes()) if file.suffix in TEXTS else file.read_bytes())
        for file in files
        if file.is_file()
    )
    yield SimpleNamespace(name=name, tab=tab, complaints=complaints, bytes=wire[name])
    for event, listener in listeners.items():
        tab.remove_listener(event, listener)
