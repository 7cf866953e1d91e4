"""Cost of deriving and storing working time, with few or many older timers, on DynamoDB Local."""

import time
from collections.abc import Iterator

from bench.stage import Stage, stage
from tests.support import many_timers
from timer_core.clock import now_ms
from timer_core.domain.ids import derived_ulid
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Period, Timer, finished
from timer_core.store.calendars import Calendars
from timer_core.store.queries import TimerQueries
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
_CHANGES = 300


def measure() -> str:
    """Return the table of the requests and read units of each reading, and of the speed of storing."""
    columns = {f"{size:,} older timers": _costs(size) for size in _SIZES}
    names = list(next(iter(columns.values())))
    rows = [f"| requests, read units | {' | '.join(columns)} |", "| --- | ---: | ---: |"]
    rows += (f"| {name} | {' | '.join(costs[name] for costs in columns.values())} |" for name in names)
    year_s, changes = _year_s(), _changes_per_s()
    rows += [
        "",
        "| storing | |",
        "| --- | ---: |",
        f"| a year of a person, {_A_DAY} entries a day | {year_s:.2f} s |",
        f"| changes of as many people, one after the other, per second | {changes:.0f} |",
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


def _year_s() -> float:
    on, now = stage(), now_ms()
    person, _ = on.new_person()
    many_timers.put(on.database, on.table_name, _timers(person.user_id, _A_DAY * _DAYS, now))
    timesheets = _timesheets(on)
    began = time.perf_counter()
    timesheets.rebuild(person.user_id, now_ms=now)
    return time.perf_counter() - began


def _changes_per_s() -> float:
    """Return how many people's days are stored in a second, each with a timer of last week."""
    on, now = stage(), now_ms()
    people = [on.new_person()[0].user_id for _ in range(_CHANGES)]
    many_timers.put(
        on.database, on.table_name, (one for user_id in people for one in _timers(user_id, 4, now))
    )
    timesheets = _timesheets(on)
    began = time.perf_counter()
    for user_id in people:
        timesheets.refresh(user_id, now_ms=now, changed_ms=now - 5 * _DAY_MS)
    return _CHANGES / (time.perf_counter() - began)


def _timesheets(on: Stage) -> Timesheets:
    table = on.timelogs.table
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
