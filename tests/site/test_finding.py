"""Finding things in the built book: words, names, what to look up, the search; and the quizzes."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]

HEADINGS = re.compile(r"h[1-6]")
LOOKED_UP = {"book/choose.html", "book/questions.html", "notebooks/errors.html"}
# Words without an everyday meaning: their first use in a paragraph must be a link, or come after one.
CLEAR = ("lookback", "cutoff", "encoder", "LSTM")


def target(page, link, site):
    """The page and the anchor that a link leads to, as the book names them."""
    path, _, anchor = link["href"].partition("#")
    whole = (page.parent / path).resolve() if path else page.resolve()
    return whole.relative_to(site.folder.resolve()).as_posix(), anchor


def test_what_one_looks_up_is_one_click_away(page, site):
    footer = site.soup(page).select("footer nav.look-up a")
    assert {target(page, link, site)[0] for link in footer} >= LOOKED_UP


def test_words_lead_to_the_glossary_where_they_are_first_used(page, site):
    article = site.soup(page).find("article")
    words = article.select("a > .glossary-word")
    if page.name in ("glossary.html", "bibliography.html", "licences.html"):
        return
    assert words
    leads = [target(page, word.parent, site) for word in words]
    assert {name for name, _ in leads} == {"book/glossary.html"}
    assert len(set(leads)) == len(leads)  # only the first use
    for word in words:
        assert not word.find_parent([HEADINGS, "pre", "code", "summary", "label", "legend"])
    for term in CLEAR:
        first = re.compile(rf"(?<![\w-]){term}s?(?![\w-])", re.IGNORECASE)
        for text in article.find_all(string=first):
            if text.find_parent("a"):
                break
            parents = [HEADINGS, "pre", "code", "summary", "label", "legend", "strong", "script"]
            plain = text.find_parent("p") and not text.find_parent(parents)
            if plain and not text.find_parent(class_=re.compile("title|sd-|quiz|exercise|cell")):
                assert text.find_parent("a"), f"{term}: ...{text[:80]}..."


def test_an_entry_of_the_package_and_what_uses_it_lead_to_each_other(site):
    page = site.path("book/api")
    entries = [
        entry
        for entry in site.soup(page).select("dl.py")
        if entry.dt.get("id") and not entry.find_parent("dl", class_="py")
    ]
    assert len(entries) >= 90
    for entry in entries:
        name = entry.dt["id"]
        used = entry.select("p.used-in a")
        assert used, f"{name} is used nowhere"
        for link in used:
            where, anchor = target(page, link, site)
            other = site.folder / where
            assert site.soup(other).find(id=anchor)
            back = [
                target(other, a, site)
                for a in site.soup(other).select('article a[href*="api.html#"]')
            ]
            assert ("book/api.html", name) in back, f"{where} does not lead to {name}"


def test_a_notebook_can_be_downloaded_as_a_script(site):
    for page in sorted(site.folder.glob("notebooks/*.html")):
        hrefs = [a["href"] for a in site.soup(page).select(".dropdown-download-buttons a")]
        script = next(page.parent / href for href in hrefs if href.endswith(".py"))
        code = script.read_text(encoding="utf-8")
        compile(code, script.name, "exec")
        assert "import tsforecast as tsf" in code
        assert "%pip" not in code


def test_the_buttons_lead_to_the_notebook_and_without_an_address_there_are_none(site):
    """Binder starts what .binder/ installs, and Colab the notebook whose first cell fetches all."""
    url = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
    where = url.removeprefix("https://github.com/")
    for page in sorted(site.folder.glob("notebooks/*.html")):
        links = [a["href"] for a in site.soup(page).select(".dropdown-launch-buttons a")]
        file = f"notebooks/{page.stem}.ipynb"
        assert (ROOT / file).exists()
        assert links == [
            f"https://mybinder.org/v2/gh/{where}/main?urlpath=lab/tree/{file}",
            f"https://colab.research.google.com/github/{where}/blob/main/{file}",
        ] * bool(url)


# --- in the browser -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tab(browser, base_url):
    context = browser.new_context(viewport={"width": 1000, "height": 800})
    context.route(lambda url: not url.startswith(base_url), lambda route: route.abort())
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=base_url)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize(
    "query, page, among",
    [
        ("lookback", "notebooks/lookback.html", 3),
        ("MASE", "notebooks/baselines.html", 3),
        ("ValueError", "notebooks/errors.html", 2),
        ("Expected shape", "notebooks/errors.html", 2),
        ("loss became nan", "notebooks/errors.html", 2),
        ("missing values", "notebooks/gaps.html", 2),
        ("holiday", "notebooks/known_futures.html", 2),
        ("fill_gaps", "book/api.html#tsforecast.fill_gaps", 1),
        ("naive forecast", "notebooks/baselines.html", 4),  # behind the words of the glossary
    ],
)
def test_the_search_shows_the_right_page_first(tab, base_url, query, page, among):
    tab.goto(f"{base_url}/search.html?q={query}", wait_until="load")
    tab.wait_for_function("/found/.test(document.querySelector('.search-summary')?.textContent)")
    tab.wait_for_selector("#search-results li a")
    found = tab.eval_on_selector_all(
        "#search-results li > a:first-of-type", "links => links.map((a) => a.getAttribute('href'))"
    )
    assert page in [re.sub(r"\?.*?(#|$)", r"\1", href) for href in found[:among]], found[:5]


def test_a_quiz_is_answered_with_the_keyboard_and_read_aloud(tab, base_url):
    tab.goto(f"{base_url}/notebooks/univariate.html", wait_until="load")
    quiz = tab.locator("fieldset.quiz").first
    assert quiz.locator(".quiz-why:visible").count() == 0  # nothing is given away
    quiz.get_by_role("radio", name="100", exact=True).focus()
    tab.keyboard.press("Space")
    assert quiz.locator(".quiz-why:visible").inner_text().startswith("No.")
    while not quiz.get_by_role("radio", name="90", exact=True).is_checked():
        tab.keyboard.press("ArrowDown")
    assert quiz.locator(".quiz-why:visible").count() == 1
    said = quiz.get_by_role("status").inner_text()
    assert said.startswith("Right.")
    assert said == quiz.locator(".quiz-why:visible").inner_text()
    # What a screen reader calls the group and its answers.
    name = quiz.locator("legend").inner_text()
    assert tab.get_by_role("group", name=name).get_by_role("radio").count() == 3


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_quizzes_can_be_read_in_the_light_and_in_the_dark(tab, base_url, theme):
    from axe_playwright_python.sync_playwright import Axe

    tab.goto(f"{base_url}/notebooks/univariate.html", wait_until="load")
    tab.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    for answer in tab.locator("fieldset.quiz .quiz-answer:first-of-type label").all():
        answer.click()
    found = Axe().run(tab, context="fieldset.quiz").response["violations"]
    assert not found, found


def test_a_quiz_needs_no_script(browser, base_url):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{base_url}/notebooks/univariate.html", wait_until="load")
    quiz = tab.locator("fieldset.quiz").first
    quiz.locator("label").nth(1).click()
    assert quiz.locator(".quiz-why").nth(1).is_visible()
    assert not quiz.locator(".quiz-why").nth(0).is_visible()
    context.close()


def test_a_class_shows_the_arguments_that_its_entry_describes(site):
    """Not those of Keras's ``__new__``, which takes anything."""
    described = [
        entry
        for entry in site.soup(site.path("book/api")).select("dl.py.class")
        if entry.select(":scope > dd > dl.field-list > dt:-soup-contains(Parameters)")
    ]
    assert len(described) >= 15
    for entry in described:
        arguments = [part.get_text() for part in entry.dt.select(".sig-param")]
        assert arguments and "*args" not in arguments, entry.dt["id"]
        first = entry.select_one("dl.field-list dd strong").get_text()
        assert first in arguments[0], entry.dt["id"]


def test_the_copy_button_copies_code_without_prompts(tab, base_url):
    """The examples of the package are written with prompts and what they print."""
    tab.goto(f"{base_url}/book/api.html", wait_until="load")
    block = tab.locator("div.highlight:has(button.copybtn)", has_text=">>> toy(").first
    assert ">>> " in block.inner_text()
    block.hover()
    block.locator("button.copybtn").click()
    copied = tab.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("toy(")
    assert ">>>" not in copied
    assert "0  10  15  25" not in copied  # what it prints is not copied
