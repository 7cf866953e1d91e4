"""The demo's month: what the product shows is what a plain computation over the acts gives."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import pytest

from demo_github.team import ISSUES, PEOPLE, Person
from demo_month.acts import issue_of
from demo_month.filling import fill
from demo_month.plan import DAYS, REASONS
from demo_month.records import Recorder, product_issue
from demo_month.removal import Removal
from tests.support import plain_hours
from tests.support.calendars import put_exceptions
from tests.support.gateway import Client, Context
from tests.support.handlers import loaded
from tests.support.table import create_table, delete_table
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import DayException
from timer_core.domain.timers import finished
from timer_core.store import people as people_store
from timer_core.store.calendars import Calendars
from timer_core.store.issue_details import IssueDetailsStore
from timer_core.store.people import PeopleStore
from timer_core.store.queries import Filters
from timer_core.store.table import RawItem, Table
from timer_core.store.timers import TimerStore
from timer_core.store.timesheets import Timesheets
from timer_core.store.tokens import TokenStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from mypy_boto3_dynamodb import DynamoDBClient

    from demo_month.acts import Act
    from tests.support.handlers import Clock

# A Friday, in the working hours of the people in Europe, Africa and America.
NOW_MS = int(datetime(2026, 11, 27, 14, 20, tzinfo=UTC).timestamp()) * 1000
LAST = date(2026, 11, 27)
FIRST = LAST - timedelta(days=DAYS)
# No person of the demo lives there.
ELSEWHERE = "Pacific/Auckland"
CODERTOCAT = PEOPLE[0]


@pytest.fixture(scope="module")
def acts(shared_table: Table) -> list[Act]:
    """The acts of a month that is recorded in the table."""
    return fill(shared_table.name, now_ms=NOW_MS, done=lambda _: None).acts


def test_the_issues_of_the_month_have_their_details(acts: list[Act], shared_table: Table) -> None:
    worked_on = {issue for act in acts if (issue := issue_of(act)) is not None}
    found = IssueDetailsStore(shared_table).read(map(product_issue, ISSUES))
    assert found.keys() == {product_issue(issue).key for issue in worked_on}
    for issue in worked_on:
        details = found[product_issue(issue).key]
        assert (details.title, details.type, details.milestone) == (
            issue.title,
            issue.type,
            issue.milestone or "",
        )
        assert details.labels == tuple(sorted(issue.labels))
        assert details.estimate_ms == (issue.estimate_hours and issue.estimate_hours * 3_600_000)
        assert details.parent == (issue.parent and product_issue(issue.parent))
    assert len({details.milestone for details in found.values()}) == 3
    assert any(details.parent for details in found.values())


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
    issue = row.get("issue", row)
    if issue is None:
        return str(row["description"])
    return f"{issue['github_repo']}#{issue['github_issue_number']}"


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.login)
@pytest.mark.usefixtures("at_the_end")
def test_timesheets_have_the_working_time_of_the_plain_computation(
    person: Person, acts: list[Act], timelogs: ModuleType, shared_table: Table
) -> None:
    api = client(timelogs, shared_table, person)
    expected = plain_hours.pieces(person, acts, NOW_MS)
    assert expected
    for week in range(5):
        begin = FIRST + timedelta(days=7 * week)
        end = min(begin + timedelta(days=6), LAST)
        shown = answered(api, f"/api/timesheets/?from={begin}&to={end}")
        for day in shown["days"]:
            issues = Counter({label_of(row): row["working_duration"] * 1000 for row in day["issues"]})
            assert issues == plain_hours.sums(expected, person.time_zone, date.fromisoformat(day["date"]))


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.login)
@pytest.mark.usefixtures("at_the_end")
def test_totals_in_another_time_zone_have_the_working_time_of_the_plain_computation(
    person: Person, acts: list[Act], timelogs: ModuleType, shared_table: Table
) -> None:
    api = client(timelogs, shared_table, person)
    expected = plain_hours.pieces(person, acts, NOW_MS)
    since, until = (
        datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(ELSEWHERE)).astimezone(UTC)
        for day in (FIRST, LAST + timedelta(days=2))
    )
    period = f"since={since:%Y-%m-%dT%H:%M:%SZ}&until={until:%Y-%m-%dT%H:%M:%SZ}"
    shown = answered(api, f"/api/timelogs/totals/?{period}&time_zone={ELSEWHERE}")
    assert shown["complete"]
    days = {date.fromisoformat(day["date"]): day["working_duration"] * 1000 for day in shown["days"]}
    for number in range(DAYS + 2):
        day = FIRST + timedelta(days=number)
        assert days.get(day, 0) == plain_hours.sums(expected, ELSEWHERE, day).total()
    on_issues = Counter[str]()
    for piece in expected:
        on_issues[piece.label if "#" in piece.label else "None#None"] += piece.until_ms - piece.since_ms
    assert {label_of(row): row["working_duration"] * 1000 for row in shown["issues"]} == on_issues


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.login)
@pytest.mark.usefixtures("at_the_end")
def test_the_list_of_timers_has_the_working_time_of_the_plain_computation(
    person: Person, acts: list[Act], timelogs: ModuleType, shared_table: Table
) -> None:
    api = client(timelogs, shared_table, person)
    listed = Counter[str]()
    path: str | None = "/api/timelogs/?page_size=100"
    while path:
        page = answered(api, path)
        for timer in page["results"]:
            row = {"issue": timer if timer["github_repo"] else None, "description": timer["description"]}
            listed[label_of(row)] += timer["working_duration"] * 1000
        path = page["next"] and page["next"][page["next"].index("/api/") :]
    expected = Counter[str]()
    for piece in plain_hours.pieces(person, acts, NOW_MS):
        expected[piece.label] += piece.until_ms - piece.since_ms
    assert listed == expected


GROUPINGS = ["person", "repository", "issue", "label", "milestone", "type", "day", "week", "month"]
TEAM_ISSUES = {f"{issue.repository.full_name}#{issue.number}": issue for issue in ISSUES}


def plain_keys(person: Person, day: date, name: str) -> list[dict[str, str | None]]:
    """Return what a piece of time is about, by the groupings of reports: once for each label of its issue."""
    issue = TEAM_ISSUES.get(name)
    keys = {
        "person": person.login,
        "repository": issue.repository.full_name if issue else None,
        "issue": name if issue else None,
        "milestone": issue.milestone if issue else None,
        "type": issue.type if issue else None,
        "day": str(day),
        "week": str(date.fromisocalendar(*day.isocalendar()[:2], 1)),
        "month": f"{day:%Y-%m}-01",
    }
    labels = (issue.labels if issue else ()) or (None,)
    return [keys | {"label": label} for label in labels]


def key_of(row: dict[str, Any], grouping: str) -> str | None:
    key: Any = row[grouping]
    if grouping == "person":
        return str(key["login"])
    return key and label_of(row) if grouping == "issue" else key


@pytest.fixture(scope="module")
def reports(shared_table: Table) -> Iterator[ModuleType]:
    with loaded(
        "reports.api", shared_table.name, ADMIN_LOGINS=CODERTOCAT.login, WRITES_PER_MINUTE="1000"
    ) as module:
        yield module


@pytest.mark.parametrize("zone", ["Europe/Berlin", ELSEWHERE])
def test_the_report_of_the_team_has_the_working_time_of_the_plain_computation_in_every_grouping(
    zone: str,
    acts: list[Act],
    reports: ModuleType,
    shared_table: Table,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reports, "now_ms", lambda: NOW_MS)
    api = client(reports, shared_table, CODERTOCAT)
    days = [FIRST + timedelta(days=number) for number in range(DAYS + 2)]
    pieces = [
        (plain_keys(person, day, name), ms)
        for person in PEOPLE
        for found in [plain_hours.pieces(person, acts, NOW_MS)]
        for day in days
        for name, ms in plain_hours.sums(found, zone, day).items()
    ]
    period = f"from={days[0]}&to={days[-1]}&time_zone={zone}"
    for group_by in [*zip(GROUPINGS, strict=True), *pairwise(GROUPINGS), ("person", "issue", "week")]:
        expected = Counter[tuple[str | None, ...]]()
        for every, ms in pieces:
            # Of issues with several labels, only rows by label have the time more than once.
            for key in {tuple(keys[grouping] for grouping in group_by) for keys in every}:
                expected[key] += ms
        shown = answered(api, f"/api/reports/?{period}&group_by={','.join(group_by)}")
        found = Counter[tuple[str | None, ...]]()
        for row in shown["rows"]:
            found[tuple(key_of(row, grouping) for grouping in group_by)] += row["working_duration"] * 1000
        assert +found == expected, group_by
        assert shown["totals"]["working_duration"] * 1000 == sum(ms for _, ms in pieces)


@pytest.mark.usefixtures("at_the_end", "acts")
def test_the_first_person_has_timers_that_count_that_wait_and_that_are_paused(
    timelogs: ModuleType, shared_table: Table
) -> None:
    api = client(timelogs, shared_table, CODERTOCAT)
    timers = answered(api, "/api/timelogs/?end_time__isnull=true")["results"]
    assert sum(timer["is_counting"] for timer in timers) == 1
    assert "focus" in {timer["waiting_for"] for timer in timers}
    assert "paused" in {timer["status"] for timer in timers}


@pytest.mark.usefixtures("at_the_end", "acts")
def test_a_late_delivery_changes_a_day_since_its_confirmation(
    timelogs: ModuleType, shared_table: Table
) -> None:
    api = client(timelogs, shared_table, CODERTOCAT)
    days = answered(api, f"/api/timesheets/?from={FIRST}&to={LAST}")["days"]
    assert [day["date"] for day in days if day["changed_since"]]
    assert sum(day["state"] == "confirmed" for day in days) > 10


# ---------------------------------------------------------------------- removal


@pytest.fixture
def own_table(shared_table: Table) -> Iterator[Table]:
    """A table that no other test uses."""
    client = cast("DynamoDBClient", shared_table.connection.client)
    name = f"{shared_table.name}-own"
    create_table(client, name)
    yield Table(name, shared_table.connection)
    delete_table(client, name)


def items(table: Table) -> dict[tuple[str, str], RawItem]:
    """Return all items, without what only counts changes, or is derived from others."""
    found = {}
    pages = table.connection.client.get_paginator("scan").paginate(TableName=table.name, ConsistentRead=True)
    for page in pages:
        for item in page["Items"]:
            kept = {name: value for name, value in item.items() if name not in _COUNTERS}
            is_derived = item["pk"]["S"] == "people" or item["sk"]["S"].startswith("day#")
            if not is_derived:
                found[item["pk"]["S"], item["sk"]["S"]] = kept
    return found


# A day that was confirmed and reopened also leaves its interval at its timers.
_COUNTERS = {
    "version",
    "dirty_changes",
    "dirty_days",
    "stored_until_ms",
    "carry",
    "content",
    "confirmed_span",
}


def shown(table: Table, person: Person, now_ms: int) -> tuple[list[Any], list[Any]]:
    """Return a person's sheets and timers, without the random parts of the timers' names."""
    timers = TimerStore(table)
    dates = [FIRST + timedelta(days=number) for number in range(DAYS + 1)]
    sheets = Timesheets(table, timers, Calendars(table)).days(person.id, dates, now_ms=now_ms)
    page = timers.page(person.id, Filters(), page_size=100)
    return (
        [
            (sheet.date, sheet.working_ms, sheet.overtime_ms, sheet.confirmed_ms, sheet.derived_ms)
            for sheet in sheets
        ],
        sorted((timer.start_ms, timer.end_ms, str(timer.issue), timer.description) for timer in page.timers),
    )


def confirm_days_off(table: Table, person: Person) -> None:
    """Confirm the days on which the demo gave a person a day off."""
    calendars = Calendars(table)
    sheets = Timesheets(table, TimerStore(table), calendars)
    days = [
        day
        for day, exception in calendars.own(person.id).exceptions.items()
        if exception.reason in REASONS and day < LAST
    ]
    assert days
    for day in days:
        sheets.confirm(person.id, day, lambda _: None, now_ms=NOW_MS)


def test_an_empty_table_is_empty_again_after_the_removal(own_table: Table) -> None:
    # Clocks change in this month, and the people's dates are different.
    now_ms = int(datetime(2027, 4, 2, 23, 58, tzinfo=UTC).timestamp()) * 1000
    acts = fill(own_table.name, now_ms=now_ms, done=lambda _: None).acts
    sheets = Timesheets(own_table, TimerStore(own_table), Calendars(own_table))
    for person in PEOPLE:
        expected = plain_hours.pieces(person, acts, now_ms)
        dates = [date(2027, 3, 5) + timedelta(days=number) for number in range(30)]
        for sheet in sheets.days(person.id, dates, now_ms=now_ms):
            assert sheet.working_ms == plain_hours.sums(expected, person.time_zone, sheet.date).total()
    assert len(items(own_table)) > 500
    Removal(own_table).remove(PEOPLE, now_ms=now_ms)
    assert items(own_table) == {}


def test_a_second_run_gives_the_same_and_a_removal_keeps_what_people_did_themselves(own_table: Table) -> None:
    played_on = next(issue for issue in ISSUES if issue.status == "Todo")
    PeopleStore(own_table).register(
        CODERTOCAT.id, CODERTOCAT.login, name="Cody", avatar_url="https://example.com/1", now_ms=NOW_MS - 5000
    )
    timers, calendars = TimerStore(own_table), Calendars(own_table)
    issue = Issue.of(played_on.repository.full_name, played_on.number, repo_id=played_on.repository.id)
    timers.start(user_id=CODERTOCAT.id, now_ms=NOW_MS - 4000, issue=issue)
    began_ms = NOW_MS - 30 * 3_600_000
    timers.add(
        finished(
            user_id=CODERTOCAT.id,
            ulid="01M6B0000000000000000000AA",
            start_ms=began_ms,
            end_ms=began_ms + 60_000,
            now_ms=NOW_MS - 3000,
            description="Mine",
        )
    )
    put_exceptions(
        calendars,
        CODERTOCAT.id,
        {LAST - timedelta(days=3): DayException(reason="Mine")},
        now_ms=NOW_MS - 2000,
    )
    before, shown_before = items(own_table), shown(own_table, CODERTOCAT, NOW_MS)
    first = fill(own_table.name, now_ms=NOW_MS, done=lambda _: None)
    assert first.removed.timers == 0
    assert first.removed.in_use == {played_on}
    filled = [shown(own_table, person, NOW_MS) for person in PEOPLE]
    second = fill(own_table.name, now_ms=NOW_MS, done=lambda _: None)
    assert second.removed.timers >= 50
    assert second.removed.in_use == {played_on}
    assert [shown(own_table, person, NOW_MS) for person in PEOPLE] == filled
    earlier = items(own_table)
    confirm_days_off(own_table, CODERTOCAT)
    # The audit log keeps what the person did, although the removal reopens the days.
    done = {key for key in items(own_table).keys() - earlier.keys() if key[1].startswith("audit#")}
    Removal(own_table).remove(PEOPLE, now_ms=NOW_MS)
    left = items(own_table)
    assert done
    assert done <= left.keys()
    # The repository on whose issue the person has a timer keeps its name.
    names = {key for key in left if key[0] in ("owner#octo-demo", f"repo#{played_on.repository.id}")}
    assert {key: item for key, item in left.items() if key not in names | done} == before
    assert len(names) == 2
    assert shown(own_table, CODERTOCAT, NOW_MS) == shown_before


def test_a_sweep_during_a_run_changes_nothing(own_table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    acts, stopped = count(), list[int]()
    record = Recorder._record

    with loaded("stale_sweeper.sweep", own_table.name) as sweeper, monkeypatch.context() as patched:
        patched.setattr(sweeper, "now_ms", lambda: NOW_MS)

        def record_and_sweep(recorder: Recorder, act: Act) -> None:
            record(recorder, act)
            if next(acts) == 100:
                stopped.append(sweeper.handler({"stop_stale": True}, Context())["stopped"])

        patched.setattr(Recorder, "_record", record_and_sweep)
        assert fill(own_table.name, now_ms=NOW_MS, done=lambda _: None).removed.timers == 0
    (number,) = stopped
    assert number > 0
    swept = [shown(own_table, person, NOW_MS) for person in PEOPLE]
    fill(own_table.name, now_ms=NOW_MS, done=lambda _: None)
    assert swept == [shown(own_table, person, NOW_MS) for person in PEOPLE]


def test_an_interrupted_removal_is_completed_by_the_next_one(
    own_table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    fill(own_table.name, now_ms=NOW_MS, done=lambda _: None)
    with monkeypatch.context() as patched:
        patched.setattr(Removal, "_remove_person", interrupt)
        with pytest.raises(KeyboardInterrupt):
            Removal(own_table).remove(PEOPLE, now_ms=NOW_MS)
    assert items(own_table)
    assert not Removal(own_table).remove(PEOPLE, now_ms=NOW_MS).in_use
    assert items(own_table) == {}
