"""The appearance and accessibility of the widget in all states, on several screens, in several languages."""

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from deployed_stack.paths import ROOT
from fake_github import FakeGitHub
from fake_github.model import Account
from tests.browser.conftest import BrowserErrors, NewWidget
from tests.browser.widget import REPO, Widget
from tests.support.axe import violations

SCREENSHOTS = ROOT / "docs/screenshots"


def start_request(repo: str, number: int, *, minutes: int) -> dict[str, Any]:
    """Return the body of a request that starts a timer as of `minutes` minutes ago."""
    at = datetime.now(UTC) - timedelta(minutes=minutes)
    return {"github_repo": repo, "github_issue_number": number, "at": at.isoformat()}


def refuse(route: Route) -> None:
    route.fulfill(status=400, json={"detail": "Cannot pause a timer that is paused."})


@pytest.fixture
def show(
    new_widget: NewWidget,
    github: FakeGitHub,
    ann: Account,
    ann_elsewhere: Callable[..., Any],
    browser_errors: BrowserErrors,
) -> Callable[..., Widget]:
    """Return a function that shows the widget in one of its states."""

    def show(state: str, **options: Any) -> Widget:
        if state in {"running", "paused", "several", "problem"}:
            timer = ann_elsewhere("start/", start_request(REPO, 7, minutes=201))
        if state == "several":
            repo = "an-organization-with-a-long-name/and-a-repository"
            for number, minutes in ((123456, 84), (8, 3)):
                ann_elsewhere("start/", start_request(repo, number, minutes=minutes))
        if state in {"paused", "several"}:
            ann_elsewhere(f"{timer['id']}/pause/")
        widget = new_widget(**options)
        widget.open()
        if state == "signed-out":
            expect(widget.sign_in_button).to_be_visible()
            return widget
        widget.sign_in(github, ann)
        expect(widget.element.get_by_role("timer", name="Today")).not_to_have_text("–")
        if state == "problem":
            browser_errors.allow(r"status of 400 .*/pause/$")
            widget.page.route("**/pause/", refuse)
            widget.button("Pause").click()
            expect(widget.notice).to_contain_text("Reverted")
        if state == "mistake":
            widget.start("hello")
        if state == "offline":
            browser_errors.allow("net::ERR_")
            widget.page.context.set_offline(True)
            widget.start(f"{REPO}#9")
            expect(widget.banner).to_contain_text("No connection. Changes")
        return widget

    return show


SCHEMES: list[Literal["light", "dark"]] = ["light", "dark"]
STATES = ["running", "paused", "several", "empty", "problem", "mistake", "offline", "signed-out"]


@pytest.mark.parametrize("state", STATES)
def test_the_widget_is_accessible(show: Callable[..., Widget], state: str) -> None:
    widget = show(state, viewport={"width": 1280, "height": 480})
    for scheme in SCHEMES:
        widget.page.emulate_media(color_scheme=scheme)
        assert violations(widget.page, "main") == []
    for width in (1280, 360, 320):
        widget.page.set_viewport_size({"width": width, "height": 480})
        assert widget.page.evaluate("document.documentElement.scrollWidth") == width
        assert not clipped(widget.element)
        if width != 320 and os.environ.get("SCREENSHOTS"):
            take_screenshots(widget.page, f"{state}-{width}")


def take_screenshots(page: Page, name: str) -> None:
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.screenshot(
            path=SCREENSHOTS / f"widget-{name}-{scheme}.png", animations="disabled", full_page=True
        )


def clipped(element: Locator) -> bool:
    """Return whether the content of any element in the widget is wider than the element."""
    found: bool = element.evaluate(
        "(element) => [...element.shadowRoot.querySelectorAll('*')]"
        ".some((one) => !one.matches('input') && one.clientWidth && one.scrollWidth > one.clientWidth + 1)"
    )
    return found


@pytest.mark.parametrize("state", ["several", "mistake"])
def test_the_widget_follows_a_right_to_left_page(show: Callable[..., Widget], state: str) -> None:
    widget = show(state, viewport={"width": 320, "height": 640})
    widget.page.evaluate("document.documentElement.dir = 'rtl'")
    assert widget.page.evaluate("document.documentElement.scrollWidth") == 320
    assert not clipped(widget.element)
    widget.page.set_viewport_size({"width": 1000, "height": 640})
    if state == "several":
        title, stop = widget.element.get_by_role("link").first, widget.button("Stop").first
        title_box, stop_box = title.bounding_box(), stop.bounding_box()
        assert title_box
        assert stop_box
        assert stop_box["x"] < title_box["x"]
        assert re.fullmatch(r"\d\d:\d\d:\d\d", widget.clock().inner_text())
    assert violations(widget.page, "main") == []


@pytest.mark.parametrize(("preference", "longest"), [("no-preference", 5), ("reduce", 0)])
def test_animations_end_in_five_seconds(show: Callable[..., Widget], preference: str, longest: int) -> None:
    # An animation of up to five seconds needs no control that stops the animation (WCAG 2.2.2).
    seconds = show("running", reduced_motion=preference).page.evaluate("""() => {
        const state = document.querySelector("issue-timer").shadowRoot.querySelector(".counting .state");
        const style = getComputedStyle(state, "::before");
        const isMoving = style.animationName !== "none";
        return isMoving ? parseFloat(style.animationDuration) * style.animationIterationCount : 0;
    }""")
    assert seconds <= longest


def test_the_language_is_the_elements_or_the_pages(ann_widget: Widget) -> None:
    page = ann_widget.page
    expect(ann_widget.element.get_by_text("No timer is running.")).to_be_visible()
    page.evaluate("document.querySelector('issue-timer').lang = 'de-AT'")
    expect(ann_widget.element.get_by_text("Es läuft kein Timer.")).to_be_visible()
    ann_widget.element.get_by_label("Issue", exact=True).fill("hallo")
    ann_widget.element.get_by_role("button", name="Starten").click()
    expect(ann_widget.element.get_by_text("Das ist kein Issue auf GitHub.")).to_be_visible()
    expect(ann_widget.element.get_by_role("region")).to_have_attribute("lang", "de-AT")
    # Select Klingon, which has no translation.
    page.evaluate("document.querySelector('issue-timer').lang = 'tlh'")
    expect(ann_widget.element.get_by_text("No timer is running.")).to_be_visible()
    expect(ann_widget.element.get_by_role("region")).to_have_attribute("lang", "en")


@pytest.mark.parametrize(
    ("lang", "text", "tag"),
    [
        ("de-", "Zählt", "de"),
        ("de_AT", "Counting", "en"),
        ("en-", "Counting", "en"),
        ("EN-gb", "Counting", "en-GB"),
        ("constructor", "Counting", "en"),
    ],
)
def test_an_invalid_language_tag_hides_no_timers(ann_widget: Widget, lang: str, text: str, tag: str) -> None:
    ann_widget.start(f"{REPO}#7")
    ann_widget.expect_state("Counting")
    ann_widget.page.evaluate("(lang) => { document.querySelector('issue-timer').lang = lang }", lang)
    expect(ann_widget.element.get_by_role("region")).to_have_attribute("lang", tag)
    ann_widget.expect_state(text)


def test_a_second_load_of_the_module_changes_nothing(ann_widget: Widget) -> None:
    ann_widget.start(f"{REPO}#7")
    ann_widget.expect_sent()
    # Simulate a page that loads the widget's module from two URLs.
    is_another = ann_widget.page.evaluate("""async () => {
        const { IssueTimerElement } = await import("/issue-timer.js?again");
        return IssueTimerElement !== customElements.get("issue-timer");
    }""")
    assert is_another
    ann_widget.expect_state("Counting")


def test_german_is_loaded_only_on_demand(ann_widget: Widget) -> None:
    loaded = ann_widget.page.evaluate("performance.getEntriesByType('resource').map(({ name }) => name)")
    assert any(name.endswith("/issue-timer.js") for name in loaded)
    assert not any("strings.de.js" in name for name in loaded)


@pytest.mark.parametrize(("theme", "scheme"), [("light", "dark"), ("dark", "light")])
def test_a_theme_can_be_chosen(show: Callable[..., Widget], theme: str, scheme: str) -> None:
    widget = show("running", color_scheme=scheme)
    widget.element.evaluate("(element, theme) => element.setAttribute('theme', theme)", theme)
    color = widget.timers.evaluate("(item) => getComputedStyle(item).backgroundColor")
    assert color == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 27, 35)"}[theme]
    assert violations(widget.page, "issue-timer") == []


def test_a_page_can_style_the_widget_by_properties_and_parts(ann_widget: Widget) -> None:
    ann_widget.page.evaluate("""() => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(`issue-timer { --issue-timer-primary: rgb(1, 2, 3) }
            issue-timer::part(input) { border-width: 4px }`);
        document.adoptedStyleSheets = [sheet];
    }""")
    start = ann_widget.element.get_by_role("button", name="Start", exact=True)
    expect(start).to_have_css("background-color", "rgb(1, 2, 3)")
    expect(ann_widget.issue).to_have_css("border-top-width", "4px")


def test_a_page_can_style_buttons_by_action(show: Callable[..., Widget]) -> None:
    parts = show("several").timers.get_by_role("button").evaluate_all("all => all.map(one => one.part.value)")
    assert parts == [f"button {name}" for first in ("pause", "focus", "resume") for name in (first, "stop")]


def test_the_served_style_sheet_has_the_rules_of_the_original(ann_widget: Widget) -> None:
    script = (ROOT / "web/widget/styles.js").read_text(encoding="utf-8")
    written = re.search(r"replaceSync\(`([^`]*)`", script)
    assert written
    of_written, of_served = ann_widget.page.evaluate(
        r"""async (written) => {
            const sheet = new CSSStyleSheet();
            sheet.replaceSync(written);
            const { styles } = await import("/widget/styles.js");
            return [sheet, styles].map(({ cssRules }) => {
                // Served private properties have shorter names, in the order in which they occur.
                const names = new Map();
                const nameOf = (name) => names.get(name) ?? names.set(name, `--${names.size}`).get(name);
                // Browsers do not normalize the values of custom properties.
                const textOf = ({ cssText }) =>
                    cssText.replaceAll(", ", ",").replaceAll("0.", ".").replace(/--_[\w-]+/g, nameOf);
                return Array.from(cssRules, textOf);
            });
        }""",
        written[1],
    )
    assert len(of_written) > 50
    assert of_served == of_written


def test_a_compact_widget_shows_only_the_timers(show: Callable[..., Widget]) -> None:
    widget = show("running", viewport={"width": 320, "height": 480})
    widget.element.evaluate("(element) => element.setAttribute('compact', '')")
    expect(widget.issue).to_be_hidden()
    expect(widget.element.get_by_role("timer", name="Today")).to_be_hidden()
    box = widget.element.bounding_box()
    assert box
    assert box["height"] < 160
    widget.button("Stop").click()
    expect(widget.issue).to_be_focused()
    assert violations(widget.page, "main") == []


def test_notices_are_announced_politely_and_seconds_are_not(ann_widget_with_clock: Widget) -> None:
    ann_widget = ann_widget_with_clock
    expect(ann_widget.notice).to_have_count(1)
    ann_widget.start(f"{REPO}#7")
    expect(ann_widget.notice).to_have_text(f"Started {REPO}#7.")
    expect(ann_widget.clock()).to_have_attribute("aria-live", "off")
    ann_widget.expect_sent()
    ann_widget.page.evaluate("""() => {
        window.changes = 0;
        const status = document.querySelector("issue-timer").shadowRoot.querySelector("[role=status]");
        const watch = { childList: true, characterData: true, subtree: true };
        new MutationObserver(() => { changes += 1; }).observe(status, watch);
    }""")
    ann_widget.stop_clock()
    ann_widget.page.clock.run_for(4000)
    assert ann_widget.page.evaluate("changes") == 0
