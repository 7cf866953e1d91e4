"""The demo's month: what the product shows is what a plain computation over the acts gives."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from demo_github.team import PEOPLE, Person
from demo_month.marks import MarkedTable
from demo_month.plan import DAYS, month
from demo_month.records import Recorder
from tests.support import plain_hours
from tests.support.gateway import Client
from tests.support.handlers import Clock
from timer_core.store import people as people_store
from timer_core.store.table import Table
from timer_core.store.tokens import TokenStore

if TYPE_CHECKING:
    from types import ModuleType

    from demo_month.acts import Act

# A Friday, in the working hours of the people in Europe, Africa and America.
NOW_MS = int(datetime(2026, 11, 27, 14, 20, tzinfo=UTC).timestamp()) * 1000
LAST = date(2026, 11, 27)
ELSEWHERE = "Pacific/Auckland"


@pytest.fixture(scope="module")
def acts(shared_table: Table) -> list[Act]:
    """The acts of a month, recorded in the table."""
    acts = month(NOW_MS)
    marked = MarkedTable(shared_table.name, shared_table.connection)
    Recorder(marked).record(acts, lambda _: None)
    return acts


def client(timelogs: ModuleType, table: Table, person: Person) -> Client:
    caller = people_store.Person(person.id, person.login)
    return Client(timelogs.handler, TokenStore(table).mint(caller, name="test", now_ms=NOW_MS)[1])


@pytest.fixture
def at_the_end(clock: Clock) -> Clock:
    """The API's clock at the end of the month."""
    clock.ms = NOW_MS
    return clock


def answered(api: Client, path: str) -> dict[str, Any]:
    answer = api("GET", path)
    assert answer.status == 200, answer.body
    body: dict[str, Any] = answer.json()
    return body


def label_of(row: dict[str, Any]) -> str:
    issue = row["issue"] if "issue" in row else row
    if issue is None:
        return str(row["description"])
    return f"{issue['github_repo']}#{issue['github_issue_number']}"


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.login)
@pytest.mark.usefixtures("at_the_end")
def test_timesheets_have_the_working_time_of_the_plain_computation(
    person: Person, acts: list[Act], timelogs: ModuleType, shared_table: Table
) -> None:
    api = client(timelogs, shared_table, person)
    first = LAST - timedelta(days=DAYS)
    expected = plain_hours.pieces(person, acts, NOW_MS)
    assert expected
    for week in range(5):
        begin = first + timedelta(days=7 * week)
        end = min(begin + timedelta(days=6), LAST)
        shown = answered(api, f"/api/timesheets/?from={begin}&to={end}")
        for day in shown["days"]:
            issues = Counter({label_of(row): row["working_duration"] * 1000 for row in day["issues"]})
            assert issues == plain_hours.sums(expected, person.time_zone, date.fromisoformat(day["date"]))
