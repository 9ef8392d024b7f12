"""The backtest that moves, in a real browser: it shows what is recorded, in order, and only on request."""

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

FOLDS = runpy.run_path(str(Path(__file__).resolve().parents[2] / "scripts" / "folds.py"))
DATA = json.loads(FOLDS["FILE"].read_text("utf-8").removeprefix(FOLDS["START"]).removesuffix(";\n"))
SLIDER, SAYS = ".moving-backtest input", ".mb-says"


@pytest.fixture
def open_page(browser, base_url):
    contexts = []

    def opened(**options):
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(120_000)  # the machine may be busy
        context.route(lambda url: not url.startswith(base_url), lambda route: route.abort())
        tab = context.new_page()
        tab.clock.install()
        tab.goto(f"{base_url}/notebooks/baselines.html")
        return tab

    yield opened
    for context in contexts:
        context.close()


def test_what_came_is_drawn_after_the_forecast_and_its_error_said(open_page):
    tab = open_page(viewport={"width": 1280, "height": 900})
    known = "document.querySelectorAll('.mb-drawing .mb-known').length"
    for place in (0, 4, len(DATA["folds"]) - 1):
        fold, seen = DATA["folds"][place], DATA["folds"][: place + 1]
        tab.locator(SLIDER).fill(str(2 * place))
        before = tab.evaluate(known)
        assert "is not known" in tab.locator(SAYS).text_content()
        assert tab.locator(".mb-dot").count() == place  # the errors up to here
        tab.locator(".mb-next").click()
        assert tab.evaluate(known) == before + 1
        said = tab.locator(SAYS).text_content()
        assert said.startswith(f"Cutoff {place + 1} of {len(DATA['folds'])}")
        numbers = [
            int(number) for number in re.findall(r"(\d+) MW off|curve (\d+)", said)[0] if number
        ]
        assert numbers[0] == fold["modelError"] and f"curve {fold['simpleError']} MW" in said
        if place:
            means = [np.mean([f[key] for f in seen]) for key in ("modelError", "simpleError")]
            said = re.search(r"mean so far: (\d+) and (\d+)", said).groups()
            assert np.allclose([int(number) for number in said], means, atol=0.51)
    assert tab.locator(".mb-next").is_disabled()


def test_it_plays_on_request_to_the_end_and_by_keyboard(open_page):
    tab = open_page()
    tab.clock.run_for(10_000)
    assert tab.locator(SLIDER).input_value() == "0", "it plays by itself"
    tab.locator(SLIDER).focus()
    tab.keyboard.press("ArrowRight")
    assert tab.locator(SLIDER).input_value() == "1"
    tab.keyboard.press("Shift+Tab")
    tab.keyboard.press("Shift+Tab")
    tab.keyboard.press("Enter")
    play = tab.locator(".mb-play")
    assert play.text_content() == "Pause" and tab.locator(SAYS).get_attribute("aria-live") == "off"
    tab.clock.run_for(3000)
    assert tab.locator(SLIDER).input_value() == "3"
    tab.clock.run_for(200_000)
    assert tab.locator(SLIDER).input_value() == str(2 * len(DATA["folds"]) - 1)
    assert play.text_content() == "Play"


def test_who_asked_for_stillness_steps_by_hand(open_page):
    tab = open_page(reduced_motion="reduce")
    assert tab.locator(".mb-play").is_hidden()
    tab.locator(".mb-next").click()
    assert "Now the day has come" in tab.locator(SAYS).text_content()


def test_without_scripts_there_is_the_picture(browser, base_url):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{base_url}/notebooks/baselines.html")
    picture = tab.locator("img.moving-backtest-picture")
    assert picture.is_visible() and len(picture.get_attribute("alt")) > 100
    assert tab.locator(".moving-backtest").count() == 0
    context.close()


@pytest.mark.parametrize("theme, width", [("light", 1280), ("dark", 320)])
def test_it_can_be_read_and_nothing_is_cut(open_page, theme, width):
    tab = open_page(viewport={"width": width, "height": 800}, color_scheme=theme)
    assert tab.locator("img.moving-backtest-picture").is_hidden()
    for moment in (0, 9):
        tab.locator(SLIDER).fill(str(moment))
        frame = tab.locator(".mb-drawing svg").bounding_box()
        ticks = [int(t) for t in tab.locator(".mb-drawing text").all_text_contents() if t.isdigit()]
        assert len(ticks) == 4 and not any(tick % 500 for tick in ticks), ticks
        for text in tab.locator(".mb-drawing text").all():
            box = text.bounding_box()
            assert box["x"] >= frame["x"] - 1, text.text_content()
            assert box["x"] + box["width"] <= frame["x"] + frame["width"] + 1, text.text_content()
    assert Axe().run(tab, context=".moving-backtest").response["violations"] == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
