"""The whole book as one PDF, from the built site: ``python scripts/pdf.py``.

The pages of ``_build/html`` are put into one document in the order of ``_toc.yml``, which the
system's Chromium prints: same text, same figures, links inside the document, an outline, tags for
screen readers. It is printed twice: the first time tells on which page each chapter begins.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup
from pypdf import PdfReader, PdfWriter

ROOT = Path(__file__).resolve().parents[1]
HTML = Path(os.environ.get("BOOK_HTML", ROOT / "_build" / "html"))
PDF = "forecasting-with-lstms.pdf"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
LEFT_OUT = "script, noscript, .headerlink, .prev-next-area, .copybtn, .viewcode-link, .onlyprint"
STYLE = """
table { font-size: 0.85em; }
article :is(td, th) { overflow-wrap: anywhere; }
@page { size: A4; margin: 18mm 17mm 20mm; }
html { font-size: 13px; background: #fff; }
body { background: #fff; }
article { max-width: none; break-before: page; }
h1 { margin-top: 0; }
.book-contents { break-before: page; line-height: 1.45; }
.book-contents p { margin: 0.7rem 0 0.1rem; font-weight: 600; }
.book-contents a { display: flex; justify-content: space-between; color: inherit; text-decoration: none; }
.title { margin: 35vh 0 0; font-size: 3.2rem; font-weight: 600; }
"""
# What would be cut: the page is 176 mm wide between its margins.
WIDTH = 665
CUT = """(width) => [...document.querySelectorAll("article *")]
    .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > width + 1)
    .map((e) => `${e.closest("article").id}: ${e.outerHTML.slice(0, 160)}`)"""
PLACE = '<span class="pdf"></span>'
FOOTER = (
    '<div style="width: 100%; font: 8px sans-serif; color: #555; padding: 0 17mm; display: flex;'
    ' justify-content: space-between"><span>Forecasting with LSTMs</span>'
    '<span class="pageNumber"></span></div>'
)


def parts() -> list[tuple[str, list[str]]]:
    """The captions of the table of contents and their pages."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [(p["caption"], [c["file"] for c in p["chapters"]]) for p in toc["parts"]]
    return [("", [toc["root"]]), *listed]


def mark(page: str, name: str = "") -> str:
    return f"{page.replace('/', '-')}--{name}"


def article(page: str, pages: set[str]) -> tuple[str, str]:
    """A page's title and text, with ids of its own and with links that stay inside the document."""
    path = HTML / f"{page}.html"
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    text = soup.find("article")
    for tag in text.select(LEFT_OUT):
        tag.decompose()
    for tag in text.find_all(id=True):
        tag["id"] = mark(page, tag["id"])
    for tag in text.find_all("details"):
        tag["open"] = ""
    for tag in text.find_all("img"):
        tag["loading"] = "eager"
    for link in text.find_all("a", href=True):
        parts = urlsplit(link["href"])
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
        name = target.relative_to(HTML.resolve()).with_suffix("").as_posix()
        if name in pages and target.suffix == ".html":
            link["href"] = "#" + mark(name, unquote(parts.fragment))
        else:  # a file beside the pages, or the listing of a module
            del link["href"]
    text["id"] = mark(page)
    return " ".join(text.find("h1").get_text().split()), str(text)


def document(starts: dict[str, int]) -> tuple[str, dict[str, str]]:
    """The document, with the pages on which chapters start where they are known; the titles."""
    pages = {page for _, some in parts() for page in some}
    head = (HTML / "book" / "index.html").read_text(encoding="utf-8")
    sheets = "".join(re.findall(r'<link[^>]*rel="stylesheet"[^>]*/>', head))
    body, contents, titles = [], [], {}
    for caption, some in parts():
        if caption:
            contents.append(f"<p>{caption}</p>")
        for page in some:
            titles[page], text = article(page, pages)
            number = starts.get(page, "")
            contents.append(f'<a href="#{mark(page)}">{titles[page]}<span>{number}</span></a>')
            body.append(text)
    return (
        '<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f"<title>Forecasting with LSTMs</title>{sheets}<style>{STYLE}</style></head><body>"
        '<p class="title">Forecasting with LSTMs</p>'
        f'<nav class="book-contents"><h1>Contents</h1>{"".join(contents)}</nav>{"".join(body)}'
        "</body></html>"
    ), titles


def chapter_starts(pdf: bytes, titles: dict[str, str]) -> dict[str, int]:
    """The number of the page on which each chapter starts: where the links of the contents lead."""
    reader = PdfReader(io.BytesIO(pdf))
    places = {name.removeprefix("/"): place for name, place in reader.named_destinations.items()}
    return {page: reader.get_destination_page_number(places[mark(page)]) + 1 for page in titles}


def with_outline(pdf: bytes, titles: dict[str, str], starts: dict[str, int]) -> bytes:
    """The same with a line for each chapter in the viewer's side bar."""
    writer, written = PdfWriter(clone_from=io.BytesIO(pdf)), io.BytesIO()
    for page, title in titles.items():
        writer.add_outline_item(title=title, page_number=starts[page] - 1)
    writer.write(written)
    return written.getvalue()


def link_it() -> None:
    """In the footer of every page: only now is there something to link to."""
    for path in HTML.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        up = "../" * (len(path.relative_to(HTML).parts) - 1)
        if PLACE in text:
            linked = text.replace(PLACE, f' · <a href="{up}{PDF}">The book as one PDF</a>')
            path.write_text(linked, encoding="utf-8")


def main() -> int:
    from playwright.sync_api import sync_playwright

    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("no Chromium on the PATH: install the chromium package")
        return 1
    if not (HTML / "index.html").exists():
        print("the book is not built: make book")
        return 1
    whole = HTML / "book" / "_whole.html"  # beside the pages: their links to pictures hold
    starts: dict[str, int] = {}
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        tab = chromium.new_page(viewport={"width": WIDTH, "height": 1000})
        tab.set_default_timeout(300_000)
        tab.emulate_media(media="print", color_scheme="light")
        for _ in range(2):
            text, titles = document(starts)
            whole.write_text(text, encoding="utf-8")
            tab.goto(whole.resolve().as_uri(), wait_until="load")
            cut = tab.evaluate(CUT, WIDTH)
            pdf = tab.pdf(
                prefer_css_page_size=True,
                print_background=True,
                display_header_footer=True,
                header_template="<span></span>",
                footer_template=FOOTER,
                outline=False,  # Chromium's has every word of a title twice
                tagged=True,
            )
            starts = chapter_starts(pdf, titles)
        chromium.close()
    whole.unlink()
    pdf = with_outline(pdf, titles, starts)
    (HTML / PDF).write_bytes(pdf)
    link_it()
    pages = len(PdfReader(io.BytesIO(pdf)).pages)
    print(f"{HTML / PDF}: {pages} pages, {len(pdf) / 1e6:.1f} MB")
    for what in cut[:20]:
        print(f"wider than the page: {what}")
    return int(bool(cut))


if __name__ == "__main__":
    sys.exit(main())
