"""The report in headless Chromium: it renders, sorts, and asks nobody for anything."""

import pytest
from chromium import Chromium, find_chromium
from test_clinical_report import SECTIONS

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="Chromium is not installed")

# Contrast ratio of WCAG 2 between the text and what is behind it, the lowest of the page.
CONTRAST = """
(() => {
  const channels = (text) => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const shade = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const color = channels(getComputedStyle(node).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const ratios = [...document.querySelectorAll("h1, h2, h3, p, td, th, dt, dd, a, caption")]
    .filter((node) => node.textContent.trim() && node.checkVisibility())
    .map((node) => {
      const pair = [shade(channels(getComputedStyle(node).color)), shade(behind(node))];
      return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    });
  return Math.min(...ratios);
})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Chromium(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def page(browser, report):
    browser.show()
    browser.open(report.path)
    return browser


def test_every_section_renders(page):
    heights = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('main > section')]"
        ".map((s) => [s.id, s.getBoundingClientRect().height]))"
    )
    assert list(heights) == SECTIONS
    assert min(heights.values()) > 60
    plots = page.evaluate(
        "[...document.querySelectorAll('svg.plot')].map((s) => s.getBoundingClientRect().height)"
    )
    assert len(plots) > 8 and min(plots) > 50
    assert page.evaluate("[...document.images].every((i) => i.complete && i.naturalWidth > 0)")
    assert page.evaluate("document.images.length") >= 8


def test_no_console_message_no_exception_no_request(page, report):
    page.evaluate("1")
    assert page.of("Runtime.exceptionThrown") == []
    assert page.of("Runtime.consoleAPICalled") == []
    assert page.of("Log.entryAdded") == []
    urls = [event["request"]["url"] for event in page.of("Network.requestWillBeSent")]
    assert [url for url in urls if not url.startswith("data:")] == [report.path.as_uri()]
    assert page.evaluate("window.broken") is None


def column(page, position):
    return page.evaluate(
        "[...document.querySelector('#classes table').tBodies[0].rows]"
        f".map((row) => Number(row.cells[{position}].dataset.value))"
    )


def test_tables_sort_by_click_both_ways(page):
    header = "document.querySelector('#classes thead th:nth-child(4)')"
    before = column(page, 3)
    page.evaluate(f"{header}.querySelector('button').click()")
    assert column(page, 3) == sorted(before) != before
    assert page.evaluate(f"{header}.getAttribute('aria-sort')") == "ascending"
    page.evaluate(f"{header}.querySelector('button').click()")
    assert column(page, 3) == sorted(before, reverse=True)
    assert page.evaluate(f"{header}.getAttribute('aria-sort')") == "descending"
    assert "descending" in page.evaluate("document.getElementById('sorted').textContent")


def test_everything_is_reached_with_the_keyboard(page):
    page.press("Tab", 9)
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.press("Enter", 13)
    assert page.evaluate("location.hash") == "#content"
    for _ in range(60):
        page.press("Tab", 9)
        if page.evaluate("document.activeElement.closest('#classes thead') !== null"):
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press("Enter", 13)
    sorting = "document.activeElement.closest('th').getAttribute('aria-sort')"
    assert page.evaluate(sorting) == "ascending"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible(page, scheme):
    page.show(scheme=scheme)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, paper[4:-1].split(","))) > 384) == (scheme == "light")
    assert page.evaluate(CONTRAST) >= 4.5


def test_a_phone_needs_no_sideways_scrolling(page):
    page.show(width=360, height=740)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
