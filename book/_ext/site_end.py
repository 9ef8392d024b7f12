"""The built site, made light, and mended where the theme leaves something to a screen reader.

Two thirds of a page's weight were icons that no page shows. So, after the pages are written:

- the icon fonts keep the icons that the site uses, and the script with all others is left out;
- the scripts of the search are loaded by the search page only;
- pictures are stored with a palette, where no colour moves by more than a look can tell;
- source maps go;
- the side bar is a landmark, and an empty corner of a table is no heading;
- the address without a page leads to the first page, with the icon that every page has;
- ``_static/licences.txt`` has the licence of everything on the site that others made.
"""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from fontTools import subset, ttLib
from PIL import Image

# Of 255: what a colour may move by when a picture gets a palette.
COLOUR = 8
# The packages whose scripts and styles the site has; what they bring along is in book/licences.
PACKAGES = (
    *("sphinx", "sphinx-book-theme", "pydata-sphinx-theme", "sphinx-copybutton", "sphinx-design"),
    *("sphinx-togglebutton", "sphinx-exercise", "myst-nb", "pygments"),
)
HEADER = """\
What is on this site and was made by others, and the licences under which it may be used.
The text, figures and code of the book itself: see the page "Licences".
"""
ICON_SCRIPT = re.compile(r'\s*<script[^>]*src="[^"]*scripts/fontawesome\.js[^"]*"></script>')
SEARCH_SCRIPT = re.compile(
    r'\s*<script src="[^"]*(?:_static/searchtools|_static/language_data|searchindex)\.js"></script>'
)
MENDED = {
    '<div id="pst-primary-sidebar" ': '<div id="pst-primary-sidebar" role="complementary" aria-label="Contents" ',
    "<th></th>": "<td></td>",
    '<th class="head"><p></p></th>': "<td></td>",
    'role="doc-biblioentry"': 'role="listitem"',  # the first is deprecated
}
FIRST = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<link rel="icon" href="_static/{icon}">
<meta http-equiv="refresh" content="0; url={page}">
</head>
<body><p><a href="{page}">{title}</a></p></body>
</html>
"""
ICON = re.compile(r"\bfa-[a-z0-9-]+")
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
CODE = re.compile(r'"\\(f[0-9a-f]{3}|e[0-9a-f]{3})"')
WOFF2 = re.compile(r'url\([^)]*fontawesome[^)]*\.woff2\) format\("woff2"\),')


def icons_in_use(static: Path, pages: list[str]) -> set[int]:
    """The code points of the icons that a page, a script or a style of its own asks for."""
    scripts = [p.read_text(encoding="utf-8") for p in static.rglob("*.js")]
    asked = {name for text in [*pages, *scripts] for name in ICON.findall(text)}
    codes: set[int] = set()
    for sheet in static.rglob("*.css"):
        for selectors, body in RULE.findall(sheet.read_text(encoding="utf-8")):
            names = re.findall(r"\.(fa-[a-z0-9-]+):{1,2}before", selectors)
            if not names or asked & set(names):
                codes |= {int(code, 16) for code in CODE.findall(body)}
    return codes


def cut_fonts(static: Path, codes: set[int]) -> None:
    """Keep these icons of each font, and let the styles load no other file.

    A changed font may not have the name of the original: its licence reserves that.
    """
    for path in static.rglob("fontawesome/webfonts/*.ttf"):
        font = ttLib.TTFont(path)
        cutter = subset.Subsetter(subset.Options(layout_features=[], hinting=False))
        cutter.populate(unicodes=codes)
        cutter.subset(font)
        for number in (1, 3, 4, 6, 16):  # of the font's names, those that identify it
            font["name"].setName("Icons of this book", number, 3, 1, 0x409)
        font.save(path)
        path.with_suffix(".woff2").unlink(missing_ok=True)
    for sheet in static.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        if (cut := WOFF2.sub("", text)) != text:
            sheet.write_text(cut, encoding="utf-8")


def with_palette(path: Path) -> None:
    """Store a picture with 256 colours if that is smaller and looks the same."""
    picture = Image.open(path)
    if picture.mode == "P":
        return
    full = picture.convert("RGBA")
    opaque = full.getextrema()[3] == (255, 255)
    few = (
        full.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        if opaque
        else full.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    )
    moved = np.asarray(full, dtype=int) - np.asarray(few.convert("RGBA"), dtype=int)
    small = path.with_suffix(".tmp")
    (few if abs(moved).max() <= COLOUR else picture).save(small, "PNG", optimize=True)
    os.replace(small, path) if small.stat().st_size < path.stat().st_size else small.unlink()


def licences(folder: Path) -> str:
    """The texts, as the packages have them."""
    parts = [HEADER]
    for name in PACKAGES:
        package = metadata.distribution(name)
        texts = [
            file.read_text(encoding="utf-8").strip()
            for file in package.files or []
            if ".dist-info" in str(file) and "LICEN" in file.name.upper()
        ]
        if not texts:
            raise LookupError(f"{name} comes without the text of its licence")
        parts.append(f"{name} {package.version}\n\n" + "\n\n".join(texts))
    for path in sorted(folder.glob("*.txt")):
        parts.append(f"{path.stem}\n\n" + path.read_text(encoding="utf-8").strip())
    return f"\n\n{'=' * 79}\n".join(parts) + "\n"


def finish(app: Any, exception: Exception | None) -> None:
    if exception or app.builder.format != "html":
        return
    site = Path(app.outdir)
    static = site / "_static"
    for path in {*static.rglob("*.map"), *static.rglob("fontawesome.js*")}:
        path.unlink()
    pages = []
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        light = ICON_SCRIPT.sub("", text)
        if path != site / "search.html":
            light = SEARCH_SCRIPT.sub("", light)
        for wrong, right in MENDED.items():
            light = light.replace(wrong, right)
        if light != text:
            path.write_text(light, encoding="utf-8")
        pages.append(light)
    first = {
        "title": app.config.html_title or app.config.project,
        "page": f"{app.config.root_doc}.html",
    }
    icon = Path(app.config.html_favicon).name
    (site / "index.html").write_text(FIRST.format(**first, icon=icon), encoding="utf-8")
    cut_fonts(static, icons_in_use(static, pages))
    with ThreadPoolExecutor() as pool:
        list(pool.map(with_palette, site.joinpath("_images").glob("*.png")))
    text = licences(Path(app.srcdir) / "book" / "licences")
    (static / "licences.txt").write_text(text, encoding="utf-8")


def link_licences(app: Any, page: str, template: str, context: dict, doctree: Any) -> None:
    """The footer is the same text everywhere; its link to the page of licences is not."""
    footer = context.get("theme_extra_footer", "")
    context["theme_extra_footer"] = footer.replace("LICENCES", context["pathto"]("book/licences"))


def setup(app: Any) -> dict[str, Any]:
    app.connect("html-page-context", link_licences)
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
