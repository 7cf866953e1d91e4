"""Cost of reading a month of a person who has few or many timers before or after it, on DynamoDB Local."""

from collections.abc import Iterator
from datetime import UTC, datetime

from bench.stage import Meter, stage
from tests.support import many_timers
from tests.support.gateway import Client
from timer_core.clock import now_ms
from timer_core.domain.ids import derived_ulid
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Timer, finished

_MINUTE_MS = 60_000
_DAY_MS = 1440 * _MINUTE_MS
_MONTH_MS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
_PERIOD = "since=2026-01-01T00:00:00Z&until=2026-02-01T00:00:00Z"
_OF_MONTH = 100
_MANY = 10_000
_READS = {
    "list, page of 50": f"/api/timelogs/?{_PERIOD}",
    "list, last page": f"/api/timelogs/?{_PERIOD}&page_size=100&start_time__lt=2026-01-10T00:00:00Z",
    "list with a count": f"/api/timelogs/?{_PERIOD}&count=true",
    "totals": f"/api/timelogs/totals/?{_PERIOD}",
    "timesheets": "/api/timesheets/?from=2026-01-01&to=2026-01-31",
}


def measure() -> str:
    """Return the table of the queries and read units of each request."""
    columns = {
        "100 timers": _costs(before=0, after=0),
        f"{_MANY:,} older": _costs(before=_MANY, after=0),
        f"{_MANY:,} newer": _costs(before=0, after=_MANY),
    }
    rows = [
        f"| queries, read units | {' | '.join(columns)} |",
        f"| --- | {' | '.join(['---:'] * len(columns))} |",
    ]
    rows += (f"| {name} | {' | '.join(costs[name] for costs in columns.values())} |" for name in _READS)
    return "\n".join(rows)


def _costs(*, before: int, after: int) -> dict[str, str]:
    on = stage()
    person, api = on.new_person()
    many_timers.put(on.database, on.table_name, _timers(person.user_id, before, after))
    on.timelogs.shared.timesheets.refresh(person.user_id, now_ms=now_ms())
    # The first request of a token reads the token.
    api("GET", _READS["totals"])
    return {name: _cost(on.meter, api, target) for name, target in _READS.items()}


def _cost(meter: Meter, api: Client, target: str) -> str:
    meter.reset()
    answer = api("GET", target)
    assert answer.status == 200, answer
    queries = meter.calls.count("Query")
    return f"{queries}, {meter.read_units:g}"


def _timers(user_id: int, before: int, after: int) -> Iterator[Timer]:
    """Yield 100 timers of the month, one that began a year earlier, and timers before and after the month."""

    def timer(start_ms: int, minutes: int) -> Timer:
        return finished(
            user_id=user_id,
            ulid=derived_ulid(start_ms, str(minutes)),
            start_ms=start_ms,
            end_ms=start_ms + minutes * _MINUTE_MS,
            now_ms=now_ms(),
            issue=Issue("octocat", "hello-world", start_ms % 50 + 1),
        )

    for number in range(_OF_MONTH):
        yield timer(_MONTH_MS + number * 6 * 60 * _MINUTE_MS, 60)
    yield timer(_MONTH_MS - 365 * _DAY_MS, 370 * 1440)
    for number in range(before):
        yield timer(_MONTH_MS - (number + 1) * 60 * _MINUTE_MS, 50)
    for number in range(after):
        yield timer(_MONTH_MS + 31 * _DAY_MS + number * 20 * _MINUTE_MS, 10)
