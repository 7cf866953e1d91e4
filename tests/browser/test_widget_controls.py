"""Controlling timers with the widget, by pointer and by keyboard."""

import json
import re
import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from fake_github import FakeGitHub
from fake_github.model import Account
from tests.browser.blocked_requests import BlockedRequests
from tests.browser.conftest import BrowserErrors, NewWidget
from tests.browser.widget import REPO, Widget, wait_for_ticket
from tests.e2e.conftest import Site


def test_a_timer_is_started_paused_resumed_and_stopped(
    ann_widget: Widget, site: Site, ann: Account, github: FakeGitHub
) -> None:
    ann_widget.record_events()
    address = f"{github.url}/{REPO}/issues/7"
    ann_widget.start(address)
    ann_widget.expect_state("Counting")
    expect(ann_widget.notice).to_have_text(f"Started {REPO}#7.")
    link = ann_widget.element.get_by_role("link", name=f"{REPO}#7")
    expect(link).to_have_attribute("href", address)
    ann_widget.page.wait_for_timeout(1100)

    ann_widget.button("Pause").click()
    ann_widget.expect_state("Paused")
    expect(ann_widget.notice).to_have_text(f"Paused {REPO}#7.")
    ann_widget.expect_sent()
    paused = ann_widget.seconds()
    assert paused >= 1

    ann_widget.button("Resume").click()
    ann_widget.expect_state("Counting")
    expect(ann_widget.notice).to_have_text(f"Resumed {REPO}#7.")

    ann_widget.button("Stop").click()
    expect(ann_widget.timers).to_have_count(0)
    expect(ann_widget.notice).to_have_text(re.compile(rf"^Stopped {REPO}#7 at 00:00:\d\d\.$"))
    expect(ann_widget.element.get_by_text("No timer is running.")).to_be_visible()
    ann_widget.expect_sent()

    token = site.stack.mint_token(ann.id, login=ann.login)
    (timer,) = site.timers(REPO, 7, token)
    assert timer["status"] == "stopped"
    assert paused <= timer["duration"] < paused + 5
    events = ann_widget.events()
    assert [event["type"] for event in events] == [
        f"issue-timer:{action}" for action in ("start", "pause", "resume", "stop")
    ]
    assert {event["timer"]["id"] for event in events} == {timer["id"]}
    assert all(event["isOwn"] for event in events)


def test_all_controls_work_by_keyboard(ann_widget: Widget) -> None:
    page = ann_widget.page
    page.get_by_role("heading", name="Work").click()

    def tab_to(name: str) -> None:
        for _ in range(8):
            page.keyboard.press("Tab")
            if (
                page.evaluate("document.activeElement.shadowRoot?.activeElement?.matches('input')")
                and not name
            ):
                return
            label = page.evaluate("document.activeElement.shadowRoot?.activeElement?.ariaLabel ?? ''")
            if name and label.startswith(name):
                return
        raise AssertionError(f"{name or 'the field'} cannot be reached")

    tab_to("")
    page.keyboard.type(f"{REPO} 7")
    page.keyboard.press("Enter")
    ann_widget.expect_state("Counting")
    expect(ann_widget.issue).to_be_focused()
    expect(ann_widget.issue).to_have_value("")
    page.get_by_role("heading", name="Work").click()
    tab_to("Pause")
    page.keyboard.press("Space")
    ann_widget.expect_state("Paused")
    # The same button now resumes the timer.
    expect(ann_widget.button("Resume")).to_be_focused()
    page.keyboard.press("Enter")
    ann_widget.expect_state("Counting")
    ann_widget.expect_sent()
    expect(ann_widget.button("Pause")).to_be_focused()
    tab_to("Stop")
    page.keyboard.press("Enter")
    expect(ann_widget.timers).to_have_count(0)
    # The focus moves to the field, because the button was removed.
    expect(ann_widget.issue).to_be_focused()


def test_a_second_enter_after_stop_leaves_the_next_timer_open(
    ann_widget: Widget, site: Site, ann: Account
) -> None:
    for number in (7, 8, 9):
        ann_widget.start(f"{REPO}#{number}")
    ann_widget.expect_sent()
    address = ann_widget.page.url
    # The focus moves to the next timer. If the last timer was stopped, the focus moves to the previous timer.
    for stopped, beside, state in ((8, 7, "Waiting"), (7, 9, "Counting")):
        ann_widget.element.get_by_role("button", name=f"Stop \u2068{REPO}#{stopped}").press("Enter")
        expect(ann_widget.timers.filter(has_text=f"#{beside}")).to_be_focused()
        ann_widget.page.keyboard.press("Enter")
        ann_widget.expect_state(state, beside)
        ann_widget.expect_sent()
    assert ann_widget.page.url == address
    # The Tab key moves the focus on from the focused timer.
    ann_widget.page.keyboard.press("Tab")
    expect(ann_widget.element.get_by_role("link", name=f"{REPO}#9")).to_be_focused()
    ann_widget.element.get_by_role("button", name="Stop").press("Enter")
    expect(ann_widget.issue).to_be_focused()
    ann_widget.expect_sent()
    timers = site.timers(REPO, 9, site.stack.mint_token(ann.id, login=ann.login))
    assert [timer["status"] for timer in timers] == ["stopped"]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "Which issue?"),
        ("12", "not an issue on GitHub"),
        ("octo-org/hello-world#0", "no issue with this number"),
    ],
)
def test_a_mistake_is_explained_without_a_request(ann_widget: Widget, text: str, mistake: str) -> None:
    wait_for_ticket(ann_widget.page)
    sent: list[str] = []
    ann_widget.page.on("request", lambda request: sent.append(request.method))
    ann_widget.start(text)
    expect(ann_widget.issue).to_have_accessible_description(re.compile(re.escape(mistake)))
    expect(ann_widget.issue).to_have_attribute("aria-invalid", "true")
    expect(ann_widget.issue).to_be_focused()
    assert "POST" not in sent
    ann_widget.issue.press_sequentially("x")
    expect(ann_widget.issue).to_have_attribute("aria-invalid", "false")


def test_the_page_can_set_the_issue_or_its_repository(ann_widget: Widget) -> None:
    ann_widget.page.evaluate("""() => {
        const timer = document.querySelector("issue-timer");
        timer.setAttribute("repo", "octo-org/hello-world");
        timer.setAttribute("issue", "octo-org/hello-world#7");
    }""")
    expect(ann_widget.issue).to_have_value(f"{REPO}#7")
    ann_widget.element.get_by_role("button", name="Start", exact=True).click()
    ann_widget.expect_state("Counting", 7)
    ann_widget.start("#8")
    ann_widget.expect_state("Counting", 8)
    ann_widget.expect_sent()


def test_starting_an_issue_with_an_open_timer_resumes_it(ann_widget: Widget) -> None:
    ann_widget.start(f"{REPO}#7")
    ann_widget.expect_state("Counting")
    ann_widget.expect_sent()
    ann_widget.start(f"{REPO.upper()}#7")
    expect(ann_widget.notice).to_have_text(f"{REPO}#7: Counting")
    ann_widget.expect_sent()
    ann_widget.button("Pause").click()
    ann_widget.expect_state("Paused")
    ann_widget.start(f"{REPO}#7")
    ann_widget.expect_state("Counting")
    expect(ann_widget.timers).to_have_count(1)
    ann_widget.expect_sent()


def test_the_timer_that_counts_is_followed_by_those_that_wait_and_those_that_are_paused(
    ann_widget: Widget,
) -> None:
    for number in (7, 8):
        ann_widget.start(f"{REPO}#{number}")
        ann_widget.expect_state("Counting", number)
    ann_widget.element.get_by_role("button", name=f"Pause \u2068{REPO}#8").click()
    ann_widget.expect_state("Paused", 8)
    ann_widget.start(f"{REPO}#9")
    ann_widget.expect_state("Counting", 9)
    ann_widget.expect_sent()
    ann_widget.page.reload()
    expect(ann_widget.timers).to_have_count(3)
    shown = [ann_widget.timers.nth(place).inner_text() for place in range(3)]
    assert [re.search(rf"{REPO}#(\d)", text)[1] for text in shown] == ["9", "7", "8"]  # type: ignore[index]
    ann_widget.expect_state("Counting", 9)
    ann_widget.expect_state("Paused", 8)
    ann_widget.expect_state("Waiting", 7)


def test_a_refused_action_is_reverted_and_reported(ann_widget: Widget, browser_errors: BrowserErrors) -> None:
    browser_errors.allow(r"status of 400 .*/pause/$")
    ann_widget.start(f"{REPO}#7")
    ann_widget.expect_state("Counting")
    ann_widget.expect_sent()
    ann_widget.record_events()

    def refuse(route: Any) -> None:
        problem = {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": "Not on a Sunday."}
        route.fulfill(status=400, body=json.dumps(problem), content_type="application/problem+json")

    ann_widget.page.route("**/pause/", refuse)
    ann_widget.button("Pause").click()
    expect(ann_widget.notice).to_have_text("Reverted: Not on a Sunday.")
    # The server's messages are always in English.
    expect(ann_widget.notice.locator("[lang=en]")).to_have_text("Not on a Sunday.")
    ann_widget.expect_state("Counting")
    (event,) = ann_widget.events()
    assert (event["type"], event["code"], event["action"]) == ("issue-timer:problem", "refused", "pause")
    since, before = time.monotonic(), ann_widget.seconds()
    ann_widget.page.wait_for_timeout(2100)
    assert 1 <= ann_widget.seconds() - before <= time.monotonic() - since + 1


def test_a_button_shows_its_effect_before_the_server_responds(ann_widget: Widget) -> None:
    ann_widget.start(f"{REPO}#7")
    ann_widget.expect_sent()
    blocked = BlockedRequests(ann_widget.page, "**/pause/")
    ann_widget.page.evaluate(
        "document.querySelector('issue-timer').shadowRoot.querySelector('.pause').click()"
    )
    assert "Paused" in ann_widget.timers.inner_text()
    ann_widget.page.wait_for_timeout(100)
    blocked.release_first()
    ann_widget.expect_sent()
    ann_widget.expect_state("Paused")


def test_signing_in_returns_to_the_page(new_widget: NewWidget, github: FakeGitHub, ann: Account) -> None:
    widget = new_widget()
    widget.open("?of=ann#there")
    expect(widget.element.get_by_text("Sign in to view and control your timers.")).to_be_visible()
    widget.sign_in(github, ann)
    assert widget.page.url.endswith("/widget.html?of=ann#there")


def test_the_pages_styles_do_not_reach_the_widget(ann_widget: Widget) -> None:
    page: Page = ann_widget.page
    before = ann_widget.issue.bounding_box()
    page.evaluate("""() => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync("* { box-sizing: content-box; padding: 9px } input, button { display: none }");
        document.adoptedStyleSheets = [sheet];
    }""")
    expect(ann_widget.issue).to_be_visible()
    after = ann_widget.issue.bounding_box()
    assert before
    assert after
    assert after["height"] == before["height"]
