"""The Time page shows a week beside the working hours, and confirms and reopens its days."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from playwright.sync_api import Page, expect

from tests.browser.present import Present
from tests.browser.seed import REPO, ZONE, days_ago, finished_timer, put_timers
from tests.browser.test_working_hours import AccountPage
from tests.browser.timesheet import Timesheet, open_timesheet
from tests.e2e.conftest import payload
from tests.support.axe import violations

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from playwright.sync_api import Locator, Route

    from fake_github.model import Account
    from tests.browser.conftest import BrowserErrors, OpenAs
    from tests.e2e.conftest import Site

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
# A day of last week, which is over, counted from its Monday.
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY = range(6)


def ago(weekday: int) -> int:
    """Return how many days ago a day of last week was."""
    return days_ago(0).weekday() + 7 - weekday


def day_of(weekday: int) -> date:
    """Return the date of a day of last week."""
    return days_ago(ago(weekday))


def long_name(day: date) -> str:
    """Return the name of a day in British English."""
    return f"{day:%A} {day.day} {day:%B}"


class Week:
    """The card of a week, and the card of its selected day."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.card = page.locator("#week")
        self.title = page.locator("#week-title")
        self.table = self.card.get_by_role("table")
        self.sum = self.table.locator("tfoot").get_by_role("row")
        self.day = page.locator("#day")
        self.day_title = page.locator("#day-title")
        self.day_state = page.locator("#day-state")
        self.selection = page.locator("#selection")
        self.status = page.locator("#status")

    def row(self, weekday: int) -> Locator:
        """Return the row of a day."""
        return self.table.locator("tbody").get_by_role("row").nth(weekday)

    def cells(self, row: Locator) -> list[str]:
        """Return the figures of a row."""
        texts = row.locator("td:not(.chart-cell, .state)").all_inner_texts()
        return [text.replace("\u00a0", " ") for text in texts]

    def button(self, action: str, weekday: int) -> Locator:
        """Return the button that confirms or reopens a day."""
        return self.card.get_by_role("button", name=f"{action} {long_name(day_of(weekday))}")

    def show(self, weekday: int) -> None:
        """Show a day in its own card."""
        self.row(weekday).get_by_role("button").first.click()
        expect(self.day_title).to_contain_text(long_name(day_of(weekday)))

    def states(self) -> list[str]:
        """Return the states of the days, as the API has them."""
        query = f"from={day_of(0).isoformat()}&to={day_of(6).isoformat()}"
        days: list[dict[str, Any]] = self.page.evaluate(
            "(query) => fetch(`/api/timesheets/?${query}`).then((response) => response.json())", query
        )["days"]
        return [day["state"] for day in days]


class SetWeek(Protocol):
    def __call__(self, *hours: tuple[str, str]) -> None: ...


@pytest.fixture
def set_week(site: Site, ann: Account) -> SetWeek:
    """Set Ann's working hours from Monday to Friday, from a month ago on."""
    token = site.stack.mint_token(ann.id, login=ann.login)

    def set_week(*hours: tuple[str, str]) -> None:
        week = {day: hours if day in WEEKDAYS else [] for day in (*WEEKDAYS, "sat", "sun")}
        body = {"valid_from": days_ago(30).isoformat(), "time_zone": ZONE.key, "week": week}
        response = site.send("PUT", "/api/schedule/", body, token=token)
        assert response.status == 200, response

    return set_week


class OpenWeek(Protocol):
    def __call__(self, **options: Any) -> Week: ...


@pytest.fixture
def open_week(open_as: OpenAs, ann: Account, site: Site) -> OpenWeek:
    """Open the Time page with last week, in which Ann has worked on four days."""
    put_timers(
        site,
        [
            finished_timer(ann, ago(MONDAY), "09:00", 8 * 60, 7),
            finished_timer(ann, ago(TUESDAY), "09:00", 450, 8),
            finished_timer(ann, ago(WEDNESDAY), "09:00", 520, 7),
            finished_timer(ann, ago(SATURDAY), "10:00", 60, None, description="Repair"),
        ],
    )

    def open_week(**options: Any) -> Week:
        address = f"/?day={day_of(MONDAY).isoformat()}"
        week = Week(open_timesheet(open_as, ann, address, **options).page)
        expect(week.row(MONDAY).locator("[aria-current=date]")).to_be_visible()
        return week

    return open_week


@pytest.fixture
def week(open_week: OpenWeek, set_week: SetWeek) -> Week:
    """Ann's last week, with working hours from 9:00 to 17:00."""
    set_week(("09:00", "17:00"))
    return open_week()


def confirm(week: Week, weekday: int) -> None:
    """Confirm a day with the button of its row."""
    week.button("Confirm", weekday).click()
    expect(week.button("Reopen", weekday)).to_be_visible()


def test_a_week_compares_its_time_with_the_working_hours(week: Week) -> None:
    heads = week.table.get_by_role("columnheader").all_inner_texts()
    assert heads == ["Day", "Worked", "Working hours", "Overtime", "Balance", "Confirmation"]
    assert week.cells(week.row(MONDAY)) == ["8h", "8h", "–", "0m"]
    assert week.cells(week.row(TUESDAY)) == ["7h 30m", "8h", "–", "−30m"]
    assert week.cells(week.row(WEDNESDAY)) == ["8h 40m", "8h", "40m", "+40m"]
    assert week.cells(week.row(THURSDAY)) == ["–", "8h", "–", "−8h"]
    assert week.cells(week.row(SATURDAY)) == ["1h", "–", "1h", "+1h"]
    assert week.cells(week.sum) == ["25h 10m", "40h", "1h 40m", "−14h 50m"]
    bar = week.row(WEDNESDAY).locator(".week-bar")
    scheduled, regular, overtime = (bar.locator("span").nth(index).bounding_box() for index in range(3))
    assert scheduled
    assert regular
    assert overtime
    assert abs(scheduled["width"] - regular["width"]) < 1
    assert abs(overtime["x"] - scheduled["x"] - scheduled["width"]) < 1
    assert abs(overtime["width"] / scheduled["width"] - 40 / 480) < 0.01


def test_without_working_hours_a_week_shows_only_its_time(open_week: OpenWeek) -> None:
    week = open_week()
    assert week.table.get_by_role("columnheader").all_inner_texts() == ["Day", "Worked", "Confirmation"]
    assert week.cells(week.row(WEDNESDAY)) == ["8h 40m"]
    assert week.cells(week.sum) == ["25h 10m"]
    expect(week.page.locator("#week-legend")).to_be_hidden()


def test_a_week_is_chosen_by_buttons_a_date_and_the_address(week: Week) -> None:
    first = week.title.inner_text()
    week.card.get_by_role("button", name="Next week").click()
    expect(week.title).not_to_have_text(first)
    day = day_of(MONDAY) + timedelta(days=7)
    if day != days_ago(0):
        expect(week.page).to_have_url(re.compile(rf"\?day={day.isoformat()}$"))
    week.page.go_back()
    expect(week.title).to_have_text(first)
    expect(week.day_title).to_contain_text(long_name(day_of(MONDAY)))
    week.card.get_by_role("button", name="Previous week").click()
    expect(week.page).to_have_url(re.compile(rf"\?day={(day - timedelta(days=14)).isoformat()}$"))
    week.page.reload()
    expect(week.day_title).to_contain_text(long_name(day - timedelta(days=14)))
    week.card.get_by_label("Week of").fill(day_of(FRIDAY).isoformat())
    expect(week.title).to_have_text(first)
    expect(week.row(FRIDAY).locator("[aria-current=date]")).to_be_visible()
    week.card.get_by_role("button", name="This week").click()
    expect(week.title).to_be_focused()
    expect(week.page).to_have_url(re.compile("/$"))


def test_a_day_is_confirmed_and_reopened_by_mouse(week: Week) -> None:
    expect(week.row(TUESDAY)).not_to_contain_text("Confirmed")
    confirm(week, TUESDAY)
    expect(week.status).to_have_text(f"{long_name(day_of(TUESDAY))} is confirmed.")
    confirmed = week.row(TUESDAY).locator(".badge")
    expect(confirmed).to_have_attribute("title", re.compile(rf"\b{days_ago(0).day}\b"))
    expect(confirmed).to_have_text(f"Confirmed {confirmed.get_attribute('title')}")
    assert week.states()[TUESDAY] == "confirmed"
    week.button("Reopen", TUESDAY).click()
    expect(week.status).to_have_text(f"{long_name(day_of(TUESDAY))} is no longer confirmed.")
    expect(week.button("Confirm", TUESDAY)).to_be_visible()
    assert set(week.states()) == {"over"}


def test_a_day_is_confirmed_and_reopened_by_keyboard(week: Week) -> None:
    expect(week.day_state.get_by_role("button", name="Confirm")).to_be_visible()
    expect(week.day_state).not_to_contain_text("Confirmed")
    week.row(MONDAY).get_by_role("button").first.focus()
    week.page.keyboard.press("Tab")
    week.page.keyboard.press("Enter")
    expect(week.button("Reopen", MONDAY)).to_be_focused()
    expect(week.day_state).to_contain_text("Confirmed")
    week.day_state.get_by_role("button", name="Reopen").focus()
    week.page.keyboard.press("Space")
    expect(week.day_state.get_by_role("button", name="Confirm")).to_be_focused()
    week.page.keyboard.press("Space")
    expect(week.day_state.get_by_role("button", name="Reopen")).to_be_focused()
    week.page.keyboard.press("Control+z")
    expect(week.status).to_have_text(f"{long_name(day_of(MONDAY))} is no longer confirmed.")
    expect(week.day_state.get_by_role("button", name="Confirm")).to_be_focused()
    # The confirmation that was undone by reopening the day is not offered again.
    expect(week.page.locator("#undo")).to_be_hidden()


def test_a_day_is_reopened_with_a_reason(week: Week) -> None:
    week.day_state.get_by_role("button", name="Confirm").click()
    expect(week.day_state.get_by_role("button", name="Reopen")).to_be_visible()
    why = week.page.locator("#day-state-why")
    why.get_by_text("Reason (optional)").click()
    why.get_by_role("textbox").fill("Forgot a meeting & more")
    week.day_state.get_by_role("button", name="Reopen").click()
    expect(week.day_state.get_by_role("button", name="Confirm")).to_be_visible()
    expect(why.get_by_role("textbox")).to_be_hidden()
    changes = week.page.evaluate("fetch('/api/timelogs/changes/').then((answer) => answer.json())")
    assert [change["reason"] for change in changes["results"][:2]] == ["Forgot a meeting & more", ""]


def test_all_open_days_of_a_week_are_confirmed_at_once(week: Week) -> None:
    confirm(week, MONDAY)
    week.card.get_by_role("button", name="Confirm 6 days").click()
    expect(week.status).to_have_text("6 days are confirmed.")
    expect(week.title).to_be_focused()
    assert week.states() == ["confirmed"] * 7
    expect(week.card.get_by_role("button", name="Confirm", exact=False)).to_have_count(0)
    week.card.get_by_role("button", name="Undo").click()
    expect(week.status).to_have_text("6 days are no longer confirmed.")
    assert week.states() == ["confirmed", *["over"] * 6]


def log_an_hour(act: Callable[..., Any], weekday: int) -> None:
    """Add an hour to a day elsewhere."""
    start = datetime.combine(day_of(weekday), time(18), ZONE)
    act("", {"start_time": start.isoformat(), "duration": 3600, "description": "Elsewhere"})


@pytest.mark.usefixtures("without_hints")
def test_a_day_that_has_changed_is_shown_before_it_is_confirmed(
    week: Week, ann_elsewhere: Callable[..., Any], browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(r"status of 412 .*/confirm/$")
    log_an_hour(ann_elsewhere, TUESDAY)
    week.button("Confirm", TUESDAY).click()
    expect(week.status).to_have_text(
        re.compile(rf"^{long_name(day_of(TUESDAY))} has changed in the meantime and now has 8h\s30m\. Check")
    )
    expect(week.day_title).to_contain_text(long_name(day_of(TUESDAY)))
    expect(week.day_title).to_be_focused()
    expect(week.day.get_by_role("list", name="Time per issue")).to_contain_text("Elsewhere")
    assert week.cells(week.row(TUESDAY))[0] == "8h 30m"
    assert set(week.states()) == {"over"}
    week.day_state.get_by_role("button", name="Confirm").click()
    expect(week.status).to_have_text(f"{long_name(day_of(TUESDAY))} is confirmed.")


@pytest.mark.usefixtures("without_hints")
def test_a_week_is_confirmed_except_for_the_day_that_has_changed(
    week: Week, ann_elsewhere: Callable[..., Any], browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(r"status of 412 .*/confirm/$")
    log_an_hour(ann_elsewhere, THURSDAY)
    week.card.get_by_role("button", name="Confirm 7 days").click()
    expect(week.status).to_have_text(
        re.compile(rf"^6 of 7 days are confirmed\. {long_name(day_of(THURSDAY))} has changed .* now has 1h\.")
    )
    assert week.states() == ["confirmed"] * 3 + ["over"] + ["confirmed"] * 3


def test_a_failure_names_the_days_that_are_not_confirmed(week: Week, browser_errors: BrowserErrors) -> None:
    browser_errors.allow(r"status of 503 .*/confirm/$")
    wednesday = day_of(WEDNESDAY).isoformat()

    def fail(route: Route) -> None:
        body = json.dumps({"status": 503, "detail": "The server is busy.", "code": "busy"})
        route.fulfill(status=503, body=body, content_type="application/problem+json")

    week.page.route(f"**/api/timesheets/{wednesday}/confirm/", fail)
    week.card.get_by_role("button", name="Confirm 7 days").click()
    expect(week.status).to_have_text(
        "2 of 7 days are confirmed. "
        f"{long_name(day_of(WEDNESDAY))} could not be confirmed: The server is busy."
    )
    assert week.states() == ["confirmed"] * 2 + ["over"] * 5
    expect(week.card.get_by_role("button", name="Confirm 5 days")).to_be_focused()


def test_a_confirmed_day_says_what_events_have_changed_since(
    open_week: OpenWeek, site: Site, ann: Account
) -> None:
    site.backdate_registration(ann.id)
    week = open_week()
    # Deliveries arrive at most three days late. This day is over in each time zone.
    day = days_ago(2)
    week.page.goto(f"/?day={day.isoformat()}")
    week.day_state.get_by_role("button", name="Confirm").click()
    expect(week.status).to_have_text(f"{long_name(day)} is confirmed.")
    number = 1000 + ann.id % 1_000_000
    assignee = {"id": ann.id, "login": ann.login, "type": "User"}
    for name, hour, fields in (
        ("issues.assigned", 10, {"assignee": assignee}),
        ("issues.closed", 12, {}),
    ):
        at = f"{datetime.combine(day, time(hour), ZONE).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        body = payload(name, REPO, number, updated_at=at, closed_at=at, assignees=[assignee]) | fields
        assert site.deliver("issues", body).status == 202
    site.process_everything()
    week.page.reload()
    row = week.table.get_by_role("row").filter(has=week.page.locator("[aria-current=date]"))
    expect(row).to_contain_text(re.compile(r"changed since: 2h more"))
    assert week.cells(row) == ["–"]
    expect(week.day_state).to_contain_text("changed since: 2h more")
    expect(week.day.locator(".block")).to_have_count(0)
    week.day_state.get_by_role("button", name="Reopen").click()
    expect(week.status).to_have_text(f"{long_name(day)} is no longer confirmed.")
    expect(week.day.locator(".block")).to_have_count(1)
    assert week.cells(row) == ["2h"]


def test_the_time_of_a_confirmed_day_is_fixed(week: Week, browser_errors: BrowserErrors) -> None:
    browser_errors.allow(r"status of 409 .*/api/timelogs/")
    locked = f"{long_name(day_of(TUESDAY))} is confirmed. Reopen the day to change it."
    confirm(week, TUESDAY)
    week.show(TUESDAY)
    week.day.locator(".block").click()
    expect(week.selection).to_contain_text(locked)
    assert week.selection.get_by_role("button").all_inner_texts() == ["Reopen"]
    expect(week.day.get_by_role("slider")).to_have_count(0)
    week.day.locator(".gap").first.click()
    expect(week.status).to_have_text(locked)
    sheet = Timesheet(week.page)
    entry = sheet.entry("#8")
    entry.get_by_role("button", name="Edit").click()
    sheet.fill(End=f"{day_of(TUESDAY).isoformat()}T16:00")
    sheet.save()
    expect(sheet.dialog.get_by_role("alert").filter(has_text="confirmed")).to_have_text(locked)
    week.page.keyboard.press("Escape")
    entry.get_by_role("button", name="Delete").click()
    sheet.dialog.get_by_role("button", name="Delete").click()
    expect(week.status).to_have_text(locked)
    week.selection.get_by_role("button", name="Reopen").click()
    expect(week.day.get_by_role("slider")).to_have_count(2)
    expect(week.selection.get_by_role("button").first).to_be_focused()
    week.selection.get_by_role("button", name="Delete").click()
    expect(week.day.locator(".block")).to_have_count(0)


def test_a_refused_transition_names_the_confirmed_day(ann_page: Page, browser_errors: BrowserErrors) -> None:
    browser_errors.allow(r"status of 409 .*/pause/$")

    def refuse(route: Route) -> None:
        problem = {
            "status": 409,
            "detail": "2026-11-24 is confirmed.",
            "code": "day_confirmed",
            "date": "2026-11-24",
        }
        route.fulfill(status=409, body=json.dumps(problem), content_type="application/problem+json")

    Present(ann_page).start(f"{REPO}#7")
    Present(ann_page).expect_counting()
    ann_page.route("**/pause/", refuse)
    Present(ann_page).button("Pause").click()
    expect(ann_page.locator("#status")).to_contain_text(
        re.compile("Tuesday,? (24 November|November 24) is confirmed. Reopen the day to change it.")
    )


def test_a_change_of_the_working_hours_shows_the_confirmed_days_that_it_would_alter(week: Week) -> None:
    confirm(week, TUESDAY)
    page = week.page
    page.goto("/account.html#change-hours")
    account = AccountPage(page)
    account.hours.get_by_label("Valid from").fill(day_of(MONDAY).isoformat())
    account.day("Tuesday").get_by_label("until").fill("16:00")
    account.save()
    dialog = page.get_by_role("dialog", name="This would change a confirmed day")
    expect(dialog).to_be_visible()
    assert violations(page) == []
    assert dialog.get_by_role("button").all_inner_texts() == ["Close"]
    with page.context.expect_page() as tab:
        dialog.get_by_role("link", name="(opens in a new tab)").click()
    opened = Week(tab.value)
    expect(opened.day_title).to_contain_text(long_name(day_of(TUESDAY)))
    expect(opened.day_state).to_contain_text("Confirmed")
    opened.page.close()
    # The form has kept what was entered.
    dialog.get_by_role("button", name="Close").click()
    expect(account.day("Tuesday").get_by_label("until")).to_have_value("16:00")
    page.get_by_role("button", name="Delete the hours").first.click()
    expect(dialog.get_by_role("link")).to_have_attribute("href", f"./?day={day_of(TUESDAY).isoformat()}")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Delete the hours").first).to_be_visible()


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_week_is_accessible_and_fits(
    open_week: OpenWeek, set_week: SetWeek, scheme: str, width: int, locale: str
) -> None:
    set_week(("09:00", "17:00"))
    week = open_week(color_scheme=scheme, viewport={"width": width, "height": 900}, locale=locale)
    page = week.page
    week.row(TUESDAY).get_by_role("button").last.click()
    expect(week.row(TUESDAY)).to_contain_text("Bestätigt" if locale == "de-DE" else "Confirmed")
    week.row(TUESDAY).get_by_role("button").first.click()
    expect(week.row(TUESDAY).locator("[aria-current=date]")).to_be_visible()
    week.day.locator(".block").click()
    expect(week.selection).to_contain_text("ist bestätigt" if locale == "de-DE" else "is confirmed")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for index in range(7):
        expect(week.row(index).locator(".state")).to_be_visible()
    expect(week.row(WEDNESDAY).locator(".week-bar")).to_be_visible()
    expect(week.row(WEDNESDAY)).to_contain_text(re.compile(r"40\s?m"))
