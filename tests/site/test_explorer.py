"""The window explorer: it frames as the package does, and everybody can use it."""

import random
import re

import pytest

import tsforecast as tsf

PAGE = "notebooks/shapes.html"
COLUMNS = ("a", "b", "c", "site")
ROLES = ("target", "past", "future", "static", "none")
STILL = {"a": "target", "b": "target", "c": "target", "site": "none"}
CHAPTERS = ("univariate", "multivariate", "multistep", "multivariate_multistep")
DRAWN = """() => {
    const cells = {};
    for (const cell of document.querySelectorAll(".we-table td")) {
        const [row, column] = cell.dataset.cell.split(",").map(Number);
        for (const name of cell.dataset.arrays.split(" ").filter(Boolean)) {
            // The reader sees it: a class that the style sheet knows, a mark, a hidden word.
            if (!cell.classList.contains("we-" + name)) throw Error("no colour: " + name);
            if (!cell.querySelector(".we-mark-" + name)) throw Error("no mark: " + name);
            (cells[name] ??= []).push([row, column]);
        }
    }
    const arrays = [...document.querySelectorAll(".we-array pre")].map((e) => e.textContent);
    return {cells, arrays, where: document.querySelector(".we-where").textContent};
}"""


class Explorer:
    """The figure, used as a reader uses it."""

    def __init__(self, tab):
        self.tab = tab
        self.now = {"lookback": 3, "horizon": 1, "lead": 1, "stride": 1, "rows": 9}
        self.now |= {"history": True, "roles": dict(STILL)}

    def set(self, wanted):
        """Through the controls; what is as it should be already is left alone."""
        for name in ("lookback", "horizon", "lead", "stride", "rows"):
            if wanted[name] != self.now[name]:
                self.tab.locator(f"#we-{name}").fill(str(wanted[name]))
        for name in COLUMNS:
            if wanted["roles"][name] != self.now["roles"][name]:
                self.tab.locator(f"#we-role-{name}").select_option(wanted["roles"][name])
        if wanted["history"] != self.now["history"]:
            self.tab.locator("#we-history").set_checked(wanted["history"])
        self.now = wanted

    def show(self, window):
        slider = self.tab.locator("#we-window")
        if slider.is_enabled():  # it is not where there is one window or none
            slider.fill(str(window))
        return self.tab.evaluate(DRAWN)

    def text(self, part):
        return self.tab.locator(f".we-{part}").text_content()

    def copied(self):
        self.tab.locator(".we-copy").click()
        self.tab.wait_for_function("document.querySelector('.we-copied').textContent")
        return self.tab.evaluate("navigator.clipboard.readText()")


@pytest.fixture
def open_page(browser, base_url):
    """Open the page with some settings of the browser; its console must stay silent."""
    contexts, complaints = [], []

    def heard(message):
        if not message.location["url"].endswith("favicon.ico"):  # a browser asks for one by itself
            complaints.append(f"{message.text} {message.location['url']}")

    def opened(url=f"{base_url}/{PAGE}", **options):
        options = {"viewport": {"width": 1280, "height": 900}} | options
        context = browser.new_context(permissions=["clipboard-read", "clipboard-write"], **options)
        contexts.append(context)
        context.route(
            lambda address: not address.startswith((base_url, "file:")),
            lambda route: route.abort(),
        )
        tab = context.new_page()
        tab.on("console", lambda m: m.type in ("error", "warning") and heard(m))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(url, wait_until="load")
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert not complaints, "\n".join(complaints)


def random_settings(count, seed):
    """Mostly possible ones: a column that is not used often, static mostly where it may be."""
    draw = random.Random(seed)
    for _ in range(count):
        weights = {"a": (4, 3, 2, 0, 1), "b": (3, 3, 3, 0, 2), "c": (3, 3, 3, 0.3, 2)}
        weights["site"] = (1, 1, 1, 4, 4)
        roles = {name: draw.choices(ROLES, weights[name])[0] for name in COLUMNS}
        lead = draw.choice([0, 1, 1, 2, 3, 4])
        yield {
            "rows": draw.randint(6, 16),
            "lookback": draw.choice([1, 2, 3, 3, 4, 5, 8]),
            "horizon": draw.choice([1, 1, 2, 2, 3, 4, 8]),
            "lead": lead,
            "stride": draw.choice([1, 1, 2, 3, 5]),
            "history": draw.random() < (0.15 if lead == 0 else 0.8),
            "roles": roles,
        }


def frame(settings):
    """The framing of these settings, written down independently of the figure's call."""
    having = {role: [n for n in COLUMNS if settings["roles"][n] == role] for role in ROLES}
    return tsf.Framing(
        settings["lookback"],
        horizon=settings["horizon"],
        lead=settings["lead"],
        targets=having["target"],
        past_covariates=having["past"],
        future_covariates=having["future"],
        static_covariates=having["static"],
        use_target_history=settings["history"],
        stride=settings["stride"],
    )


def compare(page, settings):
    """Everything that the figure says with what the package does; False: it is not possible."""
    page.set(settings)
    table = tsf.datasets.toy("multivariate", rows=settings["rows"]).assign(site=1)
    call = page.text("call pre")
    try:
        framing = frame(settings)
        windows = framing.windows(table)
    except ValueError as error:
        said = page.text("summary").removeprefix("Not possible. ")
        assert said != page.text("summary"), settings
        assert str(error).startswith(said.removesuffix(".")), settings
        assert page.show(0)["cells"] == {}
        with pytest.raises(ValueError, match=re.escape(said.removesuffix("."))):
            exec(call + "\nframing.windows(table)", {"tsf": tsf, "table": table})
        return False

    assert page.text("summary") == repr(windows)
    shapes = {"X": windows.X.shape, "y": windows.y.shape}
    if framing.future_covariates:
        shapes["future"] = windows.future.shape
    if framing.static_covariates:
        shapes["static"] = windows.static.shape
    shown = page.tab.locator(".we-shape").all_text_contents()
    assert shown == [f"{name} {shape}" for name, shape in shapes.items()]
    assert page.text("rule").endswith(f"{len(windows)}{' windows' * (settings['stride'] == 1)}")

    copied: dict = {"tsf": tsf}
    exec(page.copied(), copied)
    assert copied["framing"] == framing
    assert page.tab.locator("#we-window").get_attribute("max") == str(len(windows) - 1)

    # A table whose numbers say which cell they are: where they turn up is what the package cuts.
    numbers = {name: [row * 4 + i for row in range(len(table))] for i, name in enumerate(COLUMNS)}
    static = framing.static_covariates
    names = table.assign(**{name: numbers[name] for name in COLUMNS if name not in static})
    cut = framing.windows(names)
    for window in sorted({0, len(windows) // 2, len(windows) - 1}):
        drawn = page.show(window)
        for name in shapes:
            if name == "static":
                cells = {(windows.starts[window], COLUMNS.index(column)) for column in static}
            else:
                cells = {divmod(int(number), 4) for number in getattr(cut, name)[window].ravel()}
            assert {tuple(cell) for cell in drawn["cells"].get(name, [])} == cells, settings
        assert drawn["cells"].keys() == shapes.keys()
        printed = [f"{name}[{window}]\n{getattr(windows, name)[window]}" for name in shapes]
        assert drawn["arrays"] == printed
        into, out = windows.input_times(window), windows.target_times(window)
        assert f"Window {window} of {len(windows)}: row" in drawn["where"]
        said = [int(number) for number in re.findall(r"\d+", drawn["where"].split(":")[1])]
        assert said == [*dict.fromkeys([into[0], into[-1]]), *dict.fromkeys([out[0], out[-1]])]
    return True


def test_fifty_settings_agree_with_the_package(open_page):
    page = Explorer(open_page())
    possible = [compare(page, settings) for settings in random_settings(50, seed=6)]
    assert possible.count(True) >= 25 and possible.count(False) >= 8


def test_what_is_impossible_is_said_in_the_packages_words(open_page):
    page = Explorer(open_page())
    first = page.now
    for changes, words in [
        ({"lead": 0}, "puts the answer among the inputs"),
        ({"history": False}, "leaves no input"),
        ({"roles": dict.fromkeys(COLUMNS, "past")}, "no column to forecast"),
        ({"roles": STILL | {"b": "static"}}, "'b' changes (from 15 to 25 at 1, row 1)"),
        ({"rows": 4, "horizon": 2}, "The table has 4 rows. One window needs 5 rows"),
    ]:
        assert not compare(page, first | changes), changes
        assert words in page.text("summary")
        assert page.text("where") == "No window fits."
    assert compare(page, first)


def test_every_start_is_possible_and_the_list_says_when_it_was_left(open_page):
    tab = open_page()
    start = tab.locator("#we-start")
    names = start.locator("option").all_text_contents()[1:]
    assert len(names) >= 6
    summaries = set()
    for name in names:
        start.select_option(name)
        summaries.add(tab.locator(".we-summary").text_content())
    assert len(summaries) == len(names) and not any("Not possible" in text for text in summaries)
    tab.locator("#we-stride").fill("2")
    assert start.input_value() == ""


def test_copying_works_where_the_page_may_not_write_to_the_clipboard(open_page):
    page = Explorer(open_page())
    page.tab.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(Error('not allowed')); }"
    )
    page.tab.locator("#we-horizon").fill("4")
    assert page.copied() == page.text("call pre")
    assert "horizon=4" in page.text("call pre")


def test_the_keyboard_is_enough(open_page):
    page = Explorer(open_page())
    press = page.tab.keyboard.press
    page.tab.locator("#we-start").focus()
    press("Tab")  # to the table
    for key, window in [("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 5)]:
        press(key)
        assert f"Window {window} of 6" in page.text("where")
    press("ArrowRight")
    assert "Window 5 of 6" in page.text("where")
    press("Home")
    for _ in range(3):  # previous, play, next
        press("Tab")
    press("Enter")
    assert "Window 1 of 6" in page.text("where")
    press("Tab")
    press("ArrowRight")  # the slider of the windows
    assert "Window 2 of 6" in page.text("where")
    press("Tab")
    press("ArrowRight")  # the lookback
    assert page.text("summary") == "5 windows: X (5, 4, 3), y (5, 1, 3)"
    reached = {"we-lookback"}
    for _ in range(12):
        press("Tab")
        reached.add(
            page.tab.evaluate("document.activeElement.id || document.activeElement.className")
        )
    assert reached >= {"we-horizon", "we-lead", "we-stride", "we-rows", "we-history", "we-copy"} | {
        f"we-role-{name}" for name in COLUMNS
    }


def test_a_finger_is_enough(open_page):
    tab = open_page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    tab.locator(".we-next").tap()
    assert "Window 1 of 6" in tab.locator(".we-where").text_content()
    box = tab.locator("#we-horizon").bounding_box()
    tab.touchscreen.tap(box["x"] + box["width"] - 8, box["y"] + box["height"] / 2)
    assert tab.locator("#we-horizon").input_value() == "8"
    small = tab.evaluate(
        """() => [...document.querySelectorAll(".window-explorer :is(button, select, input[type=range])")]
            .filter((e) => Math.min(e.offsetWidth, e.offsetHeight) < 24).map((e) => e.id || e.className)"""
    )
    assert not small


def test_play_goes_to_the_last_window_and_stops(open_page):
    tab = open_page()
    tab.clock.install()
    tab.clock.run_for(5000)
    where, play = tab.locator(".we-where"), tab.locator(".we-play")
    assert "Window 0 of 6" in where.text_content(), "it plays by itself"
    play.click()
    assert play.text_content() == "Pause" and where.get_attribute("aria-live") == "polite"
    tab.clock.run_for(2000)
    assert "Window 2 of 6" in where.text_content()
    assert where.get_attribute("aria-live") == "off"  # a running film is not read out
    play.click()
    tab.clock.run_for(3000)
    assert "Window 2 of 6" in where.text_content()
    play.click()
    tab.clock.run_for(9000)
    assert "Window 5 of 6" in where.text_content() and play.text_content() == "Play"
    play.click()  # again from the first
    assert "Window 0 of 6" in where.text_content()


def test_who_asked_for_stillness_steps_by_hand(open_page):
    tab = open_page(reduced_motion="reduce")
    assert tab.locator(".we-play").is_hidden()
    tab.locator(".we-next").click()
    assert "Window 1 of 6" in tab.locator(".we-where").text_content()
    moving = tab.evaluate(
        "getComputedStyle(document.querySelector('.we-table td')).transitionDuration"
    )
    assert moving == "0s"
    tab.emulate_media(reduced_motion="no-preference")
    tab.locator(".we-play").wait_for(state="visible")


def test_without_scripts_there_is_the_picture(open_page):
    tab = open_page(java_script_enabled=False)
    picture = tab.locator(".tag_window-explorer img")
    assert picture.is_visible() and len(picture.get_attribute("alt")) > 100
    assert tab.locator(".window-explorer").count() == 0


def test_with_scripts_the_figure_is_in_the_place_of_the_picture(open_page, site):
    for url in ({}, {"url": site.path("notebooks/shapes").resolve().as_uri()}):  # also as a file
        tab = open_page(**url)
        assert tab.locator(".window-explorer").is_visible()
        assert tab.locator(".tag_window-explorer").is_hidden()


@pytest.mark.parametrize("width", [320, 640, 1280])
def test_the_page_does_not_scroll_sideways(open_page, width):
    page = Explorer(open_page(viewport={"width": width, "height": 740}))
    roles = {"a": "target", "b": "past", "c": "future", "site": "static"}
    long = {"rows": 16, "lookback": 8, "horizon": 8, "stride": 5, "roles": roles}
    for changes in ({}, long, {"lead": 0}):
        page.set(page.now | changes)
        wide = page.tab.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, changes
        outside = page.tab.evaluate(
            """() => { const figure = document.querySelector(".window-explorer").getBoundingClientRect();
                return [...document.querySelectorAll(".we-table td, .we-slider, select, .we-summary")]
                    .filter((e) => e.closest(".window-explorer"))
                    .filter((e) => e.getBoundingClientRect().right > figure.right).length }"""
        )
        assert outside == 0, changes


def test_the_shapes_are_announced_when_they_change_and_only_then(open_page):
    tab = open_page()
    summary = tab.locator(".we-summary")
    assert summary.get_attribute("aria-live") == "polite"
    tab.evaluate(
        """() => { window.heard = [];
            const summary = document.querySelector(".we-summary");
            new MutationObserver(() => window.heard.push(summary.textContent))
                .observe(summary, {childList: true, characterData: true, subtree: true}); }"""
    )
    tab.locator(".we-next").click()
    tab.locator("#we-lead").fill("2")
    tab.locator("#we-lookback").fill("4")
    heard = tab.evaluate("window.heard")
    assert heard == ["5 windows: X (5, 3, 3), y (5, 1, 3)", "4 windows: X (4, 4, 3), y (4, 1, 3)"]
    valued = tab.locator("#we-window").get_attribute("aria-valuetext")
    assert valued == "Window 1 of 4: rows 1 to 4 in, row 6 out."


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(open_page, theme):
    from axe_playwright_python.sync_playwright import Axe

    page = Explorer(open_page(color_scheme=theme, reduced_motion="reduce"))
    assert page.tab.locator(f"html[data-theme={theme}]").count() == 1
    roles = {"a": "target", "b": "past", "c": "future", "site": "static"}
    for changes in ({}, {"horizon": 2, "roles": roles}, {"lead": 0, "history": False}, {"rows": 4}):
        page.set(page.now | changes)
        # Without preload: axe would fetch an @import of the style sheets from a wrong place.
        found = Axe().run(page.tab, context=".window-explorer", options={"preload": False})
        assert found.violations_count == 0, found.generate_report()
        assert len(found.response["passes"]) > 10


def test_the_chapters_lead_to_it(site):
    for chapter in CHAPTERS:
        links = site.soup(site.path(f"notebooks/{chapter}")).select('a[href*="shapes-explorer"]')
        assert links, chapter
