"""The built book in a real browser, without a network, on a wide and on a narrow screen.

The browser is the system's Chromium. Without one these tests skip, but not in CI
(``CI=true``): there they fail, unless ``NO_BROWSER`` says why there can be none.
"""

import pytest

SCREENS = {"desktop": (1280, 900), "phone": (360, 740)}
SCROLLS_SIDEWAYS = """() => {
    const root = document.documentElement;
    if (Math.max(root.scrollWidth, document.body.scrollWidth) <= root.clientWidth + 1) return null;
    const inside = (e) => {  // does something between it and the page scroll by itself?
        for (let p = e.parentElement; p && p !== document.body; p = p.parentElement)
            if (getComputedStyle(p).overflowX !== "visible") return true;
        return false;
    };
    const wide = [...document.querySelectorAll("body *")].filter(
        (e) => e.getBoundingClientRect().right > root.clientWidth + 1 && !inside(e));
    return root.scrollWidth + " px: " + wide.slice(-3).map((e) => e.outerHTML.slice(0, 200)).join(" | ");
}"""


@pytest.fixture(scope="module", params=SCREENS.values(), ids=SCREENS.keys())
def window(request, browser, base_url):
    """A browser window that can reach the book and nothing else."""
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height})
    context.route(lambda url: not url.startswith(base_url), lambda route: route.abort())
    yield context
    context.close()


def test_the_page_loads_whole_and_fits(page, site, window, base_url):
    tab = window.new_page()
    complaints = []
    tab.on("console", lambda m: m.type == "error" and complaints.append(f"console: {m.text}"))
    tab.on("pageerror", lambda error: complaints.append(f"script: {error}"))
    tab.on("requestfailed", lambda r: complaints.append(f"request failed: {r.url}"))
    tab.on(
        "response",
        lambda r: r.status >= 400 and complaints.append(f"answer {r.status}: {r.url}"),
    )
    url = f"{base_url}/{page.relative_to(site.folder).as_posix()}"
    answer = tab.goto(url, wait_until="load")
    # Pictures further down are loaded lazily: go and see them.
    tab.evaluate("() => document.querySelectorAll('img').forEach((i) => (i.loading = 'eager'))")
    tab.wait_for_load_state("networkidle")
    assert answer.ok
    blank = tab.evaluate(
        "() => [...document.images].filter((i) => i.complete && !i.naturalWidth).map((i) => i.src)"
    )
    wide = tab.evaluate(SCROLLS_SIDEWAYS)
    tab.close()
    assert not complaints, "\n".join(complaints)
    assert not blank, f"pictures that do not show: {blank}"
    assert wide is None, f"the page scrolls sideways, {wide}"


def test_the_search_finds_a_word_of_the_book(window, base_url):
    tab = window.new_page()
    tab.goto(f"{base_url}/search.html?q=lookback", wait_until="load")
    tab.wait_for_selector("#search-results li a", timeout=20_000)
    tab.close()
