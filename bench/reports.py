"""Cost of reports of several people, on DynamoDB Local."""

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module

from bench.stage import Stage, stage
from tests.support import many_timers
from tests.support.gateway import Client
from timer_core.clock import now_ms
from timer_core.domain.ids import derived_ulid
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Timer, finished
from timer_core.settings import settings
from timer_core.store.calendars import Calendars
from timer_core.store.people import PeopleStore, Person
from timer_core.store.queries import TimerQueries
from timer_core.store.table import Table
from timer_core.store.timesheets import Timesheets
from timer_core.store.tokens import TokenStore

_DAY_MS = 86_400_000
_ENTRY_MS = 3_600_000
_FIRST_ID = 90_000_000
_BOSS = Person(_FIRST_ID - 1, "boss")
# The entries of each person on each day.
_A_DAY = 4
# The number of people, the days of their entries, and the days of the report.
_REPORTS = ((10, 365, 31), (10, 365, 365), (100, 35, 31), (500, 35, 31))


def measure() -> str:
    """Return the table of the requests, read units and times of reports."""
    on, now = stage(), now_ms()
    client, table = as_boss(on, now)
    rows = [
        "| people | days | requests | read units | a person | time | processor time | rows | KB of JSON |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    known = 0
    for people, days, of_report in _REPORTS:
        add_people(on, table, range(known, people), days, now)
        known = people
        rows.append(_measured(on, client, people, of_report, now))
    return "\n".join(rows)


def as_boss(on: Stage, now: int) -> tuple[Client, Table]:
    """Return a client of an admin, and the functions' table, whose requests are counted."""
    os.environ["ADMIN_LOGINS"] = _BOSS.login
    settings.cache_clear()
    reports = import_module("reports.api")
    table: Table = reports.shared.table
    on.meter.watch(table.connection.client)
    PeopleStore(table).register(_BOSS.user_id, _BOSS.login, now_ms=0)
    _, token = TokenStore(table).mint(_BOSS, name="bench", now_ms=now)
    return Client(reports.handler, token), table


def _measured(on: Stage, client: Client, people: int, days: int, now: int) -> str:
    first, last = date_before(now, days - 1), date_before(now, 0)
    on.meter.reset()
    began_s, cpu_s = time.perf_counter(), time.process_time()
    answer = client("GET", f"/api/reports/?from={first}&to={last}&group_by=person,week")
    seconds, processor_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    assert answer.status == 200, answer.body
    calls, units = len(on.meter.calls), on.meter.read_units
    found, size = len(json.loads(answer.body)["rows"]), len(answer.body.encode()) / 1024
    return (
        f"| {people} | {days} | {calls:,} | {units:,.0f} | {calls / people:.1f}, {units / people:.1f} |"
        f" {seconds:.1f} s | {processor_s:.1f} s | {found:,} | {size:,.0f} |"
    )


def add_people(on: Stage, table: Table, numbers: range, days: int, now: int) -> None:
    """Add people with entries on some days, and store their days."""
    timers = TimerQueries(table)
    timesheets = Timesheets(table, timers, Calendars(table))
    for number in numbers:
        user_id = _FIRST_ID + number
        PeopleStore(table).register(user_id, f"person-{number}", now_ms=0)
        many_timers.put(on.database, on.table_name, _timers(user_id, days, now))
        timesheets.refresh(user_id, now_ms=now)


def _timers(user_id: int, days: int, now: int) -> Iterator[Timer]:
    for number in range(days * _A_DAY):
        start_ms = now - (number + 1) * _DAY_MS // _A_DAY
        yield finished(
            user_id=user_id,
            ulid=derived_ulid(start_ms, f"{user_id} {number}"),
            start_ms=start_ms,
            end_ms=start_ms + _ENTRY_MS,
            now_ms=now,
            # The issues of a person, of which some are those of others.
            issue=Issue("octocat", "hello-world", (user_id + number) % 40 + 1),
        )


def date_before(now: int, days: int) -> str:
    """Return the date some days before an instant."""
    return datetime.fromtimestamp((now - days * _DAY_MS) / 1000, UTC).date().isoformat()
