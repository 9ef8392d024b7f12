"""The built HTML: complete, unbroken, usable offline and without seeing the pictures."""

import re
from collections import defaultdict
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

TRACEBACKS = ("Traceback (most recent call last)", "CellExecutionError")
LOADS = {  # what a browser fetches by itself; an <a href> to another site is only a link
    "script": ("src",),
    "link": ("href",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "object": ("data",),
    "embed": ("src",),
}
LINKS_WITHOUT_LOADING = {
    "canonical",
    "next",
    "prev",
    "search",
    "index",
    "genindex",
    "author",
    "license",
}


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_page_exists_and_has_a_title_and_text(page, site):
    soup = site.soup(page)
    assert soup.find("h1"), "no heading"
    assert soup.title.get_text(strip=True)
    article = soup.find("article") or soup.find("main")
    assert len(article.get_text(" ", strip=True)) > 100, "an empty page"


def test_no_error_output(page, site):
    html = text_of(page)
    for word in TRACEBACKS:
        assert word not in html
    errors = site.soup(page).select(
        ".output.traceback, .output.error, .system-message, .problematic"
    )
    assert not errors, errors[0].get_text()[:500]
    stderr = site.soup(page).select(".output.stderr")
    assert not stderr, stderr[0].get_text()[:500]


def is_local(url: str) -> bool:
    parts = urlsplit(url)
    return not parts.scheme and not parts.netloc


@pytest.fixture(scope="session")
def anchors(site):
    """The ids on each page, found once."""
    known: dict[Path, set[str]] = {}

    def of(path: Path) -> set[str]:
        if path not in known:
            soup = site.soup(path)
            known[path] = {tag["id"] for tag in soup.find_all(id=True)}
            known[path] |= {tag["name"] for tag in soup.find_all("a", attrs={"name": True})}
        return known[path]

    return of


def test_every_internal_link_and_anchor_resolves(page, site, anchors):
    broken = []
    for link in site.soup(page).find_all("a", href=True):
        url = link["href"]
        if not is_local(url) or "headerbtn" in link.get("class", []):
            continue
        parts = urlsplit(url)
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page.resolve()
        if target.is_dir():
            target = target / "index.html"
        if not target.exists():
            broken.append(f"{url}: no such file ({link.get_text(strip=True)!r})")
        elif not target.is_relative_to(site.folder.resolve()):
            broken.append(f"{url}: leads out of the book")
        elif parts.fragment and target.suffix == ".html":
            name = unquote(parts.fragment)
            if name != "top" and name not in anchors(target):
                broken.append(f"{url}: no such anchor ({link.get_text(strip=True)!r})")
    assert not broken, "\n".join(broken)


def content_images(soup):
    return (soup.find("article") or soup.find("main")).find_all("img")


def test_no_markup_is_left_in_the_prose(page, site):
    """A directive that MyST does not understand stays as it was typed, without a warning."""
    article = BeautifulSoup(str(site.soup(page).select_one("article")), "html.parser")
    left = re.findall(r".*(?:```|:::).*", article.get_text())
    for code in article.select("pre, code, dt"):
        code.decompose()
    left += re.findall(r".*(?:\{[a-z]+(?::[a-z]+)?\}[`\s]|\]\(\S).*", article.get_text())
    assert not left, left


def test_the_address_without_a_page_leads_to_the_first_one(site, pages):
    soup = site.soup(site.folder / "index.html")
    address = soup.find("meta", attrs={"http-equiv": "refresh"})["content"].split("url=")[1]
    assert address == f"{pages[0]}.html" == soup.a["href"]
    assert (
        site.folder / soup.find("link", rel="icon")["href"]
    ).exists()  # or a browser asks for one


def test_every_image_exists(page, site):
    missing = [
        image["src"]
        for image in site.soup(page).find_all("img", src=True)
        if is_local(image["src"]) and not (page.parent / unquote(image["src"])).exists()
    ]
    assert not missing


def test_every_picture_has_a_text_for_those_who_cannot_see_it(page, site):
    without = []
    for image in content_images(site.soup(page)):
        alt = (image.get("alt") or "").strip()
        name = unquote(image.get("src", "")).rsplit("/", 1)[-1]
        if len(alt) < 10 or alt.endswith(name) or name.startswith(alt) or alt.startswith("../"):
            without.append(f"{image.get('src')}: alt={alt!r}")
    assert not without, "\n".join(without)
    for drawing in (site.soup(page).find("article") or site.soup(page)).select("svg[role=img]"):
        assert drawing.get("aria-label") or drawing.find("title"), "a drawing without a label"


def test_nothing_is_loaded_from_elsewhere(page, site):
    outside = []
    for tag in site.soup(page).find_all(list(LOADS)):
        if tag.name == "link" and set(tag.get("rel", [])) & LINKS_WITHOUT_LOADING:
            continue
        for attribute in LOADS[tag.name]:
            url = tag.get(attribute, "")
            if url and not is_local(url) and not url.startswith("data:"):
                outside.append(f"<{tag.name} {attribute}={url}>")
    assert not outside, "\n".join(outside)
    for style in site.soup(page).find_all("style"):
        assert "http" not in style.get_text(), "a style that loads from elsewhere"


def test_ids_are_unique_in_the_text(page, site):
    seen: dict[str, int] = defaultdict(int)
    for tag in (site.soup(page).find("article") or site.soup(page)).find_all(id=True):
        seen[tag["id"]] += 1
    assert not {name: times for name, times in seen.items() if times > 1}


def test_stylesheets_load_nothing_from_elsewhere(site):
    for sheet in site.folder.joinpath("_static").rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        for mark in ("url(http", "url('http", 'url("http', "url(//", "@import url(http"):
            assert mark not in text, f"{sheet.name}: {mark}"


def test_a_notebook_can_be_downloaded(site):
    """The download button gives the notebook, outputs and all."""
    notebooks = [p for p in site.html_files() if p.parent.name == "notebooks"]
    assert notebooks
    for page in notebooks:
        links = [
            link["href"]
            for link in site.soup(page).find_all("a", href=True)
            if link["href"].endswith(".ipynb") and is_local(link["href"])
        ]
        assert links, f"{page.name}: no download link"
        assert all((page.parent / link).exists() for link in links)


def test_the_search_knows_every_page(site):
    assert (site.folder / "search.html").exists()
    index = (site.folder / "searchindex.js").read_text(encoding="utf-8")
    for page in site.html_files():
        name = page.relative_to(site.folder).with_suffix("").as_posix()
        if name.startswith(("book/", "notebooks/")):
            assert f'"{name}"' in index
