"""Figures in a real browser: on the dark page, on a phone, and the words for who cannot see them."""

import io
import re

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def phone_in_the_dark(browser, base_url):
    context = browser.new_context(viewport={"width": 320, "height": 900}, color_scheme="dark")
    context.route(lambda url: not url.startswith(base_url), lambda route: route.abort())
    yield context.new_page()
    context.close()


def pixels(image):
    image.scroll_into_view_if_needed()
    return np.asarray(Image.open(io.BytesIO(image.screenshot())).convert("RGB"), dtype=int)


def brightness(rgb):
    return np.asarray(rgb) @ (0.2126, 0.7152, 0.0722)


def test_a_figure_is_drawn_on_the_dark_page_itself(phone_in_the_dark, base_url):
    tab = phone_in_the_dark
    tab.goto(f"{base_url}/notebooks/univariate.html")
    ground = tab.evaluate("() => getComputedStyle(document.body).backgroundColor")
    ground = [int(number) for number in re.findall(r"\d+", ground)[:3]]
    assert max(ground) < 40  # it is dark
    for image in tab.query_selector_all("div.cell_output img")[:3]:
        drawn = pixels(image)
        assert np.abs(drawn[2, 2] - ground).max() <= 3
        assert brightness(drawn).max() > 180  # its ink is light


def test_a_map_keeps_its_colours(phone_in_the_dark, base_url):
    phone_in_the_dark.goto(f"{base_url}/notebooks/space.html")
    as_drawn = phone_in_the_dark.query_selector("div.cell_output img.as-drawn")
    assert pixels(as_drawn)[3, 8].min() > 250  # on white


def test_a_wide_figure_can_be_read_on_a_phone_and_opens_whole(phone_in_the_dark, base_url):
    tab = phone_in_the_dark
    tab.goto(f"{base_url}/notebooks/multistep.html")
    sizes = tab.evaluate(
        """() => [...document.querySelectorAll("div.cell_output img")].map((i) => {
            i.loading = "eager";
            const link = i.closest("a");
            return [i.naturalWidth, i.getBoundingClientRect().width, link && link.href === i.src];
        })"""
    )
    wide = [size for size in sizes if size[0] > 540]
    assert len(wide) >= 5 and len(sizes) - len(wide) >= 4  # plots, and pictures of models
    for natural, shown, linked in sizes:
        assert linked or natural <= 540
        assert shown / natural > 0.5  # a letter of 15 pixels keeps 8


def test_every_figure_of_a_notebook_says_what_it_shows(page, site):
    """More than a name: what is drawn, and what it shows; and no two figures say the same."""
    images = site.soup(page).select("div.cell_output img")
    words = [image.get("alt", "") for image in images]
    assert len(set(words)) == len(words)
    for alt in words:
        assert len(alt.split()) >= 12, alt
        assert not re.match(r"(?i)(a |the )?(figure|image|picture|plot|graph)\.?$", alt), alt
