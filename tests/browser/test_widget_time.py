"""The time that the widget shows: the server's, whatever this machine's clock says."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.browser.blocked_requests import BlockedRequests
from tests.browser.conftest import Complaints, NewWidget
from tests.browser.widget import OFFLINE, REPO, Widget, noon_zone
from tests.e2e.conftest import Site
from tests.support.fake_github import FakeGitHub
from tests.support.fake_github.model import Account

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


@pytest.mark.parametrize("days", [-1, 1])
def test_a_clock_that_is_a_day_off_changes_nothing(
    new_widget: NewWidget, github: FakeGitHub, ann: Account, ann_elsewhere: Callable[..., Any], days: int
) -> None:
    started = ann_elsewhere("start/", {**ISSUE, "at": ago(10 * MINUTES)})
    widget = new_widget()
    widget.page.clock.install(time=datetime.now(UTC) + timedelta(days=days))
    widget.open()
    widget.sign_in(github, ann)
    widget.expect_state("Running")
    expected = datetime.now(UTC) - datetime.fromisoformat(started["start_time"])
    assert abs(widget.seconds() - expected.total_seconds()) < 3
    # What is done here counts from the server's present, too.
    widget.button("Pause").click()
    widget.expect_sent()
    expected = datetime.now(UTC) - datetime.fromisoformat(started["start_time"])
    assert abs(widget.seconds() - expected.total_seconds()) < 3


@pytest.mark.parametrize("days", [-1, 1])
def test_a_clock_that_is_set_meanwhile_changes_nothing(
    new_widget: NewWidget, github: FakeGitHub, ann: Account, ann_elsewhere: Callable[..., Any], days: int
) -> None:
    ann_elsewhere("start/", {**ISSUE, "at": ago(10 * MINUTES)})
    widget = new_widget()
    widget.page.clock.install()
    widget.open()
    widget.sign_in(github, ann)
    widget.expect_state("Running")
    before, since = widget.seconds(), time.monotonic()
    with widget.page.expect_request("**/api/timelogs/?*") as asked:
        widget.page.clock.set_system_time(datetime.now(UTC) + timedelta(days=days))
    assert asked.value.method == "GET"
    widget.page.wait_for_timeout(2000)
    assert abs(widget.seconds() - before - (time.monotonic() - since)) < 2


@pytest.fixture
def running(ann_elsewhere: Callable[..., Any], ann_widget_with_clock: Widget) -> Widget:
    """The widget with a timer that ran before it was loaded, and with a clock that tests can set."""
    ann_elsewhere("start/", ISSUE)
    ann_widget_with_clock.page.reload()
    ann_widget_with_clock.expect_state("Running")
    return ann_widget_with_clock


@pytest.fixture
def alone(running: Widget, complaints: Complaints) -> Widget:
    """The same, without a connection."""
    complaints.provoke(OFFLINE)
    running.page.context.set_offline(True)
    return running


def sleep(widget: Widget, span: timedelta) -> None:
    """Have the machine sleep: its clock goes on, and the one that nobody can set stands still."""
    now = widget.page.evaluate("Date.now()")
    widget.page.clock.set_system_time(datetime.fromtimestamp(now / 1000, UTC) + span)


def test_an_hour_that_the_machine_slept_has_passed_though_nobody_says_so(alone: Widget) -> None:
    sleep(alone, 60 * MINUTES)
    expect(alone.clock()).to_contain_text("01:00:")
    # It did not pass for the server: the page believes it until it has asked.
    alone.page.context.set_offline(False)
    expect(alone.clock()).to_contain_text("00:00:")


def test_what_is_done_right_after_waking_is_done_then(running: Widget, site: Site, ann: Account) -> None:
    running.page.wait_for_load_state("networkidle")
    running.listen()
    # What was asked for before is answered after.
    held = BlockedRequests(running.page, "**/api/timelogs/?*")
    running.page.evaluate("void document.querySelector('issue-timer').manager.refresh()")
    held.first()
    running.page.wait_for_timeout(50)
    before = running.page.evaluate("Date.now()")
    sleep(running, 60 * MINUTES)
    running.button("Pause").click()
    (action,) = running.kept()
    assert 0 <= action["at"] - before - 3_600_000 < 5_000
    running.expect_state("Paused")
    assert running.seconds() >= 3600
    # For the server, it did not sleep: somebody has set its clock.
    held.release()
    running.expect_sent()
    assert [told["type"] for told in running.heard()] == ["issue-timer:pause"]
    (timer,) = site.timers(REPO, 7, site.stack.mint_token(ann.id, login=ann.login))
    assert timer["status"] == "paused"
    assert timer["active_duration"] < 60


def test_a_clock_that_is_set_while_there_is_no_connection_spoils_nothing_that_is_done(
    alone: Widget, site: Site, ann: Account
) -> None:
    alone.listen()
    sleep(alone, timedelta(days=1))
    expect(alone.clock()).to_contain_text("24:00:")
    alone.button("Pause").click()
    alone.expect_state("Paused")
    alone.page.context.set_offline(False)
    alone.expect_sent()
    alone.button("Resume").click()
    alone.expect_sent()
    assert [told["type"] for told in alone.heard()] == ["issue-timer:pause", "issue-timer:resume"]
    alone.expect_state("Running")
    (timer,) = site.timers(REPO, 7, site.stack.mint_token(ann.id, login=ann.login))
    assert timer["status"] == "running"


def test_the_clock_ticks_once_a_second_and_not_at_all_when_hidden(running: Widget) -> None:
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
    page.clock.run_for(17_000)
    page.wait_for_timeout(2000)
    assert page.evaluate("ticks") == 5
    assert requests == []

    with page.expect_response("**/api/timelogs/?*"):
        running.hide(hidden=False)
    # For the server, it were no more than the seconds that a test waits.
    page.wait_for_timeout(100)
    assert 2 <= running.seconds() < 17


def test_nothing_ticks_while_no_timer_runs(ann_widget: Widget) -> None:
    ann_widget.start(f"{REPO}#7")
    ann_widget.button("Pause").click()
    ann_widget.expect_sent()
    ann_widget.page.evaluate(COUNT_TICKS)
    ann_widget.page.wait_for_timeout(2500)
    assert ann_widget.page.evaluate("ticks") == 0


def test_no_seconds_get_lost_over_a_day(alone: Widget) -> None:
    shown, since = alone.page.evaluate("""() => {
        const { manager } = document.querySelector("issue-timer");
        return [manager.active(manager.state.timers[0]), performance.now()];
    }""")
    for _ in range(24):
        alone.page.clock.fast_forward("01:00:00")
    later, now = alone.page.evaluate("""() => {
        const { manager } = document.querySelector("issue-timer");
        return [manager.active(manager.state.timers[0]), performance.now()];
    }""")
    assert now - since >= 86_400_000
    assert later - shown == pytest.approx((now - since) / 1000, abs=0.01)


def test_today_counts_all_timers_of_today(ann_widget: Widget, ann_elsewhere: Callable[..., Any]) -> None:
    now = datetime.now(UTC)
    begin = max(now - 50 * MINUTES, now.replace(hour=0, minute=0, second=0, microsecond=0))
    span = min(1800.0, (now - begin).total_seconds() - 1)
    ann_elsewhere("", {"start_time": begin.isoformat(), "duration": span})
    ann_widget.start(f"{REPO}#7")
    ann_widget.expect_state("Running")
    ann_widget.expect_sent()
    today = ann_widget.element.get_by_role("timer", name="Today")
    expect(today).not_to_have_text("–")
    ann_widget.page.reload()
    expect(today).not_to_have_text("–")
    ann_widget.page.wait_for_timeout(1200)
    assert abs(ann_widget.today() - span - ann_widget.seconds()) <= 1
    before = ann_widget.today()
    ann_widget.page.wait_for_timeout(3000)
    assert 2 <= ann_widget.today() - before <= 4
    ann_widget.button("Pause").click()
    ann_widget.expect_sent()
    ann_widget.page.wait_for_timeout(1000)
    paused = ann_widget.today()
    ann_widget.page.wait_for_timeout(2000)
    assert ann_widget.today() == paused


def test_what_was_worked_today_is_asked_for_until_it_is_known_but_not_all_the_time(
    new_widget: NewWidget, github: FakeGitHub, ann: Account, complaints: Complaints
) -> None:
    complaints.provoke(OFFLINE)
    widget = new_widget(timezone_id=noon_zone())
    widget.page.clock.install()
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    widget.page.route("**/totals/*", refuse)
    widget.open()
    widget.sign_in(github, ann)
    today = widget.element.get_by_role("timer", name="Today")
    expect(today).to_have_text("–")

    def ask_for_minutes(minutes: int) -> int:
        asked.clear()
        for _ in range(minutes * 4):
            with widget.page.expect_response("**/api/timelogs/?*"):
                widget.page.clock.fast_forward(15_100)
                widget.ask()
            widget.page.wait_for_timeout(50)
        return len(asked)

    # After one minute, after two more, and after three.
    assert [ask_for_minutes(2) for _ in range(3)] == [1, 1, 1]
    widget.start(f"{REPO}#7")
    widget.expect_sent()
    widget.page.wait_for_timeout(500)
    # With a new list at once.
    assert len(asked) >= 2
    widget.page.unroute("**/totals/*")
    widget.page.clock.fast_forward("01:00:00")
    expect(today).to_have_text(re.compile("00:00:"))


def test_the_day_begins_at_midnight_where_one_is(
    new_widget: NewWidget, github: FakeGitHub, ann: Account
) -> None:
    # Their offset is 13 h 45 min in summer, which no whole hour could pass for.
    widget = new_widget(timezone_id="Pacific/Chatham")
    widget.open()
    with widget.page.expect_request("**/api/timelogs/totals/*") as asked:
        widget.sign_in(github, ann)
    url = asked.value.url
    assert "time_zone=Pacific%2FChatham" in url
    midnight = widget.page.evaluate("new Date(new Date().setHours(0, 0, 0, 0)).toISOString()")
    assert midnight.replace(":", "%3A") in url


def test_who_is_not_there_has_the_server_asked_more_rarely(ann_widget_with_clock: Widget) -> None:
    page = ann_widget_with_clock.page
    page.wait_for_load_state("networkidle")
    ann_widget_with_clock.stop_clock()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    def expect_pace(seconds: int) -> None:
        """Wait until the server was asked, after so many seconds and no fewer."""
        asked.clear()
        page.clock.run_for((seconds - 1) * 1000)
        assert asked == []
        with page.expect_response("**/api/timelogs/?*"):
            page.clock.run_for(1500)
        page.wait_for_timeout(100)

    def pass_without_anybody(time: str) -> None:
        with page.expect_response("**/api/timelogs/?*"):
            page.clock.fast_forward(time)
        page.wait_for_timeout(100)

    pass_without_anybody("00:20")
    expect_pace(15)
    pass_without_anybody("10:00")
    expect_pace(30)
    pass_without_anybody("50:00")
    expect_pace(60)
    # Somebody is there again.
    with page.expect_response("**/api/timelogs/?*"):
        page.keyboard.press("Shift")
    page.wait_for_timeout(100)
    expect_pace(15)
