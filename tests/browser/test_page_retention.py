"""The Time page shows the sums of days whose details are deleted, and offers no change of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect
from pynamodb.connection import Connection

from tests.browser.seed import days_ago, finished_timer, put_timers
from tests.browser.timesheet import open_timesheet
from tests.support.axe import violations
from timer_core.clock import now_ms
from timer_core.store.calendars import Calendars
from timer_core.store.queries import TimerQueries
from timer_core.store.retention import Retention
from timer_core.store.table import Table
from timer_core.store.timesheets import Timesheets

if TYPE_CHECKING:
    from fake_github.model import Account
    from tests.browser.conftest import OpenAs
    from tests.e2e.conftest import Site


def test_a_day_without_details_has_its_sums_and_no_times(open_as: OpenAs, site: Site, ann: Account) -> None:
    put_timers(
        site,
        [finished_timer(ann, ago, "09:12", 90, 7, description="Secret") for ago in (50, 49, 48)],
    )
    access = site.stack.emulator.access
    connection = Connection(
        region=site.stack.aws.region_name,
        host=access.endpoint_url,
        aws_access_key_id=access.access_key_id,
        aws_secret_access_key=access.secret_access_key,
    )
    table = Table(site.stack.table_name, connection)
    calendars = Calendars(table)
    timesheets = Timesheets(table, TimerQueries(table), calendars)
    timesheets.refresh(ann.id, now_ms=now_ms())
    for ago in range(51, 46, -1):
        timesheets.confirm(ann.id, days_ago(ago), lambda _: None, now_ms=now_ms())
    timesheets.refresh(ann.id, now_ms=now_ms())
    while Retention(table, calendars).reduce(ann.id, before_ms=now_ms(), now_ms=now_ms()):
        pass
    sheet = open_timesheet(open_as, ann)
    page = sheet.page
    page.goto(f"/?day={days_ago(50).isoformat()}")
    day = page.locator("#day")
    expect(page.locator("#day-sum")).to_contain_text("1h\u00a030m")
    expect(day).to_contain_text("The details are deleted, the sums are kept.")
    expect(page.locator("#day-bar")).to_be_hidden()
    expect(page.locator("#day-table")).to_be_hidden()
    expect(day.get_by_role("button", name=re.compile("Reopen|Confirm"))).to_have_count(0)
    sheet.choose("Custom period", From=days_ago(60).isoformat(), To=days_ago(40).isoformat())
    expect(sheet.entries).to_have_count(3)
    expect(sheet.entries.first).to_contain_text("The details are deleted")
    expect(sheet.entries.first).to_contain_text("1h\u00a030m")
    expect(sheet.entries.first).not_to_contain_text("Secret")
    expect(sheet.entries.first.get_by_role("button", name=re.compile("Edit|Delete"))).to_have_count(0)
    assert violations(page) == []
