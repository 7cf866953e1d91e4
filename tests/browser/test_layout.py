"""The layout in English and German, from 320 to 1280 px: nothing is cut off, and no duration breaks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenAs, signed_in
from tests.browser.present import Present
from tests.browser.seed import REPO, days_ago, finished_timer, put_timers
from tests.browser.timesheet import open_timesheet

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from fake_github import FakeGitHub
    from fake_github.model import Account
    from tests.browser.conftest import NewWidget, OpenPage, SignIn
    from tests.e2e.conftest import Site

LOCALES = ["en-GB", "de-DE"]
WIDTHS = [320, 375, 768, 1024, 1280]

# Durations such as "12 h 34 min" and "12h 34m" that contain an ordinary space, occupy more than one line, or
# leave the screen; also in shadow trees.
_BROKEN_DURATIONS = """() => {
    const DURATION = /(?<![\\w.,:])\\d[\\d.,]*\\s?(?:h(?:\\s\\d+\\s?(?:min|m))?|min|m|s)(?!\\w)/gu;
    const found = [], seen = [];
    const visit = (root) => {
        const walker = document.createTreeWalker(root, NodeFilter.SHOW_ALL);
        for (let node = walker.currentNode; node; node = walker.nextNode()) {
            if (node.shadowRoot) visit(node.shadowRoot);
            if (node.nodeType !== Node.TEXT_NODE || node.parentElement.closest("script, style")) continue;
            for (const { 0: text, index } of node.data.matchAll(DURATION)) {
                const range = new Range();
                range.setStart(node, index);
                range.setEnd(node, index + text.length);
                const boxes = [...range.getClientRects()];
                if (!boxes.length) continue;
                seen.push(text);
                const isSplit = new Set(boxes.map(({ top }) => Math.round(top))).size > 1;
                const isOutside = boxes.some(({ left, right }) => left < 0 || right > innerWidth + 0.5);
                if (text.includes(" ") || isSplit || isOutside) found.push(node.data);
            }
        }
    };
    visit(document.body);
    return { found, count: seen.length };
}"""

# The controls of the filter whose text is wider than the control, by their ids. A select and an input of type
# date must be as wide as they would like to be.
_CUT_OFF = """() => [...document.querySelectorAll("#filter :is(input, select)")].filter((control) => {
    if (!control.clientWidth) return false;
    if (control.matches("select, [type=date]")) {
        const free = control.cloneNode(true);
        free.removeAttribute("id");
        free.style.cssText = "position: absolute; width: max-content; min-width: 0";
        control.parentElement.append(free);
        const { width } = free.getBoundingClientRect();
        free.remove();
        return control.getBoundingClientRect().width < width - 1;
    }
    const { value } = control;
    control.value ||= control.placeholder;
    const isWider = control.scrollWidth > control.clientWidth;
    control.value = value;
    return isWider;
}).map(({ id }) => id)"""

# The rows of the filter: the ids of its controls by the position of their lower edges.
_ROWS = """() => Object.values(Object.groupBy(
    [...document.querySelectorAll("#filter :is(input, select, button)")].filter((one) => one.clientWidth),
    (one) => Math.round(one.getBoundingClientRect().bottom),
)).map((row) => row.map(({ id }) => id || "apply"))"""

_LABELS_ON_TWO_LINES = """() => [...document.querySelectorAll("#filter label")].filter((label) =>
    label.clientHeight > 1.6 * parseFloat(getComputedStyle(label).fontSize),
).map((label) => label.textContent)"""


@pytest.fixture
def open_sheet(open_as: OpenAs, ann: Account, site: Site) -> Callable[[str], Page]:
    """Return a function that opens the Time page of a user with long entries, in a language."""
    put_timers(
        site,
        [
            finished_timer(
                ann, 2, "00:00", 23 * 60 + 59, number=123456, repo=f"an-owner/{'repository-' * 5}"
            ),
            finished_timer(ann, 3, "10:00", 12 * 60 + 34, description="Planning the next week " * 3),
            finished_timer(ann, 20, "09:00", 123 * 60 + 45),
            finished_timer(ann, 25, "09:00", 0.5),
        ],
    )

    def open_sheet(locale: str) -> Page:
        return open_timesheet(open_as, ann, locale=locale).page

    return open_sheet


def assert_durations_are_whole(page: Page, *, least: int) -> None:
    result: Any = page.evaluate(_BROKEN_DURATIONS)
    assert result["found"] == []
    assert result["count"] >= least


@pytest.mark.parametrize("locale", LOCALES)
def test_durations_never_break(open_sheet: Callable[[str], Page], locale: str) -> None:
    page = open_sheet(locale)
    page.locator("#days-table summary").click()
    page.locator("#day-date").fill(days_ago(2).isoformat())
    page.locator("#day-table summary").click()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert_durations_are_whole(page, least=15)
        assert page.evaluate("document.documentElement.scrollWidth") == width
    # Text of twice the size (WCAG 1.4.4)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    for width in (640, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert_durations_are_whole(page, least=15)
    page.evaluate("document.documentElement.style.fontSize = ''")
    page.set_viewport_size({"width": 320, "height": 800})
    remove = page.locator(".entry").first.get_by_role("button").last
    remove.click()
    assert_durations_are_whole(page, least=16)
    page.get_by_role("dialog").get_by_role("button").last.click()
    expect(page.locator("#status")).to_contain_text(re.compile(r"23.?h.59.?m"))
    assert_durations_are_whole(page, least=10)


# The issues of all timers in responses have a long title.
_WITH_LONG_TITLES = """(() => {
    const title = "Add a dark colour scheme to the settings and all their nested panels";
    const { text } = Response.prototype;
    Response.prototype.text = async function () {
        const body = await text.call(this);
        return body.replace(/"github_issue_title":\\s*null/gu, `"github_issue_title":"${title}"`);
    };
})()"""


@pytest.mark.parametrize("locale", LOCALES)
def test_waiting_timers_fit(
    open_page: OpenPage, sign_in: SignIn, ann: Account, ann_elsewhere: Callable[..., Any], locale: str
) -> None:
    for number in (7, 8, 9, 10):
        ann_elsewhere("start/", {"github_repo": REPO, "github_issue_number": number})
    page = open_page(locale=locale)
    page.add_init_script(_WITH_LONG_TITLES)
    present = Present(sign_in(page, ann))
    expect(present.waiting).to_have_count(3)
    expect(present.waiting.first).to_contain_text("nested panels")
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        for button in present.waiting.get_by_role("button").all():
            box = button.bounding_box()
            assert box
            assert box["height"] < box["width"]


@pytest.mark.parametrize("locale", LOCALES)
def test_the_filter_is_in_line_and_cuts_nothing_off(open_sheet: Callable[[str], Page], locale: str) -> None:
    page = open_sheet(locale)
    days = ["filter-from", "filter-to"]
    for is_custom in (False, True):
        if is_custom:
            page.locator("#filter-period").select_option("custom")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate(_CUT_OFF) == [], width
            assert page.evaluate(_LABELS_ON_TWO_LINES) == [], width
            rows = page.evaluate(_ROWS)
            if width >= 768:
                period = ["filter-period", *(days if is_custom else [])]
                rest = ["filter-repo", "filter-issue", "apply"]
                is_split = is_custom and width < 1152
                assert rows == ([period, rest] if is_split else [period + rest]), width


@pytest.mark.parametrize("locale", LOCALES)
def test_the_placeholder_of_the_widget_is_not_cut_off(
    new_widget: NewWidget, site: Site, github: FakeGitHub, ann: Account, locale: str
) -> None:
    widget = signed_in(new_widget(locale=locale), site, github, ann)
    widget.element.evaluate("(element, lang) => { element.lang = lang }", locale)
    expect(widget.element.get_by_role("region")).to_have_attribute("lang", locale)
    for width in (280, 320, 352, 375, 768):
        widget.element.evaluate("(element, width) => { element.style.width = `${width}px` }", width)
        is_cut_off = widget.issue.evaluate("""(input) => {
            input.value = input.placeholder;
            const isWider = input.scrollWidth > input.clientWidth;
            input.value = "";
            return isWider;
        }""")
        assert not is_cut_off, width
