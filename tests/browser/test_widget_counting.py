"""Which timer counts, and why the others wait, as the widget shows it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import signed_in
from tests.browser.test_widget_looks import SCHEMES
from tests.browser.test_widget_sync import ASSIGNED, assigned
from tests.browser.widget import OFFLINE, REPO, Widget
from tests.support.axe import violations

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator

    from fake_github import FakeGitHub
    from fake_github.model import Account
    from tests.browser.conftest import BrowserErrors, NewWidget
    from tests.e2e.conftest import Site

BERLIN = ZoneInfo("Europe/Berlin")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def card(widget: Widget, number: int) -> Locator:
    """Return the list item of an issue's timer."""
    clock = widget.page.get_by_role("timer", name=f"{REPO}#{number}", exact=True)
    return widget.timers.filter(has=clock)


def of(button: str, number: int) -> str:
    """Return the name of a button of an issue's timer."""
    return f"{button} \u2068{REPO}#{number}\u2069"


@pytest.fixture
def two(ann_widget: Widget) -> Widget:
    """Return Ann's widget with two timers that were started by hand; that of issue 8 counts."""
    for number in (7, 8):
        ann_widget.start(f"{REPO}#{number}")
        ann_widget.expect_sent()
    return ann_widget


def test_only_the_timer_that_was_started_last_counts(two: Widget) -> None:
    two.expect_state("Counting", 8)
    two.expect_state("Waiting", 7)
    before = two.seconds(7), two.seconds(8), two.today()
    two.page.wait_for_timeout(2100)
    assert two.seconds(7) == before[0]
    assert two.seconds(8) - before[1] >= 1
    assert two.today() - before[2] >= 1


def test_a_waiting_timer_says_which_one_comes_first(two: Widget) -> None:
    switch = two.element.get_by_role("button", name=of("Switch to this", 7))
    expect(switch).to_have_accessible_description(re.compile(rf"{REPO}#8.? comes first, by you, "))
    expect(two.element.get_by_role("button", name=of("Pause", 8))).to_have_accessible_description(
        re.compile("^Counting, by you, ")
    )


@pytest.mark.parametrize("by", ["pointer", "keyboard"])
def test_switching_lets_another_timer_count(two: Widget, by: str, site: Site, ann: Account) -> None:
    two.record_events()
    switch = two.element.get_by_role("button", name=of("Switch to this", 7))
    switch.press("Enter") if by == "keyboard" else switch.click()
    expect(two.notice).to_have_text(f"{REPO}#7: Counting")
    two.expect_state("Counting", 7)
    two.expect_state("Waiting", 8)
    expect(two.timers.first).to_contain_text("#7")
    # The button of the timer now pauses it, and keeps the focus although the timer has become the first.
    expect(two.element.get_by_role("button", name=of("Pause", 7))).to_be_focused()
    two.expect_sent()
    two.page.reload()
    two.expect_state("Counting", 7)
    two.expect_state("Waiting", 8)
    token = site.stack.mint_token(ann.id, login=ann.login)
    (timer,) = site.timers(REPO, 7, token)
    assert (timer["is_counting"], timer["why"]["action"]) == (True, "focus")


def test_a_switch_is_an_event(two: Widget) -> None:
    two.record_events()
    two.element.get_by_role("button", name=of("Switch to this", 7)).click()
    two.expect_sent()
    (event,) = two.events()
    assert (event["type"], event["isOwn"]) == ("issue-timer:focus", True)
    assert event["timer"]["is_counting"]


def test_a_switch_without_a_connection_is_sent_later(
    two: Widget, browser_errors: BrowserErrors, site: Site, ann: Account
) -> None:
    browser_errors.allow(OFFLINE)
    two.page.context.set_offline(True)
    two.element.get_by_role("button", name=of("Switch to this", 7)).click()
    two.expect_state("Counting", 7)
    two.expect_state("Waiting", 8)
    before = two.seconds(7)
    two.page.wait_for_timeout(2100)
    assert two.seconds(7) - before >= 1
    two.page.context.set_offline(False)
    two.expect_sent()
    (timer,) = site.timers(REPO, 7, site.stack.mint_token(ann.id, login=ann.login))
    assert timer["is_counting"]
    assert timer["working_duration"] >= 2


def test_pausing_the_timer_that_counts_is_a_break_until_the_next_action(two: Widget) -> None:
    two.element.get_by_role("button", name=of("Pause", 8)).click()
    two.expect_state("On a break", 7)
    two.expect_sent()
    two.page.reload()
    two.expect_state("On a break", 7)
    expect(two.element.get_by_role("timer", name="Today")).not_to_have_text("–")
    today = two.today()
    two.page.wait_for_timeout(1500)
    assert two.today() == today
    two.element.get_by_role("button", name=of("Resume", 8)).click()
    two.expect_state("Counting", 8)
    two.expect_state("Waiting", 7)
    two.expect_sent()


def test_a_stop_lets_the_other_timer_count(two: Widget) -> None:
    two.element.get_by_role("button", name=of("Stop", 8)).click()
    two.expect_state("Counting", 7)
    two.expect_sent()
    expect(two.timers).to_have_count(1)
    two.expect_state("Counting", 7)
    assert two.notice.inner_text().startswith("Stopped")


def test_starting_an_issue_whose_timer_waits_switches_to_it(two: Widget) -> None:
    two.start(f"{REPO}#7")
    two.expect_state("Counting", 7)
    two.expect_sent()
    expect(two.timers).to_have_count(2)


def test_a_switch_in_another_tab_and_on_another_device_is_announced(
    two: Widget, ann_elsewhere: Callable[..., Any], site: Site, ann: Account
) -> None:
    other = two.another_tab()
    two.element.get_by_role("button", name=of("Switch to this", 7)).click()
    expect(other.notice).to_have_text(f"{REPO}#7: Counting")
    other.expect_state("Waiting", 8)
    two.expect_sent()
    (timer,) = site.timers(REPO, 8, site.stack.mint_token(ann.id, login=ann.login))
    ann_elsewhere(f"{timer['id']}/focus/")
    two.poll()
    expect(two.notice).to_have_text(f"{REPO}#8: Counting")
    two.expect_state("Waiting", 7)


# ---------------------------------------------------------------------- working hours


def work_on(site: Site, person: Account, week: dict[str, list[tuple[str, str]]]) -> None:
    """Choose working hours, from today on."""
    hours = {
        "valid_from": f"{datetime.now(BERLIN):%Y-%m-%d}",
        "time_zone": BERLIN.key,
        "week": {day: week.get(day, []) for day in DAYS},
    }
    token = site.stack.mint_token(person.id, login=person.login)
    response = site.send("PUT", "/api/schedule/", hours, token=token)
    assert response.status == 200, response


@pytest.fixture
def after_work(new_widget: NewWidget, site: Site, github: FakeGitHub, ann: Account) -> Widget:
    """Return Ann's widget outside of her working hours, with a timer that a colleague has started."""
    widget = signed_in(new_widget(timezone_id=BERLIN.key, locale="en-GB"), site, github, ann)
    # The working hours are those of one day in each week.
    day = DAYS[(datetime.now(BERLIN) + timedelta(days=2)).weekday()]
    work_on(site, ann, {day: [("09:00", "17:00")]})
    site.backdate_registration(ann.id)
    site.deliver("issues", assigned(ann, datetime.now(UTC)))
    site.process_everything()
    widget.page.reload()
    return widget


def test_outside_of_working_hours_a_timer_says_when_it_continues(after_work: Widget) -> None:
    day = datetime.now(BERLIN) + timedelta(days=2)
    after_work.expect_state(f"Continues {day:%A} 09:00", ASSIGNED)
    expect(after_work.element.get_by_role("timer", name="Today")).to_have_text("00:00:00")
    keep = after_work.element.get_by_role("button", name=of("Keep counting", ASSIGNED))
    expect(keep).to_have_accessible_description("Outside of working hours")
    after_work.page.wait_for_timeout(1500)
    assert after_work.seconds(ASSIGNED) == after_work.today() == 0
    after_work.element.evaluate("(element) => { element.lang = 'de' }")
    expect(after_work.element.get_by_role("button", name="Weiterzählen")).to_be_visible()
    expect(card(after_work, ASSIGNED)).to_contain_text("Weiter ab ")


def test_keep_counting_counts_as_overtime(after_work: Widget, site: Site, ann: Account) -> None:
    after_work.element.get_by_role("button", name=of("Keep counting", ASSIGNED)).press("Enter")
    expect(after_work.notice).to_have_text(f"{REPO}#{ASSIGNED}: Counting")
    after_work.expect_sent()
    after_work.expect_state("Overtime", ASSIGNED)
    expect(after_work.element.get_by_role("button", name=of("Pause", ASSIGNED))).to_be_focused()
    after_work.page.wait_for_timeout(2100)
    assert after_work.seconds(ASSIGNED) >= 1
    assert after_work.today() >= 1
    (timer,) = site.timers(REPO, ASSIGNED, site.stack.mint_token(ann.id, login=ann.login))
    assert (timer["is_counting"], timer["why"]["rule"]) == (True, "overtime")
    assert timer["counting_changes_at"]


def test_counting_begins_by_itself_and_is_announced(after_work: Widget, site: Site, ann: Account) -> None:
    widget = after_work
    at = datetime.now(BERLIN)
    # Working hours that begin with the next minute, or with the one after it if that is near.
    begins = (at + timedelta(minutes=1 if at.second < 40 else 2)).replace(second=0)
    ends = begins + timedelta(minutes=10)
    if ends.date() != at.date():
        pytest.skip("The working hours would end on the next day")
    work_on(site, ann, {day: [(f"{begins:%H:%M}", f"{ends:%H:%M}")] for day in DAYS})
    widget.page.reload()
    # Hours before 10:00 have one digit in some versions of the browser.
    continues = re.compile(f"Continues 0?{begins.hour}:{begins:%M}")
    expect(card(widget, ASSIGNED)).to_contain_text(continues)
    widget.record_events()
    expect(card(widget, ASSIGNED)).to_contain_text("Counting", timeout=90_000)
    expect(widget.notice).to_have_text(f"{REPO}#{ASSIGNED}: Counting", timeout=10_000)
    assert [event["type"] for event in widget.events()] == ["issue-timer:counting"]
    assert 0 <= widget.seconds(ASSIGNED) < 15


def test_the_states_are_accessible(two: Widget, after_work: Widget) -> None:
    for widget in (two, after_work):
        for scheme in SCHEMES:
            widget.page.emulate_media(color_scheme=scheme)
            assert violations(widget.page, "main") == []
