"""The widget in pages of other sites, whose styles, scripts and policies it does not know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from playwright.sync_api import expect

from tests.browser.widget import REPO, Widget

if TYPE_CHECKING:
    from collections.abc import Callable

    from fake_github import FakeGitHub
    from fake_github.model import Account
    from tests.browser.conftest import NewContext, OtherSites
    from tests.e2e.conftest import Site

PLAIN = ""
UNSET = "<style>* { all: unset }</style>"
LOUD = """<style>
    body, body * {
        color: red !important; font: italic 700 40px/3 serif !important; letter-spacing: 0.5em !important;
        text-transform: uppercase !important; white-space: nowrap !important; text-indent: 3em !important;
        text-align: center !important; word-spacing: 1em !important; cursor: crosshair !important;
    }
    section, ul, li, div, button, input { float: right !important; border: 9px dotted !important }
</style>"""
BASE = '<base href="https://elsewhere.example/a/" target="_parent">'
POLICY = """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:;
    script-src {stack}; connect-src {stack} {live}; base-uri 'none'; form-action 'none';
    require-trusted-types-for 'script'; trusted-types 'none'">"""
TWICE = '<script type="module" src="{stack}/issue-timer.js?again"></script>'

# The appearance of each element of the widget, relative to the widget's position
_APPEARANCE = """(element) => {
    element.parentElement.style = "display: block; width: 420px";
    const { left, top } = element.shadowRoot.firstElementChild.getBoundingClientRect();
    return [...element.shadowRoot.querySelectorAll("*")].map((one) => {
        const box = one.getBoundingClientRect(), style = getComputedStyle(one);
        if (!box.width) return one.localName;
        const styles = ["color", "font", "letterSpacing", "textTransform", "textAlign", "display", "border"];
        const place = [box.left - left, box.top - top, box.width, box.height].map(Math.round);
        return [one.localName, ...place, ...styles.map((name) => style[name])].join(" ");
    });
}"""


class OpenHost(Protocol):
    def __call__(self, head: str = PLAIN, direction: str = "ltr") -> Widget: ...


@pytest.fixture
def open_host(
    new_context: NewContext,
    other_sites: OtherSites,
    site: Site,
    ann: Account,
    ann_elsewhere: Callable[..., Any],
) -> OpenHost:
    """Return a function that opens a page of another site, for Ann, who has a paused timer."""
    timer = ann_elsewhere("start/", {"github_repo": REPO, "github_issue_number": 7})
    ann_elsewhere(f"{timer['id']}/pause/")
    context = new_context(viewport={"width": 900, "height": 700})
    session = {"token": site.stack.mint_token(ann.id, login=ann.login), "expires": 9e15}
    stored = [f"issue-timer:session:{site.url}", json.dumps(session)]
    context.add_init_script(f"if (origin !== 'null') localStorage.setItem(...{json.dumps(stored)})")

    def open_host(head: str = PLAIN, direction: str = "ltr") -> Widget:
        html = (
            f'<!doctype html><html lang="en" dir="{direction}"><head><meta charset="utf-8">'
            '<title>A host</title><link rel="icon" href="data:,">'
            f"{head.replace('{stack}', site.url).replace('{live}', site.url.replace('http', 'ws', 1))}"
            f'<script type="module" src="{site.url}/issue-timer.js"></script></head>'
            "<body><div><issue-timer></issue-timer></div></body></html>"
        )
        other_sites.pages["/host"] = html.encode()
        widget = Widget(context.new_page())
        widget.page.goto(f"{other_sites.wiki}/host")
        widget.expect_ready()
        widget.expect_state("Paused")
        expect(widget.element.get_by_role("timer", name="Today")).not_to_have_text("–")
        return widget

    return open_host


@pytest.mark.parametrize("head", [UNSET, LOUD], ids=["all: unset", "important rules"])
def test_the_styles_of_a_page_do_not_reach_the_widget(open_host: OpenHost, head: str) -> None:
    expected = open_host().element.evaluate(_APPEARANCE)
    assert len(expected) > 20
    assert open_host(head).element.evaluate(_APPEARANCE) == expected


@pytest.mark.parametrize(
    ("head", "direction"),
    [(UNSET, "ltr"), (BASE, "ltr"), (POLICY, "ltr"), (TWICE, "ltr"), (PLAIN, "rtl")],
    ids=["all: unset", "base", "policy", "loaded twice", "right to left"],
)
def test_the_widget_works_in_any_page(open_host: OpenHost, head: str, direction: str) -> None:
    widget = open_host(head, direction)
    assert widget.page.locator("issue-timer").count() == 1
    widget.button("Resume").click()
    widget.expect_state("Counting")
    widget.start(f"{REPO}#9")
    widget.expect_state("Counting", 9)
    widget.expect_sent()
    widget.element.evaluate("(element) => { element.lang = 'de' }")
    expect(widget.element.get_by_role("region")).to_have_attribute("lang", "de")
    widget.element.evaluate("(element) => { element.remove(); document.body.append(element) }")
    widget.expect_state("Zählt", 9)


def test_an_element_that_a_page_has_defined_itself_stays(
    new_context: NewContext, other_sites: OtherSites, site: Site
) -> None:
    other_sites.pages["/own"] = (
        '<!doctype html><html lang="en"><link rel="icon" href="data:,"><script>'
        "class Own extends HTMLElement {} customElements.define('issue-timer', Own)</script>"
        f'<script type="module" src="{site.url}/issue-timer.js"></script><issue-timer></issue-timer></html>'
    ).encode()
    page = new_context().new_page()
    page.goto(f"{other_sites.wiki}/own")
    assert page.evaluate("customElements.get('issue-timer') === Own")


def test_typed_keys_do_not_reach_the_shortcuts_of_the_page(open_host: OpenHost) -> None:
    widget = open_host()
    widget.page.evaluate("""() => {
        window.keys = [];
        for (const type of ["keydown", "keypress", "keyup"]) {
            addEventListener(type, ({ key }) => keys.push(`${type} ${key}`));
        }
    }""")
    widget.issue.focus()
    widget.page.keyboard.type("s#1 /")
    assert widget.issue.input_value() == "s#1 /"
    widget.page.keyboard.press("Control+a")
    widget.page.keyboard.press("Backspace")
    widget.page.keyboard.press("Enter")
    expect(widget.element.locator("[part=mistake]")).to_be_visible()
    widget.button("Stop").focus()
    widget.page.keyboard.press("j")
    assert widget.page.evaluate("keys.filter((key) => !key.includes('Control'))") == []
    widget.page.keyboard.press("Escape")
    widget.page.keyboard.press("Shift+Tab")
    expect(widget.button("Resume")).to_be_focused()
    keys = widget.page.evaluate("keys")
    assert {"keydown Escape", "keyup Escape", "keydown Tab"} <= set(keys)


def test_escape_closes_a_dialog_that_contains_the_widget(open_host: OpenHost) -> None:
    widget = open_host()
    widget.page.evaluate("""() => {
        const dialog = document.body.appendChild(document.createElement("dialog"));
        dialog.append(document.querySelector("issue-timer"));
        dialog.showModal();
    }""")
    widget.expect_state("Paused")
    widget.issue.press("Escape")
    expect(widget.page.locator("dialog")).to_be_hidden()


def test_a_link_of_the_widget_opens_a_new_tab_without_access_to_the_page(
    open_host: OpenHost, github: FakeGitHub
) -> None:
    widget = open_host(BASE)
    link = widget.timers.get_by_role("link")
    assert link.get_attribute("rel") == "noopener"
    widget.page.context.route(f"{github.url}/**", lambda route: route.fulfill(body="an issue"))
    with widget.page.context.expect_page() as opened:
        link.click()
    opened.value.wait_for_load_state()
    assert opened.value.url == f"{github.url}/{REPO}/issues/7"
    assert opened.value.evaluate("window.opener") is None
    assert widget.page.url.endswith("/host")
