"""The book as one PDF: every chapter, every figure, links that lead somewhere.

``make pdf`` prints it and then runs the tests of the file; those of the document before it is
printed run with the tests of the site.
"""

import collections
import functools
import io
import os
import sys
import unicodedata
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from PIL import Image
from pypdf import PdfReader

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import pdf


@pytest.fixture(scope="module")
def whole(site):
    text, titles = pdf.document({})
    return BeautifulSoup(text, "html.parser"), titles


def test_the_document_has_every_page_and_its_links_stay_inside(whole, pages):
    soup, titles = whole
    assert list(titles) == pages
    ids = collections.Counter(tag["id"] for tag in soup.find_all(id=True))
    assert not {name for name, times in ids.items() if times > 1}
    links = [link["href"] for link in soup.find_all("a", href=True)]
    inside = {link[1:] for link in links if link.startswith("#")}
    assert len(inside) > 200
    assert inside <= ids.keys() | {link for link in inside if link.endswith("--")}
    assert not [link for link in links if not link.startswith(("#", "http", "mailto:"))]
    assert not soup.select("details:not([open])")


printed = pytest.mark.skipif(
    not os.environ.get("PRINTED"), reason="`make pdf` prints the book, and then looks at it"
)


@functools.cache
def file():
    path = pdf.HTML / pdf.PDF
    if not path.exists():
        pytest.fail("the book is not printed: run `make pdf` first", pytrace=False)
    return PdfReader(io.BytesIO(path.read_bytes()))


@functools.cache
def texts():
    """What each page says, without the printer's ligatures and lines broken at a hyphen."""
    return [plain(page.extract_text()) for page in file().pages]


def plain(text):
    return " ".join(unicodedata.normalize("NFKC", text).split()).replace("- ", "-")


@printed
def test_every_chapter_is_there_with_its_text_and_begins_on_the_page_that_is_named(whole, pages):
    soup, titles = whole
    starts = pdf.chapter_starts((pdf.HTML / pdf.PDF).read_bytes(), titles)
    assert list(starts) == pages
    outline = [(entry.title, file().get_destination_page_number(entry)) for entry in file().outline]
    assert outline == [(titles[page], number - 1) for page, number in starts.items()]
    contents = " ".join(texts()[1:3])
    questions = [plain(legend.get_text()) for legend in soup.find_all("legend")]
    for page, number in starts.items():
        title = titles[page].replace("- ", "-")
        text = texts()[number - 1]
        for question in questions:  # a browser writes those of a page before its other words
            text = text.replace(question, "").strip()
        assert title in text[: len(title) + 40]  # numbers in the margin come first
        assert f"{title} {number}" in contents
    letters = sum(len("".join(text.split())) for text in texts())
    expected = sum(len("".join(part.get_text().split())) for part in soup.find_all("article"))
    assert 0.9 < letters / expected < 1.2


@printed
def test_every_page_leads_to_it(site, pages):
    for name in [*pages, "search", "genindex"]:
        path = site.path(name)
        (link,) = [a for a in site.soup(path).select("footer a") if a["href"].endswith(".pdf")]
        assert (path.parent / link["href"]).resolve() == (pdf.HTML / pdf.PDF).resolve()


def test_no_page_leads_to_a_pdf_that_is_not_there(site):
    if not (pdf.HTML / pdf.PDF).exists():
        for path in site.html_files():
            assert pdf.PDF not in path.read_text(encoding="utf-8")


@printed
def test_every_figure_is_there_and_inside_the_page(whole):
    soup, _ = whole
    wanted = [image["src"] for image in soup.select("article img") if ".png" in image["src"]]
    assert len(wanted) > 50
    sizes, found = set(), set()
    for name in wanted:
        with Image.open(pdf.HTML / "book" / name) as image:
            sizes.add(image.size)
    for page in file().pages:
        for item in page["/Resources"].get("/XObject", {}).values():
            thing = item.get_object()
            if thing.get("/Subtype") == "/Image":
                found.add((thing["/Width"], thing["/Height"]))
    assert sizes <= found


@printed
def test_no_letter_is_missing_and_all_pages_are_alike():
    """That nothing is cut at the right is measured when it is printed."""
    for number, text in enumerate(texts(), 1):
        assert "�" not in text, f"page {number}"
    assert {tuple(map(round, page.mediabox[2:])) for page in file().pages} == {(595, 842)}
