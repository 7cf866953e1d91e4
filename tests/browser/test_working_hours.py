"""Working hours: the proposal of the first visit, and the sections of the Account page."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.browser.seed import ZONE, days_ago, finished_timer, put_timers
from tests.browser.widget import noon_zone
from tests.support.axe import violations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from playwright.sync_api import Locator, Page

    from fake_github.model import Account
    from tests.browser.conftest import BrowserErrors, OpenAs
    from tests.e2e.conftest import Site
    from timer_core.domain.timers import Timer

WORKDAYS = ("mon", "tue", "wed", "thu", "fri")
# Clocks there are 8:45 h ahead of UTC.
EUCLA = "Australia/Eucla"
DEFAULT_RULES = {
    "working_hours": None,
    "concurrent_timers": "focus",
    "overtime_hours": 4,
    "assignment_starts": "any",
    "stale_after_hours": 24,
}


def week_of(*intervals: list[str]) -> dict[str, list[list[str]]]:
    """Return a week with the same hours from Monday to Friday."""
    return {**{day: list(intervals) for day in WORKDAYS}, "sat": [], "sun": []}


NINE_TO_FIVE = week_of(["09:00", "17:00"])


class AccountPage:
    """The Account page of the signed-in user."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.status = page.locator("#status")
        self.hours = page.get_by_role("region", name="Working hours")
        self.days_off = page.get_by_role("region", name="Days off")
        self.assignments = page.get_by_role("region", name="Assignments")
        self.organization = page.get_by_role("region", name="Organization")
        self.dialog = page.get_by_role("dialog")

    def open(self, fragment: str = "") -> AccountPage:
        """Open the page, and wait until the schedule is shown."""
        self.page.goto(f"/account.html{fragment}")
        expect(self.page.locator("#hours-now")).not_to_be_empty()
        return self

    def day(self, name: str, region: Locator | None = None) -> Locator:
        """Return the hours of a weekday in the editor."""
        return (region or self.hours).get_by_role("group", name=name, exact=True)

    def change_hours(self) -> None:
        """Open the editor."""
        self.hours.get_by_role("button", name="Change working hours").click()

    def save(self) -> None:
        """Press the editor's Save button."""
        self.hours.get_by_role("button", name="Save", exact=True).click()

    def schedule(self) -> dict[str, Any]:
        """Return the schedule that the API returns."""
        schedule: dict[str, Any] = self.page.evaluate(
            "() => fetch('/api/schedule/').then((response) => response.json())"
        )
        return schedule

    def stored_timers(self) -> list[dict[str, Any]]:
        """Return the timers that the API lists."""
        timers: list[dict[str, Any]] = self.page.evaluate(
            "() => fetch('/api/timelogs/').then((response) => response.json())"
        )["results"]
        return timers

    def put(self, body: dict[str, Any], path: str = "schedule/") -> None:
        """Send a PUT request as the user."""
        status = self.page.evaluate(
            """([path, body]) => fetch(`/api/${path}`, {
                method: 'PUT', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body),
            }).then(({ status }) => status)""",
            [path, body],
        )
        assert status == 200


@pytest.fixture
def account(ann_page: Page) -> AccountPage:
    return AccountPage(ann_page).open()


@pytest.fixture
def chosen(account: AccountPage) -> AccountPage:
    """The Account page of a user who works from 09:00 to 17:00."""
    account.put({"time_zone": "UTC", "week": NINE_TO_FIVE, "valid_from": "2026-01-01"})
    return account.open()


def today_in(zone: str) -> str:
    return datetime.now(ZoneInfo(zone)).date().isoformat()


# ---------------------------------------------------------------------- the first visit


def first_visit(page: Page) -> Locator:
    return page.get_by_role("region", name="When do you work?")


def test_the_first_visit_proposes_hours_that_one_press_accepts(open_as: OpenAs, ann: Account) -> None:
    page = open_as(ann, timezone_id=EUCLA, locale="en-GB")
    card = first_visit(page)
    expect(card).to_contain_text("nights and weekends count too")
    expect(card).to_contain_text("only time within them counts by itself")
    expect(card).to_contain_text(EUCLA)
    card.get_by_role("button", name="Use Mon–Fri 09:00–17:00").click()
    expect(card).to_have_count(0)
    expect(page.get_by_role("heading", name="Time", exact=True)).to_be_focused()
    schedule = AccountPage(page).schedule()
    assert schedule["chosen"]
    assert schedule["versions"] == [{"valid_from": today_in(EUCLA), "time_zone": EUCLA, "week": NINE_TO_FIVE}]
    page.reload()
    expect(page.locator("#results")).to_have_attribute("aria-busy", "false")
    expect(card).to_have_count(0)


def test_the_first_visit_asks_before_it_changes_the_time_of_today(
    open_as: OpenAs, ann: Account, site: Site
) -> None:
    # From about 04:00 to 05:00 in the browser's time zone.
    start = datetime.now(ZONE) - timedelta(hours=8)
    ago = (datetime.now(ZONE).date() - start.date()).days
    put_timers(site, [by_events(finished_timer(ann, ago, f"{start:%H:%M}", 60))])
    page = open_as(ann, timezone_id=noon_zone(), locale="en-GB")
    card = first_visit(page)
    use = card.get_by_role("button", name="Use Mon–Fri 09:00–17:00")
    use.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This changes the working time of 1 day")
    dialog.get_by_role("button", name="Cancel").click()
    assert not AccountPage(page).schedule()["chosen"]
    use.click()
    dialog.get_by_role("button", name="Save").click()
    expect(card).to_have_count(0)
    assert AccountPage(page).schedule()["chosen"]


def test_the_first_visit_offers_to_count_always(ann_page: Page) -> None:
    card = first_visit(ann_page)
    card.get_by_role("button", name="Count always").press("Enter")
    expect(card).to_have_count(0)
    schedule = AccountPage(ann_page).schedule()
    assert schedule["chosen"]
    assert schedule["current"]["week"] is None


def test_the_first_visit_leads_to_the_editor_with_the_proposed_hours(open_as: OpenAs, ann: Account) -> None:
    page = open_as(ann, timezone_id="Europe/Berlin", locale="en-GB")
    first_visit(page).get_by_role("link", name="Other hours").click()
    account = AccountPage(page)
    expect(account.day("Monday").get_by_label("from")).to_be_focused()
    expect(account.day("Monday").get_by_label("from")).to_have_value("09:00")
    expect(account.day("Saturday")).to_contain_text("Off")
    expect(account.hours.get_by_label("Time zone")).to_have_value("Europe/Berlin")
    account.save()
    expect(account.status).to_have_text("Saved: Mon–Fri 09:00–17:00 (Europe/Berlin)")
    page.goto("/")
    expect(page.locator("#results")).to_have_attribute("aria-busy", "false")
    expect(first_visit(page)).to_have_count(0)


# ---------------------------------------------------------------------- the week


def test_the_whole_editor_is_usable_by_keyboard(open_as: OpenAs, ann: Account) -> None:
    page = open_as(ann, timezone_id=EUCLA, locale="en-GB")
    account = AccountPage(page).open()
    keyboard = page.keyboard

    def tab_to(target: Locator) -> None:
        for _ in range(80):
            if target.evaluate("element => element === document.activeElement"):
                return
            keyboard.press("Tab")
        raise AssertionError(f"{target} cannot be reached")

    def write(text: str) -> None:
        keyboard.press("ControlOrMeta+a")
        keyboard.type(text)
        keyboard.press("Tab")

    tab_to(account.hours.get_by_role("button", name="Change working hours"))
    keyboard.press("Enter")
    expect(account.day("Monday").get_by_label("from")).to_be_focused()
    write("8")
    write("1230")
    tab_to(account.day("Monday").get_by_role("button", name="Add hours"))
    keyboard.press("Enter")
    write("13.15")
    write("24:00")
    expect(account.day("Monday").get_by_label("until").last).to_have_value("24:00")
    tab_to(account.day("Monday").get_by_role("button", name="Copy Monday"))
    keyboard.press("Enter")
    boxes = account.hours.get_by_role("group", name="Copy Monday to")
    expect(boxes.get_by_label("Tuesday")).to_be_focused()
    tab_to(boxes.get_by_label("Friday"))
    keyboard.press("Space")
    tab_to(boxes.get_by_role("button", name="Copy"))
    keyboard.press("Enter")
    expect(account.day("Monday").get_by_role("button", name="Copy Monday")).to_be_focused()
    tab_to(account.day("Friday").get_by_label("until"))
    keyboard.press("ArrowUp")
    expect(account.day("Friday").get_by_label("until")).to_have_value("17:15")
    tab_to(account.day("Saturday").get_by_role("button", name="Add hours"))
    keyboard.press("Space")
    write("22")
    write("6")
    expect(account.day("Saturday")).to_contain_text("next day")
    tab_to(account.day("Saturday").get_by_role("button", name="Add hours"))
    keyboard.press("Enter")
    write("9")
    write("10")
    tab_to(account.day("Saturday").get_by_role("button", name="Remove 09:00–10:00"))
    keyboard.press("Enter")
    expect(account.day("Saturday").get_by_label("from")).to_be_focused()
    tab_to(account.hours.get_by_label("Time zone"))
    write("kolkata")
    expect(account.hours.get_by_text("GMT+5:30")).to_be_visible()
    tab_to(account.hours.get_by_role("button", name="Save", exact=True))
    keyboard.press("Enter")
    expect(account.hours.get_by_role("button", name="Change working hours")).to_be_focused()
    (version,) = account.schedule()["versions"]
    long_day = [["08:00", "12:30"], ["13:15", "24:00"]]
    assert version["week"] == {
        **dict.fromkeys(WORKDAYS, long_day),
        "fri": [["09:00", "17:15"]],
        "sat": [["22:00", "24:00"]],
        "sun": [["00:00", "06:00"]],
    }
    assert version["time_zone"] in {"Asia/Kolkata", "Asia/Calcutta"}


def test_times_have_am_and_pm_where_the_region_has_them(open_as: OpenAs, ann: Account) -> None:
    page = open_as(ann, timezone_id="America/New_York", locale="en-US")
    account = AccountPage(page).open("#change-hours")
    monday = account.day("Monday")
    expect(monday.get_by_label("until")).to_have_value(re.compile(r"^5:00\sPM$"))
    monday.get_by_label("from").fill("8:30")
    monday.get_by_label("until").fill("4")
    monday.get_by_label("until").press("Enter")
    expect(account.status).to_contain_text("Saved")
    assert account.schedule()["current"]["week"]["mon"] == [["08:30", "16:00"]]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_first_hours_begin_today_in_the_zone_that_they_propose(
    open_as: OpenAs, ann: Account, zone: str
) -> None:
    """At every hour of UTC, one of the zones has another date than UTC."""
    page = open_as(ann, timezone_id=zone)
    account = AccountPage(page).open("#change-hours")
    expect(account.hours.get_by_label("Valid from")).to_have_value(today_in(zone))


def test_the_first_day_of_new_hours_follows_the_time_zone_until_it_is_chosen(chosen: AccountPage) -> None:
    chosen.change_hours()
    zone, valid_from = chosen.hours.get_by_label("Time zone"), chosen.hours.get_by_label("Valid from")
    # At every hour of UTC, one of these zones has another date than UTC.
    for name in ("Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"):
        zone.fill(name)
        zone.press("Tab")
        expect(valid_from).to_have_value(today_in(name))
    valid_from.fill("2026-03-01")
    zone.fill("Pacific/Kiritimati")
    zone.press("Tab")
    expect(valid_from).to_have_value("2026-03-01")


def test_the_editor_explains_how_times_can_be_written(chosen: AccountPage) -> None:
    chosen.change_hours()
    expect(chosen.hours.get_by_text("You can enter times such as")).to_be_visible()


def test_mistakes_are_explained_at_their_fields(account: AccountPage) -> None:
    account.change_hours()
    tuesday = account.day("Tuesday")
    tuesday.get_by_label("until").fill("soon")
    account.day("Monday").get_by_role("button", name="Add hours").click()
    account.day("Monday").get_by_label("from").last.fill("16")
    account.day("Monday").get_by_label("until").last.fill("18")
    account.hours.get_by_label("Valid from").fill("")
    account.hours.get_by_label("Time zone").fill("Mars")
    account.hours.get_by_label("Time zone").press("Enter")
    expect(tuesday).to_contain_text("Enter times such as")
    expect(account.hours.get_by_text("Choose a time zone")).to_be_visible()
    expect(account.hours.get_by_text("Enter a date.")).to_be_visible()
    tuesday.get_by_label("until").fill("17:00")
    account.hours.get_by_label("Time zone").fill("utc")
    account.hours.get_by_label("Time zone").press("Enter")
    expect(account.day("Monday")).to_contain_text("These hours overlap.")
    expect(account.day("Monday").get_by_label("from").first).to_be_focused()
    assert account.schedule()["versions"] == []


def test_refusals_of_the_server_are_shown_at_their_fields(
    account: AccountPage, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(r"status of 400 .*/api/schedule/")
    account.change_hours()
    monday = account.day("Monday")
    monday.get_by_role("button", name="Remove").click()
    for hour in range(11):
        monday.get_by_role("button", name="Add hours").click()
        monday.get_by_label("from").last.fill(f"{2 * hour:02}:00")
        monday.get_by_label("until").last.fill(f"{2 * hour + 1:02}:00")
    account.save()
    expect(monday.locator(".error")).to_have_text(re.compile("10"))
    expect(monday.get_by_label("from").first).to_be_focused()
    monday.get_by_role("button", name="Remove").last.click()
    account.hours.get_by_label("Valid from").fill("1950-01-01")
    account.save()
    expect(account.hours.locator("#hours-from-error")).to_contain_text("1970")
    expect(account.hours.get_by_label("Valid from")).to_be_focused()


def test_versions_are_listed_and_can_be_edited_and_deleted(chosen: AccountPage) -> None:
    chosen.put({"time_zone": "UTC", "week": week_of(["10:00", "14:00"]), "valid_from": "2099-01-01"})
    chosen.open()
    later, current = chosen.hours.get_by_role("listitem").filter(has_text="from").all()
    expect(later).to_contain_text("(later)")
    expect(current).to_contain_text("(now)")
    later.get_by_role("button", name="Edit").click()
    expect(chosen.hours.get_by_label("Valid from")).to_have_value("2099-01-01")
    chosen.day("Friday").get_by_role("button", name="Remove").click()
    chosen.save()
    expect(chosen.status).to_contain_text("Saved: Mon–Thu")
    assert [version["week"]["fri"] for version in chosen.schedule()["versions"]] == [[["09:00", "17:00"]], []]
    later.get_by_role("button", name="Delete").click()
    chosen.dialog.get_by_role("button", name="Delete").click()
    expect(chosen.status).to_contain_text("deleted")
    assert [version["valid_from"] for version in chosen.schedule()["versions"]] == ["2026-01-01"]


def test_all_time_can_count(chosen: AccountPage) -> None:
    chosen.hours.get_by_role("button", name="Count always").click()
    expect(chosen.status).to_have_text("All time counts, also nights and weekends.")
    assert chosen.schedule()["current"]["week"] is None
    expect(chosen.hours.get_by_role("button", name="Count always")).to_be_hidden()


def by_events(timer: Timer) -> Timer:
    """Return the timer as if GitHub's events had started and stopped it, so that working hours limit it."""
    history = tuple(transition._replace(by="assigned") for transition in timer.history)
    return replace(timer, history=history, claims=())


def test_a_change_of_past_days_is_shown_before_it_is_saved(
    chosen: AccountPage, site: Site, ann: Account
) -> None:
    put_timers(
        site, [by_events(finished_timer(ann, ago, "08:00", 60 * 12, number=ago)) for ago in range(1, 8)]
    )
    chosen.change_hours()
    for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"):
        chosen.day(day).get_by_label("until").fill("12:00")
    first = (datetime.now(UTC) - timedelta(days=6)).date().isoformat()
    chosen.hours.get_by_label("Valid from").fill(first)
    chosen.save()
    rows = chosen.dialog.get_by_role("row")
    expect(rows.nth(1)).to_contain_text("8h")
    expect(rows.nth(1)).to_contain_text("3h")
    assert violations(chosen.page) == []
    chosen.dialog.get_by_role("button", name="Cancel").click()
    expect(chosen.hours.get_by_role("button", name="Save", exact=True)).to_be_visible()
    assert len(chosen.schedule()["versions"]) == 1
    chosen.save()
    chosen.dialog.get_by_role("button", name="Save").click()
    expect(chosen.status).to_contain_text("Saved: Mon–Fri")
    assert len(chosen.schedule()["versions"]) == 2


def test_the_deletion_of_a_version_shows_the_days_that_it_changes(
    chosen: AccountPage, site: Site, ann: Account
) -> None:
    put_timers(
        site, [by_events(finished_timer(ann, ago, "08:00", 60 * 12, number=ago)) for ago in range(1, 8)]
    )
    first = (datetime.now(UTC) - timedelta(days=6)).date().isoformat()
    chosen.put({"time_zone": "UTC", "week": week_of(["09:00", "12:00"]), "valid_from": first})
    chosen.open()
    later = chosen.hours.get_by_role("listitem").filter(has_text="(now)")
    later.get_by_role("button", name="Delete").click()
    rows = chosen.dialog.get_by_role("row")
    expect(rows.nth(1)).to_contain_text("3h")
    expect(rows.nth(1)).to_contain_text("8h")
    assert violations(chosen.page) == []
    chosen.dialog.get_by_role("button", name="Cancel").click()
    assert len(chosen.schedule()["versions"]) == 2
    later.get_by_role("button", name="Delete").click()
    chosen.dialog.get_by_role("button", name="Delete").click()
    expect(chosen.status).to_contain_text("deleted")
    assert len(chosen.schedule()["versions"]) == 1


# ---------------------------------------------------------------------- days off


def test_days_off_are_added_as_a_range_and_removed_together(chosen: AccountPage) -> None:
    chosen.days_off.get_by_label("First day").fill("2098-12-24")
    chosen.days_off.get_by_label("Last day").fill("2099-01-02")
    chosen.days_off.get_by_label("Reason").fill("Vacation")
    chosen.days_off.get_by_label("Reason").press("Enter")
    item = chosen.days_off.get_by_role("listitem")
    expect(item).to_contain_text("Off · Vacation")
    expect(item).to_contain_text("2099")
    stored = chosen.schedule()["exceptions"]
    assert len(stored) == 10
    assert stored[0] == {"date": "2098-12-24", "intervals": [], "reason": "Vacation"}
    item.get_by_role("button", name="Remove").click()
    expect(item).to_have_count(0)
    assert chosen.schedule()["exceptions"] == []


def test_a_day_can_have_other_hours(chosen: AccountPage) -> None:
    chosen.days_off.get_by_label("First day").fill("2099-12-31")
    chosen.days_off.get_by_label("Other hours").check()
    hours = chosen.days_off.get_by_role("group", name="Hours", exact=True)
    hours.get_by_label("until").fill("08:00")
    hours.get_by_label("until").press("Enter")
    expect(hours).to_contain_text("The end must be after the beginning.")
    hours.get_by_label("until").fill("24")
    hours.get_by_label("until").press("Enter")
    expect(chosen.status).to_contain_text("added")
    assert chosen.schedule()["exceptions"] == [
        {"date": "2099-12-31", "intervals": [["09:00", "24:00"]], "reason": ""}
    ]


def test_past_days_can_be_added_and_removed(chosen: AccountPage) -> None:
    chosen.put({"exceptions": [{"date": "2099-12-31", "intervals": [], "reason": ""}]})
    chosen.open()
    chosen.days_off.get_by_label("First day").fill("2026-01-05")
    chosen.days_off.get_by_label("First day").press("Enter")
    expect(chosen.status).to_contain_text("added")
    chosen.days_off.get_by_text("Past days").click()
    past = chosen.days_off.locator("#past-days-off")
    past.get_by_role("button", name="Remove").click()
    expect(chosen.status).to_contain_text("removed")
    assert [exception["date"] for exception in chosen.schedule()["exceptions"]] == ["2099-12-31"]


def test_the_removal_of_past_days_off_shows_the_days_that_it_changes(
    chosen: AccountPage, site: Site, ann: Account
) -> None:
    # These days are over in each time zone.
    ago = next(ago for ago in range(2, 9) if days_ago(ago).weekday() < 5)
    put_timers(site, [by_events(finished_timer(ann, ago, "08:00", 60 * 8, number=7))])
    first, last = days_ago(ago + 1).isoformat(), days_ago(ago).isoformat()
    sick = [{"date": day, "intervals": [], "reason": "Sick"} for day in (first, last)]
    chosen.put({"exceptions": sick})
    chosen.open()
    chosen.days_off.get_by_text("Past days").click()
    remove = chosen.days_off.locator("#past-days-off").get_by_role("button", name="Remove")
    remove.click()
    rows = chosen.dialog.get_by_role("row")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("0m")
    assert violations(chosen.page) == []
    chosen.dialog.get_by_role("button", name="Cancel").click()
    assert len(chosen.schedule()["exceptions"]) == 2
    remove.click()
    chosen.dialog.get_by_role("button", name="Save").click()
    expect(chosen.status).to_contain_text("removed")
    assert chosen.schedule()["exceptions"] == []


def test_days_that_were_added_elsewhere_are_not_removed(
    chosen: AccountPage, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(r"status of 412 .*/api/schedule/")
    chosen.put({"intervals": []}, "schedule/exceptions/2099-12-31/")
    chosen.days_off.get_by_label("First day").fill("2099-12-24")
    chosen.days_off.get_by_label("First day").press("Enter")
    expect(chosen.status).to_contain_text("has changed")
    assert [exception["date"] for exception in chosen.schedule()["exceptions"]] == ["2099-12-31"]


def test_public_holidays_are_chosen_and_added_as_days_off(chosen: AccountPage) -> None:
    chosen.days_off.get_by_text("Public holidays").click()
    chosen.days_off.get_by_label("Country").select_option("Germany")
    now = datetime.now(UTC)
    expect(chosen.days_off.get_by_label("Year")).to_have_value(str(now.year + (now.month >= 11)))
    chosen.days_off.get_by_label("State or region").select_option("Berlin")
    chosen.days_off.get_by_label("Year").fill("2099")
    chosen.days_off.get_by_role("button", name="Show holidays").click()
    holidays = chosen.days_off.get_by_role("checkbox")
    expect(holidays).to_have_count(10)
    assert all(box.is_checked() for box in holidays.all())
    chosen.days_off.get_by_label(re.compile("1 May")).or_(
        chosen.days_off.get_by_label(re.compile("May 1,"))
    ).uncheck()
    chosen.days_off.get_by_role("button", name="Add as days off").click()
    expect(chosen.status).to_have_text("9 holidays added.")
    stored = chosen.schedule()["exceptions"]
    assert len(stored) == 9
    assert stored[0]["date"] == "2099-01-01"
    assert stored[0]["reason"]
    assert "2099-05-01" not in {exception["date"] for exception in stored}
    chosen.days_off.get_by_role("button", name="Show holidays").click()
    expect(chosen.days_off.get_by_text("(already added)")).to_have_count(9)


def always_working(account: AccountPage) -> str:
    """Let all time of the user count, in a zone in which no day ends soon, and return the date there."""
    zone = noon_zone()
    account.put({"time_zone": zone, "week": None, "valid_from": "2026-01-01"})
    account.open()
    return today_in(zone)


def test_off_now_ends_the_day_and_can_be_undone(account: AccountPage) -> None:
    today = always_working(account)
    account.days_off.get_by_role("button", name="Off now").press("Enter")
    undo = account.days_off.get_by_role("button", name="Undo")
    expect(undo).to_be_focused()
    (exception,) = account.schedule()["exceptions"]
    assert exception["date"] == today
    ((since, until),) = exception["intervals"]
    assert since == "00:00"
    assert until.startswith(("12:", "13:"))
    expect(account.days_off.get_by_role("button", name="Off now")).to_be_hidden()
    undo.press("Enter")
    expect(account.status).to_have_text("Undone.")
    expect(account.days_off.get_by_role("button", name="Off now")).to_be_focused()
    assert account.schedule()["exceptions"] == []


def test_the_time_page_ends_the_day_in_one_press_too(account: AccountPage) -> None:
    today = always_working(account)
    page = account.page
    page.goto("/")
    card = page.get_by_role("region", name="Now")
    expect(card.get_by_text("Today all time counts.")).to_be_visible()
    card.get_by_role("button", name="Off now").press("Enter")
    expect(card.get_by_role("button", name="Undo")).to_be_focused()
    expect(card.get_by_text(re.compile("^Your hours today: "))).to_be_visible()
    assert [exception["date"] for exception in account.schedule()["exceptions"]] == [today]
    card.get_by_role("button", name="Undo").press("Enter")
    expect(account.status).to_have_text("Undone.")
    expect(card.get_by_role("button", name="Off now")).to_be_focused()
    assert account.schedule()["exceptions"] == []
    card.get_by_role("button", name="Sick today").click()
    expect(card.get_by_text("You are off today (Sick)")).to_be_visible()


def test_sick_today_replaces_the_hours_of_today_until_it_is_undone(account: AccountPage) -> None:
    today = always_working(account)
    planned = {"intervals": [["09:00", "14:00"]], "reason": "Dentist"}
    account.put(planned, f"schedule/exceptions/{today}/")
    account.open()
    account.days_off.get_by_role("button", name="Sick today").click()
    expect(account.status).to_contain_text("off today (Sick)")
    assert account.schedule()["exceptions"] == [{"date": today, "intervals": [], "reason": "Sick"}]
    account.days_off.get_by_role("button", name="Undo").click()
    expect(account.status).to_have_text("Undone.")
    assert account.schedule()["exceptions"] == [{"date": today, **planned}]


def test_sick_today_keeps_the_hours_of_a_day_on_which_time_has_counted(
    account: AccountPage, ann_elsewhere: Callable[..., Any]
) -> None:
    today = always_working(account)
    ann_elsewhere("start/", {"description": "Say hello"})
    account.open()
    sick = account.days_off.get_by_role("button", name="Sick today")
    sick.click()
    expect(account.status).to_have_text(re.compile(r"^Your hours today: .+ \(Sick\)$"))
    (exception,) = account.schedule()["exceptions"]
    assert exception["date"] == today
    ((_, until),) = exception["intervals"]
    # The hours end after the present minute, so that the start lies within them and opens no overtime.
    (timer,) = account.stored_timers()
    started = datetime.fromisoformat(timer["start_time"]).astimezone(ZoneInfo(noon_zone()))
    assert f"{started:%H:%M}" < until
    assert timer["why"]["rule"] != "overtime"
    assert timer["counting_changes_at"] is not None
    expect(sick).to_be_hidden()
    account.days_off.get_by_role("button", name="Undo").click()
    expect(account.status).to_have_text("Undone.")
    assert account.schedule()["exceptions"] == []


# ---------------------------------------------------------------------- assignments and the organization


def test_people_choose_which_assignments_start_a_timer(account: AccountPage) -> None:
    default = account.assignments.get_by_label("As in the organization: Start a timer")
    expect(default).to_be_checked()
    account.assignments.get_by_label("Start no timer").check()
    account.assignments.get_by_role("button", name="Save").click()
    expect(account.status).to_have_text("Saved.")
    assert account.schedule()["assignment_starts"] == "never"
    account.open()
    expect(account.assignments.get_by_label("Start no timer")).to_be_checked()
    default.check()
    account.assignments.get_by_role("button", name="Save").click()
    expect(account.status).to_have_text("Saved.")
    assert account.schedule()["assignment_starts"] is None


def test_only_admins_see_the_rules_of_the_organization(account: AccountPage) -> None:
    expect(account.organization).to_be_hidden()


@pytest.fixture
def boss(open_as: OpenAs, admin: Account) -> Iterator[AccountPage]:
    """The Account page of an admin. The rules are restored, and the lock is lifted, after the test."""
    account = AccountPage(open_as(admin)).open()
    yield account
    account.put(DEFAULT_RULES, "admin/settings/")
    account.page.evaluate("() => fetch('/api/admin/lock/', {method: 'DELETE'})")


def test_an_admin_changes_the_rules_of_the_organization(
    boss: AccountPage, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(r"status of 400 .*/api/admin/settings/")
    section = boss.organization
    expect(section.get_by_label("One at a time")).to_be_checked()
    section.get_by_label("These hours").check()
    boss.day("Friday", section).get_by_role("button", name="Remove").click()
    section.get_by_label("Time zone").fill(EUCLA)
    section.get_by_label("Divided").check()
    section.get_by_label("Start a timer only for self-assignment").check()
    section.get_by_label("Overtime ends").fill("40")
    section.get_by_label("Forgotten timers").fill("16")
    section.get_by_role("button", name="Save").click()
    expect(section.locator("#organization-overtime_hours-error")).not_to_be_empty()
    expect(section.get_by_label("Overtime ends")).to_be_focused()
    section.get_by_label("Overtime ends").fill("2.5")
    section.get_by_role("button", name="Save").click()
    expect(boss.status).to_have_text("Saved.")
    settings = boss.page.evaluate("() => fetch('/api/admin/settings/').then((response) => response.json())")
    assert settings["versions"][0]["concurrent_timers"] == "shared"
    settings.pop("versions")
    assert settings == {
        "working_hours": {"time_zone": EUCLA, "week": {**NINE_TO_FIVE, "fri": []}},
        "concurrent_timers": "shared",
        "overtime_hours": 2.5,
        "assignment_starts": "self",
        "stale_after_hours": 16,
    }
    section.get_by_text("Earlier rules").click()
    expect(section.get_by_role("listitem").filter(has_text="since").first).to_contain_text(
        "Divided · overtime: 2.5h"
    )
    assert violations(boss.page) == []
    # The rules hold for people who have not chosen.
    boss.open()
    expect(boss.page.locator("#hours-note")).to_have_text("As your organization has set.")
    expect(boss.assignments.get_by_label("Start a timer", exact=True)).to_have_count(0)


# ---------------------------------------------------------------------- accessibility


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])
def test_the_account_page_is_accessible_and_fits(
    open_as: OpenAs, ann: Account, scheme: str, width: int, locale: str
) -> None:
    size = {"width": width, "height": 900}
    page = open_as(ann, color_scheme=scheme, viewport=size, locale=locale)
    expect(page.locator("#first-visit section")).to_be_visible()
    assert violations(page) == []
    account = AccountPage(page)
    account.put({"intervals": [], "reason": "a-reason-without-an-end" * 4}, "schedule/exceptions/2099-12-31/")
    account.put({"intervals": []}, "schedule/exceptions/2026-01-05/")
    account.put({"time_zone": "America/Argentina/ComodRivadavia", "week": NINE_TO_FIVE})
    account.open("#change-hours")
    page.locator("#hours-mon ~ .buttons button").first.click()
    page.locator("#hours-mon ~ .buttons button").last.click()
    page.locator("input[name=kind][value=hours]").check()
    page.locator("#past-days-off-details summary").click()
    page.locator("#holidays > summary").click()
    expect(page.locator("#holidays-year")).not_to_have_value("")
    page.locator("#holidays-form button").click()
    expect(page.locator("#holidays-chosen")).to_be_visible()
    page.locator("#hours-form .primary").press("Enter")
    expect(page.locator("#hours-mon-error")).not_to_be_empty()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    expect(page.locator("html")).to_have_attribute("lang", locale)


def test_the_choice_of_time_zones_names_them_in_the_language(open_as: OpenAs, ann: Account) -> None:
    page = open_as(ann, locale="de-DE", timezone_id="Europe/Berlin")
    AccountPage(page).open("#change-hours")
    page.get_by_label("Zeitzone").focus()
    titles = page.locator("#time-zones option").evaluate_all(
        "options => Object.fromEntries(options.map(({ value, textContent }) => [value, textContent]))"
    )
    assert len(titles) > 400
    assert titles["Asia/Kathmandu" if "Asia/Kathmandu" in titles else "Asia/Katmandu"] == "Nepalesische Zeit"


def test_an_admin_locks_days_which_then_show_it(
    boss: AccountPage, open_as: OpenAs, ann: Account, site: Site, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(r"status of 400 .*/api/admin/lock/")
    section, dialog = boss.organization, boss.page.get_by_role("dialog")
    until = datetime.now(UTC).date() - timedelta(days=2)

    def lock(day: date) -> None:
        section.get_by_label("Lock all days up to").fill(day.isoformat())
        section.get_by_label("Reason").fill("Invoiced")
        section.get_by_role("button", name="Lock", exact=True).click()
        dialog.get_by_role("button", name="Lock", exact=True).click()

    expect(section.locator("#lock-state")).to_have_text("No day is locked.")
    lock(until + timedelta(days=3))
    expect(section.locator("#lock-error")).not_to_be_empty()
    lock(until)
    expect(boss.status).to_have_text("Saved.")
    expect(section.locator("#lock-state")).to_contain_text("are locked.")
    section.get_by_text("Changes of the lock").click()
    expect(section.locator("#lock-changes")).to_contain_text("Invoiced")
    assert violations(boss.page) == []
    # Restart the function, because a running function may cache the settings for another minute.
    site.restart("TimelogsFunction")
    page = open_as(ann, f"/?day={until.isoformat()}")
    day = page.locator("#day")
    expect(day.get_by_text("Locked", exact=True)).to_be_visible()
    expect(day.get_by_role("button", name="Confirm")).to_be_hidden()
    expect(page.locator("#week").get_by_text("Locked").first).to_be_visible()
    section.get_by_role("button", name="Open locked days").click()
    dialog.get_by_role("button", name="Open locked days").click()
    expect(section.locator("#lock-state")).to_have_text("No day is locked.")
