"""Cost of deriving and storing working time, on DynamoDB Local, and how soon the local stack stores days."""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from bench.stage import Stage, stage
from deployed_stack.http_client import request
from local_stack import LocalStack, free_port
from tests.support import many_timers
from tests.support.gateway import Context
from tests.support.stream import calendar_record, timer_record
from timer_core.clock import now_ms
from timer_core.domain.calendar import Calendar, Policy
from timer_core.domain.changes import changed_from_ms
from timer_core.domain.ids import derived_ulid
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import Interval, Week
from timer_core.domain.timeline import standings, timeline
from timer_core.domain.timers import Period, Timer, finished
from timer_core.store.calendars import Calendars
from timer_core.store.items import timer_item
from timer_core.store.keys import CALENDAR_SK, day_sk, timer_sk, user_pk
from timer_core.store.queries import TimerQueries
from timer_core.store.stored_days import date_of, outdated
from timer_core.store.table import Write
from timer_core.store.timesheets import Timesheets

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS
_SIZES = (10, 10_000)
_OPEN = 4
_TODAY = 6
# Four entries on each day of a year.
_A_DAY = 4
_DAYS = 365
# The size of the function's batches, the number of people with changes, and of the changes of each of some.
_BATCH, _CHANGED, _OF_EACH = 100, 300, 10
# A year is rebuilt for as many people, some at a time.
_YEARS, _AT_A_TIME = 16, 8
_PEOPLE = 1_000
_OPEN_SIZES = (50, 500, 5_000)
# Changes on the local stack.
_DELAYS, _WARM_UP = 20, 3


def measure() -> str:
    """Return the tables of the requests and read units of each reading, and of the speed of storing."""
    columns = {f"{size:,} older timers": _costs(size) for size in _SIZES}
    names = list(next(iter(columns.values())))
    rows = [f"| requests, read units | {' | '.join(columns)} |", "| --- | ---: | ---: |"]
    rows += (f"| {name} | {' | '.join(costs[name] for costs in columns.values())} |" for name in names)
    rows += [
        "",
        "| changes | a second | requests each | ms of processor time each | the same without the client |",
        "| --- | ---: | ---: | ---: | ---: |",
        *_changes(),
        "",
        "| years | time | requests | processor time | the same without the client |",
        "| --- | ---: | ---: | ---: | ---: |",
        *_years(),
        "",
        "| open timers, begun in the last month | derive the month | derive what each waits for |",
        "| ---: | ---: | ---: |",
        *_open_timers(),
        "",
        "| on the local stack | median | longest |",
        "| --- | ---: | ---: |",
        _delay(),
    ]
    return "\n".join(rows)


def _costs(size: int) -> dict[str, str]:
    on, now = stage(), now_ms()
    person, _ = on.new_person()
    many_timers.put(on.database, on.table_name, _timers(person.user_id, size, now))
    timesheets = _timesheets(on)
    timesheets.refresh(person.user_id, now_ms=now)
    month = Period(now - 31 * _DAY_MS, now)

    def cost(read: object) -> str:
        on.meter.reset()
        assert callable(read)
        read()
        return f"{len(on.meter.calls)}, {on.meter.read_units:g}"

    return {
        "present, as a poll reads it": cost(lambda: timesheets.present(person.user_id, now_ms=now)),
        "a month": cost(lambda: timesheets.worked(person.user_id, month, now_ms=now)),
        "nothing to store": cost(lambda: timesheets.refresh(person.user_id, now_ms=now)),
    }


def _changes() -> Iterator[str]:
    """Measure the function, which gets its batches one after the other."""
    on, now = stage(), now_ms()
    people = [on.new_person()[0].user_id for _ in range(_CHANGED)]
    timers = {user_id: list(_timers(user_id, 4 * _A_DAY, now)) for user_id in people}
    many_timers.put(on.database, on.table_name, (one for own in timers.values() for one in own))
    timesheets = _timesheets(on)
    for user_id in people:
        timesheets.refresh(user_id, now_ms=now)
    older, open_ = _OPEN + _TODAY, 0
    some = people[: _CHANGED // _OF_EACH]

    def changes(first: int, people: Sequence[int], of_each: int = 1) -> Iterator[_Change]:
        for position in range(first, first + of_each):
            for user_id in people:
                yield _Change(timers[user_id][position], _changed(timers[user_id][position], now))

    yield _rate(on, f"of the present, of {_CHANGED} people", [*changes(open_, people)])
    yield _rate(on, f"of a day of last week, of {_CHANGED} people", [*changes(older + 3, people)])
    name = f"of last week, {_OF_EACH} different ones of each of {len(some)} people, in turn"
    yield _rate(on, name, [*changes(older + 4, some, _OF_EACH)])
    others = people[len(some) : 2 * len(some)]
    together = sorted(changes(older + 4, others, _OF_EACH), key=lambda change: change.after.user_id)
    yield _rate(on, name.replace("in turn", "one person after the other"), together)


class _Change(NamedTuple):
    """A change of a timer."""

    before: Timer
    after: Timer


def _rate(on: Stage, name: str, changes: Sequence[_Change]) -> str:
    """Measure storing the days after changes. Each batch of them is made just before it is handled."""
    batches = [changes[first : first + _BATCH // 2] for first in range(0, len(changes), _BATCH // 2)]
    figures = [_handle(on, batch) for batch in batches]
    seconds, calls, cpu_s, own_s = (sum(column) / len(changes) for column in zip(*figures, strict=True))
    return f"| {name} | {1 / seconds:.0f} | {calls:.2f} | {cpu_s * 1000:.1f} | {own_s * 1000:.1f} |"


def _handle(on: Stage, changes: Sequence[_Change]) -> tuple[float, int, float, float]:
    """Make changes as the store does, and measure the function with the records of them."""
    table, now = on.timelogs.shared.table, now_ms()
    records = []
    for before, after in changes:
        records.append(timer_record(before, after))
        from_ms = changed_from_ms(before, after)
        assert from_ms is not None
        marks = outdated(after.user_id, from_ms, now_ms=now)
        put = Write("Put", user_pk(after.user_id), timer_sk(after.ulid), item=timer_item(after))
        table.transact([put, *marks])
        if marks:
            calendar = table.get(user_pk(after.user_id), CALENDAR_SK)
            records.append(calendar_record(after.user_id, calendar))
    return _measured(on, lambda: on.timesheets.handler({"Records": records}, Context()))


def _measured(on: Stage, act: Callable[[], None]) -> tuple[float, int, float, float]:
    """Return the seconds, requests, processor time, and processor time without the client, of an act."""
    on.meter.reset()
    began, began_cpu = time.perf_counter(), time.process_time()
    act()
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
    return seconds, len(on.meter.calls), cpu_s, cpu_s - on.meter.client_s


def _changed(timer: Timer, now: int) -> Timer:
    """Stop an open timer, or correct the end of an entry."""
    if timer.end_ms is None:
        return timer.stop(now, "manual")
    return finished(
        user_id=timer.user_id,
        ulid=timer.ulid,
        start_ms=timer.start_ms,
        end_ms=timer.end_ms + _MINUTE_MS,
        now_ms=now,
        issue=timer.issue,
    )


def _years() -> Iterator[str]:
    """Measure rebuilding a person's year; the years of many people follow from those of some."""
    on, now = stage(), now_ms()
    people = [on.new_person()[0].user_id for _ in range(_YEARS)]
    timers = (one for user_id in people for one in _timers(user_id, _A_DAY * _DAYS, now))
    many_timers.put(on.database, on.table_name, timers)
    timesheets = _timesheets(on)

    def rebuild() -> None:
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            list(pool.map(lambda user_id: timesheets.rebuild(user_id, now_ms=now), people))

    seconds, calls, cpu_s, own_s = _measured(on, rebuild)
    yield (
        f"| a year of a person, {_A_DAY} entries a day ({_YEARS} people, {_AT_A_TIME} at a time) "
        f"| {seconds / _YEARS:.2f} s | {calls / _YEARS:.0f} "
        f"| {cpu_s / _YEARS:.2f} s | {own_s / _YEARS:.2f} s |"
    )
    share = _PEOPLE / _YEARS
    yield (
        f"| {_PEOPLE:,} people, calculated from these | {seconds * share / 60:.1f} min "
        f"| {calls * share:,.0f} | {cpu_s * share / 60:.1f} min | {own_s * share / 60:.1f} min |"
    )


def _open_timers() -> Iterator[str]:
    """Measure the processor time of a poll that has to derive a month, without reading the timers."""
    now = now_ms()
    office = Week("Europe/Berlin", ((Interval(540, 1020),),) * 5 + ((),) * 2)
    calendar = Calendar((Policy(working_hours=office),))
    for size in _OPEN_SIZES:
        starts = [now - 30 * _DAY_MS * (number + 1) // size for number in range(size)]
        timers = [
            Timer.start(user_id=1, ulid=derived_ulid(at_ms, "open"), at_ms=at_ms, now_ms=at_ms, by="assigned")
            for at_ms in starts
        ]
        began = time.process_time()
        derived = timeline(timers, calendar, now)
        between = time.process_time()
        standings(timers, calendar, derived.carry)
        yield f"| {size:,} | {between - began:.2f} s | {time.process_time() - between:.2f} s |"


def _delay() -> str:
    """Measure the time from the request of a change until its day is in the table of the local stack."""
    with tempfile.TemporaryDirectory() as folder, LocalStack(free_port(), Path(folder)) as stack:
        token = stack.mint_token(1, login="octocat")
        database = stack.aws.client("dynamodb")
        delays = []
        for number in range(_WARM_UP + _DELAYS):
            day = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
            day -= timedelta(days=100 + number)
            body = {"start_time": day.isoformat(), "end_time": (day + timedelta(hours=3)).isoformat()}
            headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
            content = json.dumps(body).encode()
            began = time.perf_counter()
            answer = request("POST", f"{stack.url}/api/timelogs/", body=content, headers=headers)
            assert answer.status == 201, answer
            key = {"pk": {"S": user_pk(1)}, "sk": {"S": day_sk(date_of(round(day.timestamp() * 1000)))}}
            while "Item" not in database.get_item(TableName=stack.table_name, Key=key, ConsistentRead=True):
                time.sleep(0.02)
            delays.append(time.perf_counter() - began)
    measured = delays[_WARM_UP:]
    return (
        f"| from the request of a change until its day is stored, {_DELAYS} changes "
        f"| {statistics.median(measured):.2f} s | {max(measured):.2f} s |"
    )


def _timesheets(on: Stage) -> Timesheets:
    table = on.timelogs.shared.table
    timesheets = Timesheets(table, TimerQueries(table), Calendars(table))
    # The organization's settings are cached for a minute.
    timesheets.present(0, now_ms=now_ms())
    return timesheets


def _timers(user_id: int, size: int, now: int) -> Iterator[Timer]:
    """Yield open timers, entries of today, and older timers."""

    def issue(number: int) -> Issue:
        return Issue("octocat", "hello-world", number % 50 + 1)

    for number in range(_OPEN):
        at_ms = now - 3 * _DAY_MS - number * _HOUR_MS
        ulid = derived_ulid(at_ms, f"open {user_id} {number}")
        yield Timer.start(
            user_id=user_id, ulid=ulid, at_ms=at_ms, now_ms=at_ms, by="assigned", issue=issue(number)
        )
    ends = [now - number * 10 * _MINUTE_MS for number in range(_TODAY)]
    ends += [now - 3 * _DAY_MS - number * _DAY_MS // _A_DAY for number in range(size)]
    for number, end_ms in enumerate(ends):
        start_ms = end_ms - 9 * _MINUTE_MS
        ulid = derived_ulid(start_ms, f"{user_id} {number}")
        yield finished(
            user_id=user_id,
            ulid=ulid,
            start_ms=start_ms,
            end_ms=end_ms,
            now_ms=now,
            issue=issue(number),
        )
