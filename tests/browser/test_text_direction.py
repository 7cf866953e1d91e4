"""Texts of others, such as titles and names, do not change the direction of the text around them.

The texts contain right-to-left letters, an override, and the control that ends an isolate (Unicode Standard
Annex 9). Each element and attribute that contains such a text must isolate it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.present import Present
from tests.browser.seed import finished_timer, put_timers
from tests.browser.timesheet import open_timesheet
from tests.browser.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from fake_github.model import Account
    from tests.browser.conftest import OpenAs
    from tests.browser.timesheet import Timesheet
    from tests.e2e.conftest import Site

MARKER = "\u05d0\u05d1\u05d2"
TEXT = f"{MARKER} (draft) \u202egpj\u2069.exe"

# The texts and attributes that contain the marker without isolating it. An element isolates its text if the
# element contains nothing else. In attributes and in texts, FSI and PDI isolate.
_NOT_ISOLATED = """(marker) => {
    const ISOLATES = /\\u2068[^\\u2068\\u2069]*\\u2069/gu, CONTROLS = /[\\u202a-\\u202e\\u2066-\\u2069]/u;
    const found = [];
    let count = 0;
    const isBare = (text) => text.replace(ISOLATES, "").includes(marker);
    const isIsolated = (node) => {
        if (!isBare(node.data)) return true;
        if (CONTROLS.test(node.data)) return false;
        const text = node.data.trim();
        for (let one = node.parentElement; one?.textContent.trim() === text; one = one.parentElement) {
            if (/isolate|plaintext/u.test(getComputedStyle(one).unicodeBidi)) return true;
        }
        return false;
    };
    const visit = (root) => {
        const walker = document.createTreeWalker(root, NodeFilter.SHOW_ALL);
        for (let node = walker.currentNode; node; node = walker.nextNode()) {
            if (node.shadowRoot) visit(node.shadowRoot);
            if (node.nodeType === Node.TEXT_NODE && node.data.includes(marker)) {
                count += 1;
                if (!isIsolated(node)) found.push(node.data);
            }
            for (const { name, value } of node.attributes ?? []) {
                if (!value.includes(marker)) continue;
                count += 1;
                // A label that is only the text of others has no text around it.
                if (isBare(value) && !value.trim().startsWith(marker)) found.push(`${name}: ${value}`);
            }
        }
    };
    visit(document.documentElement);
    if (isBare(document.title)) found.push(document.title);
    return { found, count };
}"""


def assert_isolated(page: Page, *, least: int) -> None:
    """Check that all texts of others are isolated, and that at least so many places show one."""
    result: Any = page.evaluate(_NOT_ISOLATED, MARKER)
    assert result["found"] == []
    assert result["count"] >= least


# Responses have such texts in the place of the user's name and of the titles of open timers. The other texts
# are stored.
_WITH_NAMES = """(text) => {
    const { fetch } = window;
    window.fetch = async (url, options) => {
        const response = await fetch(url, options);
        const isConcerned = /[/]auth[/]me[/]$|[/]timelogs[/][?]end_time__isnull/u.test(String(url));
        if (!isConcerned || response.status !== 200) return response;
        const body = await response.json();
        if (body.login) body.name = text;
        for (const timer of body.results ?? []) if (timer.github_repo) timer.github_issue_title = text;
        return new Response(JSON.stringify(body), response);
    };
}"""


@pytest.fixture
def sheet(open_as: OpenAs, ann: Account, site: Site, ann_elsewhere: Callable[..., Any]) -> Timesheet:
    """The Time page of a user whose timers have such titles and descriptions."""
    timer = finished_timer(ann, 1, repo="octo-org/web")
    assert timer.issue
    put_timers(
        site,
        [
            replace(timer, issue=replace(timer.issue, title=TEXT), description=TEXT),
            finished_timer(ann, 2, number=None, description=TEXT),
        ],
    )
    ann_elsewhere("start/", {"description": TEXT})
    ann_elsewhere("start/", {"github_repo": "octo-org/hello-world", "github_issue_number": 9})
    sheet = open_timesheet(open_as, ann)
    sheet.page.add_init_script(f"({_WITH_NAMES})({json.dumps(TEXT)})")
    sheet.page.reload()
    sheet.expect_ready()
    expect(sheet.page.locator("#user")).to_contain_text(MARKER)
    expect(Present(sheet.page).timers).to_have_count(2)
    return sheet


def test_the_time_page_isolates_titles_and_names(sheet: Timesheet) -> None:
    page = sheet.page
    assert_isolated(page, least=10)
    sheet.entry(MARKER).last.get_by_role("button").last.click()
    assert_isolated(page, least=10)
    sheet.dialog.get_by_role("button").last.click()
    expect(sheet.status).not_to_be_empty()
    assert_isolated(page, least=8)


def test_the_present_and_the_day_isolate_titles_and_names(sheet: Timesheet) -> None:
    present = Present(sheet.page)
    present.waiting.get_by_role("button").first.click()
    expect(present.counting).to_contain_text(MARKER)
    expect(sheet.status).to_contain_text(MARKER)
    # The blocks are too short for the mouse.
    sheet.page.locator(".block").first.press("Enter")
    expect(sheet.page.locator("#selection")).to_be_visible()
    assert_isolated(sheet.page, least=15)


def test_the_widget_isolates_titles_and_names(sheet: Timesheet) -> None:
    sheet.page.goto("/widget.html")
    widget = Widget(sheet.page)
    expect(widget.timers).to_have_count(2)
    widget.timers.last.get_by_role("button").last.click()
    expect(widget.notice).to_contain_text(MARKER)
    assert_isolated(sheet.page, least=2)


def test_the_account_page_isolates_the_names_of_tokens(sheet: Timesheet) -> None:
    page = sheet.page
    page.goto("/account.html")
    page.get_by_label("Name").fill(f"{MARKER} \u202etoken\u2069 x")
    page.get_by_role("button", name="Create token").click()
    expect(sheet.status).to_contain_text(MARKER)
    assert_isolated(page, least=4)
    page.locator("#tokens li").filter(has_text=MARKER).get_by_role("button").click()
    assert_isolated(page, least=4)
    page.get_by_role("dialog").get_by_role("button").last.click()
    expect(sheet.status).to_contain_text("revoked")
    assert_isolated(page, least=2)


def test_an_override_in_a_title_does_not_reorder_the_text_after_it(sheet: Timesheet) -> None:
    # The reference is short, so that it is in the line of the title.
    title, reference = sheet.entry("octo-org/web#7").locator("a, small").all()
    title_box, reference_box = title.bounding_box(), reference.bounding_box()
    assert title_box
    assert reference_box
    assert title_box["x"] + title_box["width"] <= reference_box["x"]
    assert reference.inner_text() == "octo-org/web#7"
