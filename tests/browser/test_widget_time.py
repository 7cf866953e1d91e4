"""The widget shows the server's time, independently of the machine's clock."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from fake_github import FakeGitHub
from fake_github.model import Account
from tests.browser.blocked_requests import BlockedRequests
from tests.browser.conftest import BrowserErrors, NewWidget
from tests.browser.widget import OFFLINE, REPO, Widget
from tests.e2e.conftest import Site, eventually

ISSUE = {"github_repo": REPO, "github_issue_number": 7}
MINUTES = timedelta(minutes=1)
COUNT_TICKS = """() => {
    window.ticks = 0;
    const clock = document.querySelector("issue-timer").shadowRoot.querySelector(".clock");
    const watch = { childList: true, characterData: true, subtree: true };
    new MutationObserver(() => { ticks += 1; }).observe(clock, watch);
}"""


def ago(span: timedelta) -> str:
    return (datetime.now(UTC) - span).isoformat()


def test_a_machine_clock_that_is_a_day_off_changes_nothing(
    new_widget: NewWidget, github: FakeGitHub, ann: Account, ann_elsewhere: Callable[..., Any]
) -> None:
    started = ann_elsewhere("start/", {**ISSUE, "at": ago(10 * MINUTES)})
    widget = new_widget()
    widget.page.clock.install(time=datetime.now(UTC) + timedelta(days=1))
    widget.open()
    widget.sign_in(github, ann)
    widget.expect_state("Counting")
    expected = datetime.now(UTC) - datetime.fromisoformat(started["start_time"])
    assert abs(widget.seconds() - expected.total_seconds()) < 30
    # The time of an action is also the server's time.
    widget.button("Pause").click()
    widget.expect_sent()
    expected = datetime.now(UTC) - datetime.fromisoformat(started["start_time"])
    assert abs(widget.seconds() - expected.total_seconds()) < 30


def test_setting_the_machine_clock_changes_nothing(
    new_widget: NewWidget, github: FakeGitHub, ann: Account, ann_elsewhere: Callable[..., Any]
) -> None:
    ann_elsewhere("start/", {**ISSUE, "at": ago(10 * MINUTES)})
    widget = new_widget()
    widget.page.clock.install()
    widget.open()
    widget.sign_in(github, ann)
    widget.expect_state("Counting")
    before, since = widget.seconds(), time.monotonic()
    with widget.page.expect_request("**/api/timelogs/?*") as request:
        widget.page.clock.set_system_time(datetime.now(UTC) + timedelta(days=1))
    assert request.value.method == "GET"
    widget.page.wait_for_timeout(2000)
    assert abs(widget.seconds() - before - (time.monotonic() - since)) < 2


@pytest.fixture
def running(ann_elsewhere: Callable[..., Any], ann_widget_with_clock: Widget) -> Widget:
    """Return a widget whose timer was started before the page was loaded, and whose clock tests can set."""
    ann_elsewhere("start/", ISSUE)
    ann_widget_with_clock.page.reload()
    ann_widget_with_clock.expect_state("Counting")
    return ann_widget_with_clock


@pytest.fixture
def offline(running: Widget, browser_errors: BrowserErrors) -> Widget:
    """Return a widget that has a running timer, but no connection."""
    browser_errors.allow(OFFLINE)
    running.page.context.set_offline(True)
    return running


def sleep(widget: Widget, span: timedelta) -> None:
    """Simulate that the machine sleeps. Its clock advances, but `performance.now()` does not."""
    now = widget.page.evaluate("Date.now()")
    widget.page.clock.set_system_time(datetime.fromtimestamp(now / 1000, UTC) + span)


def test_an_hour_of_sleep_counts_without_a_connection(offline: Widget) -> None:
    sleep(offline, 60 * MINUTES)
    expect(offline.clock()).to_contain_text("01:00:")
    # The server's clock did not advance, so the next response of the server corrects the displayed time.
    offline.page.context.set_offline(False)
    expect(offline.clock()).to_contain_text("00:00:")


def test_an_action_right_after_sleep_has_the_time_after_the_sleep(
    running: Widget, site: Site, ann: Account
) -> None:
    running.page.wait_for_load_state("networkidle")
    running.record_events()
    # Send a request now. The response to the request arrives after the sleep.
    blocked = BlockedRequests(running.page, "**/api/timelogs/?*")
    running.page.evaluate("void document.querySelector('issue-timer').manager.refresh()")
    blocked.first()
    running.page.wait_for_timeout(50)
    before = running.page.evaluate("Date.now()")
    sleep(running, 60 * MINUTES)
    running.button("Pause").click()
    (action,) = running.pending()
    assert 0 <= action["at"] - before - 3_600_000 < 60_000
    running.expect_state("Paused")
    assert running.seconds() >= 3600
    # The server's clock did not advance. The widget concludes that the machine's clock was set.
    blocked.release()
    running.expect_sent()
    assert [event["type"] for event in running.events()] == ["issue-timer:pause"]
    (timer,) = site.timers(REPO, 7, site.stack.mint_token(ann.id, login=ann.login))
    assert timer["status"] == "paused"
    assert timer["active_duration"] < 60


def test_setting_the_machine_clock_offline_does_not_invalidate_actions(
    offline: Widget, site: Site, ann: Account
) -> None:
    offline.record_events()
    sleep(offline, timedelta(hours=20))
    expect(offline.clock()).to_contain_text("20:0")
    offline.button("Pause").click()
    offline.expect_state("Paused")
    offline.page.context.set_offline(False)
    offline.expect_sent()
    offline.button("Resume").click()
    offline.expect_sent()
    assert [event["type"] for event in offline.events()] == ["issue-timer:pause", "issue-timer:resume"]
    offline.expect_state("Counting")
    (timer,) = site.timers(REPO, 7, site.stack.mint_token(ann.id, login=ann.login))
    assert timer["status"] == "running"


def test_the_clock_ticks_every_second_unless_the_page_is_hidden(running: Widget) -> None:
    page = running.page
    page.wait_for_load_state("networkidle")
    page.evaluate(COUNT_TICKS)
    running.stop_clock()
    page.evaluate("ticks = 0")
    page.clock.run_for(5000)
    assert page.evaluate("ticks") == 5

    running.hide()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.clock.run_for(170_000)
    page.wait_for_timeout(2000)
    assert page.evaluate("ticks") == 5
    assert requests == []

    with page.expect_response("**/api/timelogs/?*"):
        running.hide(hidden=False)
    # The server has counted only the seconds that really passed.
    page.wait_for_timeout(100)
    assert 2 <= running.seconds() < 170


def test_today_includes_all_timers_of_the_day(ann_widget: Widget, ann_elsewhere: Callable[..., Any]) -> None:
    now = datetime.now(UTC)
    begin = max(now - 50 * MINUTES, now.replace(hour=0, minute=0, second=0, microsecond=0))
    span = min(1800.0, (now - begin).total_seconds() - 1)
    ann_elsewhere("", {"start_time": begin.isoformat(), "duration": span})
    ann_widget.start(f"{REPO}#7")
    ann_widget.expect_state("Counting")
    ann_widget.expect_sent()
    today = ann_widget.element.get_by_role("timer", name="Today")
    expect(today).not_to_have_text("–")
    ann_widget.page.reload()
    expect(today).not_to_have_text("–")
    ann_widget.page.wait_for_timeout(1200)
    assert eventually(lambda: abs(ann_widget.today() - span - ann_widget.seconds()) <= 1)
    since, before = time.monotonic(), ann_widget.today()
    ann_widget.page.wait_for_timeout(3000)
    assert 2 <= ann_widget.today() - before <= time.monotonic() - since + 1
    ann_widget.button("Pause").click()
    ann_widget.expect_sent()
    ann_widget.page.wait_for_timeout(1000)
    paused = ann_widget.today()
    ann_widget.page.wait_for_timeout(2000)
    assert ann_widget.today() == paused


def test_the_day_begins_at_local_midnight(new_widget: NewWidget, github: FakeGitHub, ann: Account) -> None:
    # The offset of this zone from UTC is 12 h 45 min, or 13 h 45 min in summer, so it includes part of an
    # hour.
    widget = new_widget(timezone_id="Pacific/Chatham")
    widget.open()
    with widget.page.expect_request("**/api/timelogs/totals/*") as request:
        widget.sign_in(github, ann)
    url = request.value.url
    assert "time_zone=Pacific%2FChatham" in url
    midnight = widget.page.evaluate("new Date(new Date().setHours(0, 0, 0, 0)).toISOString()")
    assert midnight.replace(":", "%3A") in url
