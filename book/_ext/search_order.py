"""The order of what the search finds: a page that uses a word often comes before one that names it.

Sphinx's index knows whether a word is on a page, not how often; pages with the same score come in
the order of the alphabet. So the build counts the words of each page into ``search_counts.js``,
which only the page of results loads, and ``search_scorer.js`` adds to a page's score.
"""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

FEWEST = 4  # rarer words do not change the order


def counts(text: str) -> dict[str, int]:
    """How often each word is on a page, if it is there a few times."""
    words = Counter(re.findall(r"[a-z_]{3,}", text.lower()))
    return {word: n for word, n in sorted(words.items()) if n >= FEWEST}


def on_page(app: Any, pagename: str, *_: Any) -> None:
    if pagename == "search":
        app.add_js_file("search_counts.js", priority=400)  # on this page only


def on_finish(app: Any, problem: Any) -> None:
    if problem or app.builder.format != "html":
        return
    pages = {
        name: counts(app.env.get_doctree(name).astext()) for name in sorted(app.env.found_docs)
    }
    file = Path(app.outdir, "_static", "search_counts.js")
    file.write_text(f"const PAGE_WORDS = {json.dumps(pages)};\n", encoding="utf-8")


def setup(app: Any) -> dict[str, Any]:
    app.connect("html-page-context", on_page)
    app.connect("build-finished", on_finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
